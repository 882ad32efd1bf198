"""The poller against a simple reference model, over feeds of random updates, duplicates, reorderings, id changes, deletions and crashes.

The model knows nothing of the code: it is told what the feed shows at each step and says which messages that must give. It holds one
quake's last told facts and re-reads the rule of field notes: 0.2 in magnitude is material, under 6.0 takes back, deleted takes back.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from quakeslide.domain.earthquake import Deleted
from quakeslide.usecases.announce_earthquakes import announce_earthquakes
from tests.fakes import MemoryBus, MemoryStore
from tests.fakes_feed import NOW, FakeFeed, quake

SHOCKS = {"us1": 137.2, "us2": 116.0, "us3": 142.75}  # far apart: none is another's duplicate
PLACES = {"us1": (137.2, 37.4), "us2": (116.4, -8.3), "us3": (142.75, -6.07)}


@dataclass
class Model:
    """What subscribers must have heard of one shock."""

    heard: list[str] = field(default_factory=list)
    told: float | None = None

    def show(self, magnitude: float | None) -> None:
        """The feed shows a magnitude, or None where the quake was deleted."""
        if magnitude is None or magnitude < 6.0:
            if self.told is not None:
                self.heard.append("cancelled")
            self.told = None
        elif self.told is None:
            self.heard.append(f"announced {magnitude:g}")
            self.told = magnitude
        elif abs(magnitude - self.told) > 0.19999:
            self.heard.append(f"revised {magnitude:g}")
            self.told = magnitude


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


def heard_once(bus: MemoryBus) -> dict[str, list[str]]:
    """Return what a subscriber that dedupes on the intent hears of each shock; a repeat must be the same bytes."""
    seen: dict[str, bytes] = {}
    heard: dict[str, list[str]] = {}
    for _, data, attributes in bus.published:
        if attributes["intent"] in seen:
            assert seen[attributes["intent"]] == data
            continue
        seen[attributes["intent"]] = data
        body = json.loads(data)
        magnitude = f" {body['earthquake']['magnitude']:g}" if "earthquake" in body else ""
        heard.setdefault(attributes["event_id"], []).append(attributes["kind"] + magnitude)
    return heard


@st.composite
def step(draw: st.DrawFn) -> dict[str, object]:
    return {
        "shock": draw(st.sampled_from(sorted(SHOCKS))),
        "magnitude": draw(st.sampled_from([None, 5.5, 5.9, 6.0, 6.1, 6.3, 6.9, 7.4])),
        "alias": draw(st.booleans()),
        "preferred": draw(st.booleans()),
        "shuffled": draw(st.randoms(use_true_random=False)),
        "twice": draw(st.booleans()),
        "stale": draw(st.booleans()),
        "crash": draw(st.none() | st.integers(1, 12)),
        "bus_crash": draw(st.sampled_from([False, False, True])),
    }


@settings(max_examples=120, deadline=None)
@given(st.lists(step(), min_size=1, max_size=12))
def test_each_shock_is_told_exactly_once_per_material_revision(steps: list[dict[str, object]]) -> None:
    state, bus, feed = Mortal(), MortalBus(), FakeFeed()
    models = {name: Model() for name in SHOCKS}
    standing: dict[str, object] = {}
    ids: dict[str, set[str]] = {name: {name} for name in SHOCKS}
    first: dict[str, str] = {}
    now = NOW
    for number, one in enumerate(steps):
        name = str(one["shock"])
        now += timedelta(minutes=7)
        older = dict(standing)
        if one["magnitude"] is None:
            standing.pop(name, None)
            feed.details = {**feed.details, **dict.fromkeys(ids[name], Deleted(ids=frozenset(ids[name])))}
        else:
            if one["alias"]:
                ids[name].add(f"at{name[2]}{number:03d}")
            preferred = sorted(ids[name])[0 if one["preferred"] else -1]
            lon, lat = PLACES[name]
            facts = {"magnitude": one["magnitude"], "lon": lon, "lat": lat, "updated": now}
            standing[name] = quake(preferred_id=preferred, ids=frozenset(ids[name]), **facts)
            first.setdefault(name, preferred) if one["magnitude"] >= 6.0 else None  # type: ignore[operator]
            feed.details = {**feed.details, **dict.fromkeys(ids[name], standing[name])}
        models[name].show(one["magnitude"])  # type: ignore[arg-type]
        shown = list(standing.values())
        if (
            one["stale"]
            and name in older
            and name in standing
            and older[name].preferred_id == standing[name].preferred_id
        ):  # type: ignore[attr-defined]
            shown.append(older[name])  # a cache adds an older copy
        if one["twice"]:
            shown *= 2
        one["shuffled"].shuffle(shown)  # type: ignore[attr-defined]
        feed.entries = shown  # type: ignore[assignment]
        state.lives, bus.dies = one["crash"], bool(one["bus_crash"])  # type: ignore[assignment]
        for again in range(2):
            with contextlib.suppress(Crash):
                announce_earthquakes(feed, state=state, bus=bus, now=now + timedelta(seconds=again))
        state.lives, bus.dies = None, False
        for _ in range(2):  # the next minutes' polls; an intent left pending is acted on again after two minutes
            now += timedelta(minutes=3)
            announce_earthquakes(feed, state=state, bus=bus, now=now)
    heard = {first[name]: model.heard for name, model in models.items() if model.heard}
    assert heard_once(bus) == heard
    published = len(bus.published)
    announce_earthquakes(feed, state=state, bus=bus, now=now + timedelta(minutes=1))
    assert len(bus.published) == published
