"""What `status` and `events` show: ledger entries beside their watches, read from the state bucket."""

from datetime import datetime
from typing import Any

from quakeslide.documents.ledger import LedgerEntry, read_entry
from quakeslide.domain import object_names
from quakeslide.domain.earthquake import gravity
from quakeslide.domain.linked_shocks import shock_notices
from quakeslide.domain.watch import Watch
from quakeslide.ports import ObjectStore
from quakeslide.usecases.keep_watch import find_watch


def read_ledger(state: ObjectStore) -> list[LedgerEntry]:
    """Return every entry, the newest earthquake first."""
    entries = []
    for listed in state.list("earthquakes/"):
        if stored := state.read(listed.name):
            entries.append(read_entry(stored.data, listed.name))
    return sorted(entries, key=lambda entry: (when(entry), entry.event_id), reverse=True)


def rank(entry: LedgerEntry) -> tuple[int, float]:
    """Return how grave an earthquake is, for order: the gravest of its alerts, then its magnitude."""
    return (gravity(entry.alert, entry.landslide_alert), entry.origin.magnitude if entry.origin else 0.0)


def when(entry: LedgerEntry) -> datetime:
    """Return the origin time, or of a manual event when it was asked for."""
    return entry.origin.time if entry.origin else entry.told.time if entry.told else entry.updated


def find_entry(state: ObjectStore, any_id: str) -> LedgerEntry | None:
    """Return the entry that an id belongs to; ids that were merged lead on."""
    alias = state.read(object_names.alias(any_id))
    event_id: str | None = alias.data.decode() if alias else any_id
    seen: set[str] = set()
    while event_id and event_id not in seen:
        seen.add(event_id)
        name = object_names.earthquake(event_id)
        stored = state.read(name)
        if stored is None:
            return None
        entry = read_entry(stored.data, name)
        if entry.into is None:
            return entry
        event_id = entry.into
    return None


def read_standing(state: ObjectStore, event_id: str) -> Watch | None:
    """Return the event's watch, whatever its standing."""
    kept = find_watch(state, event_id)
    return kept.watch if kept else None


def row(entry: LedgerEntry, watch: Watch | None) -> dict[str, Any]:
    """Return an entry with its watch as JSON shows it."""
    return {
        "event_id": entry.event_id,
        "time": when(entry).isoformat(),
        "magnitude": entry.origin.magnitude if entry.origin else None,
        "depth_km": entry.told.depth_km if entry.told else None,
        "place": entry.place,
        "source": entry.source,
        "state": entry.state,
        "reasons": list(entry.reasons),
        "ids": list(entry.ids),
        "alert": entry.alert,
        "landslide_alert": entry.landslide_alert,
        "rule": entry.rule,
        "messages": entry.serial,
        "area": watch.aoi_source if watch else entry.told.aoi_source if entry.told else None,
        "watch": watch.standing.value if watch else None,
        "linked_to": watch.linked_to or None if watch else None,
        "notices": [*watch.notices, *shock_notices(watch)] if watch else [],
        "tracks": [] if watch is None else tracks(watch),
    }


def where(one: dict[str, Any]) -> str:
    """Return in words where a row's event is watched."""
    return f"linked to {one['linked_to']}" if one["linked_to"] else one["watch"] or "none"


def tracks(watch: Watch) -> list[dict[str, Any]]:
    """Return every stage of every track with how far its newest composite got."""
    return [
        {
            "track": str(item.track),
            "stage": str(item.stage),
            "readiness": item.readiness.value,
            "coverage": item.coverage,
            "pre": item.n_pre,
            "post": item.n_post,
            "composite": item.orders[-1].composite_id if item.orders else None,
            "step": item.orders[-1].step.value if item.orders else None,
            "finality": item.orders[-1].finality if item.orders else None,
            "text": item.orders[-1].text if item.orders else "",
        }
        for item in watch.track_stages
    ]
