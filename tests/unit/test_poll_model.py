"""The poller against a simple reference, over feeds of random updates, duplicates, reorderings, id changes, merges, deletions and crashes;
and two pollers at once, their steps interleaved in any order."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from quakeslide.ports import Listed, Stored
from quakeslide.usecases.announce_earthquakes import announce_earthquakes
from tests.fakes import MemoryBus, MemoryStore
from tests.fakes_feed import NOW, FakeFeed
from tests.poll_reference import Story, heard_once, step


class Crash(RuntimeError):
    pass


@dataclass
class Mortal(MemoryStore):
    """A bucket whose user dies after a given number of further writes; None: lives on."""

    lives: int | None = None

    def replace(self, name: str, data: bytes, content_type: str, generation: int) -> bool:
        done = super().replace(name, data, content_type, generation)
        if done and self.lives is not None:
            self.lives -= 1
            if self.lives <= 0:
                raise Crash(name)
        return done


@dataclass
class MortalBus(MemoryBus):
    """A topic whose publisher may die right after the service has taken the message."""

    dies: bool = False

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        super().publish(topic, data, attributes)
        if self.dies:
            raise Crash("published")


@settings(max_examples=120, deadline=None)
@given(
    st.lists(
        st.tuples(step(), st.none() | st.integers(1, 12), st.sampled_from([False, False, True])),
        min_size=1,
        max_size=12,
    )
)
def test_each_quake_is_told_exactly_once_per_material_revision(
    steps: list[tuple[dict[str, Any], int | None, bool]],
) -> None:
    state, bus, story, now = Mortal(), MortalBus(), Story(), NOW
    for one, crash, bus_crash in steps:
        now += timedelta(minutes=7)
        story.go_on(one, now)
        state.lives, bus.dies = crash, bus_crash
        for again in range(2):
            with contextlib.suppress(Crash):
                announce_earthquakes(story.feed, state=state, bus=bus, now=now + timedelta(seconds=again))
        state.lives, bus.dies = None, False
        for _ in range(2):  # the next minutes' polls; an intent left pending is acted on again after two minutes
            now += timedelta(minutes=3)
            announce_earthquakes(story.feed, state=state, bus=bus, now=now)
    assert heard_once(bus) == story.expected()
    published = len(bus.published)
    announce_earthquakes(story.feed, state=state, bus=bus, now=now + timedelta(minutes=1))
    assert len(bus.published) == published


@dataclass
class Turns:
    """Lets two threads do their next step in a given order; where that has ended, one after the other goes on to its own end."""

    order: list[int]
    dies: dict[int, int]
    running: set[int] = field(default_factory=lambda: {0, 1})
    condition: threading.Condition = field(default_factory=threading.Condition)
    taken: int = 0

    @contextlib.contextmanager
    def turn(self, who: int) -> Iterator[None]:
        """Hold the only turn while a step is done; the process may die after it."""
        with self.condition:
            self.condition.wait_for(lambda: self._next() == who)
            if self.order and self.order[0] == who:
                self.order.pop(0)
            self.taken += 1
            yield
            self.condition.notify_all()
            if who in self.dies:
                self.dies[who] -= 1
                if self.dies[who] == 0:
                    raise Crash(who)

    def _next(self) -> int:
        """Say whose turn it is."""
        wanted = self.order[0] if self.order else 0
        return wanted if wanted in self.running else min(self.running)

    def end(self, who: int) -> None:
        with self.condition:
            self.running.discard(who)
            self.condition.notify_all()


@dataclass
class InTurn:
    """One poller's view of bucket and topic: every operation waits for its turn."""

    state: MemoryStore
    bus: MemoryBus
    turns: Turns
    who: int

    def read(self, name: str) -> Stored | None:
        with self.turns.turn(self.who):
            return self.state.read(name)

    def create(self, name: str, data: bytes, content_type: str) -> bool:
        with self.turns.turn(self.who):
            return self.state.create(name, data, content_type)

    def replace(self, name: str, data: bytes, content_type: str, generation: int) -> bool:
        with self.turns.turn(self.who):
            return self.state.replace(name, data, content_type, generation)

    def delete(self, name: str, generation: int | None = None) -> None:
        with self.turns.turn(self.who):
            self.state.delete(name, generation)

    def list(self, prefix: str) -> Iterator[Listed]:
        with self.turns.turn(self.who):
            return iter(list(self.state.list(prefix)))

    def open(self, name: str, generation: int) -> object:
        return self.state.open(name, generation)

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        with self.turns.turn(self.who):
            self.bus.publish(topic, data, attributes)


def both_poll(feeds: list[FakeFeed], turns: Turns, state: MemoryStore, bus: MemoryBus, now: datetime) -> None:
    """Run two pollers at once; anything but a crash that was wished for fails the test."""

    def poll(who: int) -> None:
        own = InTurn(state, bus, turns, who)
        try:
            with contextlib.suppress(Crash):
                announce_earthquakes(feeds[who], state=own, bus=own, now=now)  # type: ignore[arg-type]
        finally:
            turns.end(who)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(poll, who) for who in (0, 1)]:
            done.result()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            step(),
            st.lists(st.integers(0, 1), max_size=60),
            st.dictionaries(st.integers(0, 1), st.integers(1, 25), max_size=1),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_two_pollers_at_once_tell_each_revision_once_whatever_the_order_of_their_steps(
    steps: list[tuple[dict[str, Any], list[int], dict[int, int], bool]],
) -> None:
    state, bus, story, now = MemoryStore(), MemoryBus(), Story(), NOW
    has_crashed = False
    for one, order, dies, is_behind in steps:
        now += timedelta(minutes=7)
        shown = story.feed.entries
        story.go_on(one, now)
        behind = FakeFeed(entries=shown, details=story.feed.details)  # its feed comes from an older cache
        has_crashed |= bool(dies)
        both_poll([behind if is_behind else story.feed, story.feed], Turns(list(order), dict(dies)), state, bus, now)
        for _ in range(3):
            now += timedelta(minutes=3)
            announce_earthquakes(story.feed, state=state, bus=bus, now=now)
    assert heard_once(bus) == story.expected()
    if not has_crashed:
        intents = [attributes["intent"] for _, _, attributes in bus.published]
        assert len(intents) == len(set(intents))
