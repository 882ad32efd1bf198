"""Linked shocks against a simple reference: messages about random quakes in any order, twice, with crashes and with two at once.

The reference knows nothing of the code. Areas are stretches of a strip of land, so that what one adds to another is a length; it is told
every quake's last facts and says who has a watch, who is linked to whom, and which further times a watch looks at.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import box

from quakeslide.documents.ledger import LedgerEntry, write_entry
from quakeslide.domain import object_names
from quakeslide.errors import LostRace
from quakeslide.messages import Announced, Cancelled, Manual, Merged, Message
from quakeslide.ports import Listed, Stored
from quakeslide.usecases.keep_watch import find_watch
from tests.fakes import MemoryStore
from tests.fakes_exporter import T0, Crash, World, after

IDS = ("us7000aaaa", "us7000bbbb", "us7000cccc", "us7000dddd")
UNIT = 0.02  # degrees of longitude that one step of the strip is long


@dataclass(frozen=True, kw_only=True)
class Quake:
    """What was last told of a quake; `start`, `end` in steps of the strip."""

    day: float
    magnitude: float
    start: int
    end: int
    is_gone: bool = False
    is_asked: bool = False


Told = tuple[str, datetime, Message]


def message(name: str, quake: Quake, kind: str = "announced") -> Announced:
    aoi = box(137 + quake.start * UNIT, 37.3, 137 + quake.end * UNIT, 37.4)
    return Announced(
        kind=kind, event_id=name, time=after(days=quake.day), lon=137.0, lat=37.3, depth_km=10.0,
        magnitude=quake.magnitude, place=name, aoi=aoi, aoi_source="radius",
    )  # fmt: skip


Picture = dict[str, tuple[str, list[tuple[str, float]]]]


def expected(quakes: dict[str, Quake]) -> Picture:
    """Return where each quake must stand: gone, linked to whom, or its own watch with its further times (shock, day)."""
    picture: Picture = {}
    mains: list[str] = []
    in_order = sorted(quakes, key=lambda name: (quakes[name].day, name))
    for name in in_order:
        own = quakes[name]
        if own.is_gone:
            picture[name] = ("gone", [])
            continue
        looking = []
        for main in mains:
            there = quakes[main]
            shared = max(0, min(own.end, there.end) - max(own.start, there.start))
            if own.day - there.day <= 60 and (own.end - own.start - shared) < 0.1 * (own.end - own.start):
                looking.append((-there.magnitude, there.day, main))
        if looking and not own.is_asked:
            main = min(looking)[2]
            picture[name] = (f"linked to {main}", [])
            if own.magnitude >= quakes[main].magnitude - 0.5:
                times = [day for _, day in picture[main][1]] + [quakes[main].day]
                if all(own.day - day >= 5 / 1440 for day in times):
                    picture[main][1].append((name, own.day))
        else:
            picture[name] = ("watched", [])
            mains.append(name)
    return picture


def found(world: World) -> Picture:
    """Return where each quake stands, by what is stored."""
    picture: Picture = {}
    for name in IDS:
        kept = find_watch(world.state, name)
        if kept is None:
            continue
        watch = kept.watch
        words = {"open": "watched", "cancelled": "gone", "linked": f"linked to {watch.linked_to}"}[watch.standing.value]
        times = [(t.shock, (t.post_start - T0) / timedelta(days=1)) for t in watch.later_times]
        assert [t.number for t in watch.later_times] == list(range(1, len(times) + 1))
        picture[name] = (words, times)
    return picture


def fresh_world(names: tuple[str, ...] = IDS) -> World:
    """A world whose ledger knows the quakes, as the poller writes it before it tells of them."""
    world = World()
    for name in names:
        entry = LedgerEntry(
            event_id=name, source="usgs", ids=(name,), state="announced", updated=T0, told=None, reasons=("new",)
        )
        world.state.create(object_names.earthquake(name), write_entry(entry), "")
    return world


def deliver(world: World, told: list[Told], crashes: Sequence[int] = ()) -> None:
    """Deliver messages as Pub/Sub does: one that fails comes again after the others.

    Args:
        world: to which.
        told: in this order.
        crashes: after how many writes the first deliveries die.
    """
    waiting = list(told)
    for number in range(30 * len(told) + 1):
        if not waiting:
            return
        message_id, at, body = waiting.pop(0)
        world.fuse.left = crashes[number] if number < len(crashes) else world.fuse.left
        try:
            world.send(body, at, message_id=message_id)
        except (LostRace, Crash):
            waiting.append((message_id, at, body))
        world.fuse.left = None if crashes else world.fuse.left
    raise AssertionError(f"{waiting} are redelivered for ever")


quakes = st.builds(
    lambda day, magnitude, start, length: Quake(day=day, magnitude=magnitude, start=start, end=start + length),
    day=st.sampled_from([0.0, 0.001, 0.5, 3.0, 59.0, 60.0, 61.0, 119.0]),
    magnitude=st.sampled_from([6.0, 6.4, 6.5, 7.0, 7.5]),
    start=st.integers(0, 5),
    length=st.integers(1, 9),
)


@st.composite
def told_of(draw: st.DrawFn) -> tuple[list[Told], dict[str, Quake]]:
    """Return messages about two to four quakes, and what holds after all of them."""
    names = IDS[: draw(st.integers(2, 4))]
    told: list[Told] = []
    last: dict[str, Quake] = {}
    number = count()

    def tell(body: Message) -> None:
        told.append((f"m{next(number)}", after(minutes=len(told)), body))  # so early that no watch is over yet

    for name in names:
        for kind in ("announced", *["revised"] * draw(st.integers(0, 2))):
            last[name] = draw(quakes)
            tell(message(name, last[name], kind))
        end = draw(st.sampled_from(["", "", "", "cancelled", "restored", "asked"]))
        if end in ("cancelled", "restored"):
            tell(Cancelled(event_id=name, reason="USGS deleted it"))
            last[name] = replace(last[name], is_gone=True)
        if end == "restored":
            last[name] = draw(quakes)
            tell(message(name, last[name]))
        if end == "asked":
            tell(Manual(event_id=name))
            last[name] = replace(last[name], is_asked=True)
    if draw(st.booleans()):
        gone, into = names[-1], names[0]
        if not last[gone].is_asked and not last[gone].is_gone and not last[into].is_gone:
            tell(Merged(event_id=gone, into=into))
            last[gone] = replace(last[gone], is_gone=True)
    return told, last


@settings(max_examples=30, deadline=None)
@given(told_of(), st.randoms(use_true_random=False), st.lists(st.integers(1, 60), max_size=3))
def test_end_is_the_same_in_any_order_with_repeats_and_crashes(
    story: tuple[list[Told], dict[str, Quake]], chance: object, crashes: list[int]
) -> None:
    told, last = story
    world = fresh_world(tuple(last))
    order = [*told, *told[::2]]
    chance.shuffle(order)  # type: ignore[attr-defined]
    deliver(world, order, crashes)
    assert found(world) == expected(last)
    standing = [stored.data for name, stored in world.state.objects.items() if name.startswith("watches/closed/")]
    deliver(world, told)
    assert found(world) == expected(last)
    assert standing == [s.data for n, s in world.state.objects.items() if n.startswith("watches/closed/")]


MAIN = Quake(day=0.0, magnitude=7.0, start=0, end=6)
AFTER = Quake(day=3.0, magnitude=6.6, start=1, end=4)
LATER = Quake(day=20.0, magnitude=6.1, start=0, end=3)
A, B, C, _ = IDS
STORY: list[Told] = [
    ("m1", after(days=0, hours=1), message(A, MAIN)),
    ("m2", after(days=3, hours=1), message(B, replace(AFTER, magnitude=6.4))),
    ("m3", after(days=3, hours=2), message(B, AFTER, "revised")),
    ("m4", after(days=20, hours=1), message(C, LATER)),
    ("m5", after(days=21), message(A, replace(MAIN, end=7), "revised")),
    ("m6", after(days=22), Cancelled(event_id=B, reason="USGS deleted it")),
    ("m7", after(days=23), message(B, AFTER)),
    ("m8", after(days=24), Manual(event_id=C)),
]


def test_crash_after_every_write_ends_the_same() -> None:
    calm = fresh_world()
    deliver(calm, STORY)
    assert found(calm) == {A: ("watched", [(B, 3.0)]), B: (f"linked to {A}", []), C: ("watched", [])}
    for step in range(1, calm.fuse.burnt + 1):
        world = fresh_world()
        world.fuse.left = step
        deliver(world, STORY)
        assert world.fuse.left is None, f"step {step} was never reached"
        assert found(world) == found(calm), f"crash after step {step}"
        for name in (A, B, C):
            assert status_of(world, name) == status_of(calm, name), f"crash after step {step}"


def test_a_merger_that_overtakes_the_announcement_leaves_it_its_own_facts() -> None:
    """The watch that goes on was opened by the merger, from the other quake's area; what was told of it earlier is still news."""
    told: list[Told] = [
        ("m1", after(minutes=1), message(A, replace(MAIN, end=4))),
        ("m2", after(minutes=2), message(C, replace(MAIN, start=4, end=13))),
        ("m3", after(minutes=3), Merged(event_id=C, into=A)),
        ("m4", after(minutes=4), message(B, replace(AFTER, start=0, end=1))),
    ]
    for order in permutations(told):
        world = fresh_world((A, B, C))
        deliver(world, list(order))
        assert found(world) == {A: ("watched", [(B, 3.0)]), B: (f"linked to {A}", []), C: ("gone", [])}


@dataclass
class Interrupted:
    """A bucket in which somebody else's whole delivery happens before one operation of ours."""

    inner: MemoryStore
    meanwhile: Callable[[], None]
    at: int
    done: int = field(default=0)

    def _step(self) -> None:
        self.done += 1
        if self.done == self.at:
            self.meanwhile()

    def read(self, name: str) -> Stored | None:
        self._step()
        return self.inner.read(name)

    def create(self, name: str, data: bytes, content_type: str) -> bool:
        self._step()
        return self.inner.create(name, data, content_type)

    def replace(self, name: str, data: bytes, content_type: str, generation: int) -> bool:
        self._step()
        return self.inner.replace(name, data, content_type, generation)

    def delete(self, name: str, generation: int | None = None) -> None:
        self._step()
        self.inner.delete(name, generation)

    def list(self, prefix: str) -> Iterator[Listed]:
        self._step()
        return self.inner.list(prefix)

    def open(self, name: str, generation: int) -> object:
        return self.inner.open(name, generation)


GONE = Cancelled(event_id=A, reason="USGS deleted it")
PAIRS: dict[str, tuple[list[Message], Message, Message]] = {
    "both announced": ([], message(A, MAIN), message(B, AFTER)),
    "announced, main shock cancelled": ([message(A, MAIN)], message(B, AFTER), GONE),
    "revised, main shock cancelled": ([message(A, MAIN), message(B, AFTER)], message(B, replace(AFTER, magnitude=6.9)), GONE),
    "revised twice": ([message(A, MAIN), message(B, AFTER)], message(B, replace(AFTER, end=9)), message(A, replace(MAIN, end=9))),
    "asked for, main shock revised": ([message(A, MAIN), message(B, AFTER)], Manual(event_id=B), message(A, replace(MAIN, magnitude=7.3))),
    "cancelled, main shock revised": (
        [message(A, MAIN), message(B, AFTER)], Cancelled(event_id=B, reason="gone"), message(A, replace(MAIN, magnitude=7.3)),
    ),
    "two aftershocks": ([message(A, MAIN)], message(B, AFTER), message(C, LATER)),
}  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("swapped", [False, True])
def test_two_deliveries_at_once_end_as_one_after_the_other(pair: str, swapped: bool) -> None:
    """Only what failed is delivered again: an acknowledged message heals nothing."""
    earlier, *both = PAIRS[pair]
    told = [(f"m{n}", after(days=21, minutes=n), body) for n, body in enumerate([*earlier, *both])]  # type: ignore[list-item]
    calm = fresh_world()
    deliver(calm, told)
    first, second = told[-2:] if not swapped else told[:-3:-1]
    for at in count(1):
        world = fresh_world()
        deliver(world, told[:-2])
        lost: list[Told] = []
        own = world.using.state
        bucket = Interrupted(world.state, partial(send_over, own, world, second, lost), at)  # type: ignore[arg-type]
        send_over(bucket, world, first, lost)
        if bucket.done < at:
            break
        deliver(world, lost)
        assert found(world) == found(calm), f"at step {at}"
        for name in found(calm):
            assert status_of(world, name) == status_of(calm, name), f"at step {at}"
    assert at > 10


def send_over(state: object, world: World, told: Told, lost: list[Told]) -> None:
    """Deliver once over a bucket of its own."""
    message_id, when, body = told
    outer = world.using
    world.using = replace(outer, state=state)  # type: ignore[arg-type]
    try:
        world.send(body, when, message_id=message_id)
    except LostRace:
        lost.append(told)
    world.using = outer


def status_of(world: World, name: str) -> bytes:
    return world.results.objects[object_names.status(name)].data


def test_reference_tells_the_cases_apart() -> None:
    assert expected({A: MAIN, B: AFTER, C: LATER}) == {
        A: ("watched", [(B, 3.0)]), B: (f"linked to {A}", []), C: (f"linked to {A}", []),
    }  # fmt: skip
    for days in permutations((0.0, 1.0)):
        same = {name: replace(MAIN, day=day) for name, day in zip((A, B), days, strict=True)}
        assert sorted(words.split(" ")[0] for words, _ in expected(same).values()) == ["linked", "watched"]
