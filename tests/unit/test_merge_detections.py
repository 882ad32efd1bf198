import itertools
import json

import pytest

from quakeslide.documents.cell import StoredCell, read_cell, write_cell
from quakeslide.documents.notes import PROBLEM, write_note
from quakeslide.errors import LostRace, MalformedMessage, StoreUnavailable
from quakeslide.messages import Envelope, Sweep
from quakeslide.usecases.detect_cells import detect_cells
from quakeslide.usecases.merge_detections import merge
from quakeslide.usecases.render_event import is_better, render_event, representatives
from quakeslide.usecases.rescan import detect, rescan
from quakeslide.usecases.run import start_run
from quakeslide.usecases.swap import swap
from tests.fakes import MemoryStore
from tests.fakes_detector import T0, World, composite_of, rescan_of

ENVELOPE = Envelope(message_id="1", publish_time=T0, topic="composite-shards", raw=b"")


def export(world, composite, seed=1):
    """Export a composite and deliver its notifications."""
    world.plan(composite, seed=seed)
    for message in [world.write(shard, composite) for shard in composite.shards()]:
        detect_cells(message, world.detector)


def document(world, prefix):
    (name,) = [name for name in world.results.objects if name.startswith(prefix)]
    return json.loads(world.results.objects[name].data)


def test_marker_and_rescan_promote_without_scoring_again():
    world, composite = World(), composite_of()
    export(world, composite)
    provisional, scored = world.products(), len(world.pixels.reads)
    assert document(world, "latest/")["finality"] == "provisional"
    world.finish(composite)
    rescan(rescan_of(composite), world.detector)
    assert len(world.pixels.reads) == scored
    assert document(world, "latest/")["finality"] == "final"
    kept = {name: data for name, data in world.products().items() if name.startswith(("detections/", "support/"))}
    assert {name for name in kept if "-provisional" in name} == {
        name for name in provisional if name.startswith(("detections/", "support/"))
    }
    assert all(kept[name] == provisional[name] for name in kept if name in provisional)


def test_pointer_never_goes_back_from_final():
    world, final = World(), composite_of()
    world.finish(final)
    export(world, final)
    pointer = document(world, "latest/")
    export(world, composite_of(post=("COPERNICUS/S1_GRD/POST9",)), seed=2)
    assert document(world, "latest/") == pointer
    assert len([name for name in world.results.objects if name.startswith("detections/")]) == 2


def test_pointer_prefers_the_larger_scene_set_and_the_newer_model():
    pointer = {"finality": "final", "composite_id": "a", "scenes": ["1", "2"], "model": "m", "version": 2}
    assert is_better(pointer, pointer | {"finality": "provisional"})
    assert not is_better(pointer | {"finality": "provisional"}, pointer)
    assert is_better(pointer, pointer | {"composite_id": "b", "scenes": ["1"]})
    assert not is_better(pointer, pointer | {"composite_id": "b", "scenes": ["1", "2", "3"]})
    assert not is_better(pointer, pointer | {"composite_id": "b", "scenes": ["3"]})
    assert is_better(pointer, pointer | {"version": 1})
    assert not is_better(pointer, pointer | {"version": 3})


def test_products_do_not_depend_on_which_track_came_first():
    composites = [composite_of(), composite_of(track="D012"), composite_of(stage="60-24")]
    outcomes = []
    for order in itertools.permutations(composites):
        world = World()
        for composite in order:
            world.finish(composite)
            export(world, composite, seed=len(str(composite.track)) + composite.stage.post_days)
        outcomes.append(world.products())
    assert all(outcome == outcomes[0] for outcome in outcomes)
    summary = json.loads(outcomes[0]["summary/us6000m0xl.geojson"])
    assert [(row["track"], row["stage"]) for row in summary["tracks"]] == [("A069", "60-24"), ("D012", "60-12")]


def test_track_is_represented_by_its_longest_final_stage_with_an_own_model():
    world = World()
    for stage, is_final in (("60-12", True), ("60-24", True), ("60-48", True), ("60-60", False)):
        composite = composite_of(stage=stage)
        if is_final:
            world.finish(composite)
        export(world, composite)
    assert [str(one.composite.stage) for one in representatives("us6000m0xl", world.detector)] == ["60-24"]
    del world.results.objects["latest/us6000m0xl/A069/60-24.json"]
    assert [str(one.composite.stage) for one in representatives("us6000m0xl", world.detector)] == ["60-12"]
    del world.results.objects["latest/us6000m0xl/A069/60-12.json"]
    assert [str(one.composite.stage) for one in representatives("us6000m0xl", world.detector)] == ["60-48"]


def test_rescan_scores_what_is_missing_and_goes_on_in_another_invocation():
    world, composite = World(), composite_of(height=1280, width=1280)
    world.plan(composite)
    for shard in composite.shards():
        world.write(shard, composite)
    rescan(rescan_of(composite), world.detector)
    assert len(world.pixels.reads) == 16
    ((topic, data, attributes),) = world.bus.published
    assert (topic, attributes["kind"]) == ("composite-shards", "rescan")
    assert json.loads(data)["composite_id"] == composite.composite_id
    assert not world.results.objects
    rescan(rescan_of(composite), world.detector)
    assert len(world.pixels.reads) == len(list(composite.cells())) == 25
    assert document(world, "detections/")["features"]


def test_rescan_with_a_nonce_is_a_run_of_its_own():
    world, composite = World(), composite_of()
    export(world, composite)
    scored = len(world.pixels.reads)
    rescan(rescan_of(composite, nonce="again"), world.detector)
    assert len(world.pixels.reads) == 2 * scored
    assert len([name for name in world.results.objects if name.startswith("detections/")]) == 2


def test_rescan_before_the_shards_are_there_waits_for_them():
    world, composite = World(), composite_of()
    world.plan(composite)
    world.write(next(composite.shards()), composite)
    rescan(rescan_of(composite), world.detector)
    assert not world.pixels.reads
    assert not world.results.objects


def test_rescan_restores_lost_products():
    world, composite = World(), composite_of()
    export(world, composite)
    complete = world.products()
    for name in list(world.results.objects):
        del world.results.objects[name]
    rescan(rescan_of(composite), world.detector)
    assert world.products() == complete


def test_merge_without_all_cells_is_refused():
    world, composite = World(), composite_of()
    export(world, composite)
    run = start_run(rescan_of(composite), world.detector)
    del world.state.objects[run.cell_name(next(composite.cells()))]
    with pytest.raises(LostRace, match=r"0-0.npz is missing"):
        merge(run, world.detector)


def test_other_messages_are_malformed():
    with pytest.raises(MalformedMessage, match="Sweep is not for composite-shards"):
        detect(Sweep(), ENVELOPE, World().detector)


def test_swap_renders_again_when_somebody_was_faster():
    class Contended(MemoryStore):
        rivals = 3

        def replace(self, name, data, content_type, generation):
            if self.rivals:
                self.rivals -= 1
                super().replace(name, b"rival", content_type, generation)
            return super().replace(name, data, content_type, generation)

    store, seen = Contended(), []

    def render(standing):
        seen.append(standing)
        return b"mine"

    swap(store, "a", render, "text/plain")
    assert store.objects["a"].data == b"mine"
    assert seen == [None, b"rival", b"rival", b"rival", b"mine"]
    store.rivals = 99
    with pytest.raises(LostRace, match="a changed 8 times"):
        swap(store, "a", lambda _: bytes([store.rivals]), "text/plain")


def test_what_stands_at_last_is_what_was_seen_last():
    store, stored = MemoryStore(), [b"later"]
    swap(store, "a", lambda _: stored[0], "text/plain")
    stored[0] = b"between"

    def render(_):
        seen = stored[0]
        if seen == b"between":  # meanwhile it changes back, and another finds nothing to write
            stored[0] = b"later"
            swap(store, "a", lambda _: stored[0], "text/plain")
        return seen

    swap(store, "a", render, "text/plain")
    assert store.objects["a"].data == b"later"


def test_page_says_what_the_status_says_though_another_rendered_between_them():
    class Interrupted(MemoryStore):
        meanwhile = None

        def read(self, name):
            if name.startswith("pages/") and self.meanwhile:
                meanwhile, self.meanwhile = self.meanwhile, None
                meanwhile()
            return super().read(name)

    world = World(results=Interrupted())
    export(world, composite_of())

    def another():
        problem = dict.fromkeys(("code", "text", "remedy"), "late news") | {"track": "-", "stage": "-"}
        data = write_note(PROBLEM, problem | {"event_id": "us6000m0xl", "since": T0.isoformat()})
        world.state.create("problems/us6000m0xl/-/-/late-1.json", data, "application/json")
        render_event("us6000m0xl", world.detector)

    world.results.meanwhile = another
    render_event("us6000m0xl", world.detector)
    _, _, status, _ = document(world, "pages/")
    assert status == document(world, "status/")
    assert status["problems"][0]["text"] == "late news"


def test_stored_cell_has_the_same_bytes_and_comes_back():
    world, composite = World(), composite_of()
    export(world, composite)
    run = start_run(rescan_of(composite), world.detector)
    cell = next(composite.cells())
    data = world.state.objects[run.cell_name(cell)].data
    stored = read_cell(data, cell, "x")
    assert write_cell(stored) == data
    assert set(stored.generations) == {shard.name for shard in composite.shards_of(cell)}
    other = list(composite.cells())[-1]
    with pytest.raises(StoreUnavailable, match="scores is"):
        read_cell(data, other, "x")
    with pytest.raises(StoreUnavailable, match="x is no stored cell"):
        read_cell(data[:100], cell, "x")
    assert write_cell(StoredCell(scores=stored.scores, generations={"other": 1})) != data
