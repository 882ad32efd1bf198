"""Earthquakes as the feed has them, and what counts as a material change."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pyproj import Geod

GEOD = Geod(ellps="WGS84")
ALERTS = ("", "green", "yellow", "orange", "red")  # of PAGER and of the ground-failure product, gravest last


@dataclass(frozen=True, slots=True, kw_only=True)
class Earthquake:
    """An earthquake as the feed has it now.

    Attributes:
        preferred_id: the feed's own id; it may change.
        ids: all ids it is known under, the preferred one included.
        time: origin time, aware, UTC, exact.
        lon, lat: epicentre, degrees.
        depth_km: below the surface; may be negative.
        magnitude: as preferred by USGS.
        place: in words.
        kind: the feed's `type`; only `earthquake` is one.
        status: automatic, reviewed or deleted.
        updated: when the feed's entry last changed, aware, UTC.
        has_shakemap: whether a ShakeMap is listed.
        detail_url: where its details are.
        alert: PAGER's colour, empty where none; it ranks and never decides.
    """

    preferred_id: str
    ids: frozenset[str]
    time: datetime
    lon: float
    lat: float
    depth_km: float
    magnitude: float
    place: str
    kind: str
    status: str
    updated: datetime
    has_shakemap: bool
    detail_url: str
    alert: str = ""

    def __post_init__(self) -> None:
        if self.time.tzinfo is None or self.updated.tzinfo is None:
            raise ValueError(f"{self.preferred_id} has a naive time")
        if not (-15 <= self.magnitude <= 15 and -100 <= self.depth_km <= 1000):
            raise ValueError(f"{self.preferred_id} has M {self.magnitude:g} at {self.depth_km:g} km: not of this Earth")
        if not (-180 <= self.lon <= 180 and -90 <= self.lat <= 90):
            raise ValueError(f"{self.preferred_id} lies at {self.lon}, {self.lat}: not on the globe")
        if self.preferred_id not in self.ids:
            raise ValueError(f"{self.preferred_id} is not among its own ids")


def gravity(*alerts: str) -> int:
    """Return the rank of the gravest of some alerts, 0 where there is none: for order only, nothing is decided by it.

    Hokkaido 2018, one of the densest landslide events known, was green for landslides in its first twelve hours.
    """
    return max((ALERTS.index(alert) for alert in alerts if alert in ALERTS), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """An entry that USGS took back: all that is left of it are its ids.

    Attributes:
        ids: all it was known under.
    """

    ids: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What subscribers were last told, to see whether a change is material."""

    time: datetime
    lon: float
    lat: float
    depth_km: float
    magnitude: float
    aoi_source: str


MAGNITUDE_STEP = 0.2
DISTANCE_KM = 10.0
TIME_STEP = timedelta(seconds=16)  # within which PDL takes two origins for one earthquake


def material_changes(told: Announcement, now: Announcement) -> list[str]:
    """Return what changed enough to tell, in words.

    A magnitude by 0.2, an epicentre by more than 10 km, an origin time by 16 s, another source of the area (such as a new version of
    the ShakeMap). A depth that crosses the rule's limit shows as qualifying or not.
    """
    changes = []
    if round(abs(now.magnitude - told.magnitude), 6) >= MAGNITUDE_STEP:
        changes.append(f"magnitude {told.magnitude:g} -> {now.magnitude:g}")
    moved_km = GEOD.inv(told.lon, told.lat, now.lon, now.lat)[2] / 1000
    if moved_km > DISTANCE_KM:
        changes.append(f"epicentre moved {moved_km:.0f} km")
    if abs(now.time - told.time) >= TIME_STEP:
        changes.append(f"origin time {told.time.isoformat()} -> {now.time.isoformat()}")
    both_radii = all(source.startswith("radius") for source in (now.aoi_source, told.aoi_source))
    if now.aoi_source != told.aoi_source and not both_radii:  # a radius follows the magnitude, which is weighed above
        changes.append(f"area from {told.aoi_source} -> {now.aoi_source}")
    return changes
