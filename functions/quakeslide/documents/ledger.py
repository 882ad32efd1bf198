"""The ledger: one document per earthquake that was ever weighed, announced or asked for, and one per alias.

A message is written into the entry before it is published (`pending`) together with what it says, under the entry's generation. So
what subscribers are told and what the ledger says cannot part: of two pollers one writes, and a crash repeats the same bytes under the
same intent.
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from quakeslide.documents.version import Body, Kind
from quakeslide.domain.association import Origin
from quakeslide.domain.earthquake import Announcement
from quakeslide.domain.object_names import checked_event_id
from quakeslide.json_values import instant

LEDGER = Kind(
    name="a ledger entry",
    version=2,
    migrations={1: lambda entry: {**entry, "landslide_alert": ""}},  # was not kept before
)
DAYS = "days/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A message that is to be published, or was when the process ended: its outbox id, data and attributes."""

    intent: str
    data: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """What is known of an earthquake.

    Attributes:
        event_id: canonical id: the first one announced.
        source: `usgs`, or `manual` for an entry made by a person's message.
        ids: all ids known.
        state: `announced`, `cancelled`, `refused` (weighed, never announced) or `merged`.
        updated: the feed's own time stamp of what was last looked at.
        told: what subscribers were last told.
        reasons: why it was last announced, revised, refused, cancelled or merged.
        preferred_id: id of the feed's entry last looked at; empty: look again.
        origin: where, when and how strong, as last looked at.
        place: in words.
        rule: name of the rule it was weighed by.
        alert: PAGER's colour, for ranking.
        landslide_alert: colour of USGS's ground-failure product for landslides, for ranking.
        into: the entry it was merged into.
        first_told: when it was first announced.
        serial: how many messages there were.
        pending: the message not yet known to be out.
        is_settled: nothing about it has to be asked for again until the feed changes.
    """

    event_id: str
    source: str
    ids: tuple[str, ...]
    state: str
    updated: datetime
    told: Announcement | None
    reasons: tuple[str, ...]
    preferred_id: str = ""
    origin: Origin | None = None
    place: str = ""
    rule: str = ""
    alert: str = ""
    landslide_alert: str = ""
    into: str | None = None
    first_told: datetime | None = None
    serial: int = 0
    pending: Pending | None = None
    is_settled: bool = True

    def sent(self) -> "LedgerEntry":
        """Return the entry after its message went out."""
        return replace(self, pending=None)


def write_entry(entry: LedgerEntry) -> bytes:
    """Return the document's bytes."""
    document: dict[str, Any] = {**asdict(entry), "updated": entry.updated.isoformat()}
    for name in ("told", "origin"):
        if document[name]:
            document[name]["time"] = document[name]["time"].isoformat()
    document["first_told"] = entry.first_told.isoformat() if entry.first_told else None
    return json.dumps(LEDGER.stamped(document), sort_keys=True, allow_nan=False).encode()


def read_entry(data: bytes, name: str = "the document") -> LedgerEntry:
    """Read what `write_entry` of this or an earlier release wrote.

    Args:
        data: the object's bytes.
        name: of the object, for the error.

    Raises:
        NewerDocument, DamagedDocument: see `Kind.read`.
    """
    body = LEDGER.read(data, name)
    with LEDGER.intact(name):
        return _entry(body)


def _entry(body: Body) -> LedgerEntry:
    told, origin, pending, first = (body.get(name) for name in ("told", "origin", "pending", "first_told"))
    return LedgerEntry(
        event_id=body["event_id"],
        source=body["source"],
        ids=tuple(body.get("ids", [body["event_id"]])),
        state=body.get("state", "announced"),
        updated=instant(body["updated"]),
        told=Announcement(**{**told, "time": instant(told["time"])}) if told else None,
        reasons=tuple(body.get("reasons", ())),
        preferred_id=body.get("preferred_id", ""),
        origin=Origin(**{**origin, "time": instant(origin["time"])}) if origin else None,
        place=body.get("place", ""),
        rule=body.get("rule", ""),
        alert=body.get("alert", ""),
        landslide_alert=body["landslide_alert"],
        into=body.get("into"),
        first_told=instant(first) if first else None,
        serial=body.get("serial", 0),
        pending=Pending(**pending) if pending else None,
        is_settled=body.get("is_settled", True),
    )


def day_marker(event_id: str, time: datetime) -> str:
    """Return the name of the empty object by which an entry is found by its origin's day."""
    return f"{DAYS}{time:%Y-%m-%d}/{checked_event_id(event_id)}"


def days_about(time: datetime, span: timedelta) -> tuple[str, ...]:
    """Return the days, as they stand in markers, that lie within a span of an instant."""
    return tuple(sorted({f"{moment:%Y-%m-%d}" for moment in (time - span, time, time + span)}))
