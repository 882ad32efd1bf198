import json
from datetime import timedelta
from itertools import count

import pytest

from quakeslide.documents.manifest import read_manifest
from quakeslide.domain import object_names
from quakeslide.domain.orders import Step
from quakeslide.domain.watch import Standing, Watch
from quakeslide.errors import EarthEngineUnavailable, ExportFailed, ExportQueueFull, LostRace
from quakeslide.messages import Cancelled, Manual, WatchDue
from quakeslide.ports import ExportState
from tests.fakes_exporter import A069, AOI, D046, EVENT, S60_12, S60_24, Crash, World, after, noto, seen

HOUR = timedelta(hours=1)


def run_to_the_end(world: World) -> None:
    """Sweep for thirty days; the detector answers within the hour."""
    at = after(hours=1)
    while at < after(days=30):
        world.sweep(at)
        world.exporter.finish()
        for composite in world.exporter.started:
            finality = "final" if any(composite.composite_id in name for name in world.markers()) else "provisional"
            world.detect(composite, finality)
        at += timedelta(hours=6)


def test_nothing_is_exported_before_the_pass_is_ingested() -> None:
    world = noto()
    world.announce()
    world.sweep_until(after(hours=1), after(days=1.4, hours=17))
    assert world.exporter.started == []
    assert world.row()["text"] == "waiting for the first pass after the earthquake; final at 2024-01-13 07:10 UTC"
    world.sweep(after(days=1.4, hours=19))
    (composite,) = world.exporter.started
    assert (composite.track, composite.stage, composite.weak_pre) == (A069, S60_12, False)
    assert (len(composite.pre_scenes), len(composite.post_scenes)) == (5, 1)
    name = object_names.manifest(EVENT, A069, S60_12, composite.composite_id)
    stored = world.composites.read(name)
    assert stored is not None
    assert read_manifest(stored.data, name) == composite
    assert world.row()["state"] == "exporting"


def test_one_pass_is_exported_once_and_promoted_when_final() -> None:
    world = noto()
    world.announce()
    run_to_the_end(world)
    assert sorted(str(c.track) for c in world.exporter.started) == ["A069", "D046"]
    assert len(world.markers()) == 2
    assert sorted((str(r.track), r.force_nonce) for r in world.rescans()) == [("A069", None), ("D046", None)]
    assert world.row()["text"] == "3 detections (final)"
    assert world.watch.standing is Standing.CLOSED
    assert list(world.state.list("watches/open/")) == []


def test_marker_is_written_when_the_window_is_behind_the_watermark_not_before() -> None:
    world = noto()
    world.announce()
    world.sweep_until(after(days=2), after(days=12, hours=6), every=timedelta(hours=6))
    assert world.markers() == []
    world.sweep_until(after(days=13, hours=2), after(days=13, hours=14), every=timedelta(hours=6))
    assert len(world.markers()) == 2


def test_second_pass_makes_a_second_composite_with_its_marker_first() -> None:
    world = noto()
    world.archive.add(seen(after(days=7.4), platform="B"))
    world.announce()
    order: list[str] = []
    start = world.exporter.start

    def noting_start(composite, request_id):
        order.append("start " + ("marked" if any(composite.composite_id in m for m in world.markers()) else "unmarked"))
        return start(composite, request_id)

    world.exporter.start = noting_start  # type: ignore[method-assign]
    run_to_the_end(world)
    own = [c for c in world.exporter.started if c.track == A069]
    assert [len(c.post_scenes) for c in own] == [1, 2]
    assert order == ["start unmarked", "start unmarked", "start marked"]


def test_later_passes_wait_for_the_final_composite() -> None:
    world = noto()
    for days in (4.4, 7.4, 10.4):
        world.archive.add(seen(after(days=days), platform="B"))
    world.announce()
    world.sweep_until(after(days=1), after(days=12), every=timedelta(hours=3))
    assert [c.track for c in world.exporter.started].count(A069) == 1


def test_late_scene_makes_a_new_final_composite_until_frozen() -> None:
    world = noto()
    late = seen(after(days=7.4), platform="B")
    world.archive.add(late, latency=timedelta(days=12))  # ingested at day 19.4, frozen at day 26
    too_late = seen(after(days=5.4), platform="B")
    world.archive.add(too_late, latency=timedelta(days=24))
    world.announce()
    run_to_the_end(world)
    own = [c for c in world.exporter.started if c.track == A069]
    assert [late.scene_id in c.post_scenes for c in own] == [False, True]
    assert not any(too_late.scene_id in c.post_scenes for c in own)
    assert sum(own[1].composite_id in name for name in world.markers()) == 1


def test_longer_stages_are_made_only_when_final() -> None:
    world = World(stages=(S60_24, S60_12))
    world.history(A069, first_post=timedelta(days=1.4), post=3)
    world.elsewhere()
    world.announce()
    world.sweep_until(after(days=1), after(days=24), every=timedelta(hours=6))
    assert [str(c.stage) for c in world.exporter.started] == ["60-12"]
    world.sweep_until(after(days=25), after(days=26), every=timedelta(hours=6))
    assert [(str(c.stage), len(c.post_scenes)) for c in world.exporter.started] == [("60-12", 1), ("60-24", 2)]


def test_failed_and_lost_exports_are_tried_three_times_with_new_request_ids() -> None:
    world = noto()
    world.announce()
    at = after(days=3)
    world.sweep(at)
    for outcome in (ExportState.FAILED, ExportState.CANCELLED):
        world.exporter.finish(outcome, "worker lost")
        at += HOUR
        world.sweep(at)
    world.exporter.operations.clear()  # the third is lost
    world.sweep(at + HOUR)
    world.sweep(at + 2 * HOUR)
    assert len(world.exporter.requests) == 3
    assert len({c.composite_id for c in world.exporter.started}) == 1
    (problem,) = world.state.list(f"problems/{EVENT}/A069/60-12/export_failed")
    assert "unknown (attempt 3, the last)" in json.loads(world.state.objects[problem.name].data)["text"]
    assert world.row()["state"] == "failed"


def test_refused_export_is_not_repeated() -> None:
    world = noto()
    world.exporter.refusals = [ExportFailed("400: no such band")]
    world.announce()
    world.sweep_until(after(days=3), after(days=3, hours=4))
    assert world.exporter.started == []
    assert "no such band" in str(world.row()["text"])


def test_forced_after_failure_exports_again() -> None:
    world = noto()
    world.exporter.refusals = [ExportFailed("400: no such band")]
    world.announce()
    world.sweep(after(days=3))
    world.send(Manual(event_id=EVENT, force=True), after(days=3, hours=1))
    (composite,) = world.exporter.started
    assert composite.track == A069
    assert world.row()["state"] == "exporting"


@pytest.mark.parametrize("error", [ExportQueueFull("429")])
def test_full_queue_means_later(error: Exception) -> None:
    world = noto()
    world.exporter.refusals = [error]
    world.announce()
    world.sweep(after(days=3))
    assert world.exporter.started == []
    world.sweep(after(days=3, minutes=1))
    assert len(world.exporter.started) == 1


def test_unavailable_engine_is_raised_and_the_redelivery_starts_the_export() -> None:
    world = noto()
    world.exporter.refusals = [EarthEngineUnavailable("503")]
    world.announce()
    with pytest.raises(EarthEngineUnavailable):
        world.send(WatchDue(event_id=EVENT), after(days=3), message_id="due")
    world.send(WatchDue(event_id=EVENT), after(days=3), message_id="due")
    assert len(world.exporter.started) == 1


def test_missing_products_are_asked_for_five_times_then_stuck() -> None:
    world = noto()
    world.announce()
    world.sweep_until(after(days=3), after(days=3, hours=1))
    world.sweep(after(days=3, hours=1, minutes=14))
    assert world.rescans() == []
    assert world.row()["state"] == "detecting"
    world.sweep_until(after(days=3, hours=2), after(days=3, hours=12))
    assert len(world.rescans()) == 5
    assert world.row()["state"] == "stuck"
    world.detect(world.exporter.started[0], "provisional")
    world.sweep(after(days=3, hours=14))
    assert world.watch.track_stages[0].orders[0].step is Step.DONE
    assert world.row()["state"] == "done"


def test_pointer_without_its_detections_is_no_product() -> None:
    world = noto()
    world.announce()
    world.sweep_until(after(days=3), after(days=3, hours=1))
    world.detect(world.exporter.started[0], "provisional")
    for item in list(world.results.list("detections/")):
        world.results.delete(item.name)
    world.sweep_until(after(days=3, hours=2), after(days=3, hours=3))
    assert world.rescans()


def test_forced_rescan_carries_the_message_id_once() -> None:
    world = noto()
    world.announce()
    world.sweep_until(after(days=3), after(days=3, hours=1))
    world.detect(world.exporter.started[0], "provisional")
    for _ in range(2):
        world.send(Manual(event_id=EVENT, force=True), after(days=4), message_id="wish")
    assert [r.force_nonce for r in world.rescans()] == ["wish"]
    assert world.watch.forces == ()


def test_force_reaches_products_whose_export_nobody_has_looked_at_since() -> None:
    world = noto()
    world.announce()
    world.sweep(after(days=3))
    world.exporter.finish()
    world.detect(world.exporter.started[0], "provisional")
    world.send(Manual(event_id=EVENT, force=True), after(days=3, minutes=10), message_id="wish")
    assert [r.force_nonce for r in world.rescans()] == ["wish"]
    assert world.watch.forces == ()


def test_track_filter_and_grazing_tracks_export_nothing() -> None:
    world = noto()
    world.announce()
    world.send(Manual(event_id=EVENT, tracks=(D046,)), after(hours=1))
    run_to_the_end(world)
    assert [c.track for c in world.exporter.started] == [D046]


def test_cancelled_watch_stops() -> None:
    world = noto()
    world.announce()
    world.sweep(after(hours=2))
    world.send(Cancelled(event_id=EVENT, reason="deleted by the network"), after(hours=3))
    world.sweep_until(after(days=2), after(days=14), every=timedelta(hours=6))
    assert world.exporter.started == []
    assert world.row()["state"] == "cancelled"
    assert [item.name for item in world.state.list("watches/")] == [f"watches/closed/{EVENT}.json"]


def test_old_message_does_not_turn_back_time() -> None:
    world = noto()
    world.announce()
    run_to_the_end(world)
    before = world.watch
    world.send(WatchDue(event_id=EVENT), after(hours=5))
    assert world.watch == before


def test_old_message_does_not_turn_back_the_readiness() -> None:
    world = noto()
    world.announce()
    world.sweep_until(after(days=3), after(days=13, hours=14), every=timedelta(hours=6))
    before = world.watch.track_stages
    assert all(item.n_post == 1 for item in before)
    world.send(WatchDue(event_id=EVENT), after(hours=5))
    assert world.watch.track_stages == before


def test_export_that_is_being_started_is_not_started_beside() -> None:
    world = noto()
    world.announce()
    start, calls = world.exporter.start, 0

    def slow(composite, request_id):
        nonlocal calls
        calls += 1
        if calls == 1:
            world.send(WatchDue(event_id=EVENT), after(days=3, minutes=1), message_id="meanwhile")
        return start(composite, request_id)

    world.exporter.start = slow  # type: ignore[method-assign]
    with pytest.raises(LostRace):  # the other one saved what it saw; the redelivery goes on from there
        world.send(WatchDue(event_id=EVENT), after(days=3), message_id="slow")
    world.send(WatchDue(event_id=EVENT), after(days=3), message_id="slow")
    assert calls == 1
    assert world.row()["state"] == "exporting"


def test_two_looks_at_once_plan_once() -> None:
    world = noto()
    world.announce()
    world.archive.now = after(days=3)
    listed = world.archive.scenes

    def overtaken(*arguments):
        world.archive.scenes = listed  # type: ignore[method-assign]
        world.send(WatchDue(event_id=EVENT), after(days=3), message_id="faster")
        return listed(*arguments)

    world.archive.scenes = overtaken  # type: ignore[method-assign]
    with pytest.raises(LostRace):
        world.send(WatchDue(event_id=EVENT), after(days=3), message_id="slower")
    assert len(world.exporter.requests) == 1


def without_history(watch: Watch) -> object:
    """What must be equal at the end: not how many messages it took."""
    return [
        (str(i.track), str(i.stage), i.readiness, i.is_frozen, [(o.composite_id, o.is_final, o.is_marked, o.step) for o in i.orders])
        for i in watch.track_stages
    ]  # fmt: skip


def story(world: World, redeliver: bool = False) -> None:
    """The life of a watch in twelve messages; a crash is answered by the same message again, as Pub/Sub does."""
    numbers = count()

    def deliver(action) -> None:
        for _ in range(3):
            try:
                action()
                break
            except (Crash, LostRace):
                continue
        if redeliver:
            action()

    def look(at) -> None:
        name = f"due-{next(numbers)}"
        deliver(lambda: world.send(WatchDue(event_id=EVENT), at, message_id=name))
        world.exporter.finish()

    deliver(lambda: world.announce(message_id="announced"))
    deliver(lambda: world.send(Manual(event_id=EVENT, aoi=AOI.buffer(-0.01)), after(minutes=25), message_id="manual"))
    for at in (after(days=3), after(days=3, hours=1), after(days=3, hours=2), after(days=10), after(days=10, hours=1)):
        look(at)
    for composite in world.exporter.started:
        world.detect(composite, "provisional")
    for at in (after(days=10, hours=2), after(days=13), after(days=13, hours=1)):
        look(at)
    for composite in world.exporter.started:
        world.detect(composite, "final")
    for at in (after(days=14), after(days=27), after(days=28)):
        look(at)


def test_crash_after_every_step_then_redelivery_ends_the_same() -> None:
    calm = noto(every=timedelta(days=1))
    story(calm)
    steps = calm.fuse.burnt
    assert len(calm.exporter.requests) == 2
    assert steps > 40
    for step in range(1, steps + 1):
        world = noto(every=timedelta(days=1))
        world.fuse.left = step
        story(world)
        assert world.fuse.left is None, f"step {step} was never reached"
        assert sorted(world.exporter.requests) == sorted(calm.exporter.requests), f"crash after step {step}"
        assert without_history(world.watch) == without_history(calm.watch), f"crash after step {step}"
        assert sorted(world.markers()) == sorted(calm.markers())
        assert len(world.rescans()) <= len(calm.rescans()), f"crash after step {step}"  # never the same one twice
        assert world.row()["text"] == calm.row()["text"]


def test_every_message_twice_changes_nothing() -> None:
    calm, doubled = noto(), noto()
    story(calm)
    story(doubled, redeliver=True)
    assert doubled.exporter.requests == calm.exporter.requests
    assert [r.composite_id for r in doubled.rescans()] == [r.composite_id for r in calm.rescans()]
    assert without_history(doubled.watch) == without_history(calm.watch)


def test_scene_ingested_between_planning_and_starting_is_not_in_the_composite() -> None:
    world = noto()
    world.announce()
    world.exporter.refusals = [ExportQueueFull("429")]
    world.sweep(after(days=3))
    world.archive.add(seen(after(days=2), platform="B"), latency=timedelta(0))
    world.archive.add(seen(after(days=-3), platform="B"), latency=timedelta(days=6))
    world.sweep(after(days=4))
    (composite,) = world.exporter.started
    assert (len(composite.pre_scenes), len(composite.post_scenes)) == (5, 1)
