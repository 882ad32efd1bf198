"""Is a track ready to be judged? Decided from the scenes that are ingested, the archive's watermark and the time, nothing else.

A post-event stack is split from the pre-event one by exact time, never by date: a pass of the same day but before the earthquake
belongs to the pre-event stack. What is not listed may only be late: readiness needs a watermark, the newest scene in the archive.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from quakeslide.domain.sentinel1 import Polarisation, Scene, Stage, Track, data_takes

EQUAL_AREA = "EPSG:6933"  # EASE-Grid 2.0: areas of different latitudes may be compared
S1C_USABLE = datetime(2025, 5, 20, tzinfo=UTC)  # earlier Sentinel-1C data are from commissioning (opera-sds#102)
SETTLING = timedelta(minutes=5)  # a scene is a slice of up to half a minute; shaking lasts minutes
HISTORY = timedelta(days=90)  # which ground a track is known to see
STRONG_PRE = 3  # fewer pre-event passes leave speckle in the median


class Readiness(StrEnum):
    """What can be done with a track's stage now."""

    WAITING = "waiting"
    PROVISIONAL = "provisional"
    FINAL = "final"
    PARTIAL = "partial"
    NO_POST = "no_post"
    NO_PRE = "no_pre"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a track counts as seen.

    Attributes:
        least_coverage: share of the ground the track can see that the post-event stack must cover.
        least_share: a track that sees less of the AOI is skipped.
        margin: how far the watermark must be beyond the window's end, for scenes ingested out of order.
        grace: after the window's end, then what there is must do.
        freeze: after the window's end, then a final stage stays as it is.
    """

    least_coverage: float = 0.95
    least_share: float = 0.02
    margin: timedelta = timedelta(hours=6)
    grace: timedelta = timedelta(days=3)
    freeze: timedelta = timedelta(days=14)


RULES = Rules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Time windows of one stage: pre-event [pre_start, pre_end), post-event (post_after, post_until].

    Attributes:
        pre_end: normally the origin time.
        post_start: normally the origin time; later where a later shock matters.
        stage: their lengths.
    """

    pre_end: datetime
    post_start: datetime
    stage: Stage

    @property
    def pre_start(self) -> datetime:
        """First instant of the pre-event window."""
        return self.pre_end - timedelta(days=self.stage.pre_days)

    @property
    def post_after(self) -> datetime:
        """The post-event window begins right after this instant."""
        return self.post_start + SETTLING

    @property
    def post_until(self) -> datetime:
        """Last instant of the post-event window."""
        return self.post_start + timedelta(days=self.stage.post_days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """A track's stage as it stands.

    Attributes:
        readiness: what can be done now.
        pre, post: scenes to use now, by id; of a provisional outlook only the first complete post-event pass.
        n_pre, n_post: data-takes in them.
        coverage: share of the ground the track can see that `post` covers.
        share: share of the AOI the track can see.
        polarisation: `vv_vh` where every scene of both stacks has VH.
        post_until: end of the post-event window.
    """

    readiness: Readiness
    pre: tuple[Scene, ...]
    post: tuple[Scene, ...]
    n_pre: int
    n_post: int
    coverage: float
    share: float
    polarisation: Polarisation
    post_until: datetime

    @property
    def lacks_vh(self) -> bool:
        """Some scenes have VH, but not all: it is left aside."""
        has = {"VH" in scene.polarisations for scene in (*self.pre, *self.post)}
        return has == {True, False}

    @property
    def weak_pre(self) -> bool:
        """Fewer than three pre-event passes."""
        return self.n_pre < STRONG_PRE


def reason_against(scene: Scene) -> str:
    """Say in words why a scene may not enter a stack; empty where it may."""
    if "VV" not in scene.polarisations:
        return f"scenes of {'+'.join(scene.polarisations)} are left out, the models know VV and VH only"
    if scene.platform == "C" and scene.start < S1C_USABLE:
        return f"scenes of Sentinel-1C before {S1C_USABLE:%Y-%m-%d} are left out, it was being commissioned"
    return ""


def is_usable(scene: Scene) -> bool:
    """Say whether a scene may enter a stack: VV (not HH), and no Sentinel-1C before it was released for use."""
    return not reason_against(scene)


def tracks_of(scenes: Iterable[Scene]) -> list[Track]:
    """Return the tracks of the usable scenes, in order."""
    return sorted({scene.track for scene in scenes if is_usable(scene)})


def look(
    aoi: BaseGeometry,
    scenes: Iterable[Scene],
    *,
    track: Track,
    windows: Windows,
    watermark: datetime,
    now: datetime,
    rules: Rules = RULES,
    takes_all: bool = False,
) -> Outlook:
    """Decide what can be done with one stage of one track.

    Args:
        aoi: land where shaking could trigger landslides, polygon in lon/lat degrees.
        scenes: all that the archive lists over the AOI, at least from 90 days before `pre_end` on; order and repeats do not matter.
        track: only its scenes count.
        windows: of the stage.
        watermark: acquisition time of the newest scene in the whole archive.
        now: the trigger's own time.
        rules: thresholds.
        takes_all: a provisional outlook too has every post-event pass.
    """
    own = list({s.scene_id: s for s in scenes if s.track == track and is_usable(s) and s.start <= now}.values())
    pre = [s for s in own if windows.pre_start <= s.start < windows.pre_end]
    post = [s for s in own if windows.post_after < s.start <= windows.post_until]
    ground = _on_ground(aoi)
    seen = _union(s for s in own if s.start >= windows.pre_end - HISTORY).intersection(ground)
    share = seen.area / ground.area

    def outlook(readiness: Readiness, used: Sequence[Scene]) -> Outlook:
        stacks = [*pre, *used]
        dual = bool(stacks) and all("VH" in s.polarisations for s in stacks)
        return Outlook(
            readiness=readiness,
            pre=tuple(sorted(pre, key=lambda s: s.scene_id)),
            post=tuple(sorted(used, key=lambda s: s.scene_id)),
            n_pre=len(data_takes(pre)),
            n_post=len(data_takes(used)),
            coverage=round(_coverage(used, seen), 4),
            share=round(share, 4),
            polarisation=Polarisation.VV_VH if dual else Polarisation.VV,
            post_until=windows.post_until,
        )

    if share < rules.least_share:
        return outlook(Readiness.SKIPPED, post)
    is_covered = bool(pre and post) and _coverage(post, seen) >= rules.least_coverage
    is_over = now >= windows.post_until
    if is_over and is_covered and watermark - rules.margin > windows.post_until:
        return outlook(Readiness.FINAL, post)
    if now >= windows.post_until + rules.grace:
        if not post:
            return outlook(Readiness.NO_POST, post)
        if not pre:
            return outlook(Readiness.NO_PRE, post)
        return outlook(Readiness.FINAL if is_covered else Readiness.PARTIAL, post)
    if is_covered:
        return outlook(Readiness.PROVISIONAL, post if takes_all else _first_complete_pass(post, seen, rules))
    return outlook(Readiness.WAITING, post)


def _first_complete_pass(post: Sequence[Scene], seen: BaseGeometry, rules: Rules) -> list[Scene]:
    """Return the earliest data-take that covers the ground alone, or the shortest run of them from the start that does together."""
    so_far: list[Scene] = []
    for take in data_takes(post):
        so_far.extend(take)
        if _coverage(take, seen) >= rules.least_coverage:
            return take
        if _coverage(so_far, seen) >= rules.least_coverage:
            return so_far
    raise ValueError("no pass is complete, but together they are said to be")


def _coverage(scenes: Sequence[Scene], seen: BaseGeometry) -> float:
    if not scenes or seen.is_empty:
        return 0.0
    return float(_union(scenes).intersection(seen).area / seen.area)


def _union(scenes: Iterable[Scene]) -> BaseGeometry:
    """Return the ground that the footprints cover, in equal-area metres."""
    return shapely.union_all([_on_ground(s.footprint) for s in scenes])


@cache
def _equal_area() -> Transformer:
    return Transformer.from_crs("EPSG:4326", EQUAL_AREA, always_xy=True)


@lru_cache(maxsize=1024)
def _on_ground(geometry: BaseGeometry) -> BaseGeometry:
    """Project a lon/lat geometry into equal-area metres; every stage of every track asks again for the same footprints."""

    def project(lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(_equal_area().transform(lonlat[:, 0], lonlat[:, 1]))

    return shapely.transform(geometry, project)
