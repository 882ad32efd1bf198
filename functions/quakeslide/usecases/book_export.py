"""Books exports against the budget of their event and of their day, in `state/budget/`, and learns what they cost.

A booking has the export's intent as its key, so a repeated delivery books once. When an export has ended, what it used takes the
place of the estimate in both books, and of those that succeeded the newest are kept to estimate the next ones by.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from quakeslide.documents.notes import BOOK, MEASURED, write_note
from quakeslide.documents.version import Body, Kind
from quakeslide.domain import object_names
from quakeslide.domain.budget import Budget, Measured, Rate, estimated_eecu_s, has_room, rate_of, work_of
from quakeslide.domain.composite import Composite
from quakeslide.errors import LostRace
from quakeslide.ports import ObjectStore, Stored

JSON = "application/json"
TRIES = 8  # other watches book on the same day
KEPT = 50  # finished exports that the rate is measured on
EMPTY: dict[str, Body] = {BOOK.name: {"eecu_s": {}, "days": {}}, MEASURED.name: {"finished": []}}


def book(state: ObjectStore, composite: Composite, export_id: str, now: datetime, budget: Budget) -> str:
    """Book an export.

    Args:
        state: the state bucket.
        composite: what is to be exported.
        export_id: the same for the same attempt.
        now: the trigger's own time.
        budget: the caps.

    Returns:
        Why it has to wait, in words; empty where it may start.

    Raises:
        LostRace: others kept booking.
    """
    day = f"{now.astimezone(UTC):%Y-%m-%d}"
    eecu_s = estimated_eecu_s(composite, measured_rate(state))
    event_name, day_name = object_names.event_budget(composite.event_id), object_names.day_budget(day)
    books = (
        (event_name, budget.per_event_s, "this event's budget"),
        (day_name, budget.per_day_s, f"the budget of {day}"),
    )
    for name, cap_s, words in books:
        if _swap(state, BOOK, name, lambda b, cap_s=cap_s: _booked(b, export_id, eecu_s, cap_s)) is None:  # type: ignore[misc]
            return f"waits: {words} of {cap_s / 3600:.1f} EECU hours is used up"
    former = _read(BOOK, state.read(event_name), event_name)["days"].get(export_id, day)
    if former != day:  # it was booked, and could not start before midnight
        _swap(state, BOOK, object_names.day_budget(former), lambda b: _without(b, export_id))
    _swap(state, BOOK, event_name, lambda b: b | {"days": b["days"] | {export_id: day}})
    return ""


def settle(state: ObjectStore, event_id: str, export_id: str, eecu_s: float) -> None:
    """Put what an export used in the place of its estimate, in the books of its event and of the day it was booked on.

    Raises:
        LostRace: others kept booking.
    """
    name = object_names.event_budget(event_id)
    _swap(state, BOOK, name, lambda b: b | {"eecu_s": b["eecu_s"] | {export_id: eecu_s}})
    day = _read(BOOK, state.read(name), name)["days"].get(export_id)
    if day is not None:
        _swap(state, BOOK, object_names.day_budget(day), lambda b: b | {"eecu_s": b["eecu_s"] | {export_id: eecu_s}})


def learn(state: ObjectStore, composite: Composite, export_id: str, eecu_s: float) -> None:
    """Remember what an export that succeeded used; one that failed on the way says nothing of its cost.

    Raises:
        LostRace: others kept learning.
    """
    one = {"export": export_id, "pixel_scenes": work_of(composite), "eecu_s": eecu_s}

    def known(book: Body) -> Body:
        others = [other for other in book["finished"] if other["export"] != export_id]
        return book if len(others) < len(book["finished"]) else book | {"finished": [*others, one][-KEPT:]}

    _swap(state, MEASURED, object_names.measured_budget(), known)


def measured_rate(state: ObjectStore) -> Rate:
    """Return what exports cost, by those that have ended; an assumption before the first has."""
    name = object_names.measured_budget()
    finished = _read(MEASURED, state.read(name), name)["finished"]
    return rate_of(
        [Measured(export_id=one["export"], work=one["pixel_scenes"], eecu_s=one["eecu_s"]) for one in finished]
    )


def _booked(book: Body, export_id: str, eecu_s: float, cap_s: float) -> Body | None:
    booked = book["eecu_s"]
    if not has_room(booked, export_id, eecu_s, cap_s):
        return None
    return book if export_id in booked else book | {"eecu_s": booked | {export_id: eecu_s}}


def _without(book: Body, export_id: str) -> Body:
    return book | {"eecu_s": {known: cost for known, cost in book["eecu_s"].items() if known != export_id}}


def _read(kind: Kind, stored: Stored | None, name: str) -> Body:
    body = kind.read(stored.data, name) if stored else EMPTY[kind.name]
    return {field: value for field, value in body.items() if field != kind.key}


def _swap(state: ObjectStore, kind: Kind, name: str, change: Callable[[Body], Body | None]) -> Body | None:
    """Change a book; None where the change says so."""
    for _ in range(TRIES):
        stored = state.read(name)
        book = _read(kind, stored, name)
        changed = change(book)
        if changed is None or (stored is not None and changed == book):
            return changed
        if state.replace(name, write_note(kind, changed), JSON, stored.generation if stored else 0):
            return changed
    raise LostRace(f"{name} changed {TRIES} times")
