"""After a rollback: what a later release wrote is neither guessed at nor overwritten, and what has nothing to do with it goes on."""

import json
from datetime import timedelta

import pytest

from quakeslide.documents.feed_state import NAME
from quakeslide.domain.earthquake import Deleted
from quakeslide.errors import NewerDocument
from quakeslide.usecases.announce_earthquakes import announce_earthquakes
from tests.fakes import MemoryBus, MemoryStore
from tests.fakes_exporter import A069, EVENT, World, after
from tests.fakes_feed import NOW, FakeFeed, quake

FAR = quake(preferred_id="us2", ids=frozenset({"us2"}), time=quake().time + timedelta(days=5))


def raise_version(store: MemoryStore, name: str) -> bytes:
    """Let a document be one of a later release; return its bytes."""
    stored = store.objects[name]
    later = json.dumps(json.loads(stored.data) | {"version": 99, "colour": "red"}).encode()
    assert store.replace(name, later, "application/json", stored.generation)
    return later


class Poller:
    def __init__(self) -> None:
        self.state, self.bus, self.feed = MemoryStore(), MemoryBus(), FakeFeed([quake()])
        self.now = NOW + timedelta(days=5)

    def poll(self, after: timedelta = timedelta(minutes=1)) -> dict[str, int]:
        self.now += after
        return announce_earthquakes(self.feed, state=self.state, bus=self.bus, now=self.now)

    @property
    def heard(self) -> list[str]:
        return [attributes["event_id"] for _, _, attributes in self.bus.published]


def test_poller_waits_with_the_one_earthquake_and_tells_the_others() -> None:
    poller = Poller()
    poller.poll()
    (first,) = poller.heard
    name = f"earthquakes/{first}.json"
    later = raise_version(poller.state, name)
    poller.feed.entries = [quake(magnitude=9.0), FAR]
    assert poller.poll()["deferred"] >= 1
    assert poller.heard == [first, "us2"]
    assert poller.state.objects[name].data == later


def test_new_earthquake_near_an_unreadable_entry_waits_rather_than_being_told_twice() -> None:
    poller = Poller()
    poller.poll()
    raise_version(poller.state, f"earthquakes/{poller.heard[0]}.json")
    twin = quake(preferred_id="us9", ids=frozenset({"us9"}), time=quake().time + timedelta(seconds=20))
    poller.feed.entries = [twin]
    assert poller.poll()["deferred"] >= 1
    assert len(poller.heard) == 1


def test_deletion_of_an_unreadable_entry_waits_and_the_cursor_stays() -> None:
    poller = Poller()
    poller.poll()
    cursor = json.loads(poller.state.objects[NAME].data)["caught_up_at"]
    raise_version(poller.state, f"earthquakes/{poller.heard[0]}.json")
    poller.feed.entries = [Deleted(ids=quake().ids)]
    assert poller.poll(timedelta(hours=7))["deferred"] >= 1
    assert json.loads(poller.state.objects[NAME].data)["caught_up_at"] == cursor


def test_feed_state_of_a_later_release_ends_the_poll() -> None:
    poller = Poller()
    poller.poll()
    later = raise_version(poller.state, NAME)
    with pytest.raises(NewerDocument, match=r"feed/state\.json"):
        poller.poll()
    assert poller.state.objects[NAME].data == later


def test_watch_of_a_later_release_is_redelivered_until_that_release_is_back() -> None:
    world = World()
    world.history(A069, first_post=timedelta(days=1.4))
    world.announce()
    name = f"watches/open/{EVENT}.json"
    before = world.state.objects[name].data
    later = raise_version(world.state, name)
    with pytest.raises(NewerDocument, match=name):
        world.sweep(after(days=3))
    assert world.state.objects[name].data == later
    world.state.replace(
        name, before, "application/json", world.state.objects[name].generation
    )  # as that release would read it
    world.sweep_until(after(days=2), after(days=3))
    assert world.watch.has_orders
