"""Brings one earthquake's ledger entry and its subscribers up to date with what the feed says of it now."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from shapely.geometry.base import BaseGeometry

from quakeslide.documents.ledger import LedgerEntry
from quakeslide.domain.aoi import Detail, ShakeGrid, area_from_shaking, area_km2, land_about, land_shaken
from quakeslide.domain.association import origin_of
from quakeslide.domain.earthquake import Announcement, Deleted, Earthquake, material_changes
from quakeslide.domain.land import distance_to_land_km
from quakeslide.domain.rule import Rule, Shaking, Verdict
from quakeslide.errors import FeedUnavailable
from quakeslide.messages import Announced, Cancelled, Merged
from quakeslide.telemetry import say
from quakeslide.usecases.register import Register

SHAKEMAP = "ShakeMap"


class Feed(Protocol):
    """The earthquake feed. All methods raise FeedUnavailable.

    Attributes:
        span: how far back origins lie in `recent`.
    """

    span: timedelta

    def recent(self) -> list[Earthquake | Deleted]:
        """Return the feed's readable entries."""
        ...

    def updated_since(
        self, since: datetime, *, origin_after: datetime, least_magnitude: float
    ) -> list[Earthquake | Deleted]:
        """Return every entry changed since an instant, deleted ones too."""
        ...

    def look(self, event_id: str) -> Earthquake | Deleted | None:
        """Return one entry as it stands now, None where it is unknown."""
        ...

    def detail(self, quake: Earthquake) -> Detail:
        """Return what the preferred ShakeMap and ground-failure products say."""
        ...


def settle(
    quake: Earthquake,
    event_id: str,
    ids: frozenset[str],
    *,
    newest: datetime,
    register: Register,
    feed: Feed,
    rule: Rule,
) -> None:
    """Weigh an earthquake anew if the feed says anything new of it, and tell what is material.

    Args:
        quake: the entry that speaks for it.
        event_id: canonical id.
        ids: of all its entries.
        newest: when any of its entries last changed.
        register: the ledger.
        feed: asked for details.
        rule: which earthquakes are taken.

    Raises:
        FeedUnavailable: whether an older copy is a cache's or the truth cannot be asked now.
        LostRace: another poller changed its entry meanwhile.
    """
    entry = register.entry(event_id)
    if entry and entry.pending:
        if not register.deliver(entry):
            return
        entry = register.entry(event_id)
    if entry and not _is_news(quake, ids, newest, entry, rule=rule, feed=feed):
        return
    if entry and not entry.preferred_id:
        standing = _restored(quake, entry, feed)
        if standing is None:
            return
        quake = standing
    detail, is_settled = _detail(quake, feed, rule)
    grid = detail.shaking
    if not is_settled and entry and entry.told and entry.told.aoi_source.startswith(SHAKEMAP):
        return  # the ShakeMap it was told with cannot be had for the moment: no reason to take anything back
    shaking = Shaking(km2=tuple((m, area_km2(land_shaken(grid, m))) for m in rule.intensities)) if grid else None
    verdict = rule.judge(quake, distance_to_land_km(quake.lon, quake.lat), shaking)
    area = _area(quake, grid) if verdict.is_taken else None
    if area is not None and area[0].is_empty:
        verdict, area = Verdict(is_taken=False, reasons=("no land within the area",)), None
    if area is None and entry is None and quake.magnitude < rule.least_magnitude:
        return
    register.claim(event_id, ids, quake.time)
    weighed = LedgerEntry(
        event_id=event_id,
        source="usgs",
        ids=tuple(sorted(ids | set(entry.ids if entry else ()))),
        state="announced" if area else "refused",
        updated=quake.updated,
        told=entry.told if entry else None,
        reasons=verdict.reasons,
        preferred_id=quake.preferred_id,
        origin=origin_of(quake),
        place=quake.place,
        rule=rule.name,
        alert=quake.alert,
        landslide_alert=detail.landslide_alert or (entry.landslide_alert if entry and not is_settled else ""),
        first_told=entry.first_told if entry else None,
        serial=entry.serial if entry else 0,
        is_settled=is_settled,
    )
    if area is None:
        _refuse(weighed, entry, register)
    else:
        _announce(weighed, entry, quake, area, register)


def _restored(quake: Earthquake, entry: LedgerEntry, feed: Feed) -> Earthquake | None:
    """Return how an earthquake that was deleted stands now, None where it still is deleted: a cache may serve an older feed."""
    found = feed.look(quake.preferred_id)
    if isinstance(found, Earthquake):
        return max(quake, found, key=lambda known: known.updated)
    return quake if quake.updated > entry.updated else None


def _is_news(
    quake: Earthquake, ids: frozenset[str], newest: datetime, entry: LedgerEntry, *, rule: Rule, feed: Feed
) -> bool:
    if entry.rule != rule.name or not entry.preferred_id:
        return True
    if newest < entry.updated:  # a cache still serves an older feed, or the newer entry is gone
        standing = quake if quake.preferred_id == entry.preferred_id else feed.look(entry.preferred_id)
        return not (isinstance(standing, Earthquake) and (standing is quake or standing.updated >= entry.updated))
    if entry.preferred_id != quake.preferred_id:
        return True
    return quake.updated > entry.updated or not entry.is_settled or not ids <= set(entry.ids)


def _detail(quake: Earthquake, feed: Feed, rule: Rule) -> tuple[Detail, bool]:
    """Return what later products say if it matters, and whether asking again could give another answer.

    USGS computes ground failure from a ShakeMap: without one there is nothing to ask for.
    """
    if not (quake.has_shakemap and quake.detail_url and rule.is_candidate(quake)):
        return Detail(), True
    try:
        return feed.detail(quake), True
    except FeedUnavailable as error:
        say("ShakeMap out of reach", level=logging.WARNING, event_id=quake.preferred_id, reason=str(error)[:300])
        return Detail(), False


def _area(quake: Earthquake, grid: ShakeGrid | None) -> tuple[BaseGeometry, str]:
    """Return the area of interest, on land, and its source in words."""
    if grid is not None and (shaken := area_from_shaking(grid)):
        return shaken[0], f"{SHAKEMAP} {grid.version}, MMI {shaken[1]:g} and more"
    area, radius_km = land_about(quake.lon, quake.lat, quake.magnitude)
    return area, f"radius {radius_km:.0f} km from magnitude"


def _refuse(weighed: LedgerEntry, entry: LedgerEntry | None, register: Register) -> None:
    if entry is None or entry.state == "refused":
        register.write(weighed)
    elif entry.state == "cancelled" or entry.told is None:
        state = entry.state if entry.state == "cancelled" else "refused"
        register.write(replace(weighed, state=state))
    else:
        cancelled = replace(weighed, state="cancelled")
        message = Cancelled(event_id=weighed.event_id, reason="; ".join(weighed.reasons))
        register.tell(cancelled, "cancelled", message)


def _announce(
    weighed: LedgerEntry,
    entry: LedgerEntry | None,
    quake: Earthquake,
    area: tuple[BaseGeometry, str],
    register: Register,
) -> None:
    told = Announcement(
        time=quake.time,
        lon=quake.lon,
        lat=quake.lat,
        depth_km=quake.depth_km,
        magnitude=quake.magnitude,
        aoi_source=area[1],
    )
    kind = "announced"
    if entry and entry.told and entry.state == "announced":
        changes = material_changes(entry.told, told)
        if not changes:
            register.write(replace(weighed, reasons=entry.reasons))
            return
        kind, weighed = "revised", replace(weighed, reasons=tuple(changes))
    message = Announced(
        kind=kind,
        event_id=weighed.event_id,
        time=quake.time,
        lon=quake.lon,
        lat=quake.lat,
        depth_km=quake.depth_km,
        magnitude=quake.magnitude,
        place=quake.place,
        aoi=area[0],
        aoi_source=area[1],
    )
    register.tell(replace(weighed, told=told, first_told=weighed.first_told or register.now), kind, message)


def take_back(event_id: str, register: Register) -> None:
    """Tell that an announced earthquake was deleted; if it comes back, it is weighed anew."""
    entry = register.entry(event_id)
    if entry is None or (entry.pending and not register.deliver(entry)):
        return
    entry = register.entry(event_id)
    if entry is None or entry.state not in ("announced", "refused") or entry.source != "usgs":
        return
    reason = "USGS deleted it"
    gone = replace(entry, state="cancelled" if entry.told else "refused", reasons=(reason,), preferred_id="")
    if entry.state == "announced":
        register.tell(gone, "cancelled", Cancelled(event_id=event_id, reason=reason))
    else:
        register.write(gone)


def merge(found: set[str], register: Register) -> str:
    """Make one entry of several that turned out to be one earthquake; return the id that stays: the one told of first."""

    def age(event_id: str) -> tuple[bool, str, str]:
        entry = register.entry(event_id)
        first = entry.first_told if entry else None
        return (first is None, first.isoformat() if first else "", event_id)

    kept, *others = sorted(found, key=age)
    for other in others:
        entry = register.entry(other)
        if entry is None or (entry.pending and not register.deliver(entry)):
            continue
        entry = register.entry(other)
        if entry is None or entry.into:
            continue
        merged = replace(entry, state="merged", into=kept, reasons=(f"is one earthquake with {kept}",))
        if entry.state == "announced":
            register.tell(merged, "merged", Merged(event_id=other, into=kept))
        else:
            register.write(merged)
    return kept
