from dataclasses import replace
from datetime import timedelta

from quakeslide.documents.watch import read_watch, write_watch
from quakeslide.domain.orders import Step, TrackStage
from quakeslide.domain.readiness import Readiness
from quakeslide.domain.watch import Force, Standing
from quakeslide.usecases.keep_watch import file_away, find_watch, save_watch
from tests.fakes_exporter import A069, EVENT, S60_12, World, after

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
    world.state.replace(f"watches/open/{EVENT}.json", write_watch(ended), "", kept.generation)
    world.sweep(after(hours=1))
    assert [item.name for item in world.state.list("watches/")] == [f"watches/closed/{EVENT}.json"]
    file_away(world.state, ended)
    assert world.watch == ended


def test_reopened_watch_outranks_its_former_end() -> None:
    world = World()
    world.announce()
    kept = find_watch(world.state, EVENT)
    assert kept is not None
    ended = save_watch(world.state, replace(kept.watch, standing=Standing.CLOSED), kept.generation)
    reopened = replace(ended.watch, standing=Standing.OPEN, revision=ended.watch.revision + 1)
    world.state.create(
        f"watches/open/{EVENT}.json", write_watch(reopened), ""
    )  # crashed before the closed one was deleted
    assert world.watch == reopened
    assert ITEM.orders == ()
    assert Step.DONE.value == "done"
