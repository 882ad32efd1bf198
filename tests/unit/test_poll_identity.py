"""One earthquake under several ids, outages of the feed, deletions, ShakeMaps that come and go."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from quakeslide.documents.feed_state import NAME, read_feed_state
from quakeslide.documents.ledger import read_entry
from quakeslide.domain.aoi import ShakeGrid
from quakeslide.domain.earthquake import Deleted, Earthquake
from quakeslide.domain.rule import RULES
from quakeslide.usecases.announce_earthquakes import announce_earthquakes
from tests.fakes import MemoryBus, MemoryStore
from tests.fakes_feed import NOW, T0, FakeFeed, quake

TRIPLE = [  # as a live feed had it on 2026-07-28: three ids, none an alias of another, 45 s apart
    quake(preferred_id="pt26209004", ids=frozenset({"pt26209004"}), magnitude=7.1, time=quake().time),
    quake(
        preferred_id="attivjdk", ids=frozenset({"attivjdk"}), magnitude=7.1, time=quake().time + timedelta(seconds=20)
    ),
    quake(
        preferred_id="us6000tgb9",
        ids=frozenset({"us6000tgb9"}),
        magnitude=6.8,
        time=quake().time + timedelta(seconds=45),
    ),
]


class World:
    """A poller with its bucket, topic and feed."""

    def __init__(self, *entries: Earthquake) -> None:
        self.state, self.bus, self.feed = MemoryStore(), MemoryBus(), FakeFeed(list(entries))
        self.now = NOW

    def poll(
        self, *entries: Earthquake | Deleted, after: timedelta = timedelta(minutes=1), rule: str = "default"
    ) -> dict[str, int]:
        if entries:
            self.feed.entries = list(entries)
        self.now += after
        return announce_earthquakes(self.feed, state=self.state, bus=self.bus, now=self.now, rule=RULES[rule])

    @property
    def heard(self) -> list[tuple[str, str]]:
        return [(a["kind"], a["event_id"]) for _, _, a in self.bus.published]

    def entry(self, event_id: str) -> object:
        return read_entry(self.state.objects[f"earthquakes/{event_id}.json"].data)

    @property
    def feed_state(self) -> object:
        return read_feed_state(self.state.objects[NAME].data)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_three_ids_of_one_quake_are_one_from_the_start(order: tuple[int, ...]) -> None:
    world = World(*(TRIPLE[i] for i in order))
    world.poll()
    world.poll()
    assert world.heard == [("announced", "us6000tgb9")]


def test_three_ids_that_come_one_after_the_other_stay_the_first() -> None:
    world = World()
    for number in range(1, 4):
        world.poll(*TRIPLE[:number])
    assert {event_id for _, event_id in world.heard} == {"pt26209004"}
    assert [kind for kind, _ in world.heard] == ["announced", "revised"]  # M 7.1 -> 6.8


def test_two_announced_quakes_that_turn_out_to_be_one_are_merged_into_the_older() -> None:
    one = quake(preferred_id="us1", ids=frozenset({"us1"}))
    other = quake(preferred_id="ak9", ids=frozenset({"ak9"}), time=one.time + timedelta(minutes=5))
    world = World()
    world.poll(one)
    world.poll(one, other)
    joined = replace(other, ids=frozenset({"ak9", "us1"}), status="reviewed", updated=NOW + timedelta(hours=1))
    for _ in range(3):
        world.poll(joined)
    assert world.heard[:3] == [("announced", "us1"), ("announced", "ak9"), ("merged", "ak9")]
    assert json.loads(world.bus.published[2][1])["into"] == "us1"
    assert world.heard[3:] == [("revised", "us1")]  # its origin time is now the other's
    assert world.entry("ak9").state == "merged"
    assert world.state.objects["aliases/ak9.json"].data == b"us1"


def test_older_feed_under_a_former_preferred_id_takes_nothing_back() -> None:
    world = World()
    older = quake(preferred_id="us1", ids=frozenset({"us1"}), magnitude=7.0)
    newer = quake(preferred_id="ak9", ids=frozenset({"us1", "ak9"}), magnitude=7.5, updated=NOW + timedelta(minutes=2))
    world.feed.details = {"us1": newer, "ak9": newer}
    world.poll(older)
    world.poll(newer)
    world.poll(older)  # a cache serves the feed of before
    assert [kind for kind, _ in world.heard] == ["announced", "revised"]
    world.feed.details = {"ak9": Deleted(ids=frozenset({"ak9"})), "us1": older}
    world.poll(older)  # the newer entry is gone indeed
    assert [kind for kind, _ in world.heard] == ["announced", "revised", "revised"]


def test_main_shock_and_aftershock_stay_two() -> None:
    main = quake()
    after = quake(preferred_id="us2", ids=frozenset({"us2"}), magnitude=6.2, time=main.time + timedelta(minutes=9))
    world = World(main, after)
    world.poll()
    assert sorted(world.heard) == [("announced", "us1"), ("announced", "us2")]


def test_feed_that_is_down_is_a_state_and_no_crash() -> None:
    world = World(quake())
    world.feed.is_down = True
    assert [world.poll()["down"] for _ in range(3)] == [1, 1, 1]
    assert world.feed_state.failures == 3
    assert world.feed_state.down_since == NOW + timedelta(minutes=1)
    world.feed.is_down = False
    assert world.poll()["announced"] == 1
    assert world.feed_state.down_since is None


def test_outage_longer_than_the_feeds_span_is_caught_up_with() -> None:
    world = World()
    world.poll()
    started = world.now
    world.feed.is_down = True
    world.poll(after=timedelta(days=1))
    world.feed.is_down = False
    missed = quake(time=NOW + timedelta(days=2), updated=NOW + timedelta(days=2, hours=1))
    world.feed.changed = [missed]
    world.poll(after=timedelta(days=10))
    assert world.heard == [("announced", "us1")]
    since, origin_after, least = world.feed.asked[-1]
    assert since <= started
    assert origin_after <= started - timedelta(days=89)
    assert least <= 6.0
    assert world.feed_state.caught_up_at == world.now


def test_catch_up_that_fails_leaves_the_cursor_and_the_feed_is_read_all_the_same() -> None:
    world = World()
    world.poll()
    cursor = world.feed_state.caught_up_at

    def broken(*_: object, **__: object) -> list[Earthquake | Deleted]:
        from quakeslide.errors import FeedUnavailable

        raise FeedUnavailable("HTTP 503")

    world.feed.updated_since = broken  # type: ignore[method-assign]
    assert world.poll(quake(), after=timedelta(hours=7))["announced"] == 1
    assert world.feed_state.caught_up_at == cursor


def test_deleted_quake_is_cancelled_once_and_announced_again_when_restored() -> None:
    world = World()
    world.poll(quake())
    world.feed.details = {"us1": Deleted(ids=frozenset({"us1"}))}
    world.feed.entries = []
    for _ in range(3):
        world.poll()
    assert world.heard == [("announced", "us1"), ("cancelled", "us1")]
    world.poll(quake())  # a cache serves the feed of before
    assert len(world.heard) == 2
    world.feed.details = {"us1": quake()}
    world.poll(quake())  # the very same entry, restored
    world.poll()
    assert world.heard[2:] == [("announced", "us1")]
    intents = [a["intent"] for _, _, a in world.bus.published]
    assert len(set(intents)) == 3


def test_restored_quake_is_told_as_it_stands_now_whatever_a_cache_still_serves() -> None:
    world = World()
    world.poll(quake(magnitude=7.4))
    world.feed.entries, world.feed.details = [], {"us1": Deleted(ids=frozenset({"us1"}))}
    world.poll()
    older, newer = (quake(magnitude=m, updated=T0 + timedelta(hours=h)) for m, h in ((7.4, 1), (7.5, 2)))
    world.feed.details = {"us1": newer}
    world.poll(older)
    told = [json.loads(data) for _, data, _ in world.bus.published]
    assert [body["earthquake"]["magnitude"] for body in told if body["kind"] == "announced"] == [7.4, 7.5]
    world.poll(newer)
    assert world.heard[2:] == [("announced", "us1")]


def test_deletion_that_only_the_event_service_tells_of_is_heeded() -> None:
    world = World()
    world.poll(quake())
    world.feed.entries, world.feed.changed = [], [Deleted(ids=frozenset({"us1", "at1"}))]
    world.feed.details = {"us1": Deleted(ids=frozenset({"us1"}))}
    world.poll(after=timedelta(days=30))
    assert world.heard[-1] == ("cancelled", "us1")


def test_deleted_alias_does_not_take_the_quake_back() -> None:
    world = World()
    world.poll(quake())
    world.feed.changed = [Deleted(ids=frozenset({"at1"}))]
    world.feed.entries, world.feed.details = [], {"us1": quake()}
    world.poll(after=timedelta(hours=7))
    assert world.heard == [("announced", "us1")]


def test_quake_missing_from_the_feed_that_is_still_there_stays() -> None:
    world = World()
    world.poll(quake())
    world.feed.entries, world.feed.details = [], {"us1": quake()}
    world.poll()
    assert world.heard == [("announced", "us1")]


def test_revision_weeks_later_is_caught_by_the_catch_up() -> None:
    world = World()
    world.poll(quake(magnitude=5.9))
    world.feed.entries, world.feed.changed = [], [quake(magnitude=6.1, updated=NOW + timedelta(days=40))]
    world.poll(after=timedelta(days=41))
    assert world.heard == [("announced", "us1")]


def test_refused_quake_keeps_its_reasons_in_the_ledger() -> None:
    world = World(quake(depth_km=300), quake(preferred_id="us8", ids=frozenset({"us8"}), lon=-140.0, lat=30.0))
    world.poll()
    assert world.heard == []
    assert world.entry("us1").reasons == (
        "depth 300 km is over 100 km for M 7 and more",
        "depth 300 km is over 50 km for M 6 and more",
    )
    assert "from land" in world.entry("us8").reasons[0]
    assert {world.entry(i).state for i in ("us1", "us8")} == {"refused"}


def test_gravest_alert_is_told_first() -> None:
    green = quake(preferred_id="us2", ids=frozenset({"us2"}), lon=116.4, lat=-8.3, magnitude=7.9, alert="green")
    world = World(green, quake(magnitude=6.4, alert="red"))
    world.poll()
    assert world.heard == [("announced", "us1"), ("announced", "us2")]


@pytest.mark.parametrize("colour", ["", "green", "red"])
def test_landslide_alert_is_kept_and_decides_nothing(colour: str) -> None:
    world = World()
    world.feed.grid, world.feed.landslide_alert = shaken(7.0), colour
    weak = quake(magnitude=5.9, preferred_id="us2", ids=frozenset({"us2"}), lon=116.4, lat=-8.3, alert="red")
    first = quake(has_shakemap=True, detail_url="detail", alert="green")
    world.poll(first, weak)
    assert world.heard == [("announced", "us1")]
    assert (world.entry("us1").alert, world.entry("us1").landslide_alert) == ("green", colour)
    world.feed.landslide_alert = "orange"
    world.poll(replace(first, alert="red", updated=NOW + timedelta(minutes=1)), weak)
    assert len(world.heard) == 1  # nothing material to a subscriber
    assert (world.entry("us1").alert, world.entry("us1").landslide_alert) == ("red", "orange")
    world.feed.no_shaking = True
    world.poll(replace(first, updated=NOW + timedelta(minutes=2)), weak)
    assert world.entry("us1").landslide_alert == "orange"


def shaken(mmi: float, version: str = "us 1") -> ShakeGrid:
    """Uniform shaking over the Noto peninsula, made up for the test."""
    rows = np.full((20, 20), mmi, np.float32)
    return ShakeGrid(version=version, west=136.5, north=37.7, step_lon=0.05, step_lat=0.05, mmi=rows)


def test_shakemap_replaces_the_radius_and_each_version_is_told() -> None:
    world = World()
    with_map = quake(has_shakemap=True, detail_url="detail")
    world.poll(quake())
    for number, version in enumerate(("us 1", "us 1", "us 2")):
        world.feed.grid = shaken(7.0, version)
        world.poll(replace(with_map, updated=NOW + timedelta(minutes=number + 1)))
    assert [kind for kind, _ in world.heard] == ["announced", "revised", "revised"]
    assert json.loads(world.bus.published[-1][1])["aoi"]["source"] == "ShakeMap us 2, MMI 6 and more"


def test_shakemap_without_strong_shaking_on_land_takes_the_quake_back() -> None:
    world = World()
    world.poll(quake())
    world.feed.grid = shaken(5.0)
    world.poll(quake(has_shakemap=True, detail_url="detail", updated=NOW))
    assert world.heard == [("announced", "us1"), ("cancelled", "us1")]
    assert "MMI 6 and more on 0 km2 of land" in json.loads(world.bus.published[-1][1])["reason"]


def test_shakemap_out_of_reach_delays_nothing_and_takes_nothing_back() -> None:
    world = World()
    with_map = quake(has_shakemap=True, detail_url="detail")
    world.feed.no_shaking = True
    world.poll(with_map)
    assert world.heard == [("announced", "us1")]
    world.feed.no_shaking, world.feed.grid = False, shaken(7.0)
    world.poll()  # the feed says nothing new, but the ShakeMap is still owed
    assert [kind for kind, _ in world.heard] == ["announced", "revised"]
    world.feed.no_shaking = True
    world.poll(replace(with_map, updated=NOW + timedelta(hours=1)))
    assert len(world.heard) == 2


def test_change_of_profile_weighs_everything_anew() -> None:
    world = World()
    small = quake(magnitude=5.4, depth_km=5)
    world.poll(small)
    assert world.heard == []
    world.poll(small, rule="sensitive")
    assert world.heard == [("announced", "us1")]
    world.poll(small)
    assert world.heard[-1] == ("cancelled", "us1")
