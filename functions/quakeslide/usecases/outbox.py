"""The outbox: an intent is written before it is acted on, so that two at once act once and a crash repeats the same id.

Only the winner of the write acts, then marks the intent done. An intent left pending for two minutes belonged to a crashed process
and is acted on again with the same id; consumers dedupe on it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from quakeslide.documents.notes import INTENT, write_note
from quakeslide.domain import object_names
from quakeslide.ports import ObjectStore

PATIENCE = timedelta(minutes=2)
JSON = "application/json"


def once(state: ObjectStore, intent_id: str, now: datetime, act: Callable[[], None]) -> bool:
    """Act on an intent unless somebody did or is at it.

    Args:
        state: the state bucket.
        intent_id: what the intent is about; the same intent always has the same id.
        now: the trigger's own time.
        act: does it; may raise, then the intent stays pending. Must be safe to repeat with the same id.

    Returns:
        True where this call acted.
    """
    name = object_names.outbox(intent_id)
    pending = _document("pending", now)
    if not state.create(name, pending, JSON):
        stored = state.read(name)
        if stored is None:
            return False
        document = INTENT.read(stored.data, name)
        if document["state"] == "done" or now - datetime.fromisoformat(document["since"]) < PATIENCE:
            return False
        if not state.replace(name, pending, JSON, stored.generation):
            return False
    act()
    stored = state.read(name)
    if stored is not None:
        state.replace(name, _document("done", now), JSON, stored.generation)
    return True


def is_done(state: ObjectStore, intent_id: str) -> bool:
    """Say whether the intent was acted on and marked so."""
    name = object_names.outbox(intent_id)
    stored = state.read(name)
    return stored is not None and bool(INTENT.read(stored.data, name)["state"] == "done")


def _document(state: str, since: datetime) -> bytes:
    return write_note(INTENT, {"state": state, "since": since.isoformat()})
