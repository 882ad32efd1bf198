"""Growths of the area and later starts of the post-event stack: composites that stand beside the first ones."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from quakeslide.domain import object_names
from quakeslide.domain.composite import Composite
from quakeslide.domain.lattice import Rectangle, rectangle_for
from quakeslide.messages import Manual
from quakeslide.usecases.detect_cells import detect_cells
from quakeslide.usecases.render_event import representatives
from tests import fakes_detector
from tests.fakes_exporter import A069, AOI, EVENT, S60_12, World, after, seen

EAST_OF_IT = box(137.0, 37.3, 137.24, 37.4)  # twice the area


def planned() -> World:
    """A world whose first composite is ordered, at three days."""
    world = World()
    world.history(A069, first_post=timedelta(days=1.4))
    world.elsewhere()
    world.announce()
    world.sweep(after(days=3))
    assert len(world.exporter.started) == 1
    return world


def overlap(one: Rectangle, other: Rectangle) -> tuple[int, int]:
    """Height and width of what two rectangles share, in px."""
    return (
        min(one.row + one.height, other.row + other.height) - max(one.row, other.row),
        min(one.col + one.width, other.col + other.width) - max(one.col, other.col),
    )


def test_growth_is_a_rectangle_of_the_same_lattice_that_overlaps_by_64_px_or_more() -> None:
    world = planned()
    world.send(Manual(event_id=EVENT, aoi=EAST_OF_IT), after(days=4))
    first, growth = world.exporter.started
    assert (first.series, growth.series) == ("", "g1")
    assert growth.lattice == first.lattice
    assert growth.aoi.equals(EAST_OF_IT.difference(AOI))
    assert growth.rectangle == rectangle_for(EAST_OF_IT.difference(AOI), first.lattice)
    assert min(overlap(first.rectangle, growth.rectangle)) >= 64
    assert growth.rectangle.width < 1.1 * first.rectangle.width  # not the whole area again
    assert (growth.pre_scenes, growth.post_scenes) == (first.pre_scenes, first.post_scenes)


def test_growth_lives_beside_the_first_area_to_the_end() -> None:
    world = planned()
    world.send(Manual(event_id=EVENT, aoi=EAST_OF_IT), after(days=4))
    at = after(days=4, hours=1)
    while at < after(days=30):
        world.sweep(at)
        world.exporter.finish()
        for composite in world.exporter.started:
            final = any(composite.composite_id in name for name in world.markers())
            run_id = composite.composite_id
            world.detect(composite, "final" if final else "provisional", run_id=run_id)
        at += timedelta(hours=6)
    assert len(world.exporter.started) == 2
    assert len(world.markers()) == 2
    assert {world.row(series=s)["text"] for s in ("", "g1")} == {"3 detections (final)"}
    pointers = [json.loads(world.results.objects[n].data)["composite_id"] for n in latest(world)]
    assert sorted(pointers) == sorted(c.composite_id for c in world.exporter.started)
    assert world.watch.standing.value == "closed"


def latest(world: World) -> list[str]:
    return [listed.name for listed in world.results.list("latest/")]


@pytest.mark.parametrize(("magnitude", "is_linked"), [(7.5, True), (7.0, True), (6.9, False)])
def test_later_shock_in_the_area_gets_composites_of_its_own(magnitude: float, is_linked: bool) -> None:
    world = planned()
    world.archive.add(seen(after(days=5), platform="B"))
    struck = after(days=4)
    for told in (hours for hours in (1, 2)):  # announced, then revised by seconds
        world.announce(
            struck + timedelta(hours=told), event_id="us7000zzzz", time=struck + timedelta(seconds=told), magnitude=magnitude
        )  # fmt: skip
    world.sweep(after(days=6))
    own = [c for c in world.exporter.started if c.event_id == EVENT]
    assert [c.series for c in own] == (["", "w1"] if is_linked else [""])
    if is_linked:
        assert own[1].post_start == struck + timedelta(seconds=2)
        assert own[1].pre_scenes == own[0].pre_scenes  # before both shocks
        assert not set(own[1].post_scenes) & set(own[0].post_scenes)


@pytest.mark.parametrize(
    ("aoi", "time"), [(box(150, 37.3, 150.1, 37.4), after(days=4)), (AOI, after(days=-1)), (AOI, after(days=61))],
    ids=["elsewhere", "before", "too late"],
)  # fmt: skip
def test_other_shocks_change_nothing(aoi: BaseGeometry, time: datetime) -> None:
    world = planned()
    world.announce(after(days=62), event_id="us7000zzzz", time=time, aoi=aoi)
    assert world.watch.later_times == ()


def test_post_start_by_hand_before_any_composite_replaces_the_time() -> None:
    world = World()
    world.history(A069, first_post=timedelta(days=1.4))
    world.archive.add(seen(after(days=4), platform="B"))
    world.announce()
    world.send(Manual(event_id=EVENT, post_start=after(days=3)), after(hours=3))
    world.sweep(after(days=6))
    (only,) = world.exporter.started
    assert (only.series, only.post_start) == ("", after(days=3))


def test_post_start_by_hand_after_a_composite_opens_another() -> None:
    world = planned()
    world.archive.add(seen(after(days=5), platform="B"))
    for _ in range(2):
        world.send(Manual(event_id=EVENT, post_start=after(days=3)), after(days=6))
    assert [c.series for c in world.exporter.started] == ["", "w1"]
    assert world.exporter.started[1].post_start == after(days=3)
    assert len(world.watch.later_times) == 1


def test_times_moved_before_any_composite_wake_a_frozen_stage() -> None:
    world = World()
    world.history(A069, first_post=timedelta(days=2), post=0)
    world.elsewhere(until_days=60)
    world.announce()
    world.sweep(after(days=26))
    assert world.row()["state"] == "could_not_look"
    world.archive.add(seen(after(days=30)), latency=timedelta(0))
    world.send(Manual(event_id=EVENT, post_start=after(days=27)), after(days=31))
    assert [len(c.post_scenes) for c in world.exporter.started] == [1]


def test_summary_joins_the_growths_of_a_track() -> None:
    world = fakes_detector.World()
    first = fakes_detector.composite_of(256, 256)
    east = replace(
        first,
        series="g1",
        rectangle=Rectangle(row=0, col=192, height=256, width=256),
        aoi=fakes_detector.to_lonlat(fakes_detector.box_on_ground(first.lattice, 40, 216, 176, 200), first.lattice.crs),
    )
    for composite in (east, first):
        judged(world, composite)
    standing = [j.composite.series for j in representatives(first.event_id, world.detector)]
    assert standing == ["", "g1"]
    summary = json.loads(world.results.objects[object_names.summary(first.event_id)].data)
    assert [t["track"] for t in summary["tracks"]] == ["A069", "A069"]
    columns = [f["properties"]["window_col"] for f in summary["features"]]
    assert min(columns) < 6 <= max(columns)  # from both


def test_later_time_represents_its_track_once_it_is_as_final() -> None:
    world = fakes_detector.World()
    first = fakes_detector.composite_of(256, 256)
    later = replace(first, series="w1", post_start=first.post_start + timedelta(days=1))
    world.finish(first)
    judged(world, first)
    judged(world, later)
    assert [j.composite.series for j in representatives(first.event_id, world.detector)] == [""]
    world.finish(later)
    judged(world, later)
    assert [j.composite.series for j in representatives(first.event_id, world.detector)] == ["w1"]


def test_pointer_says_how_much_was_passed_over() -> None:
    world = fakes_detector.World()
    composite = fakes_detector.composite_of(256, 256)
    judged(world, composite)  # a corner of 64 x 64 px without a pass, a part of it in the area
    pointer = json.loads(world.results.objects[object_names.latest(EVENT, A069, S60_12)].data)
    assert pointer["passed_fraction_of_aoi"] == pytest.approx(1 - 24 * 24 / 176**2, abs=1e-3)


def judged(world: fakes_detector.World, composite: Composite) -> None:
    world.plan(composite, seed=3)
    for message in [world.write(shard, composite) for shard in composite.shards()]:
        detect_cells(message, world.detector)


@pytest.mark.parametrize("series", ["g0", "x1", "g1w1", "w", "G1", "w1g1/"])
def test_no_series(series: str) -> None:
    with pytest.raises(ValueError, match="is no series"):
        replace(fakes_detector.composite_of(), series=series)
    with pytest.raises(ValueError, match="is no series"):
        object_names.series_numbers(series)


def test_names_of_series() -> None:
    assert object_names.latest(EVENT, A069, S60_12, "w1g2") == f"latest/{EVENT}/A069/60-12-w1g2.json"
    assert object_names.series_numbers("w1g2") == (1, 2)
    first = fakes_detector.composite_of()
    assert len({replace(first, series=s).composite_id for s in ("", "g1", "w1", "w1g1")}) == 4
