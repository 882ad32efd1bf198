"""Which origins are one earthquake, with the recorded triple that PDL's rule left apart."""

from datetime import timedelta

import pytest

from quakeslide.domain.association import are_one, best, origin_of
from tests.fakes_feed import quake


@pytest.mark.parametrize(
    ("seconds", "lon", "magnitude", "one"),
    [
        (0, 137.2, 7.5, True),
        (16, 138.2, 7.0, True),
        (16, 138.5, 7.5, False),  # 115 km
        (17, 137.2, 6.9, False),
        (45, 137.2, 7.1, True),  # the triple of 2026-07-28: 45 s apart, M 7.1 and 6.8
        (60, 137.2, 7.0, True),
        (61, 137.2, 7.5, False),
        (10, 137.2, 5.9, False),  # an aftershock within the same seconds
    ],
)
def test_origins_are_one_within_time_place_and_magnitude(
    seconds: float, lon: float, magnitude: float, one: bool
) -> None:
    a = quake()
    b = quake(time=a.time + timedelta(seconds=seconds), lon=lon, magnitude=magnitude)
    assert are_one(origin_of(a), origin_of(b)) is one
    assert are_one(origin_of(b), origin_of(a)) is one


def test_reviewed_solution_speaks_for_the_quake_then_no_quick_one() -> None:
    quick = quake(preferred_id="pt1", ids=frozenset({"pt1"}), magnitude=7.9)
    network = quake(preferred_id="us9", ids=frozenset({"us9"}))
    reviewed = quake(preferred_id="at9", ids=frozenset({"at9"}), status="reviewed", magnitude=7.0)
    assert best([quick, network], "pt1") is network
    assert best([network, quick, reviewed], "us9") is reviewed
