"""Sentinel-1 as Quakeslide sees it: tracks, scenes, stages.

A track is one viewing geometry and is never mixed with another in one composite (Nava et al. 2026, 4.2). The relative orbit is
read from the scene's metadata, never computed from its name.
"""

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shapely.geometry.base import BaseGeometry


class OrbitPass(StrEnum):
    """Flight direction, spelled as Earth Engine's `orbitProperties_pass`."""

    ASCENDING = "ASCENDING"
    DESCENDING = "DESCENDING"


class Polarisation(StrEnum):
    """Which bands a composite is made from (Table 2 of the paper)."""

    VV = "vv"
    VV_VH = "vv_vh"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Track:
    """One Sentinel-1 viewing geometry; images of different tracks are never mixed in one composite.

    Attributes:
        orbit_pass: flight direction.
        relative_orbit: 1-175, repeats every 12 days.
    """

    orbit_pass: OrbitPass
    relative_orbit: int

    def __post_init__(self) -> None:
        if not 1 <= self.relative_orbit <= 175:
            raise ValueError(f"relative orbit {self.relative_orbit} is outside 1-175")

    def __str__(self) -> str:
        """Spelled `A069` or `D012`."""
        return f"{self.orbit_pass[0]}{self.relative_orbit:03d}"

    @classmethod
    def parse(cls, text: str) -> "Track":
        """Read `A069`.

        Raises:
            ValueError: the text is no track.
        """
        match = re.fullmatch(r"([AD])(\d{3})", text)
        if not match:
            raise ValueError(f"{text!r} is no track; tracks are spelled like A069 or D012")
        orbit_pass = OrbitPass.ASCENDING if match[1] == "A" else OrbitPass.DESCENDING
        return cls(orbit_pass=orbit_pass, relative_orbit=int(match[2]))


# Table 3 of the paper: pre-event and post-event days of the ten stacks.
STAGES_OF_THE_PAPER = (
    (365, 12), (240, 12), (120, 12), (60, 12), (60, 24), (60, 48), (12, 12), (24, 24), (48, 48), (60, 60),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Stage:
    """Length of the pre-event and the post-event stack in days, one of the ten of Table 3; spelled `60-12`."""

    pre_days: int
    post_days: int

    def __post_init__(self) -> None:
        if (self.pre_days, self.post_days) not in STAGES_OF_THE_PAPER:
            known = ", ".join(f"{pre}-{post}" for pre, post in STAGES_OF_THE_PAPER)
            raise ValueError(f"stage {self.pre_days}-{self.post_days} is none of the paper's: {known}")

    def __str__(self) -> str:
        return f"{self.pre_days}-{self.post_days}"

    @classmethod
    def parse(cls, text: str) -> "Stage":
        """Read `60-12`.

        Raises:
            ValueError: the text is no stage of Table 3.
        """
        match = re.fullmatch(r"(\d{1,3})-(\d{1,3})", text)
        if not match:
            raise ValueError(f"{text!r} is no stage; stages are spelled like 60-12")
        return cls(pre_days=int(match[1]), post_days=int(match[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One Sentinel-1 GRD slice as the archive lists it.

    Attributes:
        scene_id: full Earth Engine id, `COPERNICUS/S1_GRD/S1A_IW_GRDH_...`.
        track: viewing geometry, from the scene's own metadata.
        start: acquisition start, aware, UTC.
        platform: satellite letter, `A`, `B`, `C` or `D`.
        polarisations: as listed by the archive, such as `("VV", "VH")`.
        footprint: ground covered, polygon in lon/lat degrees.
    """

    scene_id: str
    track: Track
    start: datetime
    platform: str
    polarisations: tuple[str, ...]
    footprint: BaseGeometry

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ValueError(f"scene {self.scene_id} has a naive time")


ORBITS = 175  # relative orbits of a repeat cycle
SLICE_GAP = timedelta(minutes=5)  # slices of one data-take follow each other within seconds; opera-sds uses 5 min


def joined_tracks(scenes: Iterable[Scene]) -> list[Scene]:
    """Give the slices of one pass one track: near the equator a data-take can carry the relative orbits n and n + 1 (hyp3#2869).

    Where two slices of one satellite and direction, less than 5 min apart, have neighbouring orbits, every scene of the later orbit
    counts as one of the earlier. Neighbouring orbits are otherwise flown 99 min and 25 degrees of longitude apart.
    """
    listed = list(scenes)
    earlier: dict[Track, Track] = {}
    in_time = sorted(listed, key=lambda s: (s.track.orbit_pass, s.platform, s.start))
    for one, other in itertools.pairwise(in_time):
        if (one.track.orbit_pass, one.platform) != (other.track.orbit_pass, other.platform):
            continue
        for first, second in ((one.track, other.track), (other.track, one.track)):
            follows = second.relative_orbit == first.relative_orbit % ORBITS + 1
            if follows and other.start - one.start < SLICE_GAP:
                earlier[second] = first
    return [replace(scene, track=earlier.get(scene.track, scene.track)) for scene in listed]


def data_takes(scenes: Iterable[Scene]) -> list[list[Scene]]:
    """Group slices into data-takes: same platform and track, each starting less than 5 min after the one before.

    Returns:
        Data-takes in time order, each a list of scenes in time order.
    """
    groups: list[list[Scene]] = []
    for scene in sorted(scenes, key=lambda s: (s.track, s.platform, s.start, s.scene_id)):
        last = groups[-1][-1] if groups else None
        same = last is not None and (last.track, last.platform) == (scene.track, scene.platform)
        if same and last is not None and scene.start - last.start < SLICE_GAP:
            groups[-1].append(scene)
        else:
            groups.append([scene])
    return sorted(groups, key=lambda group: (group[0].start, group[0].scene_id))
