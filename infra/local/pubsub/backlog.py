"""The messages of one subscription that are not acknowledged yet: who holds them, and when they may be tried again.

Two clocks meet here. A retry policy's back-off is measured on the clock of the stack (`now`), so that a replay decides when
a retry is due. Everything that concerns a live client is measured on real monotonic time (`instant`, seconds): leases, the
pause before an immediate redelivery, and the delays of faults.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from google.pubsub_v1 import types

IMMEDIATE_S = 0.1
"""Pause before a redelivery where the subscription has no retry policy."""


@dataclass(slots=True)
class Entry:
    """One message on its way to one subscription.

    Attributes:
        sequence: place in the order of arrival, never given twice by the broker.
        message: what was published.
        key: its ordering key where the subscription keeps order, else empty.
        attempts: deliveries begun so far.
        due: instant of the stack's clock from which it may be tried again, or None.
        pause: monotonic second from which it may be tried.
        leased_until: monotonic second at which the present delivery has failed, or None while nobody holds it.
        acked: acknowledged, kept only because an earlier message of its key may have to be replayed.
    """

    sequence: int
    message: types.PubsubMessage
    key: str
    attempts: int = 0
    due: datetime | None = None
    pause: float = 0.0
    leased_until: float | None = None
    acked: bool = False

    def is_ready(self, now: datetime, instant: float) -> bool:
        """Whether it may be delivered at this moment, nobody holding it."""
        return self.pause <= instant and (self.due is None or self.due <= now)


@dataclass(slots=True)
class Backlog:
    """One subscription and its unacknowledged messages in order of arrival.

    Attributes:
        config: the subscription as created and updated.
        sequences: gives the numbers of entries; shared by all subscriptions, so that a late answer to a deleted one never
            meets a message of a later one of the same name.
        entries: the messages by number, in the order in which they are tried.
        acknowledged: deliveries acknowledged so far.
    """

    config: types.Subscription
    sequences: Iterator[int]
    entries: dict[int, Entry] = field(default_factory=dict)
    acknowledged: int = 0
    _held: list[Entry] = field(default_factory=list)
    _held_until: float = 0.0
    _holds: int = 0
    _seed: float = 0

    @property
    def is_push(self) -> bool:
        """Whether messages are pushed to an endpoint."""
        return bool(self.config.push_config.push_endpoint)

    def add(self, message: types.PubsubMessage, pause: float = 0.0) -> Entry:
        """Append a message that is tried from the monotonic second `pause` on."""
        entry = self._entry(message)
        entry.pause = pause
        self.entries[entry.sequence] = entry
        return entry

    def hold(self, message: types.PubsubMessage, until: float, seed: float) -> None:
        """Keep a message back; all held ones come in shuffled order at the `until` of the first of them."""
        if not self._held:
            self._held_until, self._seed = until, seed
        self._held.append(self._entry(message))

    def _entry(self, message: types.PubsubMessage) -> Entry:
        key = message.ordering_key if self.config.enable_message_ordering else ""
        return Entry(next(self.sequences), message, key)

    def _release_held(self, instant: float) -> None:
        if self._held and self._held_until <= instant:
            self._holds += 1
            random.Random(f"{self._seed} {self._holds}").shuffle(self._held)
            self.entries |= {entry.sequence: entry for entry in self._held}
            self._held = []

    def lease(self, limit: int, now: datetime, instant: float, seconds: float) -> list[Entry]:
        """Hand out up to `limit` ready messages for `seconds` of real time.

        With order kept, messages of one key go out in order, none while an earlier one is held or waits; a push endpoint
        gets one of a key at a time.
        """
        self._release_held(instant)
        found: list[Entry] = []
        blocked: set[str] = set()
        for entry in self.entries.values():
            if len(found) >= limit:
                break
            if entry.acked or entry.key in blocked:
                continue
            ready = entry.leased_until is None and entry.is_ready(now, instant)
            if ready:
                entry.attempts += 1
                entry.leased_until = instant + seconds
                found.append(entry)
            if entry.key and (self.is_push or not ready):
                blocked.add(entry.key)
        return found

    def held_by(self, ack_id: str) -> Entry | None:
        """The message of this delivery, or None where the delivery is over (acknowledged, refused or expired).

        Raises:
            ValueError: no delivery of this subscription ever had such an id.
        """
        prefix, _, rest = ack_id.rpartition(":")
        sequence, _, attempt = rest.partition("-")
        if prefix != self.config.name or not sequence.isdecimal() or not attempt.isdecimal():
            raise ValueError(ack_id)
        entry = self.entries.get(int(sequence))
        alive = entry is not None and entry.leased_until is not None and entry.attempts == int(attempt)
        return entry if alive else None

    def ack_id(self, entry: Entry) -> str:
        """The id of the present delivery of a message."""
        return f"{self.config.name}:{entry.sequence}-{entry.attempts}"

    def acknowledge(self, entry: Entry) -> None:
        """Forget a delivered message; one behind an unacknowledged message of its key is kept for a replay."""
        entry.leased_until = None
        entry.acked = True
        self.acknowledged += 1
        if entry.key:
            self._forget_acknowledged(entry.key)
        else:
            del self.entries[entry.sequence]

    def drop(self, entry: Entry) -> None:
        """Forget a message without counting it as acknowledged (it went to the dead letters)."""
        del self.entries[entry.sequence]
        if entry.key:
            self._forget_acknowledged(entry.key)

    def _forget_acknowledged(self, key: str) -> None:
        for entry in [e for e in self.entries.values() if e.key == key]:
            if not entry.acked:
                return
            del self.entries[entry.sequence]

    def refuse(self, entry: Entry, now: datetime, instant: float) -> None:
        """Take a message back to be tried again; what followed it under its key is replayed too."""
        entry.leased_until = None
        if "retry_policy" in self.config:
            policy = self.config.retry_policy
            doubled = policy.minimum_backoff * 2 ** min(entry.attempts - 1, 20)
            entry.due = now + min(policy.maximum_backoff, doubled, key=timedelta.total_seconds)
        else:
            entry.pause = instant + IMMEDIATE_S
        if entry.key:
            for later in self.entries.values():
                if later.key == entry.key and later.sequence > entry.sequence:
                    later.leased_until = None
                    later.acked = False

    def expired(self, instant: float) -> list[Entry]:
        """The messages whose holder has let the deadline pass."""
        return [e for e in self.entries.values() if e.leased_until is not None and e.leased_until <= instant]

    def outstanding(self) -> int:
        """How many messages are being delivered."""
        return sum(entry.leased_until is not None for entry in self.entries.values())

    def is_quiet(self, now: datetime, instant: float) -> bool:
        """Whether nothing is being delivered and nothing will be before the stack's clock moves."""
        return not self._held and all(
            e.leased_until is None and e.due is not None and e.due > now for e in self._open()
        )

    def _open(self) -> list[Entry]:
        return [entry for entry in self.entries.values() if not entry.acked]

    def state(self) -> dict[str, object]:
        """Numbers for `GET /_local/state`."""
        waiting = [entry for entry in self._open() if entry.leased_until is None]
        next_retry = min((entry.due for entry in waiting if entry.due is not None), default=None)
        return {
            "backlog": len(waiting) + len(self._held),
            "outstanding": self.outstanding(),
            "next_retry": next_retry.astimezone(UTC).isoformat().replace("+00:00", "Z") if next_retry else None,
            "acked": self.acknowledged,
        }
