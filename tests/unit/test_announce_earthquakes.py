import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakeslide.documents.usgs_feed import read_features
from quakeslide.usecases.announce_earthquakes import announce_earthquakes
from tests.fakes import MemoryBus, MemoryStore
from tests.fakes_feed import NOW, FakeFeed, quake

DATA = Path(__file__).parents[1] / "data" / "usgs"


def kinds(bus: MemoryBus) -> list[tuple[str, str]]:
    return [(attributes["kind"], attributes["event_id"]) for _, _, attributes in bus.published]


def test_qualifying_earthquake_is_announced_once() -> None:
    state, bus, feed = MemoryStore(), MemoryBus(), FakeFeed([quake()])
    for minute in range(3):
        announce_earthquakes(feed, state=state, bus=bus, now=NOW + timedelta(minutes=minute))
    assert kinds(bus) == [("announced", "us1")]
    body = json.loads(bus.published[0][1])
    assert body["earthquake"]["time"] == "2024-01-01T07:10:09+00:00"
    assert body["aoi"]["source"] == "radius 138 km from magnitude"  # (7.5 - 5) / 2 * 150 = 187.5, capped at 60 000 km2


def test_changed_preferred_id_is_the_same_earthquake() -> None:
    state, bus, feed = MemoryStore(), MemoryBus(), FakeFeed([quake()])
    announce_earthquakes(feed, state=state, bus=bus, now=NOW)
    feed.entries = [quake(preferred_id="at1", magnitude=7.8, updated=NOW)]
    announce_earthquakes(feed, state=state, bus=bus, now=NOW)
    assert kinds(bus) == [("announced", "us1"), ("revised", "us1")]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"magnitude": 7.6}, []),
        ({"magnitude": 7.7}, ["revised"]),
        ({"lon": 137.25}, []),
        ({"lon": 137.4}, ["revised"]),
        ({"magnitude": 5.9}, ["cancelled"]),
        ({"depth_km": 101.0}, ["cancelled"]),
        ({"kind": "landslide"}, ["cancelled"]),
    ],
)
def test_only_material_changes_are_told(changes: dict[str, object], told: list[str]) -> None:
    state, bus, feed = MemoryStore(), MemoryBus(), FakeFeed([quake()])
    announce_earthquakes(feed, state=state, bus=bus, now=NOW)
    feed.entries = [quake(updated=NOW, **changes)]
    for _ in range(2):
        announce_earthquakes(feed, state=state, bus=bus, now=NOW)
    assert [kind for kind, _ in kinds(bus)][1:] == told


def test_earthquake_revised_upwards_days_later_is_caught() -> None:
    state, bus, feed = MemoryStore(), MemoryBus(), FakeFeed([quake(magnitude=5.8)])
    announce_earthquakes(feed, state=state, bus=bus, now=NOW)
    assert kinds(bus) == []
    feed.entries = [quake(magnitude=6.1, updated=NOW + timedelta(days=3))]
    announce_earthquakes(feed, state=state, bus=bus, now=NOW + timedelta(days=3))
    assert kinds(bus) == [("announced", "us1")]


def test_cancelled_earthquake_that_qualifies_again_is_announced_again() -> None:
    state, bus, feed = MemoryStore(), MemoryBus(), FakeFeed([quake()])
    for minute, magnitude in enumerate((7.5, 5.0, 7.5)):
        feed.entries = [quake(magnitude=magnitude, updated=NOW + timedelta(minutes=minute))]
        announce_earthquakes(feed, state=state, bus=bus, now=NOW + timedelta(minutes=minute))
    assert [kind for kind, _ in kinds(bus)] == ["announced", "cancelled", "announced"]


class Crash(RuntimeError):
    pass


@dataclass
class CrashingStore(MemoryStore):
    after: int = 0

    def replace(self, name: str, data: bytes, content_type: str, generation: int) -> bool:
        done = super().replace(name, data, content_type, generation)
        if done:
            self.after -= 1
            if self.after == 0:
                raise Crash(name)
        return done


@pytest.mark.parametrize("after", range(1, 7))
def test_crash_after_any_write_loses_nothing_and_repeats_the_same_id(after: int) -> None:
    state, bus, feed = CrashingStore(after=after), MemoryBus(), FakeFeed([quake()])
    crashed = False
    for minute in range(0, 9, 3):  # an intent left pending is acted on again after two minutes
        try:
            announce_earthquakes(feed, state=state, bus=bus, now=NOW + timedelta(minutes=minute))
        except Crash:
            crashed = True
    assert crashed or after > 5
    assert {(kind, event) for kind, event in kinds(bus)} == {("announced", "us1")}
    assert len({attributes["intent"] for _, _, attributes in bus.published}) == 1
    assert len(bus.published) <= 2


def test_two_pollers_at_once_publish_once() -> None:
    """The second poller runs in the middle of the first one's publish: the worst moment."""
    state, feed = MemoryStore(), FakeFeed([quake()])
    outer, inner = MemoryBus(), MemoryBus()

    @dataclass
    class Meanwhile:
        then: Callable[[], object]

        def publish(self, topic: str, data: bytes, attributes: dict[str, str]) -> None:
            self.then()
            outer.publish(topic, data, attributes)

    def second() -> None:
        announce_earthquakes(feed, state=state, bus=inner, now=NOW)

    announce_earthquakes(feed, state=state, bus=Meanwhile(second), now=NOW)
    for minute in (1, 5):
        announce_earthquakes(feed, state=state, bus=outer, now=NOW + timedelta(minutes=minute))
    assert len(outer.published) + len(inner.published) == 1


@pytest.mark.parametrize("path", sorted((DATA / "feed").glob("*.geojson")), ids=lambda p: p.stem)
def test_recorded_feeds_are_read(path: Path) -> None:
    document = json.loads(path.read_text())
    entries = list(read_features(document["features"]))
    readable = [f for f in document["features"] if f["properties"]["mag"] is not None]
    assert len(entries) == len(readable)


def test_broken_feature_is_skipped_and_the_others_count() -> None:
    good = json.loads((DATA / "detail" / "us6000m0xl.geojson").read_text())
    broken = [None, {}, {"id": 3}, {**good, "geometry": None}, {**good, "id": "../../etc"}, {**good, "properties": {}}]
    assert [e.preferred_id for e in read_features([*broken, good])] == ["us6000m0xl"]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "properties", "geometry", "mag"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(json_values, max_size=5))
def test_no_feature_whatever_raises(features: list[object]) -> None:
    list(read_features(features))
