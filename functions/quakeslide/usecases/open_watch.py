"""What the messages of topic `earthquakes` do to a watch: open it, correct it, end it.

Every message takes effect once: the watch remembers the ids of those it handled. Announcements and cancellations that arrive after
newer ones change nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from quakeslide.documents.ledger import LedgerEntry, read_entry, write_entry
from quakeslide.domain import object_names
from quakeslide.domain.aoi import on_the_globe
from quakeslide.domain.orders import MAX_ATTEMPTS, Step
from quakeslide.domain.readiness import SETTLING
from quakeslide.domain.watch import Force, Standing, Watch
from quakeslide.errors import ImpossibleRequest, LostRace, UnusableComposite
from quakeslide.messages import Announced, Cancelled, Envelope, Manual, Merged
from quakeslide.ports import ObjectStore
from quakeslide.usecases.keep_watch import find_watch, save_watch
from quakeslide.usecases.render_status import problems_of

JSON = "application/json"
SOURCE = "manual"  # of a ledger entry that no feed brought
WRITTEN = (Step.EXPORTED, Step.DONE, Step.STUCK)  # an export has ended well


def heed_announcement(message: Announced, envelope: Envelope, *, state: ObjectStore) -> None:
    """Open a watch, or correct one by a revision."""
    told = envelope.publish_time
    area = on_the_globe(message.aoi)
    fresh = Watch(
        event_id=message.event_id,
        t0=message.time,
        place=message.place,
        magnitude=message.magnitude,
        aoi=area,
        aoi_source=message.aoi_source,
        told_at=told,
    )

    def corrected(watch: Watch) -> Watch:
        if told < watch.told_at and watch.magnitude is not None:
            return watch
        # once a composite was ordered, seconds more or less must not make all of them anew
        t0 = watch.t0 if watch.has_orders and abs(message.time - watch.t0) < SETTLING else message.time
        facts = replace(watch, place=message.place, magnitude=message.magnitude, t0=t0, told_at=told)
        if watch.standing is Standing.CANCELLED:
            facts = replace(facts, standing=Standing.OPEN, reason="")  # linked again by `link_shocks` where it belongs
        if watch.aoi_source == "manual":
            return facts
        if watch.has_orders:
            return facts if watch.aoi.equals(area) else facts.growing_to(area)
        return replace(facts, aoi=area, aoi_source=message.aoi_source)

    _apply(state, message.event_id, envelope, corrected, fresh=lambda: fresh)


def heed_merger(message: Merged, envelope: Envelope, *, state: ObjectStore) -> None:
    """Let an event go on under another id: that one's watch takes over what people asked for, the old one ends and says where to.

    Composites stay where they are: their names hold the old id, and whoever follows its products still finds them.
    """
    old = find_watch(state, message.event_id)
    if old is None or envelope.publish_time < old.watch.told_at:
        heed_cancellation(message, envelope, state=state)
        return
    former = old.watch

    def taken_over(watch: Watch) -> Watch:
        watch = replace(watch, asked_at=watch.asked_at or former.asked_at)
        if not watch.has_orders:
            watch = replace(
                watch,
                aoi=former.aoi if former.aoi_source == "manual" else watch.aoi,
                aoi_source=former.aoi_source if former.aoi_source == "manual" else watch.aoi_source,
                post_start=watch.post_start or former.post_start,
                pre_end=watch.pre_end or former.pre_end,
                tracks=watch.tracks if watch.tracks is not None else former.tracks,
                stages=watch.stages if watch.stages is not None else former.stages,
                lattice=watch.lattice or former.lattice,
            )
        return watch.noting(
            f"{message.event_id} turned out to be the same earthquake; what was made for it stays under that id."
        )

    fresh = replace(
        former,
        event_id=message.into,
        standing=Standing.OPEN,
        reason="",
        linked_to="",
        shocks=(),
        looked_at=None,
        revision=0,
        messages=(),
        notices=(),
        forces=(),
        track_stages=(),
    )
    _apply(state, message.into, envelope, taken_over, fresh=lambda: fresh)
    heed_cancellation(message, envelope, state=state)


def heed_cancellation(message: Cancelled | Merged, envelope: Envelope, *, state: ObjectStore) -> None:
    """End the watch; its products stay, marked by the status."""
    told = envelope.publish_time
    reason = message.reason if isinstance(message, Cancelled) else f"it goes on under {message.into}"

    def cancelled(watch: Watch) -> Watch:
        if told < watch.told_at:
            return watch
        if watch.asked_at is not None and watch.asked_at > told:  # a person asked after it was taken back
            return replace(watch, told_at=told)
        return replace(watch, standing=Standing.CANCELLED, reason=reason, linked_to="", told_at=told)

    def missing() -> Watch:
        raise LostRace(f"{message.event_id} was cancelled, but its announcement has not come in yet")

    if find_watch(state, message.event_id) is None and not _is_in_ledger(state, message.event_id):
        return
    _apply(state, message.event_id, envelope, cancelled, fresh=missing)


def heed_request(message: Manual, envelope: Envelope, *, state: ObjectStore) -> None:
    """Do what a person asks for; an earthquake that was linked to another gets a watch of its own, whatever is asked of it.

    Raises:
        ImpossibleRequest: an event in no ledger without area and post_start, or times that contradict each other.
        LostRace: the event is in the ledger, but its announcement has not come in yet.
    """

    def missing() -> Watch:
        return _unannounced(message, envelope.publish_time, state)

    def changed(watch: Watch) -> Watch:
        if message.aoi is not None:
            area = on_the_globe(message.aoi)
            if watch.has_orders and not watch.aoi.equals(area):
                watch = watch.growing_to(area)
            elif not watch.has_orders:
                watch = replace(watch, aoi=area)
            watch = replace(watch, aoi_source="manual")
        watch = replace(
            watch,
            tracks=message.tracks if message.tracks is not None else watch.tracks,
            stages=message.stages if message.stages is not None else watch.stages,
        )
        wished = replace(
            watch, post_start=message.post_start or watch.post_start, pre_end=message.pre_end or watch.pre_end
        )
        if wished.pre_finish > wished.post_begin:
            raise ImpossibleRequest(
                f"{watch.event_id}: pre_end {wished.pre_finish.isoformat()} lies after"
                f" post_start {wished.post_begin.isoformat()}"
            )
        times = {"pre_end": wished.pre_finish, "post_start": wished.post_begin}
        # what was ordered goes on; the wish gets composites of its own
        watch = watch.at_later_time(**times) if watch.has_orders else wished
        if message.force:
            watch = _forced(watch, envelope.message_id, _unusable(state, watch.event_id))
        if watch.standing is not Standing.OPEN and envelope.publish_time > watch.told_at:
            watch = replace(watch, standing=Standing.OPEN, reason="", linked_to="")
        return replace(watch, asked_at=max(envelope.publish_time, watch.asked_at or envelope.publish_time))

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
    if kept is None or kept.watch.t0.date() != watch.t0.date():
        state.create(object_names.watch_day(event_id, f"{watch.t0:%Y-%m-%d}"), b"", "text/plain")
    save_watch(state, watch.having_handled(envelope.message_id), kept)


def _unannounced(message: Manual, published: datetime, state: ObjectStore) -> Watch:
    """Make the watch of an event that no announcement came for, and its ledger entry."""
    event_id = message.event_id
    name = object_names.earthquake(event_id)
    entry = state.read(name)
    known = read_entry(entry.data, name) if entry else None
    if known is not None and known.source != SOURCE and known.state != "refused":  # a refused one may be asked for
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
        aoi=on_the_globe(message.aoi),
        aoi_source="manual",
        told_at=published,
    )


def _is_in_ledger(state: ObjectStore, event_id: str) -> bool:
    return state.read(object_names.earthquake(event_id)) is not None


def _unusable(state: ObjectStore, event_id: str) -> set[str]:
    """Return the composites that the detector could not use."""
    return {
        problem["composite_id"] for problem in problems_of(event_id, state) if problem["code"] == UnusableComposite.code
    }


def _forced(watch: Watch, nonce: str, unusable: set[str]) -> Watch:
    """Wish all exported composites scored again; those whose export failed or gave something unusable are exported again.

    An export that was started may have ended since the watch was last looked at; where it has not, the rescan finds shards missing
    and leaves it to them.
    """
    exported: list[str] = []
    for item in watch.track_stages:
        orders = []
        for order in item.orders:
            if order.step is Step.FAILED or (order.step in WRITTEN and order.composite_id in unusable):
                again = order.attempt + 1
                order = replace(
                    order,
                    step=Step.PLANNED,
                    attempt=again,
                    attempts_allowed=again + MAX_ATTEMPTS - 1,
                    operation=None,
                    redrives=0,
                )
            elif order.step in (Step.EXPORTING, *WRITTEN):
                exported.append(order.composite_id)
                order = replace(order, step=Step.EXPORTED, redrives=0) if order.step is Step.STUCK else order
            orders.append(order)
        watch = watch.having(replace(item, orders=tuple(orders)))
    return replace(watch, forces=(*watch.forces, Force(nonce=nonce, composite_ids=tuple(sorted(exported)))))
