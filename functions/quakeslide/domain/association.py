"""Which feed entries are one earthquake although they share no id.

The USGS Product Distribution Layer takes origins within 16 s and 100 km for one earthquake. That is too narrow for quick solutions: on
2026-07-28 one quake stood in the feed for eight days under three ids (M 7.1, 7.1 and 6.8), with origin times 45 s apart. So entries
within a minute are one too, if they lie within 100 km and half a magnitude; two real shocks so close in time and place would be mapped
from the same scenes anyway.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pyproj import Geod

from quakeslide.domain.earthquake import Earthquake

GEOD = Geod(ellps="WGS84")
DISTANCE_KM = 100.0
PDL_TIME = timedelta(seconds=16)
PDL_MAGNITUDES = 1.5  # further apart in magnitude it is a foreshock or aftershock of the same seconds
WIDE_TIME = timedelta(seconds=60)
WIDE_MAGNITUDES = 0.5
QUICK_NETWORKS = ("pt", "at")  # the tsunami warning centres' first solutions; others are better


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where, when and how strong."""

    time: datetime
    lon: float
    lat: float
    magnitude: float


def origin_of(quake: Earthquake) -> Origin:
    """Return a feed entry's origin."""
    return Origin(time=quake.time, lon=quake.lon, lat=quake.lat, magnitude=quake.magnitude)


def are_one(a: Origin, b: Origin) -> bool:
    """Say whether two origins are one earthquake."""
    apart, magnitudes = abs(a.time - b.time), round(abs(a.magnitude - b.magnitude), 6)
    in_time = (apart <= PDL_TIME and magnitudes <= PDL_MAGNITUDES) or (
        apart <= WIDE_TIME and magnitudes <= WIDE_MAGNITUDES
    )
    return in_time and float(GEOD.inv(a.lon, a.lat, b.lon, b.lat)[2]) <= DISTANCE_KM * 1000


def best(entries: list[Earthquake], event_id: str) -> Earthquake:
    """Return the entry that speaks for an earthquake of several: reviewed, no quick solution, known longest, strongest."""

    def standing(quake: Earthquake) -> tuple[bool, bool, bool, float, str]:
        is_quick = quake.preferred_id.startswith(QUICK_NETWORKS)
        return (quake.status == "reviewed", not is_quick, event_id in quake.ids, quake.magnitude, quake.preferred_id)

    return max(entries, key=standing)
