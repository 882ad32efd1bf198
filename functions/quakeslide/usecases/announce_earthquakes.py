"""One poll: the feed against the ledger. Tells what is new, materially changed, merged or taken back: each once.

The summary feed holds a week. Every six hours, and so after any longer outage, the event service is asked for all that changed since
the last time, deleted entries included; the cursor moves only after a poll in which nothing was left over.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from quakeslide.documents.feed_state import NAME, WRITE_EVERY, FeedState, read_feed_state, write_feed_state
from quakeslide.domain.association import are_one, best, origin_of
from quakeslide.domain.earthquake import Deleted, Earthquake, gravity
from quakeslide.domain.rule import Rule
from quakeslide.errors import DamagedDocument, FeedUnavailable, LostRace, NewerDocument, TransientError
from quakeslide.ports import Bus, ObjectStore
from quakeslide.telemetry import say
from quakeslide.usecases.register import JSON, Register
from quakeslide.usecases.settle_earthquake import Feed, merge, settle, take_back

CATCH_UP_EVERY = timedelta(hours=6)
OVERLAP = timedelta(hours=1)  # entries that were just being changed when the last catch-up looked
MEMORY = timedelta(days=90)  # origins older than that are not followed up: the longest watch ends after 60 + 14 days
EDGE = timedelta(hours=1)  # entries about to leave the feed are not missed when they leave it
NOT_NOW = (LostRace, FeedUnavailable, NewerDocument, DamagedDocument)  # one earthquake waits, the others go on
KINDS = ("announced", "revised", "cancelled", "merged")


@dataclass
class Group:
    """Feed entries that are one earthquake, with the ledger entries they belong to."""

    ids: set[str]
    entries: list[Earthquake] = field(default_factory=list)
    known: set[str] = field(default_factory=set)


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
        How many entries were seen, messages told by kind, earthquakes deferred to the next poll, and whether the feed was down.
    """
    rule = rule or Rule()
    stored = state.read(NAME)
    known = read_feed_state(stored.data) if stored else FeedState(read_at=None, caught_up_at=now)
    counts = {"seen": 0, **dict.fromkeys(KINDS, 0), "deferred": 0, "down": 0}
    try:
        recent = feed.recent()
    except FeedUnavailable as error:
        fresh = replace(known, down_since=known.down_since or now, failures=known.failures + 1, reason=str(error)[:300])
        down_s = (now - (fresh.down_since or now)).total_seconds()
        say("feed down", level=logging.WARNING, error="FeedUnavailable", reason=fresh.reason, down_s=down_s)
        _remember(state, fresh, stored.generation if stored else 0)
        return counts | {"down": 1}
    changed = _changed(feed, known, now, rule)
    is_catching_up = changed is not None
    register = Register(state=state, bus=bus, now=now)
    groups, deleted_ids, deferred = _grouped([*recent, *(changed or ())], register, rule)
    visited: set[str] = set()
    for group in groups:
        deferred += _visit(group, visited, register, feed, rule)
    since = now - (MEMORY if is_catching_up else feed.span - EDGE)
    deferred += _miss(since, visited, deleted_ids, register, feed, rule)
    fresh = FeedState(read_at=now, caught_up_at=now if is_catching_up and not deferred else known.caught_up_at)
    if known.down_since:
        say("feed up again", down_s=(now - known.down_since).total_seconds(), failures=known.failures)
    is_due = known.read_at is None or now - known.read_at >= WRITE_EVERY
    if is_due or known.down_since or fresh.caught_up_at != known.caught_up_at:
        _remember(state, fresh, stored.generation if stored else 0)
    counts |= {"seen": len(recent), "deferred": deferred} | {kind: register.told.count(kind) for kind in KINDS}
    say("poll", **counts)
    return counts


def _changed(feed: Feed, known: FeedState, now: datetime, rule: Rule) -> list[Earthquake | Deleted] | None:
    """Return what changed since the last catch-up if another is due and can be had."""
    if now - known.caught_up_at < CATCH_UP_EVERY:
        return None
    since = known.caught_up_at - OVERLAP
    try:
        return feed.updated_since(since, origin_after=since - MEMORY, least_magnitude=rule.least_magnitude)
    except FeedUnavailable as error:  # the summary feed goes on; the cursor stays where it is
        say("catch-up failed", level=logging.WARNING, error="FeedUnavailable", reason=str(error)[:300])
        return None


def _remember(state: ObjectStore, feed: FeedState, generation: int) -> None:
    """Write the feed's state; where another poller just did, its word is as good."""
    state.replace(NAME, write_feed_state(feed), JSON, generation)


def _grouped(
    entries: Iterable[Earthquake | Deleted], register: Register, rule: Rule
) -> tuple[list[Group], set[str], int]:
    """Return the entries that matter, grouped by earthquake, gravest first; the ids that were deleted; how many have to wait."""
    groups: list[Group] = []
    by_id: dict[str, Group] = {}
    by_minute: dict[int, list[Group]] = {}
    deleted: set[str] = set()
    newest: dict[str, Earthquake] = {}
    deferred = 0
    for entry in entries:
        if isinstance(entry, Deleted):
            deleted |= {other for other in entry.ids if register.is_known(other)}
            continue
        if entry.magnitude < rule.least_magnitude and not any(register.is_known(other) for other in entry.ids):
            continue
        standing = newest.get(entry.preferred_id)
        if standing is None or entry.updated >= standing.updated:
            newest[entry.preferred_id] = entry
    for quake in newest.values():
        try:
            known = {c for other in sorted(quake.ids) if (c := register.canonical(other))}
            known |= register.near(origin_of(quake))
        except NOT_NOW as error:
            deferred += _defer(error, ids=sorted(quake.ids))
            continue
        minute = int(quake.time.timestamp() // 60)
        near = [
            group
            for m in (minute - 1, minute, minute + 1)
            for group in by_minute.get(m, ())
            if any(are_one(origin_of(other), origin_of(quake)) for other in group.entries)
        ]
        touching = [by_id[name] for name in (*sorted(quake.ids), *sorted(known)) if name in by_id] + near
        group = touching[0] if touching else Group(ids=set())
        if not touching:
            groups.append(group)
        for other_group in touching[1:]:
            if other_group is not group and other_group in groups:
                groups.remove(other_group)
                group.ids |= other_group.ids
                group.known |= other_group.known
                group.entries += other_group.entries
        group.ids |= quake.ids
        group.known |= known
        group.entries.append(quake)
        for member in group.entries:
            cell = by_minute.setdefault(int(member.time.timestamp() // 60), [])
            if group not in cell:
                cell.append(group)
        by_id |= dict.fromkeys((*group.ids, *group.known), group)

    def rank(group: Group) -> tuple[int, float]:
        return (-gravity(*(q.alert for q in group.entries)), -max(q.magnitude for q in group.entries))

    return sorted(groups, key=rank), deleted, deferred


def _visit(group: Group, visited: set[str], register: Register, feed: Feed, rule: Rule) -> int:
    """Settle one group; return 1 if it has to wait for the next poll."""
    try:
        event_id = merge(group.known, register) if group.known else best(group.entries, "").preferred_id
        visited |= {event_id, *group.known}
        newest = max(entry.updated for entry in group.entries)
        quake, ids = best(group.entries, event_id), frozenset(group.ids)
        settle(quake, event_id, ids, newest=newest, register=register, feed=feed, rule=rule)
    except NOT_NOW as error:
        return _defer(error, ids=sorted(group.ids))
    return 0


def _defer(error: TransientError, **facts: Any) -> int:
    """Say that something waits for the next poll, which looks at it anew."""
    say("deferred", level=logging.WARNING, code=error.code, reason=str(error)[:300], **facts)
    return 1


def _miss(since: datetime, visited: set[str], deleted: set[str], register: Register, feed: Feed, rule: Rule) -> int:
    """Look after entries that the feed does not hold though it should; return how many wait for the next poll."""
    deferred = 0
    young = {event_id for day, ids in register.days().items() if day > f"{since:%Y-%m-%d}" for event_id in ids}
    for other in sorted(deleted):
        try:
            young |= {register.canonical(other) or ""} - {""}
        except NOT_NOW as error:
            deferred += _defer(error, ids=[other])
    for event_id in sorted(young - visited):
        try:
            entry = register.entry(event_id)
            if entry is None or not (entry.state == "announced" or entry.pending):
                continue
            if not register.deliver(entry) or entry.state != "announced" or entry.source != "usgs":
                continue
            found = feed.look(entry.preferred_id or event_id)
            if isinstance(found, Deleted):
                take_back(event_id, register)
            elif found is not None:
                settle(found, event_id, found.ids, newest=found.updated, register=register, feed=feed, rule=rule)
        except NOT_NOW as error:
            deferred += _defer(error, event_id=event_id)
    return deferred
