"""The promise: within one sweep. Hourly sweeps over scripted archives with the first-pass times of real earthquakes."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from shapely.geometry import box

from quakeslide.domain.readiness import RULES, Readiness
from quakeslide.domain.sentinel1 import Polarisation, Stage
from quakeslide.domain.watch import Standing
from tests.fakes_exporter import A069, D046, EVENT, T0, WEST, World, after, seen

HOUR = timedelta(hours=1)
LATENCY = timedelta(hours=18)  # of the scripted archive
END = after(days=12)


def hourly(world: World, first: datetime, last: datetime) -> None:
    at = first
    while at <= last:
        world.sweep(at)
        world.exporter.finish()
        for composite in world.exporter.started:
            final = any(composite.composite_id in name for name in world.markers())
            world.detect(composite, "final" if final else "provisional", run_id=composite.composite_id)
        at += HOUR


def announced(first_post: timedelta) -> World:
    world = World()
    world.history(A069, first_post=first_post)
    world.elsewhere(every=timedelta(minutes=30), until_days=16)
    world.announce(after(minutes=20))
    return world


@pytest.mark.parametrize("hours", [14, 22, 30], ids=["Hokkaido", "Haiti", "Gorkha"])
def test_provisional_export_starts_within_one_sweep_of_the_first_complete_pass(hours: int) -> None:
    world = announced(timedelta(hours=hours))
    ingested = after(hours=hours) + LATENCY
    hourly(world, after(hours=1), ingested - timedelta(minutes=1))
    assert world.exporter.started == []
    world.sweep(ingested + HOUR)
    assert [len(c.post_scenes) for c in world.exporter.started] == [1]


def final_from(world: World) -> datetime:
    """Return when the archive's newest scene is the margin past the twelfth day."""
    return min(at for at, scene in world.archive.ingested if scene.start > END + RULES.margin)


@pytest.mark.parametrize("hours", [14, 22, 30])
def test_same_scenes_are_promoted_within_one_sweep_of_the_twelfth_days_data(hours: int) -> None:
    world = announced(timedelta(hours=hours))
    hourly(world, after(days=2), final_from(world) - HOUR)
    assert world.markers() == []
    world.sweep(final_from(world) + HOUR)
    assert len(world.markers()) == 1
    assert len(world.exporter.requests) == 1
    assert len(world.rescans()) == 1


def test_final_export_of_more_scenes_starts_within_one_sweep_of_the_twelfth_days_data() -> None:
    world = announced(timedelta(hours=22))
    world.archive.add(seen(after(days=11.9), platform="B"))
    hourly(world, after(days=2), final_from(world) - HOUR)
    assert len(world.exporter.requests) == 1
    world.sweep(final_from(world) + HOUR)
    assert [len(c.post_scenes) for c in world.exporter.started] == [1, 2]


def test_track_that_passes_after_28_days_is_said_to_have_none() -> None:
    """Gorkha: one track after 30 hours, another after 28 days."""
    world = announced(timedelta(hours=30))
    world.history(D046, first_post=timedelta(days=28) - 3 * timedelta(days=12), passes=3, post=0)
    world.archive.add(seen(after(days=28), D046))
    hourly(world, after(days=2), after(days=2, hours=3))
    assert world.row(D046)["state"] == "waiting"
    world.sweep(END + RULES.grace + HOUR)
    row = world.row(D046)
    assert (row["state"], row["text"]) == ("could_not_look", "no pass came by 2024-01-16 07:10 UTC")
    assert {c.track for c in world.exporter.started} == {A069}


def test_track_that_passes_after_28_days_gets_the_composite_of_the_window_it_lies_in() -> None:
    """Gorkha's second track: nothing by 12 and 24 days, one pass in the 48 and in the 60."""
    world = World(stages=tuple(Stage.parse(text) for text in ("60-12", "60-24", "60-48", "60-60")))
    for cycle in range(-5, 0):
        world.archive.add(seen(after(days=28) + cycle * timedelta(days=12), D046))
    world.archive.ingested = [(at, scene) for at, scene in world.archive.ingested if not scene.start > T0]
    world.archive.add(seen(after(days=28), D046))
    world.elsewhere(until_days=70)
    world.announce()
    at = END
    while at <= after(days=62):
        world.sweep(at)
        world.exporter.finish()
        at += 6 * HOUR
    assert [(str(c.stage), len(c.post_scenes)) for c in world.exporter.started] == [("60-48", 1), ("60-60", 1)]
    for stage in ("60-12", "60-24"):
        assert world.row(D046, Stage.parse(stage))["state"] == "could_not_look"


@pytest.mark.parametrize("hours", [14, 22, 30])
def test_track_with_vv_before_and_both_after_is_exported_in_vv_at_once(hours: int) -> None:
    world = World()
    first = after(hours=hours)
    for cycle in range(-5, 0):
        world.archive.add(seen(first + cycle * timedelta(days=12), polarisations=("VV",)))
    world.archive.add(seen(first))
    world.elsewhere(every=timedelta(minutes=30), until_days=3)
    world.announce()
    hourly(world, after(hours=1), first + LATENCY + HOUR)
    (composite,) = world.exporter.started
    assert (composite.polarisation, len(composite.pre_scenes)) == (Polarisation.VV, 5)
    assert "not every scene has VH, so VV alone is used" in world.watch.notices[0]


SCRIPTS: dict[Readiness, tuple[Callable[[World], object], datetime, str]] = {
    Readiness.WAITING: (lambda w: w.history(first_post=timedelta(days=5)), after(days=5), "waiting"),
    Readiness.PROVISIONAL: (lambda w: w.history(first_post=timedelta(days=5)), after(days=6), "exporting"),
    Readiness.FINAL: (lambda w: w.history(first_post=timedelta(days=5)), after(days=13.5), "exporting"),
    Readiness.PARTIAL: (
        lambda w: (w.history(first_post=timedelta(days=5), post=0), w.archive.add(seen(after(days=5), footprint=WEST))),
        after(days=15.1),
        "exporting",
    ),
    Readiness.NO_POST: (lambda w: w.history(first_post=timedelta(days=5), post=0), after(days=15.1), "could_not_look"),
    Readiness.NO_PRE: (lambda w: w.history(first_post=timedelta(days=5), passes=0), after(days=15.1), "could_not_look"),
    Readiness.SKIPPED: (
        lambda w: w.history(first_post=timedelta(days=5), footprint=box(136, 36, 137.0005, 38)),
        after(days=6),
        "skipped",
    ),
}


@pytest.mark.parametrize("state", SCRIPTS)
def test_every_state_is_reached_by_a_scripted_archive(state: Readiness) -> None:
    script, at, shown = SCRIPTS[state]
    world = World()
    script(world)
    world.elsewhere()
    world.announce()
    world.sweep(at)
    (item,) = world.watch.track_stages
    assert item.readiness is state
    assert world.row()["state"] == shown
    assert len(world.exporter.started) == (shown == "exporting")
    assert len(world.markers()) == (state in (Readiness.FINAL, Readiness.PARTIAL))


def test_scripts_leave_no_state_out() -> None:
    assert set(SCRIPTS) == set(Readiness)


def test_clock_that_jumps_makes_the_final_composite_at_once_and_only_that() -> None:
    world = announced(timedelta(hours=22))
    for _ in range(3):
        world.sweep(after(days=60))
        world.exporter.finish()
    assert len(world.exporter.requests) == 1
    assert len(world.markers()) == 1
    world.detect(world.exporter.started[0], "final")
    world.sweep(after(days=60, hours=1))
    assert world.watch.standing is Standing.CLOSED
    world.sweep(T0)  # and back again
    assert len(world.exporter.requests) == 1
    assert [name for name in world.state.objects if name.startswith("watches/")] == [f"watches/closed/{EVENT}.json"]


def test_half_of_a_pass_then_nothing_is_partial_after_the_grace() -> None:
    world = World()
    world.history(A069, first_post=timedelta(days=2), post=0)
    world.archive.add(seen(after(days=2), footprint=WEST))
    world.elsewhere()
    world.announce()
    hourly(world, END, END + RULES.grace - HOUR)
    assert world.exporter.started == []
    hourly(world, END + RULES.grace, END + RULES.grace + 2 * HOUR)
    assert len(world.markers()) == 1
    assert "(final, with 50% of the visible ground)" in str(world.row()["text"])
