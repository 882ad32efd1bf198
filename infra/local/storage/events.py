"""What happened to an object, and the promise that whoever asked to hear of it will.

Reference: https://cloud.google.com/storage/docs/pubsub-notifications
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from infra.local.storage.resources import StoredObject

FINALIZE = "OBJECT_FINALIZE"
METADATA_UPDATE = "OBJECT_METADATA_UPDATE"
DELETE = "OBJECT_DELETE"
# The real service knows OBJECT_ARCHIVE too; it needs object versioning, which this one lacks.
EVENT_TYPES = (FINALIZE, METADATA_UPDATE, DELETE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of one object.

    Attributes:
        event_type: one of `EVENT_TYPES`.
        stored: the object; as it was last, where it was deleted.
        event_time: RFC 3339, UTC.
        attributes: what this type of event says beside, in an overwrite.
    """

    event_type: str
    stored: StoredObject
    event_time: str
    attributes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def write(cls, old: StoredObject | None, new: StoredObject, now: str) -> "list[Event]":
        """Return the events of an upload: an overwrite deletes the old generation."""
        if old is None:
            return [cls(event_type=FINALIZE, stored=new, event_time=now)]
        overwrote = {"overwroteGeneration": str(old.generation)}
        overwritten = {"overwrittenByGeneration": str(new.generation)}
        return [
            cls(event_type=FINALIZE, stored=new, event_time=now, attributes=overwrote),
            cls(event_type=DELETE, stored=old, event_time=now, attributes=overwritten),
        ]

    @classmethod
    def patch(cls, new: StoredObject, now: str) -> "list[Event]":
        """Return the event of a change of properties."""
        return [cls(event_type=METADATA_UPDATE, stored=new, event_time=now)]

    @classmethod
    def delete(cls, old: StoredObject, now: str) -> "list[Event]":
        """Return the event of a deletion."""
        return [cls(event_type=DELETE, stored=old, event_time=now)]


class EventSink(Protocol):
    """Takes events in the same step in which they become true."""

    def change(self, events: Sequence[Event], commit: Callable[[], object]) -> None:
        """Remember the events on disk, call `commit`, then let them go; a failed commit takes them back.

        A crash between the two may announce a change that did not come about, as at-least-once delivery allows; it never
        loses one that did.
        """
