"""Books exports against the budget of their event and of their day, in `state/budget/`.

A booking has the export's intent as its key, so a repeated delivery books once. When an export has ended, what it used takes the
place of the estimate in its event's book.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from quakeslide.documents.notes import BOOK, write_note
from quakeslide.domain import object_names
from quakeslide.domain.budget import Budget, has_room
from quakeslide.errors import LostRace
from quakeslide.ports import ObjectStore

JSON = "application/json"
TRIES = 8  # other watches book on the same day


def book(state: ObjectStore, event_id: str, export_id: str, eecu_s: float, now: datetime, budget: Budget) -> str:
    """Book an export.

    Args:
        state: the state bucket.
        event_id: of the earthquake.
        export_id: the same for the same attempt.
        eecu_s: estimated.
        now: the trigger's own time.
        budget: the caps.

    Returns:
        Why it has to wait, in words; empty where it may start.

    Raises:
        LostRace: others kept booking.
    """
    day = f"{now.astimezone(UTC):%Y-%m-%d}"
    books = (
        (object_names.event_budget(event_id), budget.per_event_s, "this event's budget"),
        (object_names.day_budget(day), budget.per_day_s, f"the budget of {day}"),
    )
    for name, cap_s, words in books:
        if not _swap(state, name, lambda booked, cap_s=cap_s: _booked(booked, export_id, eecu_s, cap_s)):  # type: ignore[misc]
            return f"waits: {words} of {cap_s / 3600:.1f} EECU hours is used up"
    return ""


def settle(state: ObjectStore, event_id: str, export_id: str, eecu_s: float) -> None:
    """Put what an export used in the place of its estimate.

    Raises:
        LostRace: others kept booking.
    """
    _swap(state, object_names.event_budget(event_id), lambda booked: booked | {export_id: eecu_s})


def _booked(booked: dict[str, float], export_id: str, eecu_s: float, cap_s: float) -> dict[str, float] | None:
    if not has_room(booked, export_id, eecu_s, cap_s):
        return None
    return booked if export_id in booked else booked | {export_id: eecu_s}


def _swap(
    state: ObjectStore, name: str, change: Callable[[dict[str, float]], dict[str, float] | None]
) -> dict[str, float] | None:
    """Change a book; None where the change says so."""
    for _ in range(TRIES):
        stored = state.read(name)
        booked: dict[str, float] = BOOK.read(stored.data, name)["eecu_s"] if stored else {}
        changed = change(booked)
        if changed is None or (stored is not None and changed == booked):
            return changed
        data = write_note(BOOK, {"eecu_s": changed})
        if state.replace(name, data, JSON, stored.generation if stored else 0):
            return changed
    raise LostRace(f"{name} changed {TRIES} times")
