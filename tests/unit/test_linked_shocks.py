"""Aftershocks: linked to the main shock's watch, with composites of their own time where they are strong, never with a second watch of the
same ground; and taken apart again when what is known of them changes."""

import json
from datetime import datetime, timedelta

import pytest
from shapely.geometry import box

from quakeslide.documents.watch import read_watch, write_watch
from quakeslide.domain import object_names
from quakeslide.domain.linked_shocks import LEAST_WIDENING, LONGEST_POST, shock_notices
from quakeslide.domain.watch import Standing, Watch
from quakeslide.errors import ImpossibleRequest
from quakeslide.messages import Cancelled, Manual, Merged, WatchDue
from quakeslide.usecases.composite_by_hand import by_hand
from quakeslide.usecases.keep_watch import find_watch
from quakeslide.usecases.render_status import render_status
from tests.fakes_exporter import A069, AOI, EVENT, S60_12, World, after, seen

SHOCK, OTHER = "us7000zzzz", "us7000yyyy"
INNER = box(137.02, 37.32, 137.1, 37.38)
STRUCK = after(days=4)


def planned() -> World:
    """A world whose first composite is ordered, at three days."""
    world = World()
    world.history(A069, first_post=timedelta(days=1.4))
    world.elsewhere()
    world.announce()
    world.sweep(after(days=3))
    assert len(world.exporter.started) == 1
    return world


def shake(world: World, at: datetime = STRUCK + timedelta(hours=1), **changes: object) -> None:
    """Announce the aftershock, M 6.2 at four days, well within the main shock's area."""
    facts: dict[str, object] = {"event_id": SHOCK, "time": STRUCK, "magnitude": 6.2, "aoi": INNER, "place": "Suzu"}
    world.announce(at, **{**facts, **changes})


def watch_of(world: World, event_id: str) -> Watch:
    kept = find_watch(world.state, event_id)
    assert kept is not None
    return kept.watch


def standing(world: World, event_id: str = SHOCK) -> str:
    """Where an event went, in words and by its document's place."""
    watch = watch_of(world, event_id)
    place = "open" if watch.standing is Standing.OPEN else "closed"
    assert [n for n in world.state.objects if n.startswith("watches/") and event_id in n] == [
        f"watches/{place}/{event_id}.json"
    ]
    return f"linked to {watch.linked_to}" if watch.standing is Standing.LINKED else watch.standing.value


def said(world: World, event_id: str = EVENT) -> str:
    """The notices of the status as it lies in the bucket."""
    stored = world.results.objects[object_names.status(event_id)]
    return " | ".join(json.loads(stored.data)["notices"])


def series(world: World) -> list[tuple[str, datetime]]:
    return [(f"w{t.number}", t.post_start) for t in watch_of(world, EVENT).later_times]


def test_weak_aftershock_is_linked_and_opens_no_watch() -> None:
    world = planned()
    shake(world)
    assert standing(world) == f"linked to {EVENT}"
    assert series(world) == []
    assert f"M 6.2 ({SHOCK}) struck in this area at 2024-01-05 07:10 UTC and is linked to this watch" in said(world)
    status = json.loads(world.results.objects[object_names.status(SHOCK)].data)
    assert (status["state"], status["linked_to"], status["tracks"]) == ("linked", EVENT, [])
    assert f"Linked to {EVENT}" in said(world, SHOCK)
    world.sweep_until(after(days=5), after(days=9), every=timedelta(days=1))
    assert {c.event_id for c in world.exporter.started} == {EVENT}


def test_strong_aftershock_gets_further_composites_of_the_main_shocks_watch() -> None:
    world = planned()
    world.archive.add(seen(after(days=5), platform="B"))
    shake(world, magnitude=7.0)
    world.sweep(after(days=6))
    first, further = world.exporter.started
    assert (further.event_id, further.series, further.post_start) == (EVENT, "w1", STRUCK)
    assert further.pre_scenes == first.pre_scenes  # before both shocks
    assert "further composites (w1) begin with it" in said(world)


@pytest.mark.parametrize(("share", "goes"), [(0.95, "open"), (1.05, "linked")])
def test_aftershock_that_widens_the_area_opens_a_watch_and_both_say_so(share: float, goes: str) -> None:
    _, south, east, north = AOI.bounds
    length = 0.1  # of the shock's area, of which the share lies east of the main shock's
    east += LEAST_WIDENING / share * length
    world = planned()
    shake(world, aoi=box(east - length, south, east, north), magnitude=7.4)
    assert standing(world).startswith(goes)
    if goes == "open":
        assert "has a watch of its own: its area adds" in said(world)
        assert "has a watch of its own: it struck before" in said(world, SHOCK)
        assert series(world) == []
    else:
        assert "km2 of its area lie outside and are not looked at" in said(world)


@pytest.mark.parametrize(("late", "goes"), [(timedelta(0), f"linked to {EVENT}"), (timedelta(seconds=1), "open")])
def test_aftershock_is_linked_up_to_the_longest_stages_window(late: timedelta, goes: str) -> None:
    world = planned()
    struck = watch_of(world, EVENT).t0 + LONGEST_POST + late
    shake(world, struck + timedelta(hours=1), time=struck)
    assert standing(world) == goes


def test_linked_shock_revised_upwards_gets_its_composites_then() -> None:
    world = planned()
    for hours, magnitude in ((1, 6.2), (2, 6.9), (3, 7.0)):
        shake(world, STRUCK + timedelta(hours=hours), magnitude=magnitude, kind="revised" if hours > 1 else "announced")
        assert series(world) == ([("w1", STRUCK)] if magnitude == 7.0 else [])
    shake(world, STRUCK + timedelta(hours=4), magnitude=6.4, kind="revised")
    assert series(world) == []  # nothing was ordered in it


def test_main_shock_revised_downwards_makes_its_aftershock_strong() -> None:
    world = planned()
    shake(world, magnitude=6.8)
    assert series(world) == []
    world.announce(STRUCK + timedelta(hours=2), kind="revised", magnitude=7.3)
    assert series(world) == [("w1", STRUCK)]


def test_linked_shock_whose_area_grows_beyond_opens_its_watch_then() -> None:
    world = planned()
    shake(world)
    shake(world, STRUCK + timedelta(hours=2), kind="revised", aoi=AOI.buffer(0.1))
    assert standing(world) == "open"
    assert "has a watch of its own: its area adds" in said(world)
    shake(world, STRUCK + timedelta(hours=3), kind="revised", aoi=INNER)
    assert standing(world) == f"linked to {EVENT}"


def test_series_moves_with_its_shock_until_something_was_ordered() -> None:
    world = planned()
    world.archive.add(seen(after(days=5), platform="B"))
    shake(world, magnitude=7.2)
    moved = STRUCK + timedelta(minutes=20)
    shake(world, STRUCK + timedelta(hours=2), kind="revised", magnitude=7.2, time=moved)
    assert series(world) == [("w1", moved)]
    world.sweep(after(days=6))
    for minutes, expected in ((22, [("w1", moved)]), (30, [("w1", moved), ("w2", STRUCK + timedelta(minutes=30))])):
        at = STRUCK + timedelta(minutes=minutes)
        shake(world, after(days=6, minutes=minutes), kind="revised", magnitude=7.2, time=at)
        assert series(world) == expected


def test_shock_that_turns_out_to_have_struck_before_the_main_one_is_watched_on_its_own() -> None:
    world = planned()
    shake(world)
    shake(world, STRUCK + timedelta(hours=2), kind="revised", time=after(hours=-1))
    assert standing(world) == "open"
    assert watch_of(world, EVENT).standing is Standing.OPEN  # has composites: it stays


def test_cancelled_linked_shock_is_remembered_and_its_series_goes() -> None:
    world = planned()
    shake(world, magnitude=7.2)
    world.send(Cancelled(event_id=SHOCK, reason="USGS deleted it"), STRUCK + timedelta(hours=2))
    assert standing(world) == "cancelled"
    assert series(world) == []
    assert f"({SHOCK}) struck in this area at 2024-01-05 07:10 UTC and was taken back: USGS deleted it." in said(world)
    assert "linked to this watch" not in said(world)
    shake(world, STRUCK + timedelta(hours=3), magnitude=7.2)  # restored
    assert standing(world) == f"linked to {EVENT}"
    assert series(world) == [("w1", STRUCK)]


def test_series_with_orders_outlives_its_shock_and_says_so() -> None:
    world = planned()
    world.archive.add(seen(after(days=5), platform="B"))
    shake(world, magnitude=7.2)
    world.sweep(after(days=6))
    world.send(Cancelled(event_id=SHOCK, reason="USGS deleted it"), after(days=7))
    assert series(world) == [("w1", STRUCK)]
    assert "was taken back: USGS deleted it. The composites begun with it (w1) stay." in said(world)


def test_late_shocks_take_the_numbers_that_are_free() -> None:
    world = planned()
    for number in range(3):
        struck = after(days=4 + number)
        shake(world, struck + timedelta(hours=1), event_id=f"us7000zzz{number}", time=struck, magnitude=7.2)
    world.send(Cancelled(event_id="us7000zzz0", reason="deleted"), after(days=8))
    assert series(world) == [("w1", after(days=5)), ("w2", after(days=6))]


@pytest.mark.parametrize("kind", ["into the main shock", "into a new one"])
def test_linked_shock_that_is_merged(kind: str) -> None:
    world = planned()
    shake(world, magnitude=7.2)
    into = EVENT if kind == "into the main shock" else OTHER
    world.send(Merged(event_id=SHOCK, into=into), STRUCK + timedelta(hours=2))
    assert standing(world) == "cancelled"
    assert f"({SHOCK}) struck in this area at 2024-01-05 07:10 UTC and was taken back: it goes on under {into}" in said(
        world
    )
    assert series(world) == ([] if into == EVENT else [("w1", STRUCK)])
    if into == OTHER:
        assert standing(world, OTHER) == f"linked to {EVENT}"


def test_quake_merged_into_a_linked_one_leaves_it_linked() -> None:
    world = planned()
    shake(world)
    shake(world, STRUCK + timedelta(hours=2), event_id=OTHER, time=STRUCK + timedelta(seconds=40))
    world.send(Merged(event_id=OTHER, into=SHOCK), STRUCK + timedelta(hours=3))
    assert standing(world) == f"linked to {EVENT}"
    assert standing(world, OTHER) == "cancelled"


def test_aftershock_of_a_cancelled_main_shock_is_watched_on_its_own_until_it_comes_back() -> None:
    world = World()
    world.announce()
    shake(world)
    world.send(Cancelled(event_id=EVENT, reason="USGS deleted it"), after(days=5))
    assert (standing(world), standing(world, EVENT)) == ("open", "cancelled")
    assert "Linked to" not in said(world, SHOCK)
    world.announce(after(days=6))
    assert (standing(world), standing(world, EVENT)) == (f"linked to {EVENT}", "open")


def test_aftershocks_follow_a_merged_main_shock() -> None:
    world = World()
    world.announce()
    shake(world)
    world.send(Merged(event_id=EVENT, into=OTHER), after(days=5))
    assert standing(world) == f"linked to {OTHER}"
    assert f"({SHOCK})" in said(world, OTHER)


def test_main_shock_that_shrinks_lets_its_aftershock_go() -> None:
    world = World()
    world.announce()
    shake(world)
    world.announce(after(days=5), kind="revised", aoi=box(137.0, 37.3, 137.03, 37.4), aoi_source="ShakeMap us 1")
    assert standing(world) == "open"


@pytest.mark.parametrize("fields", [{}, {"aoi": INNER}, {"force": True}], ids=["nothing else", "area", "force"])
def test_person_who_asks_for_a_linked_event_gets_its_own_watch(fields: dict[str, object]) -> None:
    world = planned()
    world.archive.add(seen(after(days=5), platform="B"))
    shake(world, magnitude=7.2)
    world.send(Manual(event_id=SHOCK, **fields), after(days=6))  # type: ignore[arg-type]
    assert standing(world) == "open"
    assert SHOCK in {c.event_id for c in world.exporter.started}
    assert "has a watch of its own: a person asked for it" in said(world)
    shake(world, after(days=6, hours=1), kind="revised", magnitude=7.2)
    assert standing(world) == "open"


def test_request_older_than_the_announcement_opens_the_watch_too() -> None:
    world = planned()
    shake(world)
    world.send(Manual(event_id=SHOCK), STRUCK)
    assert standing(world) == "open"


def test_of_two_main_shocks_the_stronger_has_the_aftershock() -> None:
    world = World()
    world.announce()
    wide = AOI.buffer(0.1)
    world.announce(after(days=1), event_id=OTHER, time=after(days=1), magnitude=7.8, aoi=wide, place="Sea of Japan")
    assert (standing(world, OTHER), standing(world, EVENT)) == ("open", "open")
    shake(world, magnitude=7.4)
    assert standing(world) == f"linked to {OTHER}"
    assert series(world) == []
    assert [t.shock for t in watch_of(world, OTHER).later_times] == [SHOCK]
    world.send(Cancelled(event_id=OTHER, reason="deleted"), after(days=5))
    assert standing(world) == f"linked to {EVENT}"
    assert series(world) == [("w1", STRUCK)]


def test_foreshock_keeps_its_watch_and_both_say_so() -> None:
    world = World()
    world.announce(event_id=OTHER, time=after(hours=-8), magnitude=6.4, aoi=INNER, place="Suzu")
    world.announce()
    assert (standing(world, OTHER), standing(world, EVENT)) == ("open", "open")
    assert f"M 7.5 ({EVENT}) struck in this area" in said(world, OTHER)
    assert f"M 6.4 ({OTHER}) struck in this area" in said(world)


def test_aftershock_told_before_its_main_shock_ends_the_same() -> None:
    early, late = World(), World()
    late.announce()
    for world in (early, late):
        shake(world)
    early.announce()
    for world in (early, late):
        assert standing(world) == f"linked to {EVENT}"
    assert said(early) == said(late)
    assert said(early, SHOCK) == said(late, SHOCK)


def test_aftershock_with_composites_keeps_its_watch_when_its_main_shock_comes() -> None:
    world = World()
    world.history(A069, first_post=timedelta(days=1.4), post=2)
    shake(world)
    world.sweep(after(days=15))
    assert [c.event_id for c in world.exporter.started] == [SHOCK]
    world.announce(after(days=16))
    assert standing(world) == "open"
    assert "has a watch of its own: it was begun before it was known to belong here" in said(world)


def test_area_that_a_person_drew_takes_no_earthquake_in() -> None:
    world = World()
    world.send(Manual(event_id="quiet20240101", aoi=AOI, post_start=after(days=0)), after(hours=1))
    shake(world)
    assert standing(world) == "open"


def test_strong_aftershock_wakes_a_watch_that_had_ended() -> None:
    world = planned()
    for at in (after(days=13), after(days=14)):
        world.sweep(at)
        world.exporter.finish()
    world.detect(world.exporter.started[0], "final")
    world.sweep(after(days=27))
    assert watch_of(world, EVENT).standing is Standing.CLOSED
    struck = after(days=30)
    shake(world, struck + timedelta(hours=1), time=struck)
    assert standing(world, EVENT) == "closed"  # a weak one does not
    shake(world, struck + timedelta(hours=2), kind="revised", time=struck, magnitude=7.1)
    assert (standing(world, EVENT), series(world)) == ("open", [("w1", struck)])


def test_shocks_come_back_from_the_document_and_older_documents_are_read() -> None:
    world = planned()
    shake(world, magnitude=7.2)
    watch = watch_of(world, EVENT)
    assert len(watch.shocks) == len(watch.later_times) == 1
    assert read_watch(write_watch(watch)) == watch
    body = json.loads(write_watch(watch))
    body["version"] = 1
    body["later_times"] = [{name: time[name] for name in ("pre_end", "post_start")} for time in body["later_times"]]
    for name in ("shocks", "linked_to", "asked_at"):
        del body[name]
    older = read_watch(json.dumps(body).encode())
    assert [(t.number, t.shock) for t in older.later_times] == [(1, "")]
    assert shock_notices(older) == []


def test_watch_of_before_there_were_day_objects_takes_aftershocks_in() -> None:
    world = planned()
    for name in [name for name in world.state.objects if name.startswith(object_names.WATCH_DAYS)]:
        world.state.delete(name)
    shake(world)
    assert standing(world) == f"linked to {EVENT}"


def test_damaged_watch_does_not_hold_up_its_neighbours(caplog: pytest.LogCaptureFixture) -> None:
    world = planned()
    world.announce(event_id=OTHER, time=after(days=2), aoi=box(100, 10, 101, 11))
    name = object_names.watch(OTHER)
    world.state.replace(name, b"{}", "", world.state.objects[name].generation)
    shake(world)
    assert standing(world) == f"linked to {EVENT}"
    assert "damaged watch passed over" in caplog.text


def test_looks_and_plans_by_hand_leave_a_linked_event_alone() -> None:
    world = planned()
    shake(world)
    before = world.state.objects[object_names.watch(SHOCK, is_open=False)]
    world.send(WatchDue(event_id=SHOCK), after(days=6))
    assert world.state.objects[object_names.watch(SHOCK, is_open=False)] == before
    with pytest.raises(ImpossibleRequest, match=f"is linked to {EVENT}"):
        by_hand(
            SHOCK, A069, S60_12, series="", now=after(days=6), state=world.state, archive=world.archive,
            shard_px=256, data_notice="",
        )  # fmt: skip
    status = render_status(SHOCK, state=world.state, composites=world.composites, results=world.results)
    assert status["state"] == "linked"
