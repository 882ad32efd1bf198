from datetime import timedelta

import pytest
from shapely.geometry import box

from quakeslide.documents.ledger import LedgerEntry, read_entry, write_entry
from quakeslide.domain import object_names
from quakeslide.domain.watch import MESSAGES_KEPT, Standing
from quakeslide.errors import ImpossibleRequest, LostRace
from quakeslide.messages import Cancelled, Manual, Merged, WatchDue
from quakeslide.usecases.keep_watch import find_watch
from tests.fakes_exporter import A069, AOI, D046, EVENT, S60_24, T0, World, after

SMALL, OTHER = AOI.buffer(-0.02), AOI.buffer(0.02)
QUIET = "quiet20240101"
ENTRY = LedgerEntry(
    event_id=EVENT, source="usgs", ids=(EVENT,), state="announced", updated=T0, told=None, reasons=("new",)
)  # fmt: skip


def planned() -> World:
    """A world whose first composite is ordered, at three days."""
    world = World()
    world.history(A069, first_post=timedelta(days=1.4))
    world.announce()
    world.sweep(after(days=3))
    assert world.exporter.started
    return world


def test_announcement_opens_a_watch_and_looks_at_once() -> None:
    world = World()
    world.announce()
    watch = world.watch
    assert (watch.event_id, watch.t0, watch.magnitude, watch.aoi_source) == (EVENT, T0, 7.5, "radius")
    assert world.archive.asked == 1
    assert world.results.read(object_names.status(EVENT)) is not None


def test_revision_replaces_the_area_before_the_first_composite() -> None:
    world = World()
    world.announce()
    world.announce(after(hours=2), kind="revised", aoi=OTHER, aoi_source="shakemap", magnitude=7.6)
    assert (world.watch.aoi, world.watch.aoi_source, world.watch.magnitude) == (OTHER, "shakemap", 7.6)


def test_revision_after_the_first_composite_only_adds_area() -> None:
    world = planned()
    world.announce(after(days=4), kind="revised", aoi=SMALL, aoi_source="shakemap", magnitude=7.6)
    assert world.watch.aoi.equals(AOI)
    assert world.watch.magnitude == 7.6
    assert "the first area stays" in world.watch.notices[0]
    world.announce(after(days=5), kind="revised", aoi=OTHER, aoi_source="shakemap", magnitude=7.6)
    assert world.watch.aoi.equals(AOI)
    (growth,) = world.watch.growths
    assert growth.equals(OTHER.difference(AOI))
    assert "grew by 99 km2" in world.watch.notices[1]
    world.announce(after(days=6), kind="revised", aoi=OTHER.buffer(1e-4), aoi_source="shakemap", magnitude=7.6)
    assert len(world.watch.growths) == 1  # a rim of 10 m is no news


def test_origin_time_that_moves_by_seconds_makes_no_composite_anew() -> None:
    world = planned()
    before = world.watch.track_stages[0].orders
    world.announce(after(days=4), kind="revised", time=T0 + timedelta(seconds=2))
    world.elsewhere()
    world.sweep_until(after(days=13), after(days=14), every=timedelta(hours=6))
    assert [o.composite_id for o in world.watch.track_stages[0].orders] == [o.composite_id for o in before]


def test_older_announcement_that_comes_late_changes_nothing() -> None:
    world = World()
    world.announce(after(hours=2), kind="revised", magnitude=7.6)
    world.announce(after(minutes=20), magnitude=7.5)
    assert world.watch.magnitude == 7.6


def test_manual_area_replaces_the_events_own_and_stays() -> None:
    world = World()
    world.announce()
    world.send(Manual(event_id=EVENT, aoi=SMALL, stages=(S60_24,)), after(minutes=25))
    world.announce(after(hours=2), kind="revised", aoi=OTHER, aoi_source="shakemap")
    assert (world.watch.aoi, world.watch.aoi_source, world.watch.stages) == (SMALL, "manual", (S60_24,))


def test_manual_area_after_the_first_composite_only_adds() -> None:
    world = planned()
    world.send(Manual(event_id=EVENT, aoi=OTHER), after(days=4))
    assert world.watch.aoi.equals(AOI)
    assert world.watch.whole_area.equals(OTHER)
    assert world.watch.aoi_source == "manual"


def test_area_beyond_the_antimeridian_is_cut_there() -> None:
    world = World()
    world.send(Manual(event_id=QUIET, aoi=box(179.5, -17, 180.5, -16), post_start=T0), after(days=1))
    kept = find_watch(world.state, QUIET)
    assert kept is not None
    assert kept.watch.aoi.equals(box(179.5, -17, 180, -16).union(box(-180, -17, -179.5, -16)))


def test_manual_message_that_overtakes_the_announcement_comes_again() -> None:
    world = World()
    world.state.create(object_names.earthquake(EVENT), write_entry(ENTRY), "")
    with pytest.raises(LostRace, match="has not come in yet"):
        world.send(Manual(event_id=EVENT, aoi=SMALL), after(minutes=25), message_id="manual")
    world.announce()
    world.send(Manual(event_id=EVENT, aoi=SMALL), after(minutes=25), message_id="manual")
    assert world.watch.aoi == SMALL


def test_earthquake_that_the_rule_refused_may_be_asked_for() -> None:
    world = World()
    refused = LedgerEntry(
        event_id="us8",
        source="usgs",
        ids=("us8",),
        state="refused",
        updated=T0,
        told=None,
        reasons=("M 5.8 is under 6",),
    )
    world.state.create(object_names.earthquake("us8"), write_entry(refused), "application/json")
    world.send(Manual(event_id="us8", aoi=AOI, post_start=T0), after(days=1))
    kept = find_watch(world.state, "us8")
    assert kept is not None
    assert kept.watch.aoi_source == "manual"


def test_manual_event_gets_a_ledger_entry_and_a_watch() -> None:
    world = World()
    world.send(Manual(event_id=QUIET, aoi=SMALL, post_start=T0), after(days=1), message_id="manual")
    entry = world.state.read(object_names.earthquake(QUIET))
    assert entry is not None
    assert read_entry(entry.data).source == "manual"
    kept = find_watch(world.state, QUIET)
    assert kept is not None
    assert (kept.watch.t0, kept.watch.aoi_source) == (T0, "manual")


@pytest.mark.parametrize(
    ("fields", "missing"),
    [({}, "aoi and post_start"), ({"aoi": SMALL}, "post_start"), ({"post_start": T0}, "aoi")],
)
def test_manual_event_without_area_or_time_is_impossible(fields: dict[str, object], missing: str) -> None:
    world = World()
    with pytest.raises(ImpossibleRequest, match=f"must bring {missing}$"):
        world.send(Manual(event_id=QUIET, **fields), after(days=1))  # type: ignore[arg-type]
    assert world.state.objects == {}


def test_stacks_that_would_overlap_are_impossible() -> None:
    world = World()
    world.announce()
    with pytest.raises(ImpossibleRequest, match=r"pre_end .* lies after post_start"):
        world.send(Manual(event_id=EVENT, post_start=after(days=1), pre_end=after(days=2)), after(days=3))


def test_later_shock_moves_the_post_event_stack_only() -> None:
    world = World()
    world.announce()
    world.send(Manual(event_id=EVENT, post_start=after(days=3)), after(days=3, hours=1))
    assert (world.watch.post_begin, world.watch.pre_finish) == (after(days=3), T0)


def test_cancelled_before_announced_waits_for_the_announcement() -> None:
    world = World()
    world.send(Cancelled(event_id=EVENT, reason="deleted"), after(hours=1))  # in no ledger: nothing to end
    assert world.state.objects == {}
    world.state.create(object_names.earthquake(EVENT), write_entry(ENTRY), "")
    with pytest.raises(LostRace):
        world.send(Cancelled(event_id=EVENT, reason="deleted"), after(hours=1))


def test_cancelled_watch_is_reopened_by_a_newer_announcement_only() -> None:
    world = World()
    world.announce()
    world.send(Cancelled(event_id=EVENT, reason="below the threshold"), after(hours=1))
    assert world.watch.standing is Standing.CANCELLED
    world.announce(after(minutes=30), kind="revised")
    assert world.watch.standing is Standing.CANCELLED
    world.announce(after(hours=2), kind="revised", magnitude=6.4)
    assert world.watch.standing is Standing.OPEN
    assert [item.name for item in world.state.list("watches/")] == [object_names.watch(EVENT)]


def test_merged_event_goes_on_elsewhere() -> None:
    world = World()
    world.announce()
    world.send(Merged(event_id=EVENT, into="us7000abcd"), after(hours=1))
    assert (world.watch.standing, world.watch.reason) == (Standing.CANCELLED, "it goes on under us7000abcd")


def test_merged_event_hands_over_what_people_asked_for() -> None:
    world, into = World(), "us7000abcd"
    world.history(A069, first_post=timedelta(days=1.4))
    world.announce()
    world.send(Manual(event_id=EVENT, aoi=SMALL, tracks=(A069,)), after(hours=1))
    world.announce(after(hours=2), event_id=into)
    for _ in range(2):
        world.send(Merged(event_id=EVENT, into=into), after(days=3), message_id="merged")
    kept = find_watch(world.state, into)
    assert kept is not None
    assert (kept.watch.standing, kept.watch.aoi, kept.watch.tracks) == (Standing.OPEN, SMALL, (A069,))
    assert kept.watch.notices == (
        f"{EVENT} turned out to be the same earthquake; what was made for it stays under that id.",
    )
    assert [c.event_id for c in world.exporter.started] == [into]
    assert world.row()["text"] == f"cancelled: it goes on under {into}"


def test_event_merged_into_one_that_has_no_watch_goes_on_there_on_its_lattice() -> None:
    world, into = planned(), "us7000abcd"
    world.send(Merged(event_id=EVENT, into=into), after(days=4))
    kept = find_watch(world.state, into)
    assert kept is not None
    assert kept.watch.lattice == world.watch.lattice is not None
    assert [c.event_id for c in world.exporter.started] == [EVENT, into]


def test_same_message_takes_effect_once() -> None:
    world = planned()
    first = world.send(Manual(event_id=EVENT, force=True), after(days=4))
    rescans = world.rescans()
    world.send(Manual(event_id=EVENT, force=True), after(days=4), message_id=first)
    assert world.rescans() == rescans


def test_redelivered_request_does_not_undo_a_newer_one() -> None:
    world = World()
    world.announce()
    first = Manual(event_id=EVENT, tracks=(D046,))
    world.send(first, after(hours=1), message_id="first")
    world.send(Manual(event_id=EVENT, tracks=(A069,)), after(hours=2), message_id="second")
    world.send(first, after(hours=1), message_id="first")
    assert world.watch.tracks == (A069,)


def test_watch_remembers_a_hundred_messages() -> None:
    world = World()
    world.announce()
    for number in range(MESSAGES_KEPT + 5):
        world.send(WatchDue(event_id=EVENT), after(hours=1), message_id=f"x{number}")
    assert len(world.watch.messages) == MESSAGES_KEPT
    assert world.watch.messages[-1] == f"x{MESSAGES_KEPT + 4}"


def test_look_at_an_event_without_a_watch_does_nothing() -> None:
    world = World()
    world.send(WatchDue(event_id="us7000abcd"), after(hours=1))
    assert world.state.objects == {}
