from dataclasses import replace
from datetime import timedelta

import pytest

from quakeslide.documents.watch import read_watch, write_watch
from quakeslide.domain.orders import TrackStage
from quakeslide.domain.readiness import Readiness
from quakeslide.domain.watch import Force, Standing
from quakeslide.errors import LostRace
from quakeslide.usecases.keep_watch import Kept, file_away, find_watch, save_watch
from tests.fakes_exporter import A069, EVENT, S60_12, Crash, World, after

ITEM = TrackStage(
    track=A069, stage=S60_12, readiness=Readiness.FINAL, coverage=1.0, share=1.0, n_pre=5, n_post=1, post_until=after(days=12)
)  # fmt: skip


def test_document_holds_the_whole_watch() -> None:
    world = World()
    world.history(A069, first_post=timedelta(days=1.4))
    world.announce()
    world.sweep_until(after(days=2), after(days=3))
    watch = replace(world.watch, forces=(Force(nonce="m", composite_ids=("0123456789ab",)),), tracks=(A069,))
    assert watch.has_orders
    assert read_watch(write_watch(watch)) == watch


def test_provisional_composite_is_made_once() -> None:
    item = ITEM.with_composite("a" * 12, 6, is_final=False)
    assert item.with_composite("b" * 12, 7, is_final=False) == item


def test_same_scenes_are_promoted() -> None:
    item = ITEM.with_composite("a" * 12, 6, is_final=False).with_composite("a" * 12, 6, is_final=True)
    assert [(o.composite_id, o.is_final) for o in item.orders] == [("a" * 12, True)]


def test_fewer_scenes_than_the_final_ones_are_no_news() -> None:
    item = ITEM.with_composite("a" * 12, 6, is_final=True)
    assert item.with_composite("b" * 12, 5, is_final=True) == item
    assert len(item.with_composite("c" * 12, 7, is_final=True).orders) == 2


def test_end_cut_short_is_finished_by_the_next_look() -> None:
    world = World()
    world.announce()
    kept = find_watch(world.state, EVENT)
    assert kept is not None
    ended = replace(kept.watch, standing=Standing.CLOSED)
    world.state.replace(kept.name, write_watch(ended), "", kept.generation)
    world.sweep(after(hours=1))
    assert [item.name for item in world.state.list("watches/")] == [f"watches/closed/{EVENT}.json"]
    again = find_watch(world.state, EVENT)
    assert again is not None
    assert file_away(world.state, again) == again
    assert world.watch == ended


def ended(world: World) -> Kept:
    """The watch of a world, ended and filed away."""
    world.announce()
    kept = find_watch(world.state, EVENT)
    assert kept is not None
    return save_watch(world.state, replace(kept.watch, standing=Standing.CLOSED), kept)


def test_reopened_watch_outranks_its_former_end() -> None:
    world = World()
    former = ended(world).watch
    reopened = replace(former, standing=Standing.OPEN, revision=former.revision + 1)
    world.state.create(
        f"watches/open/{EVENT}.json", write_watch(reopened), ""
    )  # crashed before the closed one was deleted
    assert world.watch == reopened


def test_of_two_changes_of_an_ended_watch_one_is_lost_and_says_so() -> None:
    world = World()
    read = ended(world)
    assert (read.name, read.watch.standing) == (f"watches/closed/{EVENT}.json", Standing.CLOSED)
    save_watch(world.state, read.watch.noting("first"), read)
    for second in (read.watch.noting("second"), replace(read.watch, standing=Standing.OPEN)):
        with pytest.raises(LostRace, match="changed by another delivery"):
            save_watch(world.state, second, read)
    assert world.watch.notices == ("first",)


@pytest.mark.parametrize("standing", [Standing.OPEN, Standing.CLOSED])
def test_move_cut_short_anywhere_is_finished_and_loses_nothing(standing: Standing) -> None:
    step = 0
    while True:
        step += 1
        world = World()
        read = ended(world)
        if standing is Standing.CLOSED:
            read = save_watch(world.state, replace(read.watch, standing=Standing.OPEN), read)
        world.fuse.left = step
        try:
            save_watch(world.using.state, replace(read.watch, standing=standing), read)
        except Crash:
            found = find_watch(world.state, EVENT)
            assert found is not None
            assert found.watch.standing is standing, f"crash after step {step}"
            save_watch(world.using.state, found.watch.noting("went on"), found)
        else:
            break
        place = "open" if standing is Standing.OPEN else "closed"
        assert [item.name for item in world.state.list("watches/")] == [f"watches/{place}/{EVENT}.json"]
        assert world.watch.notices == ("went on",)
    assert step == 4  # swap, copy, delete
