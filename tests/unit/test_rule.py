"""The profiles against the paper's events. Mw and date are Table 1 of Nava et al. 2026.

Epicentres and depths: Gorkha, Hokkaido and Haiti from gem/earthquake-scenarios, World/world_eq_info.csv (USGS values, by USGS id);
Kaikoura, Papua New Guinea, Lombok and Sumatra from a listing of ComCat (id, time, Mww, latitude, longitude, depth) of M 6 and more around
Indonesia and the south-west Pacific, found in a public repository; Luding from a public list of USGS values. No recorded source was
found for Milin, Mesetas and Capellades: their rows stand without depth and place, and are tried at every whole depth to 15 km.
"""

from dataclasses import replace

import pytest

from quakeslide.domain.land import distance_to_land_km
from quakeslide.domain.rule import RULES, Rule, Shaking, rule_named
from tests.fakes_feed import quake

PAPER = [
    ("Gorkha", 7.8, (84.7314, 28.2305), 8.22),
    ("Kaikoura", 7.8, (173.0540, -42.7373), 15.1),
    ("Papua New Guinea", 7.5, (142.7536, -6.0699), 25.2),
    ("Lombok, 5 August", 6.9, (116.4375, -8.2581), 34.0),
    ("Lombok, 19 August", 6.3, (116.5993, -8.3366), 16.0),
    ("Hokkaido", 6.6, (141.929, 42.686), 35.0),
    ("Haiti", 7.2, (-73.4822, 18.4335), 10.0),
    ("Luding", 6.6, (102.015, 29.691), 12.0),
    ("Sumatra", 6.1, (100.1006, 0.2190), 4.0),
]
WITHOUT_PLACE = [("Milin", 6.9), ("Mesetas", 6.0)]


@pytest.mark.parametrize(("name", "magnitude", "place", "depth_km"), PAPER)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_papers_events_are_taken(
    name: str, magnitude: float, place: tuple[float, float], depth_km: float, rule: Rule
) -> None:
    land_km = distance_to_land_km(*place)
    shock = quake(magnitude=magnitude, depth_km=depth_km, lon=place[0], lat=place[1], place=name)
    verdict = rule.judge(shock, land_km, None)
    assert verdict.is_taken, verdict.reasons


@pytest.mark.parametrize(("name", "magnitude"), WITHOUT_PLACE)
def test_papers_events_without_recorded_depth_are_taken_at_any_shallow_one(name: str, magnitude: float) -> None:
    for depth_km in range(16):
        assert Rule().judge(quake(magnitude=magnitude, depth_km=depth_km, place=name), 0.0, None).is_taken


def test_capellades_is_taken_by_the_sensitive_profile_only() -> None:
    shocks = [quake(magnitude=5.3, depth_km=depth_km) for depth_km in range(16)]
    assert {RULES["default"].judge(s, 0.0, None).reasons for s in shocks} == {("M 5.3 is under 6",)}
    assert all(RULES["sensitive"].judge(s, 0.0, None).is_taken for s in shocks)
    strong, weak = Shaking(km2=((6.0, 90.0), (7.0, 3.0))), Shaking(km2=((6.0, 40.0), (7.0, 0.0)))
    assert RULES["sensitive"].judge(shocks[5], 0.0, strong).is_taken
    assert not RULES["sensitive"].judge(shocks[5], 0.0, weak).is_taken


@pytest.mark.parametrize(
    ("changes", "land_km", "shaken_km2", "said"),
    [
        ({"magnitude": 5.9}, 0, None, "M 5.9 is under 6"),
        ({"magnitude": 6.5, "depth_km": 50.1}, 0, None, "depth 50.1 km is over 50 km"),
        ({"magnitude": 7.0, "depth_km": 101}, 0, None, "depth 101 km is over 100 km"),
        ({"magnitude": 6.5}, 51, None, "51 km from land"),
        ({"magnitude": 7.5}, 101, None, "101 km from land"),
        ({"magnitude": 7.5}, 0, 49.0, "49 km2 of land, under 50 km2"),
        ({"kind": "landslide"}, 0, 900.0, "type is 'landslide'"),
        ({"kind": "quarry blast"}, 0, None, "type is 'quarry blast'"),
    ],
)
def test_refusal_says_why(changes: dict[str, object], land_km: float, shaken_km2: float | None, said: str) -> None:
    shaking = None if shaken_km2 is None else Shaking(km2=((6.0, shaken_km2),))
    verdict = Rule().judge(quake(**changes), land_km, shaking)
    assert not verdict.is_taken
    assert said in "; ".join(verdict.reasons)


def test_shaking_on_land_outweighs_the_distance_of_the_epicentre() -> None:
    assert Rule().judge(quake(), 150.0, Shaking(km2=((6.0, 50.0),))).is_taken


def test_limits_are_within_what_they_say() -> None:
    at = replace(quake(), magnitude=6.0, depth_km=50.0)
    assert Rule().judge(at, 50.0, None).is_taken
    assert Rule().judge(replace(at, magnitude=7.0, depth_km=100.0), 100.0, None).is_taken


def test_unknown_profile_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"'brave'.*default, sensitive"):
        rule_named("brave")
