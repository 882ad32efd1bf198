"""One attempt at exporting a composite: booked and started once, whoever asks for it, a watch or a person.

The intent and the request id follow from the composite and the attempt's number, so that both find what the other has started. The
operation's name is noted beside the intent.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from quakeslide.documents.notes import OPERATION, write_note
from quakeslide.domain import object_names
from quakeslide.domain.budget import Budget
from quakeslide.domain.composite import Composite
from quakeslide.errors import EarthEngineUnavailable, ExportFailed, ExportQueueFull
from quakeslide.ports import CompositeExporter, ObjectStore
from quakeslide.usecases import outbox
from quakeslide.usecases.book_export import book

JSON = "application/json"
NAMESPACE = uuid.UUID("5f0b1a52-7d0c-5d0e-9a53-0d8f6f6c5a11")  # of the request ids; any constant will do
NOTE = ".operation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What became of an attempt.

    Attributes:
        operation: Earth Engine's name of it; None where it waits, or another process is at it.
        waits: why it has to wait, in words.
    """

    operation: str | None
    waits: str = ""


def export_intent(event_id: str, composite_id: str, attempt: int) -> str:
    """Return the id of the intent to start an attempt."""
    return f"export-{event_id}-{composite_id}-{attempt}"


def start_export(
    composite: Composite,
    attempt: int,
    now: datetime,
    *,
    state: ObjectStore,
    exporter: CompositeExporter,
    budget: Budget,
) -> Started:
    """Book an attempt and start it, or find the operation that was started for it.

    Raises:
        ExportQueueFull, EarthEngineUnavailable: later; it may be tried again at once.
        ExportFailed: Earth Engine refuses it.
        LostRace: others kept booking.
    """
    intent = export_intent(composite.event_id, composite.composite_id, attempt)
    request_id = str(uuid.uuid5(NAMESPACE, f"{composite.path}/{attempt}"))
    if waits := book(state, composite, intent, now, budget):
        return Started(operation=None, waits=waits)

    def act() -> None:
        try:
            operation = exporter.start(composite, request_id)
        except (ExportQueueFull, EarthEngineUnavailable, ExportFailed):
            state.delete(object_names.outbox(intent))  # the request id makes it safe to try again at once
            raise
        state.create(object_names.outbox(intent + NOTE), write_note(OPERATION, {"operation": operation}), JSON)

    outbox.once(state, intent, now, act)
    return Started(operation=noted_operation(state, intent))


def noted_operation(state: ObjectStore, intent: str) -> str | None:
    """Return the operation that an intent started, or None."""
    name = object_names.outbox(intent + NOTE)
    noted = state.read(name)
    return str(OPERATION.read(noted.data, name)["operation"]) if noted else None


def last_attempt(state: ObjectStore, composite: Composite) -> tuple[int, str] | None:
    """Return number and operation of the newest attempt that was started, by anybody."""
    prefix = object_names.outbox(export_intent(composite.event_id, composite.composite_id, 0)).removesuffix("0.json")
    started = [name for listed in state.list(prefix) if (name := listed.name).endswith(f"{NOTE}.json")]
    numbers = [int(name.removeprefix(prefix).removesuffix(f"{NOTE}.json")) for name in started]
    if not numbers:
        return None
    newest = max(numbers)
    operation = noted_operation(state, export_intent(composite.event_id, composite.composite_id, newest))
    return (newest, operation) if operation else None
