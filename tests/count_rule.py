"""Counts what each profile of the rule would have taken of a recorded catalogue, by the rule's own code; the README quotes it.

PYTHONPATH=functions build/envs/tests/bin/python -m tests.count_rule
"""

import csv
import gzip
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import shapely
from shapely.geometry.base import BaseGeometry

from quakeslide.domain.aoi import area_km2, land_about
from quakeslide.domain.association import are_one, origin_of
from quakeslide.domain.earthquake import Earthquake
from quakeslide.domain.land import distance_to_land_km
from quakeslide.domain.rule import RULES, Rule

CATALOGUE = Path(__file__).parent / "data" / "catalogue" / "comcat_2013-2023_m5.3.csv.gz"
YEARS = range(2013, 2023)  # whole ones
WATCHED = timedelta(days=60)  # the longest stage
UNIT_KM2 = 10_000.0  # the event that the table of costs in infra/README.md is about


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An earthquake that a profile takes, with the land that would be watched."""

    quake: Earthquake
    area: BaseGeometry


def read_catalogue() -> list[Earthquake]:
    """Return the catalogue's events in the order of time."""
    with gzip.open(CATALOGUE, "rt", encoding="utf-8") as text:
        return sorted((_quake(row) for row in csv.DictReader(text)), key=lambda quake: quake.time)


def _quake(row: dict[str, str]) -> Earthquake:
    time = datetime.fromisoformat(row["time"])
    return Earthquake(
        preferred_id=row["id"],
        ids=frozenset({row["id"]}),
        time=time,
        lon=float(row["longitude"]),
        lat=float(row["latitude"]),
        depth_km=float(row["depth"]),
        magnitude=float(row["mag"]),
        place=row["id"],
        kind=row["type"],
        status=row["status"],
        updated=time,
        has_shakemap=False,
        detail_url="",
    )


def taken(rule: Rule, catalogue: Sequence[Earthquake]) -> Iterator[Taken]:
    """Yield what a profile takes where no ShakeMap says more: by magnitude, depth and distance to land, one entry a quake."""
    last: list[Earthquake] = []
    for quake in catalogue:
        if not rule.is_candidate(quake):
            continue
        last = [other for other in last if quake.time - other.time < timedelta(minutes=2)]
        if any(are_one(origin_of(other), origin_of(quake)) for other in last):
            continue
        last.append(quake)
        if rule.judge(quake, _land_km(quake.lon, quake.lat), None).is_taken:
            area, _ = _land_about(quake.lon, quake.lat, quake.magnitude)
            if not area.is_empty:
                yield Taken(quake=quake, area=area)


_land_km = cache(distance_to_land_km)  # what one profile takes, the next looks at again
_land_about = cache(land_about)


def is_later_shock(one: Taken, others: Sequence[Taken]) -> bool:
    """Say whether a quake struck within the area of one taken in the 60 days before."""
    epicentre = shapely.Point(one.quake.lon, one.quake.lat)
    return any(
        timedelta() < one.quake.time - other.quake.time <= WATCHED and other.area.covers(epicentre) for other in others
    )


def line(rule: Rule, catalogue: Sequence[Earthquake]) -> str:
    """Return one profile's row of the README's table."""
    found = [one for one in taken(rule, catalogue) if one.quake.time.year in YEARS]
    years = Counter(one.quake.time.year for one in found)
    later = sum(is_later_shock(one, found) for one in found)
    land = sum(area_km2(one.area) for one in found) / UNIT_KM2
    return (
        f"| `{rule.name}` | {len(found) / len(YEARS):.0f} ({min(years.values())} to {max(years.values())})"
        f" | {later / len(YEARS):.0f} | {land / len(found) * UNIT_KM2:.0f} | {land / len(YEARS):.0f} |"
    )


def main() -> int:
    """Print the table."""
    catalogue = read_catalogue()
    for rule in RULES.values():
        sys.stdout.write(f"{line(rule, catalogue)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
