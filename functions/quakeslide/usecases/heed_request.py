"""What a person's message does to a watch: another area, other tracks, stages or times, everything once more.

A person may ask for an event that is in no ledger; with an area and a time it gets an entry and a watch.
"""

from dataclasses import replace
from datetime import datetime

from quakeslide.documents.ledger import LedgerEntry, read_entry, write_entry
from quakeslide.domain import object_names
from quakeslide.domain.aoi import on_the_globe
from quakeslide.domain.orders import MAX_ATTEMPTS, Step
from quakeslide.domain.watch import Force, Standing, Watch
from quakeslide.errors import ImpossibleRequest, LostRace, UnusableComposite
from quakeslide.messages import Envelope, Manual
from quakeslide.ports import ObjectStore
from quakeslide.usecases.open_watch import apply_once
from quakeslide.usecases.render_status import problems_of

JSON = "application/json"
SOURCE = "manual"  # of a ledger entry that no feed brought
WRITTEN = (Step.EXPORTED, Step.DONE, Step.STUCK)  # an export has ended well


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

    apply_once(state, message.event_id, envelope, changed, fresh=missing)


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
