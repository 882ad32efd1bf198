"""What subscribers must hear of a few shocks, told step by step what the feed shows: a simple reference for the poller.

The model knows nothing of the code. It holds each quake's last told facts and re-reads the rule of field notes: 0.2 in magnitude or 16
seconds in time is material, under 6.0 takes back, deleted takes back, and of two that turn out to be one the first one told stays.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from quakeslide.domain.earthquake import Deleted, Earthquake
from tests.fakes import MemoryBus
from tests.fakes_feed import T0, FakeFeed, quake

# far apart: none is another's duplicate, but for `ak1`, which is told of as a quake five minutes after `us1` in the same place
PLACES = {"us1": (137.2, 37.4), "us2": (116.4, -8.3), "us3": (142.75, -6.07), "ak1": (137.2, 37.4)}
TIMES = {name: T0 + timedelta(minutes=5 * (name == "ak1")) for name in PLACES}
TWINS = ("us1", "ak1")


@dataclass
class Model:
    """What subscribers must have heard of one quake."""

    heard: list[str] = field(default_factory=list)
    told: tuple[float, datetime] | None = None
    first: int | None = None
    canonical: str = ""

    def show(self, magnitude: float | None, time: datetime, preferred: str, step: int) -> None:
        """The feed shows a magnitude and a time, or None where the quake was deleted."""
        if magnitude is None or magnitude < 6.0:
            if self.told is not None:
                self.heard.append("cancelled")
            self.told = None
            return
        if self.first is None:
            self.first, self.canonical = step, preferred
        if self.told is None:
            self.heard.append(f"announced {magnitude:g}")
        elif abs(magnitude - self.told[0]) > 0.19999 or abs(time - self.told[1]) >= timedelta(seconds=16):
            self.heard.append(f"revised {magnitude:g}")
        else:
            return
        self.told = (magnitude, time)

    def merged(self) -> None:
        """It is one quake with an older one."""
        if self.told is not None:
            self.heard.append("merged")
        self.told = None


@st.composite
def step(draw: st.DrawFn) -> dict[str, Any]:
    """What happens in the feed between two polls, and what goes wrong in the next."""
    return {
        "shock": draw(st.sampled_from(sorted(PLACES))),
        "magnitude": draw(st.sampled_from([None, 5.5, 5.9, 6.0, 6.1, 6.3, 6.9, 7.4])),
        "alias": draw(st.booleans()),
        "preferred": draw(st.booleans()),
        "shuffled": draw(st.randoms(use_true_random=False)),
        "twice": draw(st.booleans()),
        "stale": draw(st.booleans()),
        "joined": draw(st.sampled_from([False, False, True])),
    }


@dataclass
class Story:
    """A feed with what must be heard of it so far."""

    feed: FakeFeed = field(default_factory=FakeFeed)
    models: dict[str, Model] = field(default_factory=lambda: {name: Model() for name in PLACES})
    standing: dict[str, Earthquake] = field(default_factory=dict)
    ids: dict[str, set[str]] = field(default_factory=lambda: {name: {name} for name in PLACES})
    is_joined: bool = False
    steps: int = 0

    def go_on(self, one: dict[str, Any], now: datetime) -> None:
        """Let one step happen at an instant: in the feed and in the models."""
        self.steps += 1
        name, magnitude = one["shock"], one["magnitude"]
        older = dict(self.standing)
        if one["joined"] and name in TWINS and magnitude is not None and not self.is_joined:
            self._join()
        if self.is_joined and name in TWINS:
            name = TWINS[0]
        if magnitude is None:
            self.standing.pop(name, None)
            self._detail(name, Deleted(ids=frozenset(self.ids[name])))
        else:
            if one["alias"]:
                self.ids[name].add(f"at{name[0]}{name[2]}{self.steps:03d}")
            preferred = sorted(self.ids[name])[0 if one["preferred"] else -1]
            (lon, lat), time = PLACES[name], TIMES[name]
            self.standing[name] = quake(
                preferred_id=preferred, ids=frozenset(self.ids[name]), magnitude=magnitude, lon=lon, lat=lat, time=time, updated=now
            )  # fmt: skip
            self._detail(name, self.standing[name])
        preferred = self.standing[name].preferred_id if name in self.standing else ""
        self.models[name].show(magnitude, TIMES[name], preferred, self.steps)
        shown = list(self.standing.values())
        before, after = older.get(name), self.standing.get(name)
        if one["stale"] and before and after and before.preferred_id == after.preferred_id:
            shown.append(before)  # a cache adds an older copy
        shown *= 2 if one["twice"] else 1
        one["shuffled"].shuffle(shown)
        self.feed.entries = list(shown)

    def _join(self) -> None:
        """The feed knows from now on that the twins are one quake; it goes on under the name of the first twin."""
        self.is_joined = True
        first, second = TWINS
        self.ids[first] |= self.ids[second]
        self.standing.pop(second, None)
        pair = sorted((self.models[n] for n in TWINS), key=lambda m: (m.first is None, m.first or 0))
        pair[1].merged()
        self.models[first], self.models[second] = pair

    def _detail(self, name: str, found: Earthquake | Deleted) -> None:
        self.feed.details = {**self.feed.details, **dict.fromkeys(self.ids[name], found)}

    def expected(self) -> dict[str, list[str]]:
        return {model.canonical: model.heard for model in self.models.values() if model.heard}


def heard_once(bus: MemoryBus) -> dict[str, list[str]]:
    """Return what a subscriber that dedupes on the intent hears of each quake; a repeat must be the same bytes."""
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
