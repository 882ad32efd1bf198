"""A composite made by hand: the same names, outbox and books as a watch's own, so that nothing is exported twice."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from quakeslide.domain.budget import UNLIMITED, Budget
from quakeslide.domain.sentinel1 import Track
from quakeslide.domain.terrain import Backscatter, Terrain
from quakeslide.errors import EarthEngineUnavailable, ExportQueueFull, ImpossibleRequest
from quakeslide.ports import ExportState
from quakeslide.usecases.composite_by_hand import Plan, by_hand, export_by_hand
from quakeslide.usecases.start_export import last_attempt
from tests.fakes_exporter import A069, AOI, D046, EVENT, S60_12, Crash, World, after

HOUR = timedelta(hours=1)
AMPLE = Budget()


def noto() -> World:
    world = World()
    world.history(A069, first_post=timedelta(days=1.4))
    world.history(D046, first_post=timedelta(days=1.9))
    world.announce()
    world.archive.now = after(days=3)
    return world


def planned(
    world: World,
    track: Track = A069,
    *,
    at: datetime | None = None,
    event: str = EVENT,
    series: str = "",
    terrain: Terrain | None = None,
) -> Plan:
    at = at or after(days=3)
    return by_hand(
        event,
        track,
        S60_12,
        series=series,
        now=at,
        state=world.state,
        archive=world.archive,
        shard_px=256,
        data_notice="SIMULATED",
        terrain=terrain or Terrain(),
    )


def export(world: World, plan: Plan, *, at: datetime | None = None, budget: Budget = AMPLE) -> str:
    ports = {"state": world.using.state, "composites": world.using.composites, "exporter": world.using.exporter}
    return export_by_hand(plan.composite, at or after(days=3), budget=budget, **ports)  # type: ignore[arg-type]


def test_plan_says_what_would_be_exported_and_exports_nothing() -> None:
    world = noto()
    plan = planned(world)
    assert world.exporter.started == []
    text = "\n".join(plan.lines())
    assert "readiness    provisional, 100% of the ground" in text
    assert "passes       5 before, 1 after" in text
    assert text.count("COPERNICUS/S1_GRD/") == 6
    composite = plan.composite
    assert composite is not None
    assert f"pixels       {composite.rectangle.height} x {composite.rectangle.width} of 10 in EPSG:32653" in text
    assert "(estimated by an assumption, no export has ended)" in text
    assert "backscatter  sigma0, layover and shadow widened by 0 m" in text
    assert composite.aoi.equals(AOI)


def test_plan_estimates_by_exports_that_ended() -> None:
    world = noto()
    world.exporter.eecu_s = 7200.0
    world.sweep(after(days=3))
    world.exporter.finish()
    world.sweep(after(days=3, hours=1))
    text = "\n".join(planned(world).lines())
    assert "EECU hours   2 (estimated by 2 exports that ended); the event's exports used 4 so far" in text


def test_asked_twice_exports_once() -> None:
    world, plan = noto(), planned(noto())
    first = export(world, plan)
    assert first == "exporting: projects/p/operations/1"
    assert export(world, plan, at=after(days=3, hours=1)) == "exporting already: projects/p/operations/1"
    assert len(world.exporter.requests) == 1
    assert plan.composite is not None
    for shard in plan.composite.shards():
        world.composites.create(shard.name, b"", "")
    world.exporter.operations.clear()  # Earth Engine forgets its operations; the shards stay
    assert export(world, plan, at=after(days=30)) == f"exported already: {plan.composite.prefix}"
    assert len(world.exporter.requests) == 1


def test_watch_goes_on_with_what_was_exported_by_hand() -> None:
    world = noto()
    export(world, planned(world))
    world.sweep(after(days=3))
    assert [str(c.track) for c in world.exporter.started] == ["A069", "D046"]  # D046 is the watch's own
    assert world.watch.track_stages[0].orders[0].operation == "projects/p/operations/1"
    world.exporter.finish()
    world.sweep(after(days=3, hours=1))
    assert world.row(A069)["state"] == "detecting"
    assert len(world.exporter.requests) == 2


def test_hand_finds_what_the_watch_is_exporting() -> None:
    world = noto()
    world.sweep(after(days=3))
    assert export(world, planned(world, D046)) == "exporting already: projects/p/operations/2"
    assert len(world.exporter.requests) == 2


@pytest.mark.parametrize("outcome", [ExportState.FAILED, ExportState.CANCELLED, None])
def test_export_that_failed_is_tried_again_under_a_new_request(outcome: ExportState | None) -> None:
    world, plan = noto(), planned(noto())
    export(world, plan)
    if outcome is None:
        world.exporter.operations.clear()
    else:
        world.exporter.finish(outcome, "worker lost")
    assert export(world, plan) == "exporting: projects/p/operations/2"
    assert len(world.exporter.requests) == 2
    assert plan.composite is not None
    assert last_attempt(world.state, plan.composite) == (2, "projects/p/operations/2")


def test_used_up_budget_is_refused_and_may_be_overruled() -> None:
    world = noto()
    small = Budget(per_event_s=1e-6)
    export(world, planned(world), budget=small)  # alone it may be larger than the budget
    plan = planned(world, D046)
    with pytest.raises(ImpossibleRequest, match=r"this event's budget of 0.0 EECU hours is used up; --beyond-budget"):
        export(world, plan, budget=small)
    assert len(world.exporter.requests) == 1
    assert export(world, plan, budget=UNLIMITED) == "exporting: projects/p/operations/2"
    world.using = replace(world.using, budget=small)  # and it was booked: the watch does not wait for it
    world.sweep(after(days=3))
    assert {world.row(track)["state"] for track in (A069, D046)} == {"exporting"}
    assert len(world.exporter.requests) == 2


def test_crash_after_any_step_then_asked_again_exports_once() -> None:
    for step in range(1, 20):
        world = noto()
        plan = planned(world)
        world.fuse.left = step
        try:
            export(world, plan)
        except Crash:
            world.fuse.left = None
            again = export(world, plan, at=after(days=3, minutes=1))
            assert again.startswith(("exporting", "another process is starting this export")), f"step {step}"
            assert export(world, plan, at=after(days=3, minutes=3)).startswith("exporting"), f"step {step}"
            assert len(world.exporter.requests) == 1, f"step {step}"
        else:
            assert step > 5
            return
    pytest.fail("the export never ended")


@pytest.mark.parametrize("error", [ExportQueueFull("Too many tasks"), EarthEngineUnavailable("503")])
def test_engine_that_has_no_room_may_be_asked_again_at_once(error: Exception) -> None:
    world, plan = noto(), planned(noto())
    world.exporter.refusals.append(error)
    with pytest.raises(type(error)):
        export(world, plan)
    assert export(world, plan) == "exporting: projects/p/operations/1"


def test_terrain_by_hand_is_another_composite() -> None:
    world = noto()
    plain = planned(world)
    flat = planned(world, terrain=Terrain(backscatter=Backscatter.GAMMA0_SURFACE, mask_buffer_m=20))
    assert plain.composite is not None
    assert flat.composite is not None
    assert flat.composite.composite_id != plain.composite.composite_id
    assert "backscatter  gamma0_terrain_surface, layover and shadow widened by 20 m" in list(flat.lines())
    export(world, plain)
    export(world, flat)
    assert len(world.exporter.requests) == 2


@pytest.mark.parametrize(
    ("event", "track", "series", "reason"),
    [
        ("us7000abcd", A069, "", "has no watch"),
        (EVENT, A069, "g1", "no series 'g1'"),
        (EVENT, Track.parse("D001"), "", "does not see"),
    ],
)
def test_plan_of_what_is_not_there_is_impossible(event: str, track: Track, series: str, reason: str) -> None:
    with pytest.raises(ImpossibleRequest, match=reason):
        planned(noto(), track, event=event, series=series)


def test_plan_before_the_first_pass_has_nothing_to_export() -> None:
    world = noto()
    world.archive.now = after(hours=3)
    plan = planned(world, at=after(hours=3))
    assert plan.composite is None
    assert "nothing to export: a stack is empty" in list(plan.lines())
    with pytest.raises(ImpossibleRequest, match="a stack is empty"):
        export(world, plan)
