"""The life of exports: budgets, what they used, forced repeats, intents of crashed processes, many watches, large areas."""

import json
import logging
from dataclasses import replace
from datetime import timedelta

import pytest
from shapely.geometry import box

from quakeslide.documents.manifest import read_manifest, write_manifest
from quakeslide.domain.budget import (
    ASSUMED_EECU_S_PER_PIXEL_AND_SCENE,
    Budget,
    Measured,
    Rate,
    estimated_eecu_s,
    has_room,
    rate_of,
)
from quakeslide.domain.composite import MAX_SHARD_PX, Composite
from quakeslide.domain.lattice import lattice_for, rectangle_for, to_lonlat
from quakeslide.domain.orders import Step
from quakeslide.domain.sentinel1 import Polarisation
from quakeslide.errors import UnusableComposite
from quakeslide.messages import Manual, Sweep, WatchDue
from quakeslide.ports import ExportState
from quakeslide.usecases import outbox
from quakeslide.usecases.book_export import book, learn, measured_rate, settle
from quakeslide.usecases.delivery import record_problem
from tests.fakes import MemoryStore
from tests.fakes_detector import composite_of
from tests.fakes_exporter import A069, D046, EVENT, S60_12, T0, Crash, World, after, seen

HOUR = timedelta(hours=1)


def noto() -> World:
    world = World()
    world.history(A069, first_post=timedelta(days=1.4))
    world.history(D046, first_post=timedelta(days=1.9))
    world.announce()
    return world


def test_event_over_its_budget_waits_and_goes_on_when_there_is_room() -> None:
    world = noto()
    world.exporter.eecu_s = 100.0
    world.using = replace(world.using, budget=Budget(per_event_s=1e-6))
    world.sweep(after(days=3))
    assert len(world.exporter.started) == 1
    waiting = world.row(D046)
    assert waiting["state"] == "exporting"
    assert "waits: this event's budget of 0.0 EECU hours is used up" in str(waiting["text"])
    world.exporter.finish()
    world.sweep_until(after(days=3, hours=1), after(days=4))
    assert len(world.exporter.started) == 1
    assert len(world.exporter.requests) == 1
    world.using = replace(world.using, budget=Budget(per_event_s=250.0))
    world.sweep(after(days=4, hours=1))
    assert [str(c.track) for c in world.exporter.started] == ["A069", "D046"]
    assert (
        world.row(D046)["text"]
        == f"Earth Engine is exporting the provisional composite {world.exporter.started[1].composite_id}"
    )


def test_day_over_its_budget_waits_for_the_next_day() -> None:
    world = noto()
    world.exporter.eecu_s = 1.0
    world.using = replace(world.using, budget=Budget(per_day_s=1e-6))
    world.sweep_until(after(days=3), after(days=3, hours=12), every=3 * HOUR)
    assert len(world.exporter.started) == 1
    world.sweep(after(days=4))
    assert len(world.exporter.started) == 2


def test_what_exports_used_is_summed_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "quakeslide")
    world = noto()
    world.exporter.eecu_s = 1800.0
    world.sweep_until(after(days=3), after(days=3, hours=2))
    assert (world.watch.eecu_s, world.watch.export_s) == (3600.0, 120.0)
    ended = [r.facts for r in caplog.records if r.message == "export ended"]  # type: ignore[attr-defined]
    assert [(f["state"], f["eecu_s"], f["ran_s"]) for f in ended] == [("succeeded", 1800.0, 60.0)] * 2
    assert sorted(booked(world.state, f"events/{EVENT}").values()) == [1800.0, 1800.0]
    assert sorted(booked(world.state, "days/2024-01-04").values()) == [1800.0, 1800.0]


def sized(eecu_s: float, event_id: str = EVENT) -> Composite:
    """Return a composite whose export is estimated at so many EECU seconds before anything was measured."""
    plain = replace(composite_of(256, 256), event_id=event_id)
    scenes = round(eecu_s / (256 * 256 * ASSUMED_EECU_S_PER_PIXEL_AND_SCENE)) - len(plain.post_scenes)
    made = replace(plain, pre_scenes=tuple(f"S{n}" for n in range(scenes)))
    assert estimated_eecu_s(made, Rate()) == pytest.approx(eecu_s, rel=0.02)
    return made


def booked(state: MemoryStore, name: str) -> dict[str, float]:
    stored = state.read(f"budget/{name}.json")
    return dict(json.loads(stored.data).get("eecu_s", {})) if stored else {}


def test_budget_is_booked_once_and_settled() -> None:
    state, budget, elsewhere = MemoryStore(), Budget(per_event_s=10.0, per_day_s=15.0), "us7000abcd"
    for _ in range(3):
        assert book(state, sized(6.0), "a", T0, budget) == ""
    assert "this event's budget" in book(state, sized(6.0), "b", T0, budget)
    settle(state, EVENT, "a", 1.0)
    assert book(state, sized(8.0), "b", T0, budget) == ""
    assert "the budget of 2024-01-01" in book(state, sized(8.0, elsewhere), "c", T0, budget)
    assert book(state, sized(8.0, elsewhere), "c", after(days=1), budget) == ""


def test_what_an_export_used_is_in_the_book_of_its_day_too() -> None:
    state, budget = MemoryStore(), Budget(per_event_s=100.0, per_day_s=10.0)
    assert book(state, sized(8.0), "a", T0, budget) == ""
    assert "the budget of 2024-01-01" in book(state, sized(8.0, "us7000abcd"), "b", T0, budget)
    settle(state, EVENT, "a", 1.5)  # days later: it counts for the day it was started on
    assert booked(state, "days/2024-01-01") == {"a": 1.5}
    assert book(state, sized(8.0, "us7000abcd"), "b", T0, budget) == ""


def test_export_that_starts_after_midnight_moves_to_the_new_day() -> None:
    state, budget = MemoryStore(), Budget(per_event_s=100.0, per_day_s=10.0)
    assert book(state, sized(8.0), "a", T0, budget) == ""  # and the queue was full
    assert book(state, sized(8.0), "a", after(days=1), budget) == ""
    assert booked(state, "days/2024-01-01") == {}
    assert booked(state, "days/2024-01-02").keys() == {"a"}
    settle(state, EVENT, "a", 2.0)
    assert (booked(state, "days/2024-01-02"), booked(state, f"events/{EVENT}")) == ({"a": 2.0}, {"a": 2.0})


def test_estimate_learns_from_exports_that_ended() -> None:
    state, one = MemoryStore(), composite_of()
    assert measured_rate(state) == Rate()
    for _ in range(2):  # delivered twice
        learn(state, one, "a", 30.0)
    assert measured_rate(state).exports == 1
    assert estimated_eecu_s(one, measured_rate(state)) == pytest.approx(30.0)
    larger = composite_of(1088, 608)
    learn(state, larger, "b", 120.0)
    assert estimated_eecu_s(larger, measured_rate(state)) == pytest.approx(
        2 / 3 * 150.0
    )  # of both: large ones weigh more
    for number in range(60):
        learn(state, one, f"c{number}", 3.0)
    assert measured_rate(state).exports == 50
    assert estimated_eecu_s(one, measured_rate(state)) == pytest.approx(3.0)


def test_rate_of_exports_that_used_nothing_is_the_assumption() -> None:
    """The real service reports no use where it does not bill."""
    assert rate_of([Measured(export_id="a", work=1e6, eecu_s=0.0)]) == Rate()


def test_next_export_is_booked_at_the_measured_rate() -> None:
    world = noto()
    world.exporter.eecu_s = 720.0
    world.sweep(after(days=3))
    first, second = world.exporter.started
    assert sum(booked(world.state, f"events/{EVENT}").values()) == pytest.approx(
        sum(estimated_eecu_s(c, Rate()) for c in (first, second))
    )
    world.exporter.finish()
    world.sweep(after(days=3, hours=1))
    rate = measured_rate(world.state)
    assert rate.exports == 2
    world.archive.add(seen(after(days=9), platform="B"))
    world.sweep_until(after(days=12.5), after(days=15.5), every=6 * HOUR)
    third = world.exporter.started[-1]
    assert len(third.post_scenes) == 2
    assert estimated_eecu_s(third, rate) == pytest.approx(720.0, rel=0.2)


def test_failed_export_teaches_nothing() -> None:
    world = noto()
    world.exporter.eecu_s = 500.0
    world.sweep(after(days=3))
    world.exporter.finish(ExportState.FAILED, "worker lost")
    world.sweep(after(days=3, hours=1))
    assert measured_rate(world.state) == Rate()
    assert list(booked(world.state, f"events/{EVENT}").values()).count(500.0) == 2


@pytest.mark.parametrize(
    ("standing", "fits"),
    [({}, True), ({"other": 0.0}, True), ({"x": 99.0}, True), ({"other": 5.0}, True), ({"other": 5.1}, False)],
)
def test_room_in_a_budget(standing: dict[str, float], fits: bool) -> None:
    assert has_room(standing, "x", 5.0, 10.0) is fits


def test_export_larger_than_the_budget_goes_alone() -> None:
    assert has_room({}, "x", 99.0, 10.0)


def exported() -> World:
    world = World()
    world.history(A069, first_post=timedelta(days=1.4))
    world.announce()
    world.sweep_until(after(days=3), after(days=3, hours=1))
    return world


def test_force_exports_an_unusable_composite_again() -> None:
    world = exported()
    (composite,) = world.exporter.started
    facts = {"event_id": EVENT, "track": A069, "stage": S60_12, "composite_id": composite.composite_id}
    record_problem(world.state, UnusableComposite("shard 0: bands are wrong"), facts, since=after(days=3).isoformat())
    world.send(Manual(event_id=EVENT, force=True), after(days=4), message_id="wish")
    assert len(world.exporter.requests) == 2  # another attempt, another request id
    order = world.watch.track_stages[0].orders[0]
    assert (order.composite_id, order.attempt, order.step) == (composite.composite_id, 2, Step.EXPORTING)
    assert list(world.state.list("problems/")) == []  # it may be good now
    assert world.rescans() == []


def test_force_does_not_export_again_what_is_usable() -> None:
    world = exported()
    world.send(Manual(event_id=EVENT, force=True), after(days=4))
    assert len(world.exporter.requests) == 1
    assert len([r for r in world.rescans() if r.force_nonce]) == 1


def test_intent_of_a_crashed_process_is_acted_on_by_a_later_sweep_within_the_hour() -> None:
    calm = noto()
    calm.sweep(after(days=3))
    for step in range(1, 40):
        world = noto()
        world.fuse.left = step
        try:
            world.send(WatchDue(event_id=EVENT), after(days=3), message_id="due")  # and never delivered again
        except Crash:
            world.sweep(after(days=3, hours=1))
            assert sorted(world.exporter.requests) == sorted(calm.exporter.requests), f"crash after step {step}"
            assert {world.row(t)["state"] for t in (A069, D046)} == {"exporting"}, f"crash after step {step}"
        else:
            assert step > 12
            return
    pytest.fail("the look never ended")


def test_pending_intents_belong_to_their_process_for_two_minutes() -> None:
    state, acts = MemoryStore(), []

    def crash() -> None:
        raise Crash

    with pytest.raises(Crash):
        outbox.once(state, "x", T0, crash)
    assert not outbox.once(state, "x", T0 + timedelta(seconds=119), lambda: acts.append(1))
    assert outbox.once(state, "x", T0 + timedelta(seconds=120), lambda: acts.append(2))
    assert acts == [2]


def test_five_hundred_watches_are_handed_out_oldest_first() -> None:
    world = World()
    names = [f"us{n:05d}" for n in range(500)]
    for name in reversed(names):
        world.state.create(f"watches/open/{name}.json", b"{}", "")
    world.send(Sweep(), after(days=1))
    assert [attributes["event_id"] for _, _, attributes in world.bus.published] == names[::-1]


def test_area_of_200_km_is_one_manifest_and_one_task_a_track() -> None:
    world = World()
    lattice = lattice_for(box(134.0, 37.0, 134.1, 37.1))
    side = 20_000 * lattice.pixel - 2 * 64 * lattice.pixel
    west, north = lattice.origin_x + 640, lattice.origin_y - 640
    large = to_lonlat(box(west, north - side, west + side, north), lattice.crs)
    world.using = replace(world.using, shard_px=MAX_SHARD_PX)
    footprint = large.buffer(1)
    for track in (A069, D046):
        world.history(track, first_post=timedelta(days=1.4), footprint=footprint)
    world.announce(aoi=large)
    world.sweep(after(days=3))
    assert len(world.exporter.requests) == 2
    assert len([n for n in world.composites.objects if n.startswith("manifests/")]) == 2
    for composite in world.exporter.started:
        size = composite.rectangle
        assert size == rectangle_for(large, composite.lattice)
        assert 20_000 <= size.height <= 20_100
        assert 20_000 <= size.width <= 20_100
        shards = list(composite.shards())
        assert len(shards) == 100
        assert sum(s.height * s.width for s in shards) == size.height * size.width
        assert shards[11].name.endswith("composite-0000002048-0000002048.tif")
        cells = list(composite.cells())
        assert sum(c.window_rows * c.window_cols for c in cells) == size.window_shape[0] * size.window_shape[1]
        assert max(len(composite.shards_of(c)) for c in cells) == 4
        data = write_manifest(composite)
        assert len(data) < 20_000
        assert read_manifest(data, "m").composite_id == composite.composite_id


def test_estimate_grows_with_pixels_and_scenes() -> None:
    one = composite_of()
    more = replace(one, pre_scenes=one.pre_scenes * 2)
    assert estimated_eecu_s(more, Rate()) > estimated_eecu_s(one, Rate()) > 0


def test_polarisations_that_cannot_be_used_are_said() -> None:
    world = World()
    for n in range(-5, 0):  # VV before, VV and VH after, as over Kaikoura
        world.archive.add(seen(after(days=1.4) + n * timedelta(days=12), polarisations=("VV",)))
    world.archive.add(seen(after(days=1.4)))
    world.archive.add(seen(after(days=2), D046, polarisations=("HH", "HV")))
    world.announce()
    world.sweep(after(days=3))
    (composite,) = world.exporter.started
    assert (composite.track, composite.polarisation) == (A069, Polarisation.VV)
    assert world.watch.notices == (
        "Track D046: scenes of HH+HV are left out, the models know VV and VH only.",
        "Track A069, stage 60-12: not every scene has VH, so VV alone is used.",
    )


def test_satellites_count_by_their_property_whatever_the_name_says() -> None:
    world = World()
    world.history(A069, first_post=timedelta(days=1.4), post=0)
    misnamed = seen(after(days=1.4), platform="D")
    world.archive.add(replace(misnamed, scene_id=misnamed.scene_id.replace("S1D", "S1C")))
    early = seen(after(days=1), platform="C")
    world.archive.add(early)
    world.announce()
    world.sweep(after(days=3))
    (composite,) = world.exporter.started
    assert len(composite.post_scenes) == 1
    assert early.scene_id not in composite.post_scenes
    assert "before 2025-05-20 are left out" in world.watch.notices[0]
