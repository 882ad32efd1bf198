"""The profiles against the paper's events. Mw and date are Table 1 of Nava et al. 2026.

Epicentres, depths and ComCat's own magnitudes come from the recorded catalogue, by ComCat's ids (tests/data/catalogue/SOURCE.md).
Table 1 mixes local dates and UTC.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quakeslide.domain.earthquake import Earthquake
from quakeslide.domain.land import distance_to_land_km
from quakeslide.domain.rule import RULES, Rule, Shaking, Verdict, rule_named
from tests import count_rule
from tests.fakes_feed import quake

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
CATALOGUE = {quake.preferred_id: quake for quake in count_rule.read_catalogue()}
PAPER = [  # study case, Mw, date, ComCat's id
    ("Gorkha", 7.8, "2015-04-25", "us20002926"),
    ("Kaikoura", 7.8, "2016-11-14", "us1000778i"),
    ("Capellades", 5.3, "2016-12-01", "us10007dxa"),
    ("Milin", 6.9, "2017-11-18", "us2000bqsn"),
    ("Papua New Guinea", 7.5, "2018-02-26", "us2000d7q6"),
    ("Lombok, 5 August", 6.9, "2018-08-05", "us1000g3ub"),
    ("Lombok, 19 August", 6.3, "2018-08-19", "us1000gcvr"),
    ("Hokkaido", 6.6, "2018-09-06", "us2000h8ty"),
    ("Mesetas", 6.0, "2019-12-24", "us70006qnn"),
    ("Haiti", 7.2, "2021-08-14", "us6000f65h"),
    ("Sumatra", 6.1, "2022-02-25", "us6000gzyg"),
    ("Luding", 6.6, "2022-09-05", "us7000i59t"),
]


def judged(rule: Rule, shock: Earthquake, shaking: Shaking | None = None) -> Verdict:
    return rule.judge(shock, distance_to_land_km(shock.lon, shock.lat), shaking)


@pytest.mark.parametrize(("name", "magnitude", "date", "event_id"), PAPER)
@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_default_takes_ten_of_the_papers_eleven_and_sensitive_all(
    name: str, magnitude: float, date: str, event_id: str, rule: Rule
) -> None:
    shock = CATALOGUE[event_id]
    assert abs(shock.time - datetime.fromisoformat(date).replace(tzinfo=UTC)) < timedelta(days=1)
    is_expected = name != "Capellades" or rule.name == "sensitive"
    for form in (shock, replace(shock, magnitude=magnitude)):  # ComCat has Milin as 6.4
        verdict = judged(rule, form)
        assert verdict.is_taken == is_expected, verdict.reasons


def test_capellades_is_too_weak_for_the_default_profile_and_needs_mmi_vii_for_the_sensitive_one() -> None:
    shock = CATALOGUE["us10007dxa"]
    assert judged(RULES["default"], shock).reasons == ("M 5.3 is under 6",)
    strong, weak = Shaking(km2=((6.0, 90.0), (7.0, 3.0))), Shaking(km2=((6.0, 40.0), (7.0, 0.0)))
    assert judged(RULES["sensitive"], shock, strong).is_taken
    assert not judged(RULES["sensitive"], shock, weak).is_taken


def test_catalogue_is_whole_and_holds_what_is_no_earthquake() -> None:
    assert len(CATALOGUE) == 8141
    others = [shock for shock in CATALOGUE.values() if shock.kind != "earthquake"]
    assert len(others) == 46
    assert not any(judged(rule, shock).is_taken for rule in RULES.values() for shock in others)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_readme_has_the_numbers_of_the_recorded_catalogue(rule: Rule) -> None:
    assert count_rule.line(rule, list(CATALOGUE.values())) in README


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
