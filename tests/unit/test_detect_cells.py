import json
import random
from dataclasses import replace

import pytest

from quakeslide.errors import (
    LostRace,
    LyingManifest,
    ModelMissing,
    ModelUnavailable,
    StoreUnavailable,
    UnusableComposite,
    UnusableModelCard,
)
from quakeslide.usecases.detect_cells import detect_cells
from quakeslide.usecases.rescan import rescan
from tests.fakes import MemoryStore
from tests.fakes_detector import Cards, MeanChangeModel, World, card_of, composite_of, rescan_of


def judged(composite, order=None, world=None):
    """Deliver every shard's notification once, all shards being there."""
    world = world or World()
    world.plan(composite)
    messages = [world.write(shard, composite) for shard in composite.shards()]
    for message in order(messages) if order else messages:
        detect_cells(message, world.detector)
    return world


def plain(products):
    """Products with the run's id, which names the shard size too, left out."""
    (run,) = {json.loads(data)["run_id"] for name, data in products.items() if name.startswith("detections/")}
    return {name.replace(run, "RUN"): data.replace(run.encode(), b"RUN") for name, data in products.items()}


REFERENCE = plain(judged(composite_of(shard_px=2048)).products())


def of(products, prefix):
    (name,) = [name for name in products if name.startswith(prefix)]
    return json.loads(products[name])


def test_slides_are_found():
    assert 3 < len(of(REFERENCE, "detections/")["features"]) < 20


@pytest.mark.parametrize(("shard_px", "shards"), [(2048, 1), (512, 4), (256, 9)])
def test_cut_into_shards_changes_nothing(shard_px, shards):
    composite = composite_of(shard_px=shard_px)
    assert len(list(composite.shards())) == shards
    assert plain(judged(composite).products()) == REFERENCE


@pytest.mark.parametrize("seed", range(12))
def test_each_cell_is_scored_once_however_shards_arrive(seed):
    rng = random.Random(seed)
    composite, world = composite_of(shard_px=256), World()
    world.plan(composite)
    shards, waiting, delivered = list(composite.shards()), [], []
    rng.shuffle(shards)
    while shards or waiting:
        if shards and rng.random() < 0.5:
            waiting.append(world.write(shards.pop(), composite))
        elif waiting:
            message = waiting.pop(rng.randrange(len(waiting)))
            detect_cells(message, world.detector)
            delivered.append(message)
            if rng.random() < 0.4:
                waiting.append(message)
    boxes = [cell.pixels for cell in composite.cells()]
    assert sorted(world.pixels.reads) == sorted(boxes)
    assert plain(world.products()) == REFERENCE
    for message in delivered:
        detect_cells(message, world.detector)
    assert len(world.pixels.reads) == len(boxes)
    assert plain(world.products()) == REFERENCE


class FailingStore(MemoryStore):
    """Raises right after a write: the object is there, the function is not told."""

    allowed: int

    def replace(self, name, data, content_type, generation):
        done = super().replace(name, data, content_type, generation)
        self.allowed -= done
        if done and self.allowed == -1:
            raise StoreUnavailable(f"crashed after writing {name}")
        return done


@pytest.mark.parametrize("bucket", ["state", "results"])
def test_crash_after_any_write_then_redelivery_gives_the_same_products(bucket):
    composite, crashes = composite_of(shard_px=256), 0
    for allowed in range(40):
        store = FailingStore()
        store.allowed = allowed
        world = World(**{bucket: store})
        world.plan(composite)
        messages = [world.write(shard, composite) for shard in composite.shards()]
        has_crashed = False
        for message in messages:
            try:
                detect_cells(message, world.detector)
            except StoreUnavailable:
                has_crashed = True
                detect_cells(message, world.detector)
        assert plain(world.products()) == REFERENCE
        crashes += has_crashed
        if not has_crashed:
            break
    assert crashes >= (4 if bucket == "state" else 8)


def test_notified_geojson_is_written_last():
    world = judged(composite_of())
    assert world.results.writes[-1].startswith("detections/")
    assert [name for name in world.results.writes if name.startswith("detections/")] == world.results.writes[-1:]


def test_missing_manifest_is_tried_again():
    composite, world = composite_of(), World()
    message = world.write(next(composite.shards()), composite)
    with pytest.raises(LostRace, match="manifests/us6000m0xl/A069/60-12"):
        detect_cells(message, world.detector)


def test_manifest_of_another_composite_is_refused():
    composite, other, world = composite_of(), composite_of(height=608), World()
    world.plan(composite)
    message = world.write(next(other.shards()), other)
    (name,) = [name for name in world.composites.objects if name.startswith("manifests/")]
    wrong = name.replace(composite.composite_id, other.composite_id)
    world.composites.create(wrong, world.composites.objects[name].data, "application/json")
    with pytest.raises(LyingManifest, match=composite.composite_id):
        detect_cells(message, world.detector)


def test_stage_without_a_model_uses_the_first_one_and_says_so():
    composite, world = composite_of(stage="60-48", shard_px=2048), World()
    world = judged(composite, world=world)
    product = of(world.products(), "detections/")
    assert product["model"]["name"] == "vv_vh_ascending_60_12"
    assert product["stack_mismatch"] is True


def test_model_that_is_not_served_is_named():
    world = World()
    world.model.versions.clear()
    with pytest.raises(ModelMissing, match=r"vv_vh_ascending_60_48.*vv_vh_ascending_60_12"):
        judged(composite_of(stage="60-48"), world=world)
    assert not world.results.writes


def test_card_with_strange_bands_is_refused():
    class Odd(Cards):
        def card(self, name, version):
            return replace(card_of(name, version), bands=("postVV", "ratio"))

    composite, world = composite_of(), World()
    world.plan(composite)
    message = world.write(next(composite.shards()), composite)
    with pytest.raises(UnusableModelCard, match="ratio"):
        detect_cells(message, replace(world.detector, cards=Odd()))


def test_model_that_answers_no_numbers_is_tried_again():
    class Nan(MeanChangeModel):
        def score(self, tile, wanted, *, name, version):
            answer = super().score(tile, wanted, name=name, version=version)
            answer.scores[:] = float("nan")
            return answer

    world = World(model=Nan(versions=World().model.versions))
    with pytest.raises(ModelUnavailable, match="no numbers"):
        judged(composite_of(shard_px=2048), world=world)
    assert not world.state.writes


def test_linear_power_is_refused_by_name():
    composite, world = composite_of(shard_px=2048), World()
    world.plan(composite)
    world.pixels.images["A069", "60-12"][..., 0] = 0.05
    with pytest.raises(UnusableComposite, match=r"postVV.*linear power"):
        detect_cells(world.write(next(composite.shards()), composite), world.detector)
    assert not world.state.writes


def test_empty_composite_is_a_result_and_asks_no_model():
    composite, world = composite_of(shard_px=2048), World()
    world.plan(composite)
    world.pixels.images["A069", "60-12"][..., :4] = float("nan")
    detect_cells(world.write(next(composite.shards()), composite), world.detector)
    assert world.model.calls == []
    product = of(world.products(), "detections/")
    assert product["outcome"] == "could not look"
    assert of(world.products(), "latest/")["outcome"] == "could_not_look"


def test_cells_of_two_model_versions_are_never_merged():
    composite, world = composite_of(shard_px=256), World()
    world.plan(composite)
    messages = [world.write(shard, composite) for shard in composite.shards()]
    last = messages.pop()
    for message in messages:
        detect_cells(message, world.detector)
    world.model.versions["vv_vh_ascending_60_12"] = 2
    detect_cells(last, world.detector)
    assert not [name for name in world.results.writes if name.startswith("detections/")]
    rescan(rescan_of(composite), world.detector)
    assert of(world.products(), "detections/")["model"]["version"] == 2
