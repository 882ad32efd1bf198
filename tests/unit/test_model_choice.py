"""The ladder of models, and what names a run."""

from dataclasses import replace

import pytest

from quakeslide.domain.model_card import choice_of, ladder
from quakeslide.domain.sentinel1 import Polarisation
from quakeslide.errors import ModelMissing
from quakeslide.usecases.rescan import rescan
from quakeslide.usecases.run import choose_model, run_id
from tests.fakes_detector import Cards, MeanChangeModel, World, card_of, composite_of, rescan_of


class VvCards(Cards):
    def card(self, name, version):
        card = super().card(name, version)
        return card if name.startswith("vv_vh") else replace(card, bands=("postVV", "diffVV"))


@pytest.mark.parametrize(
    ("stage", "polarisation", "expected"),
    [
        ("60-12", Polarisation.VV, ["vv_descending_60_12"]),
        ("60-48", Polarisation.VV, ["vv_descending_60_48", "vv_descending_60_12"]),
        ("60-12", Polarisation.VV_VH, ["vv_vh_descending_60_12", "vv_descending_60_12"]),
        (
            "60-48",
            Polarisation.VV_VH,
            ["vv_vh_descending_60_48", "vv_vh_descending_60_12", "vv_descending_60_48", "vv_descending_60_12"],
        ),
    ],
)
def test_ladder_goes_from_stage_to_polarisation(stage, polarisation, expected):
    assert ladder(replace(composite_of(track="D012", stage=stage), polarisation=polarisation)) == expected


@pytest.mark.parametrize("served", [[0], [1], [2], [3], [1, 2], [0, 3], [2, 3]])
def test_the_first_served_model_judges_and_the_products_say_why(served):
    composite = composite_of(128, 128, stage="60-48")
    names = ladder(composite)
    card = choose_model(composite, MeanChangeModel(versions={names[place]: 1 for place in served}), VvCards())
    assert card.name == names[min(served)]
    choice = choice_of(composite, card.name)
    assert (choice.wanted, choice.used) == (names[0], card.name)
    assert choice.is_other_stage is (min(served) in (1, 3))
    assert choice.is_other_polarisation is (min(served) > 1)
    assert (choice.reason == "made for this composite") is (min(served) == 0)
    assert names[0] in choice.reason or min(served) == 0


def test_no_model_of_the_other_pass_stands_in():
    model = MeanChangeModel(versions={"vv_vh_ascending_60_12": 1, "vv_ascending_60_12": 1})
    with pytest.raises(ModelMissing, match=r"vv_vh_descending_60_12.*vv_descending_60_12"):
        choose_model(composite_of(track="D012"), model, Cards())
    descending = MeanChangeModel(versions={"vv_vh_descending_60_12": 1})
    assert choose_model(composite_of(track="D012"), descending, Cards()).name == "vv_vh_descending_60_12"


def test_a_model_of_vv_alone_judges_a_composite_of_both_and_says_so():
    composite, world = composite_of(128, 128), World()
    world.model.versions.clear()
    world.model.versions["vv_ascending_60_12"] = 3
    world.plan(composite)
    for shard in composite.shards():
        world.write(shard, composite)

    class TwoBands(MeanChangeModel):
        def score(self, tile, wanted, *, name, version):
            return super().score(tile[..., [0, 0, 1]], wanted, name=name, version=version)

    detector = replace(world.detector, cards=VvCards(), model=TwoBands(versions=world.model.versions))
    rescan(rescan_of(composite), detector)
    (name,) = [name for name in world.results.objects if name.startswith("detections/")]
    said = world.results.objects[name].data.decode()
    assert '"polarisation_mismatch":true' in said
    assert "no model vv_vh_ascending_60_12 served; vv alone stands in" in said


def test_run_is_named_by_event_and_shard_size_too():
    composite, card = composite_of(), card_of("vv_vh_ascending_60_12")
    others = [
        replace(composite, event_id="us7000same"),
        replace(composite, shard_px=512),
    ]
    assert {other.composite_id for other in others} == {composite.composite_id}
    names = {run_id(one, card, None) for one in (composite, *others)}
    names |= {run_id(composite, card, "again"), run_id(composite, card, None, 5.0)}
    assert len(names) == 5


def test_run_is_named_by_the_precision_of_its_model_too():
    composite, card = composite_of(), card_of("vv_vh_ascending_60_12")
    names = {run_id(composite, replace(card, precision=precision), None) for precision in ("float32", "bfloat16")}
    assert len(names) == 2  # the weights, and so their sha256, are the same


def test_run_of_a_model_in_float32_is_named_as_before_there_was_a_choice():
    card = card_of("vv_vh_ascending_60_12")
    assert (card.precision, card.identity) == ("float32", card.sha256)


def test_two_events_of_the_same_scenes_and_another_shard_size_do_not_disturb_each_other():
    world = World()
    for composite in (composite_of(), replace(composite_of(shard_px=512), event_id="us7000same")):
        world.plan(composite)
        for shard in composite.shards():
            world.write(shard, composite)
        rescan(rescan_of(composite), world.detector)
    products = [name for name in world.results.objects if name.startswith("detections/")]
    assert len({name.split("/")[1] for name in products}) == 2
