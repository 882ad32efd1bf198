"""A watch: an earthquake's area under observation until every stage of every track is frozen.

For each track and stage it remembers which composites were ordered and how far each one got. Only the watch decides what is
exported; everything here is a value, changed by replacing it.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

import shapely
from shapely.geometry.base import BaseGeometry

from quakeslide.domain.aoi import area_km2
from quakeslide.domain.lattice import Lattice
from quakeslide.domain.orders import TrackStage
from quakeslide.domain.sentinel1 import Stage, Track

MESSAGES_KEPT = 100  # ids of handled messages that a watch remembers
LEAST_GROWTH_KM2 = 1.0  # smaller growth of the area is no news; a window covers 0.4 km2


class Standing(StrEnum):
    """Whether the watch is kept; LINKED: another one looks at this earthquake's area, see `linked_shocks`."""

    OPEN = "open"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    LINKED = "linked"


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
class Series:
    """What composites of one area and one time are about: they supersede one another, those of other series stand beside them.

    Attributes:
        name: empty for the first area and time; `g1` for the first growth of the area, `w1` for the first later time, `w1g1` for both.
        area: land to look at, lon/lat degrees; areas of different growths do not overlap.
        pre_end: end of the pre-event stack.
        post_start: start of the post-event stack.
    """

    name: str
    area: BaseGeometry
    pre_end: datetime
    post_start: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterTime:
    """Another split of the scenes into before and after: a later shock, or a person's wish once composites were ordered.

    Attributes:
        number: names its series, from 1; it stays, whatever becomes of the others.
        pre_end, post_start: as in `Series`.
        shock: event id of the later shock, empty for a person's wish.
    """

    number: int
    pre_end: datetime
    post_start: datetime
    shock: str = ""


class Fate(StrEnum):
    """What became of a shock near a watch: part of it, a watch of its own, or taken back."""

    LINKED = "linked"
    OWN = "own"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shock:
    """Another earthquake whose area meets the watch's, as last told.

    Attributes:
        event_id: canonical id.
        time: origin time.
        magnitude: as told.
        told_at: publish time of the message that said so.
        fate: what became of it; `detail`: why, in words.
        outside_km2: land of its area that this watch does not look at.
    """

    event_id: str
    time: datetime
    magnitude: float
    told_at: datetime
    fate: Fate
    detail: str = ""
    outside_km2: float = 0.0


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
        growths: what the area grew by after a composite was ordered, without what was there before.
        later_times: other splits of the scenes, each with composites of its own.
        lattice: chosen when the first composite is planned, then fixed.
        standing, reason: why it ended.
        linked_to: event id of the watch that looks at this earthquake's area; empty unless the standing is LINKED.
        asked_at: publish time of the newest request for this earthquake; one that a person asked for is never linked.
        shocks: other earthquakes that meet its area, in order of time.
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
    growths: tuple[BaseGeometry, ...] = ()
    later_times: tuple[LaterTime, ...] = ()
    lattice: Lattice | None = None
    standing: Standing = Standing.OPEN
    reason: str = ""
    linked_to: str = ""
    asked_at: datetime | None = None
    shocks: tuple[Shock, ...] = ()
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

    @property
    def whole_area(self) -> BaseGeometry:
        """The first area and all that was added."""
        return shapely.union_all([self.aoi, *self.growths])

    @property
    def series(self) -> list[Series]:
        """Every area at every time, the first ones first."""
        times = [LaterTime(number=0, pre_end=self.pre_finish, post_start=self.post_begin), *self.later_times]
        return [
            Series(
                name=(f"w{time.number}" if time.number else "") + (f"g{growth}" if growth else ""),
                area=area,
                pre_end=time.pre_end,
                post_start=time.post_start,
            )
            for time in times
            for growth, area in enumerate([self.aoi, *self.growths])
        ]

    @property
    def eecu_s(self) -> float:
        """What all exports of the event used so far, in EECU seconds."""
        return sum(order.eecu_s for item in self.track_stages for order in item.orders)

    @property
    def export_s(self) -> float:
        """How long all exports of the event ran, in seconds."""
        return sum(order.export_s for item in self.track_stages for order in item.orders)

    def growing_to(self, area: BaseGeometry) -> "Watch":
        """Return the watch with what a new area adds; what it leaves out stays under observation."""
        added = shapely.difference(area, self.whole_area)
        pieces = [piece for piece in getattr(added, "geoms", [added]) if piece.geom_type == "Polygon"]
        news = shapely.union_all([piece for piece in pieces if area_km2(piece) >= LEAST_GROWTH_KM2])
        if news.is_empty:
            return self.noting("The area was revised after the first composite was ordered; the first area stays.")
        grown = replace(self, growths=(*self.growths, news))
        return grown.noting(
            f"The area grew by {area_km2(news):.0f} km2 after the first composite was ordered (growth {len(grown.growths)});"
            " it gets composites of its own on the same lattice."
        )

    def at_later_time(self, *, pre_end: datetime, post_start: datetime) -> "Watch":
        """Return the watch with another split of the scenes, unless it has that one."""
        if (pre_end, post_start) == (self.pre_finish, self.post_begin):
            return self
        others = [one for one in self.later_times if (one.pre_end, one.post_start) != (pre_end, post_start)]
        known = next((one.number for one in self.later_times if one not in others), None)
        number = known or max([0, *(one.number for one in others)]) + 1
        wished = LaterTime(number=number, pre_end=pre_end, post_start=post_start)  # no longer a shock's, which may go
        return replace(self, later_times=tuple(sorted([*others, wished], key=lambda one: one.number)))

    def find(self, track: Track, stage: Stage, series: str = "") -> TrackStage | None:
        """Return one stage of one track in one series."""
        wanted = (track, stage, series)
        return next((item for item in self.track_stages if (item.track, item.stage, item.series) == wanted), None)

    def having(self, changed: TrackStage) -> "Watch":
        """Return the watch with this stage of this track put in or replaced."""
        own = (changed.track, changed.stage, changed.series)
        others = [i for i in self.track_stages if (i.track, i.stage, i.series) != own]
        ordered = sorted([*others, changed], key=lambda i: (i.track, i.stage.post_days, i.stage.pre_days, i.series))
        return replace(self, track_stages=tuple(ordered))

    def having_handled(self, message_id: str) -> "Watch":
        """Return the watch with a message remembered."""
        others = [known for known in self.messages if known != message_id]
        return replace(self, messages=(*others, message_id)[-MESSAGES_KEPT:])

    def noting(self, text: str) -> "Watch":
        """Return the watch with a notice, said once."""
        return self if text in self.notices else replace(self, notices=(*self.notices, text))
