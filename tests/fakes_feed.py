"""A feed in memory, and the quakes that tests put into it."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from quakeslide.domain.aoi import Detail, ShakeGrid
from quakeslide.domain.earthquake import Deleted, Earthquake
from quakeslide.errors import FeedUnavailable

T0 = datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC)
NOW = T0 + timedelta(minutes=20)


def quake(**changes: Any) -> Earthquake:
    """The Noto earthquake as it might first stand in the feed, with changes."""
    plain = Earthquake(
        preferred_id="us1",
        ids=frozenset({"us1", "at1"}),
        time=T0,
        lon=137.2,
        lat=37.4,
        depth_km=10,
        magnitude=7.5,
        place="Noto",
        kind="earthquake",
        status="automatic",
        updated=T0 + timedelta(minutes=15),
        has_shakemap=False,
        detail_url="",
    )
    return replace(plain, **changes)


@dataclass
class FakeFeed:
    """Answers with what it is given.

    Attributes:
        entries: of the summary feed.
        grid, landslide_alert: of every quake that has a ShakeMap.
        changed: what the event service says changed.
        details: what `look` finds; None: unknown.
        is_down: nothing answers; `no_shaking`: only details and grids do not.
        asked: origin and cursor of every catch-up, ids looked at.
    """

    entries: list[Earthquake | Deleted] = field(default_factory=list)
    grid: ShakeGrid | None = None
    landslide_alert: str = ""
    changed: list[Earthquake | Deleted] = field(default_factory=list)
    details: dict[str, Earthquake | Deleted | None] = field(default_factory=dict)
    is_down: bool = False
    no_shaking: bool = False
    asked: list[Any] = field(default_factory=list)
    span: timedelta = timedelta(days=7)

    def recent(self) -> list[Earthquake | Deleted]:
        if self.is_down:
            raise FeedUnavailable("the feed is down")
        return self.entries

    def updated_since(
        self, since: datetime, *, origin_after: datetime, least_magnitude: float
    ) -> list[Earthquake | Deleted]:
        self.asked.append((since, origin_after, least_magnitude))
        return self.changed

    def look(self, event_id: str) -> Earthquake | Deleted | None:
        self.asked.append(event_id)
        return self.details.get(event_id)

    def detail(self, quake: Earthquake) -> Detail:
        if self.no_shaking:
            raise FeedUnavailable("the detail is out of reach")
        return Detail(shaking=self.grid, landslide_alert=self.landslide_alert)
