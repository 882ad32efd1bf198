"""Brings the watches about an earthquake's place and time into the order that `linked_shocks` asks for.

Every message first changes the watch that it is about; then all that lie near are read and those that no longer stand right are swapped,
until a reading finds nothing to change. Whoever writes last has therefore seen every other write, so of two deliveries at once at least
one puts things right; a swap that is lost, or a crash, brings the message again.
"""

import logging
from datetime import UTC, datetime, timedelta

from quakeslide.domain import object_names
from quakeslide.domain.linked_shocks import LONGEST_POST, arrange
from quakeslide.domain.watch import Fate, Standing, Watch
from quakeslide.errors import DamagedDocument, LostRace
from quakeslide.ports import ObjectStore
from quakeslide.telemetry import say
from quakeslide.usecases.keep_watch import Kept, find_watch, save_watch

OPEN_WATCHES = object_names.watch("any").removesuffix("any.json")
PASSES = 5
AFTERWARDS = 3 * LONGEST_POST  # a shock of a shock of a shock may be linked anew


def link_shocks(event_id: str, state: ObjectStore) -> list[str]:
    """Link, or open, what a change of an event's watch asks for; return the other events whose status may have changed.

    Raises:
        LostRace: a watch was changed meanwhile; repeating goes on from there.
    """
    changed: set[str] = set()
    for _ in range(PASSES):
        own = find_watch(state, event_id)
        if own is None:
            return []
        since = min([own.watch.t0, *(shock.time for shock in own.watch.shocks if shock.fate is Fate.LINKED)])
        around = {event_id: own, **_around(own.watch, since, state)}
        arranged = arrange([kept.watch for kept in around.values()], since)
        wrong = [case for case in arranged if case != around[case.event_id].watch]
        if not wrong:
            return sorted((changed | _bound(own.watch, around)) - {event_id})
        for case in wrong:
            save_watch(state, case, around[case.event_id])
            changed.add(case.event_id)
    raise LostRace(f"the watches about {event_id} kept changing")


def _around(own: Watch, since: datetime, state: ObjectStore) -> dict[str, Kept]:
    """Return the other watches of the time, and those that this one says it has to do with."""
    first, last = (
        f"{at.astimezone(UTC):%Y-%m-%d}" for at in (since - LONGEST_POST, since + AFTERWARDS + timedelta(days=1))
    )
    days: dict[str, list[str]] = {}
    for listed in state.list(object_names.WATCH_DAYS):
        _, day, event_id = listed.name.split("/")
        days.setdefault(event_id, []).append(day)
    names = {event_id for event_id, said in days.items() if any(first <= day <= last for day in said)}
    opened = {listed.name.removeprefix(OPEN_WATCHES).removesuffix(".json") for listed in state.list(OPEN_WATCHES)}
    names |= {name for name in opened if name not in days}  # from before there were such objects
    names |= {shock.event_id for shock in own.shocks} | ({own.linked_to} if own.linked_to else set())
    found = {name: _readable(state, name) for name in sorted(names - {own.event_id})}
    return {name: kept for name, kept in found.items() if kept is not None}


def _readable(state: ObjectStore, event_id: str) -> Kept | None:
    """Return a watch; one whose document is damaged is its own event's problem, not its neighbours'."""
    try:
        return find_watch(state, event_id)
    except DamagedDocument as error:
        say("damaged watch passed over", level=logging.ERROR, watch=event_id, reason=str(error)[:300])
        return None


def _bound(own: Watch, around: dict[str, Kept]) -> set[str]:
    """Return the events whose status speaks of this one, or may have: a crash may have left it behind."""

    def is_bound(watch: Watch) -> bool:
        is_near = watch.standing is Standing.LINKED and watch.whole_area.intersects(own.whole_area)
        return is_near or any(shock.event_id == own.event_id for shock in watch.shocks)

    return {name for name, kept in around.items() if is_bound(kept.watch)}
