"""A watch: an earthquake's area under observation until every stage of every track is frozen.

For each track and stage it remembers which composites were ordered and how far each one got. Only the watch decides what is
exported; everything here is a value, changed by replacing it.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shapely.geometry.base import BaseGeometry

from quakeslide.domain.lattice import Lattice
from quakeslide.domain.readiness import Readiness
from quakeslide.domain.sentinel1 import Stage, Track

MESSAGES_KEPT = 100  # ids of handled messages that a watch remembers
MAX_ATTEMPTS = 3
MAX_REDRIVES = 5
PATIENCE = timedelta(minutes=15)  # products should be there so long after the export succeeded


class Standing(StrEnum):
    """Whether the watch is kept."""

    OPEN = "open"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class Step(StrEnum):
    """How far a composite got: planned, exporting, exported (products expected), done, or given up."""

    PLANNED = "planned"
    EXPORTING = "exporting"
    EXPORTED = "exported"
    DONE = "done"
    FAILED = "failed"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One composite that was ordered.

    Attributes:
        composite_id: names it; its manifest holds the rest.
        scenes: how many it is made of.
        is_final: it is the stage's final one; `is_marked`: the marker beside the manifest says so.
        attempt: counts exports of it, from 1; `attempts_allowed`: when to give up.
        operation: Earth Engine's name of the running or last export.
        driven_at: when the export was seen to have succeeded, or a rescan was sent last.
        redrives: rescans sent because products were missing.
        text: what went wrong last.
    """

    composite_id: str
    scenes: int
    is_final: bool = False
    is_marked: bool = False
    step: Step = Step.PLANNED
    attempt: int = 1
    attempts_allowed: int = MAX_ATTEMPTS
    operation: str | None = None
    driven_at: datetime | None = None
    redrives: int = 0
    text: str = ""

    @property
    def finality(self) -> str:
        """Which products are awaited, as it stands in object names."""
        return "final" if self.is_final else "provisional"

    @property
    def is_settled(self) -> bool:
        """Nothing more will happen to it by itself."""
        return self.step in (Step.DONE, Step.FAILED, Step.STUCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackStage:
    """One stage of one track.

    Attributes:
        readiness, coverage, share, n_pre, n_post, post_until: as last looked at.
        orders: composites in the order they were planned.
        is_frozen: no scene can change it any more.
    """

    track: Track
    stage: Stage
    readiness: Readiness
    coverage: float
    share: float
    n_pre: int
    n_post: int
    post_until: datetime
    orders: tuple[Order, ...] = ()
    is_frozen: bool = False

    @property
    def final_order(self) -> Order | None:
        """The newest order that is final."""
        return next((order for order in reversed(self.orders) if order.is_final), None)

    def with_composite(self, composite_id: str, scenes: int, *, is_final: bool) -> "TrackStage":
        """Order a composite, or promote the one already ordered.

        A provisional composite is made once. A final one is replaced only by another set of scenes that is not smaller: a listing
        that for a moment lacks a scene is no news.
        """
        standing = next((order for order in self.orders if order.composite_id == composite_id), None)
        if standing is not None:
            if not is_final or standing.is_final:
                return self
            promoted = replace(standing, is_final=True)
            return replace(self, orders=tuple(promoted if o is standing else o for o in self.orders))
        if not is_final and self.orders:
            return self
        if self.final_order is not None and scenes < self.final_order.scenes:
            return self
        return replace(self, orders=(*self.orders, Order(composite_id=composite_id, scenes=scenes, is_final=is_final)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Force:
    """A wish to score composites again.

    Attributes:
        nonce: id of the message that brought the wish; becomes part of the run ids.
        composite_ids: those whose export had been started when it came.
    """

    nonce: str
    composite_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """An earthquake under observation.

    Attributes:
        event_id: canonical id.
        t0: origin time (of a manual event its `post_start`).
        place, magnitude: for titles.
        aoi: land to look at, lon/lat degrees; fixed once a composite was ordered.
        aoi_source: `manual`, `shakemap` or `radius`.
        post_start, pre_end: None = t0.
        tracks, stages: None = all of them.
        lattice: chosen when the first composite is planned, then fixed.
        standing, reason: why it ended.
        told_at: publish time of the newest announcement or cancellation that was heeded.
        looked_at: time of the last look; the watch never goes back behind it.
        revision: rises with every write.
        messages: ids of handled messages, oldest first.
        notices: what people should know, in plain words.
        forces: wishes not yet passed on.
        track_stages: in order of track and stage.
    """

    event_id: str
    t0: datetime
    place: str
    magnitude: float | None
    aoi: BaseGeometry
    aoi_source: str
    post_start: datetime | None = None
    pre_end: datetime | None = None
    tracks: tuple[Track, ...] | None = None
    stages: tuple[Stage, ...] | None = None
    lattice: Lattice | None = None
    standing: Standing = Standing.OPEN
    reason: str = ""
    told_at: datetime
    looked_at: datetime | None = None
    revision: int = 1
    messages: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    forces: tuple[Force, ...] = ()
    track_stages: tuple[TrackStage, ...] = field(default=())

    @property
    def post_begin(self) -> datetime:
        """Start of the post-event stack."""
        return self.post_start or self.t0

    @property
    def pre_finish(self) -> datetime:
        """End of the pre-event stack, never after the post-event stack's start."""
        return self.pre_end or min(self.t0, self.post_begin)

    @property
    def has_orders(self) -> bool:
        """A composite was ordered: area and lattice are fixed."""
        return any(item.orders for item in self.track_stages)

    def find(self, track: Track, stage: Stage) -> TrackStage | None:
        """Return one stage of one track."""
        return next((item for item in self.track_stages if (item.track, item.stage) == (track, stage)), None)

    def having(self, changed: TrackStage) -> "Watch":
        """Return the watch with this stage of this track put in or replaced."""
        others = [i for i in self.track_stages if (i.track, i.stage) != (changed.track, changed.stage)]
        ordered = sorted([*others, changed], key=lambda i: (i.track, i.stage.post_days, i.stage.pre_days))
        return replace(self, track_stages=tuple(ordered))

    def having_handled(self, message_id: str) -> "Watch":
        """Return the watch with a message remembered."""
        others = [known for known in self.messages if known != message_id]
        return replace(self, messages=(*others, message_id)[-MESSAGES_KEPT:])

    def noting(self, text: str) -> "Watch":
        """Return the watch with a notice, said once."""
        return self if text in self.notices else replace(self, notices=(*self.notices, text))
