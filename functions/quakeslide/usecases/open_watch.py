"""What the poller's messages do to a watch: open it, correct it, let it go on under another id, end it.

Every message takes effect once: the watch remembers the ids of those it handled. Announcements and cancellations that arrive after
newer ones change nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from quakeslide.domain import object_names
from quakeslide.domain.aoi import on_the_globe
from quakeslide.domain.readiness import SETTLING
from quakeslide.domain.watch import Standing, Watch
from quakeslide.errors import LostRace
from quakeslide.messages import Announced, Cancelled, Envelope, Merged
from quakeslide.ports import ObjectStore
from quakeslide.usecases.keep_watch import find_watch, save_watch

NOTHING_TOLD = datetime(1970, 1, 1, tzinfo=UTC)
"""Of a watch that a merger opened before its own announcement came in: that one is news, however early it was published."""


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

    apply_once(state, message.event_id, envelope, corrected, fresh=lambda: fresh)


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
        told_at=NOTHING_TOLD,
        looked_at=None,
        revision=0,
        messages=(),
        notices=(),
        forces=(),
        track_stages=(),
    )
    apply_once(state, message.into, envelope, taken_over, fresh=lambda: fresh)
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
    apply_once(state, message.event_id, envelope, cancelled, fresh=missing)


def apply_once(
    state: ObjectStore,
    event_id: str,
    envelope: Envelope,
    change: Callable[[Watch], Watch],
    *,
    fresh: Callable[[], Watch],
) -> None:
    """Change a watch as a message wants it, unless it has done so before.

    Args:
        state: bucket of watches.
        event_id: of the earthquake.
        envelope: the message's.
        change: takes the watch as it stands and returns it changed.
        fresh: makes the watch that is changed where there is none.
    """
    kept = find_watch(state, event_id)
    if kept is not None and envelope.message_id in kept.watch.messages:
        return
    watch = change(kept.watch if kept else fresh())
    if kept is None or kept.watch.t0.date() != watch.t0.date():
        state.create(object_names.watch_day(event_id, f"{watch.t0:%Y-%m-%d}"), b"", "text/plain")
    save_watch(state, watch.having_handled(envelope.message_id), kept)


def _is_in_ledger(state: ObjectStore, event_id: str) -> bool:
    return state.read(object_names.earthquake(event_id)) is not None
