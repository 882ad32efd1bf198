"""Bring one ordered composite on: mark it final, start its export, follow it, see that products come.

Every step may be repeated with the same result; what is published or started goes through the outbox.
"""

import logging
from dataclasses import replace
from datetime import datetime
from typing import Any

from quakeslide.documents.manifest import read_manifest
from quakeslide.documents.notes import FINAL_MARKER, POINTER, PROBLEM, write_note
from quakeslide.domain import object_names
from quakeslide.domain.composite import Composite
from quakeslide.domain.orders import MAX_REDRIVES, PATIENCE, Order, Step, TrackStage
from quakeslide.domain.watch import Watch
from quakeslide.errors import ExportFailed, ExportQueueFull, LyingManifest
from quakeslide.messages import Rescan, encode
from quakeslide.ports import Bus, ExportState, ObjectStore
from quakeslide.telemetry import say
from quakeslide.usecases import outbox
from quakeslide.usecases.book_export import learn, settle
from quakeslide.usecases.delivery import record_problem
from quakeslide.usecases.exporting import Exporting
from quakeslide.usecases.start_export import export_intent, start_export

JSON = "application/json"
HEALED_BY_EXPORT = ("export_failed", "unusable_composite")  # problems that end when the composite is exported again


def pursue(
    order: Order,
    *,
    watch: Watch,
    track_stage: TrackStage,
    is_superseded: bool,
    now: datetime,
    using: Exporting,
) -> Order:
    """Return the order as it stands after doing for it what can be done now.

    Args:
        order: one composite.
        watch: what it belongs to.
        track_stage: likewise.
        is_superseded: a newer composite of the same stage was ordered; then missing products are not asked for again.
        now: the trigger's own time.
        using: ports and settings.

    Raises:
        EarthEngineUnavailable: Earth Engine did not answer; nothing is lost.
    """
    event_id, track, stage = watch.event_id, track_stage.track, track_stage.stage
    facts: dict[str, Any] = {"event_id": event_id, "track": track, "stage": stage, "composite_id": order.composite_id}
    had_failed = order.step is Step.FAILED
    if order.is_final and not order.is_marked:
        _mark_final(using.composites, watch, track_stage, order)
        was_exported = order.step in (Step.EXPORTED, Step.DONE, Step.STUCK)
        order = replace(order, is_marked=True)
        if was_exported:  # promoted: the merge writes `-final` from the cells that are there
            publish_rescan(using.state, using.bus, watch, track_stage, order, now, why="final")
            order = replace(order, step=Step.EXPORTED, driven_at=now, redrives=0)
            say("composite became final", **facts)
    if order.step is Step.EXPORTING:
        order = _follow(order, now, watch, track_stage, facts, using)
    if order.step is Step.PLANNED:
        order = _start(order, _composite(using.composites, watch, track_stage, order), now, using)
    if order.step is Step.FAILED and not had_failed:
        error = ExportFailed(f"{track} {stage}, composite {order.composite_id}: {order.text}")
        record_problem(using.state, error, facts, since=now.isoformat())
        say("export given up", level=logging.ERROR, **facts, code=error.code, reason=order.text)
    if order.step in (Step.EXPORTED, Step.STUCK):
        if is_superseded or has_products(using.results, watch, track_stage, order):
            return replace(order, step=Step.DONE)
        if order.step is Step.EXPORTED and order.driven_at is not None and now - order.driven_at >= PATIENCE:
            if order.redrives >= MAX_REDRIVES:
                say("products are stuck", level=logging.ERROR, **facts, redrives=order.redrives)
                return replace(order, step=Step.STUCK)
            order = replace(order, redrives=order.redrives + 1, driven_at=now)
            publish_rescan(
                using.state, using.bus, watch, track_stage, order, now, why=f"{order.finality}-{order.redrives}"
            )
            say("products are missing: rescan sent", **facts, redrives=order.redrives)
    return order


def pass_on_forces(watch: Watch, now: datetime, state: ObjectStore, bus: Bus) -> Watch:
    """Send the rescans that people asked for; a wish is dropped once all of its rescans are out."""
    left = []
    for force in watch.forces:
        are_out = True
        for item in watch.track_stages:
            for order in item.orders:
                if order.composite_id in force.composite_ids:
                    intent = publish_rescan(state, bus, watch, item, order, now, why=force.nonce, nonce=force.nonce)
                    are_out = are_out and outbox.is_done(state, intent)
        left += [] if are_out else [force]
    return replace(watch, forces=tuple(left))


def publish_rescan(
    state: ObjectStore,
    bus: Bus,
    watch: Watch,
    item: TrackStage,
    order: Order,
    now: datetime,
    *,
    why: str,
    nonce: str | None = None,
) -> str:
    """Publish a rescan once for a reason; return the intent's id."""
    message = Rescan(
        event_id=watch.event_id,
        track=item.track,
        stage=item.stage,
        composite_id=order.composite_id,
        force_nonce=nonce,
    )
    intent = f"rescan-{watch.event_id}-{order.composite_id}-{why}"
    outbox.once(state, intent, now, lambda: bus.publish("composite-shards", *encode(message)))
    return intent


def has_products(results: ObjectStore, watch: Watch, item: TrackStage, order: Order) -> bool:
    """Say whether the awaited products of a composite are there: the stage's `latest` pointer and the detections it speaks of."""
    latest = object_names.latest(watch.event_id, item.track, item.stage, item.series)
    stored = results.read(latest)
    if stored is None:
        return False
    pointer = POINTER.read(stored.data, latest)
    if pointer["composite_id"] != order.composite_id or pointer["finality"] not in (order.finality, "final"):
        return False
    run_id, finality = pointer["run_id"], pointer["finality"]
    name = object_names.detections(watch.event_id, item.track, item.stage, run_id, finality)
    return any(listed.name == name for listed in results.list(name))  # the detections are written last


def _mark_final(composites: ObjectStore, watch: Watch, item: TrackStage, order: Order) -> None:
    name = object_names.final_marker(watch.event_id, item.track, item.stage, order.composite_id)
    document = {"composite_id": order.composite_id, "track": str(item.track), "stage": str(item.stage)}
    composites.create(name, write_note(FINAL_MARKER, document), JSON)


def _composite(composites: ObjectStore, watch: Watch, item: TrackStage, order: Order) -> Composite:
    name = object_names.manifest(watch.event_id, item.track, item.stage, order.composite_id)
    stored = composites.read(name)
    if stored is None:
        raise LyingManifest(f"{name} was written when the composite was planned and is gone")
    return read_manifest(stored.data, name)


def _start(order: Order, composite: Composite, now: datetime, using: Exporting) -> Order:
    """Start the export of this attempt once; a full queue or a used-up budget means later, a refusal means never."""
    try:
        started = start_export(
            composite, order.attempt, now, state=using.state, exporter=using.exporter, budget=using.budget
        )
    except ExportQueueFull as full:
        say("export queue is full", reason=str(full))
        return replace(order, text="")
    except ExportFailed as refused:
        return replace(order, step=Step.FAILED, text=f"refused: {refused}")
    if started.waits:
        say("export deferred", composite_id=order.composite_id, reason=started.waits)
        return replace(order, text=started.waits)
    if started.operation is None:  # another delivery is at it, or one crashed on the way; the next look goes on
        return order
    say("export started", track=composite.track, stage=composite.stage, composite_id=order.composite_id)
    if order.attempt > 1:
        _forget_problems(using.state, composite)
    return replace(order, step=Step.EXPORTING, operation=started.operation, text="")


def _forget_problems(state: ObjectStore, composite: Composite) -> None:
    """Delete what went wrong with earlier exports of a composite: it is being exported again, and may be good now."""
    for listed in state.list(f"problems/{composite.event_id}/{composite.track}/{composite.stage}/"):
        stored = state.read(listed.name)
        problem = PROBLEM.read(stored.data, listed.name) if stored else {}
        if problem.get("composite_id") == composite.composite_id and problem["code"] in HEALED_BY_EXPORT:
            state.delete(listed.name)


def _follow(
    order: Order, now: datetime, watch: Watch, track_stage: TrackStage, facts: dict[str, Any], using: Exporting
) -> Order:
    """Ask how the export stands; one that failed or is lost is tried again as another attempt."""
    if order.operation is None:
        raise ValueError(f"composite {order.composite_id} is exporting without an operation")
    export = using.exporter.follow(order.operation)
    if export.state in (ExportState.PENDING, ExportState.RUNNING):
        return order
    order = replace(order, eecu_s=order.eecu_s + export.eecu_s, export_s=order.export_s + export.ran_s)
    intent = export_intent(watch.event_id, order.composite_id, order.attempt)
    settle(using.state, watch.event_id, intent, export.eecu_s)
    measured: dict[str, Any] = {"state": export.state.value, "eecu_s": export.eecu_s, "ran_s": export.ran_s}
    say("export ended", **facts, **measured, event_eecu_s=watch.eecu_s + export.eecu_s)
    if export.state is ExportState.SUCCEEDED:
        learn(using.state, _composite(using.composites, watch, track_stage, order), intent, export.eecu_s)
        return replace(order, step=Step.EXPORTED, driven_at=now)
    reason = f"export {order.operation} is {export.state.value}" + (f": {export.message}" if export.message else "")
    if order.attempt >= order.attempts_allowed:
        return replace(order, step=Step.FAILED, text=f"{reason} (attempt {order.attempt}, the last)")
    return replace(order, step=Step.PLANNED, attempt=order.attempt + 1, operation=None, text=reason)
