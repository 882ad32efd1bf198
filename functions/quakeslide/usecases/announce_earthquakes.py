"""Reads the feed against the ledger and tells what is new, materially changed or taken back: each once.

The ledger entry is written after the message went out; a crash in between repeats the same intent, which the outbox knows.
"""

from datetime import datetime
from typing import Protocol

from shapely.geometry.base import BaseGeometry

from quakeslide.documents.ledger import LedgerEntry, read_entry, write_entry
from quakeslide.domain import object_names
from quakeslide.domain.aoi import ShakeGrid, area_from_radius, area_from_shaking
from quakeslide.domain.composite import digest
from quakeslide.domain.earthquake import Announcement, Earthquake, Rule, material_changes
from quakeslide.errors import LostRace
from quakeslide.messages import Announced, Cancelled, Message, encode
from quakeslide.ports import Bus, ObjectStore, Stored
from quakeslide.telemetry import say
from quakeslide.usecases import outbox

JSON = "application/json"


class Feed(Protocol):
    """The earthquake feed. Raises FeedUnavailable."""

    def recent(self) -> list[Earthquake]:
        """Return the feed's readable entries."""
        ...

    def shaking(self, quake: Earthquake) -> ShakeGrid | None:
        """Return the preferred ShakeMap's grid, or None where there is none that can be used."""
        ...


def announce_earthquakes(
    feed: Feed, *, state: ObjectStore, bus: Bus, now: datetime, rule: Rule | None = None
) -> dict[str, int]:
    """Run one poll.

    Args:
        feed: the earthquake feed.
        state: bucket of ledger, aliases and outbox.
        bus: the topic `earthquakes`.
        now: the schedule's own time.
        rule: which earthquakes are taken; the default rule where None.

    Returns:
        How many entries were seen, announced, revised and cancelled.
    """
    rule = rule or Rule()
    known = {listed.name for listed in state.list("aliases/")}
    counts = {"seen": 0, "announced": 0, "revised": 0, "cancelled": 0}
    for quake in feed.recent():
        counts["seen"] += 1
        against = rule.reasons_against(quake)
        event_id = _canonical_id(quake, state, known)
        if event_id is None:
            if against:
                continue
            event_id = quake.preferred_id
        outcome = _settle(quake, event_id, against, feed=feed, state=state, bus=bus, now=now)
        if outcome:
            counts[outcome] += 1
    say("poll", **counts)
    return counts


def _canonical_id(quake: Earthquake, state: ObjectStore, known: set[str]) -> str | None:
    """Return the id under which an earthquake was first announced, found by any of its ids."""
    for other in sorted(quake.ids):
        name = object_names.alias(other)
        if name in known and (stored := state.read(name)):
            return stored.data.decode()
    return None


def _settle(
    quake: Earthquake, event_id: str, against: list[str], *, feed: Feed, state: ObjectStore, bus: Bus, now: datetime
) -> str | None:
    """Bring one earthquake's ledger entry and its subscribers up to date; return what was told, if anything."""
    name = object_names.earthquake(event_id)
    stored = state.read(name)
    entry = read_entry(stored.data) if stored else None
    if entry and entry.updated == quake.updated and entry.told:
        return None
    if entry is None and against:
        return None
    for other in sorted(quake.ids):
        state.create(object_names.alias(other), event_id.encode(), "text/plain")
    if entry and against:
        if entry.state == "cancelled":
            return None
        return _tell(
            Cancelled(event_id=event_id, reason="; ".join(against)), quake, entry, stored, against, state, bus, now
        )
    aoi, source = _area(quake, feed)
    told = _announcement(quake, source)
    if entry and entry.told and entry.state == "announced":
        changes = material_changes(entry.told, told)
        if not changes:
            _write(state, name, entry.with_state("announced", entry.reasons, quake.updated), stored)
            return None
        reasons, kind = changes, "revised"
    else:
        reasons, kind = [f"M {quake.magnitude:g} at {quake.depth_km:g} km"], "announced"
    message = Announced(
        kind=kind,
        event_id=event_id,
        time=quake.time,
        lon=quake.lon,
        lat=quake.lat,
        depth_km=quake.depth_km,
        magnitude=quake.magnitude,
        place=quake.place,
        aoi=aoi,
        aoi_source=source,
    )
    return _tell(message, quake, entry, stored, reasons, state, bus, now, told)


def _area(quake: Earthquake, feed: Feed) -> tuple[BaseGeometry, str]:
    """Return the area of interest and its source in words."""
    grid = feed.shaking(quake) if quake.has_shakemap and quake.detail_url else None
    if grid is not None and (shaken := area_from_shaking(grid)):
        return shaken[0], f"ShakeMap version {grid.version}, MMI {shaken[1]:g} and more"
    area, radius_km = area_from_radius(quake.lon, quake.lat, quake.magnitude)
    return area, f"radius {radius_km:.0f} km from magnitude"


def _announcement(quake: Earthquake, source: str) -> Announcement:
    return Announcement(
        time=quake.time,
        lon=quake.lon,
        lat=quake.lat,
        depth_km=quake.depth_km,
        magnitude=quake.magnitude,
        aoi_source=source,
    )


def _tell(
    message: Announced | Cancelled,
    quake: Earthquake,
    entry: LedgerEntry | None,
    stored: Stored | None,
    reasons: list[str],
    state: ObjectStore,
    bus: Bus,
    now: datetime,
    told: Announcement | None = None,
) -> str | None:
    """Publish once through the outbox, then write the ledger."""
    kind = message.kind if isinstance(message, Announced) else "cancelled"
    acted = _publish_once(message, kind, quake, state, bus, now)
    new = LedgerEntry(
        event_id=message.event_id,
        source="usgs",
        ids=tuple(sorted(quake.ids | set(entry.ids if entry else ()))),
        state="cancelled" if kind == "cancelled" else "announced",
        updated=quake.updated,
        told=told or (entry.told if entry else None),
        reasons=tuple(reasons),
    )
    _write(state, object_names.earthquake(message.event_id), new, stored)
    return kind if acted else None


def _publish_once(message: Message, kind: str, quake: Earthquake, state: ObjectStore, bus: Bus, now: datetime) -> bool:
    data, attributes = encode(message)
    intent = f"{kind}-{quake.preferred_id}-{digest(data.decode(), quake.updated.isoformat())}"
    acted = outbox.once(state, intent, now, lambda: bus.publish("earthquakes", data, attributes | {"intent": intent}))
    if acted:
        say("told", kind=kind, event_id=attributes["event_id"], magnitude=quake.magnitude)
    return acted


def _write(state: ObjectStore, name: str, entry: LedgerEntry, stored: Stored | None) -> None:
    if not state.replace(name, write_entry(entry), JSON, stored.generation if stored else 0):
        raise LostRace(f"{name} was changed meanwhile")
