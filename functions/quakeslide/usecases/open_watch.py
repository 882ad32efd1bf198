"""What the messages of topic `earthquakes` do to a watch: open it, correct it, end it.

Every message takes effect once: the watch remembers the ids of those it handled. Announcements and cancellations that arrive after
newer ones change nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from quakeslide.documents.ledger import LedgerEntry, read_entry, write_entry
from quakeslide.domain import object_names
from quakeslide.domain.watch import MAX_ATTEMPTS, Force, Standing, Step, Watch
from quakeslide.errors import ImpossibleRequest, LostRace
from quakeslide.messages import Announced, Cancelled, Envelope, Manual, Merged
from quakeslide.ports import ObjectStore
from quakeslide.usecases.keep_watch import find_watch, save_watch

JSON = "application/json"
SOURCE = "manual"  # of a ledger entry that no feed brought


def heed_announcement(message: Announced, envelope: Envelope, *, state: ObjectStore) -> None:
    """Open a watch, or correct one by a revision."""
    told = envelope.publish_time
    fresh = Watch(
        event_id=message.event_id,
        t0=message.time,
        place=message.place,
        magnitude=message.magnitude,
        aoi=message.aoi,
        aoi_source=message.aoi_source,
        told_at=told,
    )

    def corrected(watch: Watch) -> Watch:
        if told < watch.told_at and watch.magnitude is not None:
            return watch
        facts = replace(watch, place=message.place, magnitude=message.magnitude, t0=message.time, told_at=told)
        if watch.standing is Standing.CANCELLED:
            facts = replace(facts, standing=Standing.OPEN, reason="")
        if watch.aoi_source == "manual":
            return facts
        if watch.has_orders:
            if watch.aoi.equals(message.aoi):
                return facts
            return facts.noting("The area was revised after the first composite was ordered; the first area stays.")
        return replace(facts, aoi=message.aoi, aoi_source=message.aoi_source)

    _apply(state, message.event_id, envelope, corrected, fresh=lambda: fresh)


def heed_cancellation(message: Cancelled | Merged, envelope: Envelope, *, state: ObjectStore) -> None:
    """End the watch; its products stay, marked by the status."""
    told = envelope.publish_time
    reason = message.reason if isinstance(message, Cancelled) else f"it goes on under {message.into}"

    def cancelled(watch: Watch) -> Watch:
        if told < watch.told_at:
            return watch
        return replace(watch, standing=Standing.CANCELLED, reason=reason, told_at=told)

    def missing() -> Watch:
        raise LostRace(f"{message.event_id} was cancelled, but its announcement has not come in yet")

    if find_watch(state, message.event_id) is None and not _is_in_ledger(state, message.event_id):
        return
    _apply(state, message.event_id, envelope, cancelled, fresh=missing)


def heed_request(message: Manual, envelope: Envelope, *, state: ObjectStore) -> None:
    """Do what a person asks for.

    Raises:
        ImpossibleRequest: an event in no ledger without area and post_start, or times that contradict each other.
        LostRace: the event is in the ledger, but its announcement has not come in yet.
    """

    def missing() -> Watch:
        return _unannounced(message, envelope.publish_time, state)

    def changed(watch: Watch) -> Watch:
        if message.aoi is not None and not watch.aoi.equals(message.aoi):
            if watch.has_orders:
                watch = watch.noting(
                    "An area was asked for after the first composite was ordered; the first one stays."
                )
            else:
                watch = replace(watch, aoi=message.aoi, aoi_source="manual")
        elif message.aoi is not None:
            watch = replace(watch, aoi_source="manual")
        watch = replace(
            watch,
            tracks=message.tracks if message.tracks is not None else watch.tracks,
            stages=message.stages if message.stages is not None else watch.stages,
            post_start=message.post_start or watch.post_start,
            pre_end=message.pre_end or watch.pre_end,
        )
        if watch.pre_finish > watch.post_begin:
            raise ImpossibleRequest(
                f"{watch.event_id}: pre_end {watch.pre_finish.isoformat()} lies after post_start {watch.post_begin.isoformat()}"
            )
        if message.force:
            watch = _forced(watch, envelope.message_id)
        if watch.standing is not Standing.OPEN and envelope.publish_time > watch.told_at:
            watch = replace(watch, standing=Standing.OPEN, reason="")
        return watch

    _apply(state, message.event_id, envelope, changed, fresh=missing)


def _apply(
    state: ObjectStore,
    event_id: str,
    envelope: Envelope,
    change: Callable[[Watch], Watch],
    *,
    fresh: Callable[[], Watch],
) -> None:
    kept = find_watch(state, event_id)
    if kept is not None and envelope.message_id in kept.watch.messages:
        return
    watch = change(kept.watch if kept else fresh())
    save_watch(state, watch.having_handled(envelope.message_id), kept.generation if kept else 0)


def _unannounced(message: Manual, published: datetime, state: ObjectStore) -> Watch:
    """Make the watch of an event that no announcement came for, and its ledger entry."""
    event_id = message.event_id
    name = object_names.earthquake(event_id)
    entry = state.read(name)
    if entry is not None and read_entry(entry.data).source != SOURCE:
        raise LostRace(f"{event_id} is in the ledger, but its announcement has not come in yet")
    if message.aoi is None or message.post_start is None:
        missing = " and ".join(f for f in ("aoi", "post_start") if getattr(message, f) is None)
        raise ImpossibleRequest(f"{event_id} is in no ledger: a manual message for it must bring {missing}")
    fresh = LedgerEntry(
        event_id=event_id,
        source=SOURCE,
        ids=(event_id,),
        state="announced",
        updated=published,
        told=None,
        reasons=("asked for by a manual message",),
    )
    state.create(name, write_entry(fresh), JSON)
    return Watch(
        event_id=event_id,
        t0=message.post_start,
        place=event_id,
        magnitude=None,
        aoi=message.aoi,
        aoi_source="manual",
        told_at=published,
    )


def _is_in_ledger(state: ObjectStore, event_id: str) -> bool:
    return state.read(object_names.earthquake(event_id)) is not None


def _forced(watch: Watch, nonce: str) -> Watch:
    """Wish all exported composites scored again and failed ones exported again.

    An export that was started may have ended since the watch was last looked at; where it has not, the rescan finds shards missing
    and leaves it to them.
    """
    exported: list[str] = []
    for item in watch.track_stages:
        orders = []
        for order in item.orders:
            if order.step is Step.FAILED:
                again = order.attempt + 1
                order = replace(order, step=Step.PLANNED, attempt=again, attempts_allowed=again + MAX_ATTEMPTS - 1)
            elif order.step in (Step.EXPORTING, Step.EXPORTED, Step.DONE, Step.STUCK):
                exported.append(order.composite_id)
                order = replace(order, step=Step.EXPORTED, redrives=0) if order.step is Step.STUCK else order
            orders.append(order)
        watch = watch.having(replace(item, orders=tuple(orders)))
    return replace(watch, forces=(*watch.forces, Force(nonce=nonce, composite_ids=tuple(sorted(exported)))))
