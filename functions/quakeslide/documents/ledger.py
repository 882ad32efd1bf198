"""The ledger: one document per earthquake that was ever announced or asked for, one per alias."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from quakeslide.domain.earthquake import Announcement
from quakeslide.messages import instant

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """What is known of an earthquake.

    Attributes:
        event_id: canonical id: the first one announced.
        source: `usgs`, or `manual` for an entry made by a person's message.
        ids: all ids known.
        state: `announced` or `cancelled`.
        updated: the feed's own time stamp of what was last looked at.
        told: what subscribers were last told.
        reasons: why it was last announced, revised or cancelled.
    """

    event_id: str
    source: str
    ids: tuple[str, ...]
    state: str
    updated: datetime
    told: Announcement | None
    reasons: tuple[str, ...]

    def with_state(self, state: str, reasons: tuple[str, ...], updated: datetime) -> "LedgerEntry":
        """Return the entry after a change."""
        return replace(self, state=state, reasons=reasons, updated=updated)


def write_entry(entry: LedgerEntry) -> bytes:
    """Return the document's bytes."""
    document: dict[str, Any] = {"version": VERSION, **asdict(entry), "updated": entry.updated.isoformat()}
    if entry.told:
        document["told"] = {**asdict(entry.told), "time": entry.told.time.isoformat()}
    return json.dumps(document, sort_keys=True, allow_nan=False).encode()


def read_entry(data: bytes) -> LedgerEntry:
    """Read a document written by `write_entry` or by a manual message."""
    body = json.loads(data)
    told = body.get("told")
    return LedgerEntry(
        event_id=body["event_id"],
        source=body["source"],
        ids=tuple(body.get("ids", [body["event_id"]])),
        state=body.get("state", "announced"),
        updated=instant(body["updated"]),
        told=Announcement(**{**told, "time": instant(told["time"])}) if told else None,
        reasons=tuple(body.get("reasons", ())),
    )
