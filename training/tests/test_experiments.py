"""The paper's experiments as data, and names that follow from their values."""

import dataclasses
from collections import Counter

import click
import pytest

from training.campaign.commands import list_command
from training.campaign.selection import choice_in, chosen, matching, part_of_runs
from training.experiments import (
    BANDS,
    WINDOWS,
    Experiment,
    appendix_models,
    paper_grid,
    paper_models,
    preset_runs,
    published_models,
)
from training.model_name import ModelName

NOTHING = {
    "preset": "demo",
    "grid": False,
    "models": (),
    "polarisation": None,
    "orbit_pass": None,
    "windows": None,
    "part": "1/1",
    "events": (),
}


def test_forty_models_of_the_paper_and_their_grid():
    models = paper_models()
    assert len({m.model_name for m in models}) == len({m.run_id("x") for m in models}) == len(models) == 40
    assert len({e.run_id("x") for e in paper_grid(models[0])}) == 24
    assert len({e.run_id("x") for e in preset_runs("paper")}) == 960
    assert len(WINDOWS) == 10
    assert BANDS == {"vv": ("postVV", "diffVV"), "vv_vh": ("postVV", "postVH", "diffVV", "diffVH")}


def test_grid_is_that_of_the_paper():
    runs = preset_runs("paper")
    assert Counter(r.filters for r in runs) == {32: 480, 64: 480}
    assert Counter(r.imbalance for r in runs) == {4: 320, 5: 320, 6: 320}
    assert Counter(r.dropout for r in runs) == {0.5: 480, 0.7: 480}
    assert Counter(r.learning_rate for r in runs) == {1e-4: 480, 1e-5: 480}
    assert {(r.epochs, r.patience, r.batch_size, r.batch_norm_momentum, r.standardise) for r in runs} == {
        (500, 30, 512, 0.99, False)
    }
    assert {(r.network, r.variant) for r in runs} == {
        ("cnn", "published")
    }  # the text's network is asked for by `--variant paper`


def test_published_models_are_those_of_table_4():
    rows = {(m.polarisation, m.orbit_pass): (m.imbalance, m.filters, m.dropout) for m in published_models()}
    assert rows == {
        ("vv_vh", "ASCENDING"): (6, 32, 0.7),
        ("vv_vh", "DESCENDING"): (5, 64, 0.5),
        ("vv", "ASCENDING"): (5, 64, 0.5),
        ("vv", "DESCENDING"): (5, 32, 0.7),
    }
    assert {(m.pre_days, m.post_days, m.learning_rate) for m in published_models()} == {(60, 12, 1e-3)}


def test_appendix_compares_three_networks_over_the_grid():
    assert Counter(m.network for m in appendix_models()) == {"cnn": 24, "cbam": 24, "resnet": 24}
    grid = {m.run_id("x") for m in preset_runs("paper")}
    assert all(m.run_id("x") in grid for m in appendix_models() if m.network == "cnn")  # trained once for both


def test_run_has_the_same_name_on_every_machine():
    experiment = Experiment(polarisation="vv_vh", orbit_pass="ASCENDING")
    assert experiment.model_name == "vv_vh_ascending_60_12"
    assert experiment.run_id("a set") == "vv_vh_ascending_60_12-422d67d25168"


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Experiment)])
def test_run_has_another_name_whenever_a_value_differs(field):
    experiment = Experiment(polarisation="vv_vh", orbit_pass="ASCENDING")
    others = {
        "polarisation": "vv", "orbit_pass": "DESCENDING", "network": "resnet", "variant": "paper", "split": "block",
        "standardise": False, "events": ("lombok",), "precision": "mixed_float16",
    }  # fmt: skip
    other = others.get(field, getattr(experiment, field) + 1 if field not in others else None)
    assert dataclasses.replace(experiment, **{field: other}).run_id("x") != experiment.run_id("x")


def test_run_has_another_name_for_other_data_and_another_protocol(monkeypatch):
    experiment = Experiment(polarisation="vv_vh", orbit_pass="ASCENDING")
    name = experiment.run_id("x")
    assert experiment.run_id("y") != name
    monkeypatch.setattr("training.experiments.PROTOCOL", 0)
    assert experiment.run_id("x") != name


def test_parts_of_the_grid_are_disjoint_and_complete():
    runs = preset_runs("paper")
    parts = [part_of_runs(runs, part, 7) for part in range(1, 8)]
    assert sorted(run.run_id("x") for part in parts for run in part) == sorted(run.run_id("x") for run in runs)
    for wrong in (0, 8):
        with pytest.raises(ValueError, match="numbered from 1"):
            part_of_runs(runs, wrong, 7)


def test_names_of_models_are_read_as_they_are_written():
    for model in paper_models():
        name = ModelName.parse(model.model_name)
        assert dataclasses.asdict(name).items() <= dataclasses.asdict(model).items()
        assert str(name) == model.model_name


NO_NAMES = (
    "",
    "vv_vh_ascending_60",
    "hh_ascending_60_12",
    "vv_ASCENDING_60_12",
    "vv_ascending_0_12",
    "vv_ascending_60_12_",
)


@pytest.mark.parametrize("text", NO_NAMES)
def test_what_is_no_name_of_a_model_is_refused(text):
    with pytest.raises(ValueError, match="no name of a model, such as"):
        ModelName.parse(text)


def test_models_are_chosen_by_name():
    assert len(matching(preset_runs("paper"), ["vv_vh_*_60_12", "vv_ascending_12_12"])) == 72
    with pytest.raises(ValueError, match="hh_"):
        matching(preset_runs("paper"), ["hh_*"])


def test_options_choose_and_change():
    assert [m.model_name for m in chosen(**NOTHING)] == ["vv_vh_ascending_60_12", "vv_vh_descending_60_12"]
    one = chosen(
        **{**NOTHING, "orbit_pass": "descending", "windows": "12-12"}, epochs=3, filters=None, standardise=False
    )
    assert [(m.model_name, m.epochs, m.filters, m.standardise) for m in one] == [
        ("vv_vh_descending_12_12", 3, 32, False)
    ]
    assert len(chosen(**{**NOTHING, "grid": True})) == 960
    assert len(chosen(**{**NOTHING, "grid": True, "part": "2/4"})) == 240
    assert chosen(**{**NOTHING, "events": ("b", "a")})[0].events == ("a", "b")
    assert (
        len(chosen(**{**NOTHING, "grid": True, "models": ("vv_ascending_60_12",)}, filters=8)) == 12
    )  # two became one


def test_seeds_and_variants_are_trainings_of_their_own():
    runs = chosen(**NOTHING, seeds=(0, 1, 2), variants=("published", "paper"))
    assert [(run.variant, run.seed) for run in runs[::2]] == [
        (variant, seed) for variant in ("published", "paper") for seed in (0, 1, 2)
    ]
    assert {run.model_name for run in runs} == {"vv_vh_ascending_60_12", "vv_vh_descending_60_12"}
    assert len({run.run_id("x") for run in runs}) == len(runs) == 12
    assert chosen(**NOTHING, seeds=(0,), variants=("published",)) == chosen(**NOTHING) == runs[:2]
    parts = [chosen(**{**NOTHING, "part": f"{number}/4"}, seeds=(0, 0, 1)) for number in range(1, 5)]
    assert [len(part) for part in parts] == [1, 1, 1, 1]
    assert len({run for part in parts for run in part}) == 4


def test_a_variant_that_the_network_ignores_makes_no_second_training():
    runs = chosen(**{**NOTHING, "preset": "appendix"}, variants=("paper", "published"))
    found = Counter((run.network, run.variant) for run in runs)
    assert found == {
        ("cnn", "paper"): 24, ("cnn", "published"): 24, ("cbam", "published"): 24, ("resnet", "published"): 24
    }  # fmt: skip
    assert {run.variant for run in chosen(**NOTHING, network="resnet", variants=("paper",))} == {"published"}


def test_command_line_takes_several_seeds_and_variants():
    text = "--models vv*_60_12 --seed 0 --seed 2 --variant paper --variant published --epochs 4"
    runs = chosen(**choice_in(list_command.make_context("list", text.split()).params))
    assert len(runs) == 16
    assert {(run.variant, run.seed, run.epochs) for run in runs} == {
        (variant, seed, 4) for variant in ("paper", "published") for seed in (0, 2)
    }


@pytest.mark.parametrize("wrong", [{"part": "5/4"}, {"part": "x"}, {"models": ("hh",)}])
def test_options_that_mean_nothing_are_refused(wrong):
    with pytest.raises(click.UsageError):
        chosen(**{**NOTHING, **wrong})
