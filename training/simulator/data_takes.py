"""Data-takes, cut into slices as the ground segment cuts them: what each image is called, when it was taken, and when it is to be had."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from training.simulator.events import Track
from training.simulator.scene import REPEAT_DAYS

OVERLAP_PX = 8
SLICE_S = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One image of the collection: a part of a data-take.

    Attributes:
        index: Earth Engine's `system:index`; the id of the data-take in it differs from slice to slice, where real ones share it: documents
            of earlier releases name these images.
        number: counts along the flight.
        start: of sensing; `ingested`: when it becomes visible.
        rows: of the scene grid.
    """

    index: str
    number: int
    start: datetime
    ingested: datetime
    absolute_orbit: int
    rows: tuple[int, int]


def slices(track: Track, seen: datetime, rows: int, *, seed: int) -> list[Slice]:
    """Return the two slices of one data-take in the order of flight: south first when ascending, north first when descending."""
    cut = rows // 2
    north, south = (0, cut + OVERLAP_PX), (cut - OVERLAP_PX, rows)
    order = (south, north) if track.orbit_pass == "ASCENDING" else (north, south)
    orbit = absolute_orbit(track.relative_orbit, seen)
    latency = np.random.default_rng([seed, orbit]).uniform(14, 28)
    pieces = []
    for number, part in enumerate(order):
        start = seen + timedelta(seconds=SLICE_S * number)
        stop = start + timedelta(seconds=SLICE_S)
        code = hashlib.sha256(f"{seed}/{orbit}/{number}".encode()).hexdigest()[:10].upper()
        index = f"S1A_IW_GRDH_1SDV_{start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}_{orbit:06d}_0{code[:5]}_{code[5:9]}"
        ingested = start + timedelta(hours=float(latency) + 1.5 * number)
        pieces.append(
            Slice(index=index, number=6 + number, start=start, ingested=ingested, absolute_orbit=orbit, rows=part)
        )
    return pieces


def absolute_orbit(relative: int, seen: datetime) -> int:
    """Return the orbit number of Sentinel-1A nearest to a time that has this relative orbit: (n - 73) mod 175 + 1."""
    elapsed = (seen - datetime(2019, 12, 2, 16, 34, 55, tzinfo=UTC)) / timedelta(days=REPEAT_DAYS)
    guess = 30172 + elapsed * 175  # orbit 30172 was seen then
    cycle = round((guess - 73 - (relative - 1)) / 175)
    return 73 + relative - 1 + 175 * cycle
