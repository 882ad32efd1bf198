"""The ledger as one poll sees it: which entry an id, or a place and time, belongs to; writing entries and getting their messages out."""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime

from quakeslide.documents.ledger import (
    DAYS,
    LedgerEntry,
    Pending,
    day_marker,
    days_about,
    read_entry,
    write_entry,
)
from quakeslide.domain import object_names
from quakeslide.domain.association import WIDE_TIME, Origin, are_one
from quakeslide.errors import LostRace
from quakeslide.messages import Message, encode
from quakeslide.ports import Bus, ObjectStore
from quakeslide.telemetry import say
from quakeslide.usecases import outbox

JSON = "application/json"
TOPIC = "earthquakes"


@dataclass
class Register:
    """Reads each entry at most once a poll unless it writes it.

    Attributes:
        state: the state bucket.
        bus: the topic `earthquakes`.
        now: the schedule's own time.
        told: kinds of messages sent in this poll.
    """

    state: ObjectStore
    bus: Bus
    now: datetime
    told: list[str] = field(default_factory=list)
    _aliases: set[str] = field(default_factory=set)
    _days: dict[str, list[str]] = field(default_factory=dict)
    _entries: dict[str, tuple[LedgerEntry | None, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._aliases = {listed.name for listed in self.state.list("aliases/")}
        for listed in self.state.list(DAYS):
            _, day, event_id = listed.name.split("/")
            self._days.setdefault(day, []).append(event_id)

    def days(self) -> dict[str, list[str]]:
        """Return all entries' ids by the day of their origin."""
        return self._days

    def is_known(self, other_id: str) -> bool:
        """Say whether an id belongs to an entry, without reading."""
        return object_names.alias(other_id) in self._aliases

    def entry(self, event_id: str) -> LedgerEntry | None:
        """Return an entry as last read or written."""
        if event_id not in self._entries:
            name = object_names.earthquake(event_id)
            stored = self.state.read(name)
            self._entries[event_id] = (read_entry(stored.data, name), stored.generation) if stored else (None, 0)
        return self._entries[event_id][0]

    def canonical(self, other_id: str) -> str | None:
        """Return the entry an id belongs to, followed through merges; None where it belongs to none."""
        if not self.is_known(other_id):
            return None
        stored = self.state.read(object_names.alias(other_id))
        return self.followed(stored.data.decode()) if stored else None

    def followed(self, event_id: str) -> str:
        """Return the entry that an entry was merged into at last, or itself."""
        seen = {event_id}
        while (entry := self.entry(event_id)) and entry.into and entry.into not in seen:
            self.deliver(entry)
            event_id = entry.into
            seen.add(event_id)
        return event_id

    def near(self, origin: Origin) -> set[str]:
        """Return the entries whose last known origin is the same earthquake's."""
        found = set()
        for day in days_about(origin.time, WIDE_TIME):
            for event_id in self._days.get(day, ()):
                entry = self.entry(event_id)
                if entry and entry.origin and entry.state != "merged" and are_one(entry.origin, origin):
                    found.add(event_id)
        return found

    def claim(self, event_id: str, ids: frozenset[str], time: datetime) -> None:
        """Point every id, and the origin's day, to an entry."""
        for other in sorted(ids):
            name, data = object_names.alias(other), event_id.encode()
            if name in self._aliases:
                stored = self.state.read(name)
                if stored and stored.data != data:
                    self.state.replace(name, data, "text/plain", stored.generation)
            else:
                self.state.create(name, data, "text/plain")
            self._aliases.add(name)
        day = f"{time:%Y-%m-%d}"
        if event_id not in self._days.get(day, ()):
            self.state.create(day_marker(event_id, time), b"", "text/plain")
            self._days.setdefault(day, []).append(event_id)

    def write(self, entry: LedgerEntry) -> None:
        """Write an entry over the generation read.

        Raises:
            LostRace: another poller changed it.
        """
        name = object_names.earthquake(entry.event_id)
        known = self._entries.get(entry.event_id, (None, 0))
        if known[0] == entry:
            return
        data = write_entry(entry)
        if not self.state.replace(name, data, JSON, known[1]):
            self._entries.pop(entry.event_id, None)
            raise LostRace(f"{name} was changed by another poller")
        self._entries.pop(entry.event_id, None)

    def tell(self, entry: LedgerEntry, kind: str, message: Message) -> None:
        """Write an entry with its message and get the message out."""
        data, attributes = encode(message)
        intent = f"{entry.event_id}-{entry.serial + 1:04d}-{kind}"
        pending = Pending(intent=intent, data=data.decode(), attributes={**attributes, "intent": intent})
        entry = replace(entry, serial=entry.serial + 1, pending=pending)
        self.write(entry)
        self.deliver(entry)

    def deliver(self, entry: LedgerEntry) -> bool:
        """Get an entry's message out if it is not out yet; return False where another poller is at it."""
        waiting = entry.pending
        if waiting is None:
            return True
        acted = outbox.once(
            self.state,
            waiting.intent,
            self.now,
            lambda: self.bus.publish(TOPIC, waiting.data.encode(), waiting.attributes),
        )
        if acted:
            kind = json.loads(waiting.data)["kind"]
            self.told.append(kind)
            say("told", kind=kind, event_id=entry.event_id, intent=waiting.intent, reasons=list(entry.reasons))
        elif not outbox.is_done(self.state, waiting.intent):
            return False
        self.entry(entry.event_id)
        self.write(entry.sent())
        return True
