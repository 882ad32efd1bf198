"""The baseline against known answers; the paper's experiments; what the demo models' cards say."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from quakeslide.documents.card import read_card as read_served_card
from training.__main__ import main
from training.dataset import Dataset, Sample, UnusableDataset
from training.evaluation import evaluate_command
from training.evaluation.baseline import Baseline, _best_density, fit_baseline, scene_shifts
from training.evaluation.calibration import calibration_error, fit_calibrations, for_card
from training.evaluation.curves import precision_recall, reliability
from training.evaluation.evaluate import evaluate, predict
from training.evaluation.evaluate_command import as_trained, rescored
from training.evaluation.limits import IMPORTED, where_the_baseline_wins
from training.evaluation.runs import read_runs
from training.evaluation.scores import best_threshold, count
from training.experiments import BANDS, Experiment
from training.fitting.constants import constants_of
from training.model_folder import load_model, read_card
from training.simulator.events import EVENTS
from training.tests import legacy_file
from training.tests.easy_patches import write_easy_set
from training.tests.formula_weights import formula_weights
from training.weights.importing import import_weights

MODELS = Path(__file__).parents[2] / "serving" / "models"


def sample(patches, label, bands=(0, 1, 2, 3), scene=None):
    n = len(label)
    return Sample(
        patches=patches.astype(np.float16),
        bands=bands,
        index=np.arange(n),
        label=np.asarray(label, np.float32),
        scene=np.arange(n) if scene is None else scene,
        event=np.array(["x"] * n),
    )


def test_baseline_finds_patches_that_change():
    rng = np.random.default_rng(0)
    patches = rng.normal(0, 0.5, (60, 64, 64, 4)).astype(np.float32)
    label = np.arange(60) % 3 == 0
    patches[label, 20:40, 20:40, 3] -= 3
    chosen = sample(patches, label)
    rule = fit_baseline(chosen)
    assert rule.band == "diffVH"
    assert count(rule.predict(chosen), chosen.label, 0.5).f1 == 1


def test_baseline_scores_the_share_that_changes_beside_what_the_scene_has_in_common():
    patches = np.zeros((4, 64, 64, 4), np.float32)
    patches[0, :32, :, 2] = 4
    patches[..., 2] += np.float32([1.5, 1.5, 1.5, -9])[:, None, None]  # rain on one scene, drought on another
    chosen = sample(patches, [1, 0, 0, 0], bands=(0, 2), scene=np.array([7, 7, 7, 8]))
    rule = Baseline(band="diffVV", smoothing_px=1.0, change_db=2.0, density=0.5)
    assert rule.predict(chosen) == pytest.approx([0.5, 0, 0, 0], abs=0.01)


def test_pixels_without_a_value_have_not_changed():
    """Rain shifted the scene; where nothing was seen, it did not dry up."""
    patches = np.zeros((5, 64, 64, 4), np.float32)
    patches[..., 2] = 3.9
    patches[0, :16, :, 2] = 8
    patches[2:4, :, :30, 2] = np.nan
    patches[4, :, :, 2] = np.nan
    chosen = sample(patches, [1, 0, 0, 0, 0], scene=np.array([7, 7, 7, 7, 9]))
    rule = Baseline(band="diffVV", smoothing_px=1.0, change_db=2.0, density=0.1)
    scores = rule.predict(chosen)
    assert scores[0] > 0.6
    assert scores[1:].tolist() == [0, 0, 0, 0]
    assert fit_baseline(chosen.only(np.arange(5) < 4)).band == "diffVV"


def test_rule_with_density_zero_scores_a_calm_patch_with_zero():
    rule = Baseline(band="diffVV", smoothing_px=1.0, change_db=2.0, density=0.0)
    patches = np.zeros((2, 64, 64, 4), np.float32)
    patches[0, :9, :9, 2] = 9
    assert rule.predict(sample(patches, [1, 0])).tolist() == [1, 0]


@pytest.mark.parametrize("orbit_pass", ["ascending", "descending"])
@pytest.mark.parametrize("polarisation", ["vv", "vv_vh"])
def test_demo_model_in_the_tree_says_what_it_is(polarisation, orbit_pass):
    folder = MODELS / f"{polarisation}_{orbit_pass}_60_12"
    card = read_card(folder)
    assert card["name"] == folder.name
    assert card["bands"] == list(BANDS[polarisation])
    assert (card["filters"], card["variant"], card["threshold"], card["version"]) == (32, "published", 0.6, 1)
    assert {EVENTS[name].role for name in card["training"]["events"]} == {"train"}
    assert "not fit for operations" in card["data_notice"]
    assert card["evaluation"]["data"] == "simulated"
    assert card["evaluation"]["where_the_baseline_wins"] == where_the_baseline_wins(card["evaluation"])
    assert any("simulated" in limit for limit in card["limits"])
    for part in ("test", "unseen_sumatra", "unseen_haiti"):
        assert 0 < card["evaluation"][part]["background_per_landslide"] <= 10
    assert card["calibration"]["fitted_on"] == "validation"
    if orbit_pass == "ascending":
        quiet = card["quiet_series"]
        low, high = quiet["interval_95_of_share_if_independent"]
        assert low < quiet["alarms"] / quiet["windows"] < high
    else:
        assert any("quiet series is ascending" in limit for limit in card["limits"])
    assert 0 < card["evaluation"]["test"]["f1"] < 1
    assert (folder / "weights.npz").stat().st_size < 3.4e6


def test_where_the_baseline_wins_is_said_by_part_and_event():
    scored = {"f1": 0.5, "baseline": {"f1": 0.6}, "events": {"papua": {"f1": 0.4, "baseline": {"f1": 0.3}}}}
    scored["subthreshold_as_background"] = {"f1": 0.4, "baseline": {"f1": 0.41}}
    small = {"f1": 0.3, "baseline": {"f1": 0.3}}
    worse = {
        **scored,
        "subthreshold_as_background": small,
        "baseline": {"f1": 0.5},
        "events": {"lombok": {"f1": 0.1, "baseline": {"f1": 0.25}}},
    }
    evaluation = {"threshold": 0.6, "validation": {"f1": 0.1}, "test": scored, "unseen_haiti": worse}
    assert where_the_baseline_wins(evaluation) == [
        "test: F1 of the baseline 0.600, of the network at 0.6 0.500",
        "test, below 5 % as background: F1 of the baseline 0.410, of the network at 0.6 0.400",
        "unseen_haiti, lombok: F1 of the baseline 0.250, of the network at 0.6 0.100",
    ]


def test_demo_model_can_be_scored_again_on_any_patch_set(tmp_path):
    write_easy_set(tmp_path / "60-12", cells=(8, 8))
    model = str(MODELS / "vv_vh_ascending_60_12")
    result = CliRunner().invoke(main, ["evaluate", model, "--data", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert {"test", "unseen_haiti"} <= set(json.loads(result.output)["evaluation"])
    here = Dataset(tmp_path / "60-12").select("test", "ASCENDING", events=("hokkaido", "papua"))
    assert json.loads(result.output)["evaluation"]["test"]["patches"] == len(here)
    refused = CliRunner().invoke(main, ["evaluate", model, "--data", str(tmp_path / "nowhere")])
    assert refused.exit_code == 1
    assert "holds no finished data set" in refused.output


def test_model_is_scored_again_on_the_events_it_learnt_from(tmp_path):
    """The set holds one more event, and lacks most."""
    write_easy_set(tmp_path / "set" / "60-12", events=("hokkaido", "lombok"), cells=(8, 8))
    model = tmp_path / "vv_vh_ascending_60_12"
    shutil.copytree(MODELS / model.name, model)
    card = json.loads((model / "card.json").read_text())
    card["training"]["events"] = ["lombok", "papua"]
    card["scored_on"] = {"kind": "easy"}
    (model / "card.json").write_text(json.dumps(card))
    result = CliRunner().invoke(main, ["evaluate", str(model), "--data", str(tmp_path / "set")])
    assert result.exit_code == 0, result.output
    only = Dataset(tmp_path / "set" / "60-12").select("test", "ASCENDING", events=("lombok",))
    assert json.loads(result.output)["evaluation"]["test"]["patches"] == len(only)


def test_set_without_any_event_of_the_model_is_refused(tmp_path):
    """It would be scored on ground of which nobody knows whether it was learnt."""
    write_easy_set(tmp_path / "60-12", events=("practice",), cells=(8, 8))
    result = CliRunner().invoke(main, ["evaluate", str(MODELS / "vv_vh_ascending_60_12"), "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert "holds none of the events that vv_vh_ascending_60_12 learnt from (hokkaido, lombok" in result.output
    assert "it holds practice" in result.output


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"pixel_geometry": "epsg4326_10m"}, "other cells"),
        ({"scored_on": {"kind": "arrays", "cells": "numbered"}}, "other cells"),
        ({"training": {"events": ["hokkaido"], "split": "block"}}, "earlier release"),
    ],
)
def test_model_whose_own_patches_cannot_be_told_is_not_scored_again(tmp_path, changed, said):
    write_easy_set(tmp_path / "60-12", events=("hokkaido",), cells=(8, 8))
    model = tmp_path / "vv_vh_ascending_60_12"
    shutil.copytree(MODELS / model.name, model)
    card = json.loads((model / "card.json").read_text())
    (model / "card.json").write_text(json.dumps({**card, **changed}))
    result = CliRunner().invoke(main, ["evaluate", str(model), "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert said in result.output


def test_numbered_cells_are_the_same_in_their_own_set_alone(tmp_path):
    write_easy_set(tmp_path / "60-12", events=("hokkaido",), cells=(8, 8))
    document = json.loads((tmp_path / "60-12" / "set.json").read_text())
    document["source"]["cells"] = "numbered"
    (tmp_path / "60-12" / "set.json").write_text(json.dumps(document))
    dataset = Dataset(tmp_path / "60-12")
    card = read_card(MODELS / "vv_vh_ascending_60_12")
    card["scored_on"] = {"kind": "arrays", "cells": "numbered"}
    card["training"] |= {"events": ["hokkaido"], "patch_set": dataset.identity}
    assert as_trained(card, dataset).events == ("hokkaido",)
    card["training"]["patch_set"] = "another"
    said = f"learnt from set another, this is {dataset.identity[:12]}"
    with pytest.raises(UnusableDataset, match=said):
        as_trained(card, dataset)


def test_part_of_one_kind_is_said_not_thrown(tmp_path):
    write_easy_set(tmp_path / "60-12", events=("hokkaido",), cells=(1, 3))
    result = CliRunner().invoke(main, ["evaluate", str(MODELS / "vv_vh_ascending_60_12"), "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")


def test_imported_weights_are_scored_calibrated_and_listed(tmp_path):
    write_easy_set(tmp_path / "60-12", events=("hokkaido", "papua", "haiti"), cells=(10, 10))
    file = legacy_file.write(tmp_path / "w.hdf5", formula_weights())
    folder, _ = import_weights(file, tmp_path / "models", variant="published", name="vv_vh_ascending_60_12")
    alike = ["evaluate", str(folder), "--data", str(tmp_path), "--write"]
    assert CliRunner().invoke(main, alike).exit_code == 0
    card = read_card(folder)
    assert card["calibration"] is None  # who knows whether these patches were learnt from
    assert card["limits"] == [IMPORTED]
    arguments = [*alike, "--learnt-elsewhere"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    card = read_card(folder)
    assert card["imported"]
    assert card["limits"] == []
    dataset = Dataset(tmp_path / "60-12")
    assert card["scored_on"] == {"identity": dataset.identity, **dataset.source}
    sample = dataset.filled_with(card["fill_db"]).select("validation", "ASCENDING", ratio=5)
    fitted = fit_calibrations(predict(load_model(folder), sample), sample.label)
    assert card["calibration"] == for_card(fitted)
    assert card["evaluation"]["test"]["patches"] == len(dataset.select("test", "ASCENDING"))
    rule = fit_baseline(dataset.filled_with(card["fill_db"]).select("train", "ASCENDING", ratio=5))
    assert card["evaluation"]["baseline_rule"] == rule.as_dict()
    assert read_served_card((folder / "card.json").read_bytes(), "card").name == "vv_vh_ascending_60_12"
    (run,) = read_runs([tmp_path / "models"])
    assert (run.experiment.filters, run.learnt_from) == (2, frozenset())
    once = (folder / "card.json").read_bytes()
    assert CliRunner().invoke(main, arguments).exit_code == 0
    assert (folder / "card.json").read_bytes() == once
    write_easy_set(tmp_path / "b" / "60-12", events=("papua",), cells=(12, 12), seed=5)
    assert CliRunner().invoke(main, ["evaluate", str(folder), "--data", str(tmp_path / "b"), "--write"]).exit_code == 0
    other = Dataset(tmp_path / "b" / "60-12").filled_with(card["fill_db"])
    rule = fit_baseline(other.select("train", "ASCENDING", ratio=5))
    assert read_card(folder)["evaluation"]["baseline_rule"] == rule.as_dict()


def test_weights_that_others_trained_are_calibrated_by_real_patches_that_they_have_not_learnt():
    judged = {"calibration": {"method": "platt"}, "scored_on": {}, "evaluation": {}}
    simulated, real = (SimpleNamespace(source={"kind": kind}) for kind in ("simulated", "rasters"))
    imported = {"imported": {"released": False}}
    for patches, learnt_elsewhere in ((simulated, False), (simulated, True), (real, False)):
        assert rescored(imported, judged, patches, learnt_elsewhere=learnt_elsewhere)["calibration"] is None
    assert rescored(imported, judged, real, learnt_elsewhere=True)["calibration"] == {"method": "platt"}
    assert "Sumatra" in str(rescored({"imported": {"released": True}}, judged, real)["limits"])


def test_a_model_of_simulated_scenes_says_so_wherever_it_is_scored():
    judged = {"calibration": {"method": "platt"}, "scored_on": {}, "evaluation": {"data": "rasters"}}
    simulated, real = (SimpleNamespace(source={"kind": kind}) for kind in ("simulated", "rasters"))
    own = read_card(MODELS / "vv_descending_60_12")
    again = rescored({**own, "limits": []}, judged, simulated)
    assert (again["calibration"], again["limits"]) == ({"method": "platt"}, own["limits"])
    twice = rescored(rescored(own, judged, real), judged, real)["limits"]
    assert "learnt from simulated scenes, from nothing real" in twice
    assert not any("scored on" in limit for limit in twice)


def contrast(batch, *, training):
    """A detector by hand: how much darker in VH the middle of a patch became than its rim."""
    change = batch[..., 3]
    darker = change[:, :8].mean(axis=(1, 2)) - change[:, 16:40, 16:40].mean(axis=(1, 2))
    return (1 / (1 + np.exp(-2 * (darker - 2))))[:, None]


def test_evaluation_judges_on_the_split_that_was_trained_on(tmp_path):
    """A block-wise training has seen cells that the cell-wise split calls test."""
    events = ("hokkaido", "papua", "lombok", "milin", "luding", "haiti")
    write_easy_set(tmp_path / "set", events=events, cells=(16, 16))
    dataset = Dataset(tmp_path / "set")
    for split, only in (("cell", ()), ("block", ()), ("cell", ("papua",))):
        experiment = Experiment(polarisation="vv_vh", orbit_pass="ASCENDING", split=split, events=only, imbalance=2)
        rule = Baseline(band="diffVH", smoothing_px=1.0, change_db=2.0, density=0.1)
        judged = evaluate(contrast, dataset, experiment, rule)["evaluation"]
        test = dataset.select("test", "ASCENDING", split=split, events=only)
        assert judged["test"]["patches"] == len(test)
        assert judged["test"]["counts"]["true_positives"] == test.label.sum()
        assert set(judged["test"].get("events", {})) == (set() if only else set(test.event))
        assert judged["unseen_haiti"]["f1"] == judged["unseen_haiti"]["baseline"]["f1"] == 1
        as_tested = dataset.select("validation", "ASCENDING", split=split, events=only)
        assert judged["validation_as_tested"]["patches"] == len(as_tested) > judged["validation"]["patches"]
        assert judged["data"] == "easy"


def test_constants_and_baseline_are_of_the_whole_sample_not_of_its_first_patches(monkeypatch):
    monkeypatch.setattr("training.fitting.constants.MOST_PATCHES", 2)
    patches = np.zeros((8, 64, 64, 4), np.float32)
    patches[4:, ..., 0] = -10
    patches[:6, :4, :, 2] = patches[6:, :24, :, 2] = 4
    chosen = sample(patches, [0] * 6 + [1] * 2)
    assert constants_of(chosen)[0][0] == -5
    assert fit_baseline(chosen, at_most=4).predict(chosen).round().tolist() == [0] * 6 + [1] * 2


def test_a_scene_has_the_median_shift_of_its_patches():
    """A slide over two fifths of a patch, and one patch of five, do not shift a scene."""
    patches = np.full((5, 64, 64, 4), 1.5, np.float32)
    patches[0] = 9
    patches[1:, :24] = 9
    assert scene_shifts(sample(patches, [0] * 5, scene=np.zeros(5, int)), 2).tolist() == [1.5] * 5


def test_a_rule_that_claims_every_patch_claims_the_last_one():
    density, f1 = _best_density(np.array([0.5, 0.2]), np.array([True, True]))
    assert (density, f1) == (0.1, 1)


def unsure(batch, *, training):
    """A detector by hand that is too sure of itself: how much darker the middle became than the rim, and noise of each patch's own."""
    change = batch[..., 3]
    darker = change[:, :8].mean(axis=(1, 2)) - change[:, 16:40, 16:40].mean(axis=(1, 2)) + 4 * change[:, 0, 0]
    return (1 / (1 + np.exp(-2 * (darker - 1))))[:, None]


def test_everything_that_is_said_of_a_part_follows_from_its_scores(tmp_path):
    write_easy_set(tmp_path / "set", events=("hokkaido", "papua", "haiti"))
    rows = np.load(tmp_path / "set" / "ascending-00000.index.npy")
    rows["label"][1::8] = 2  # half of the background next to landslides: below 5 %
    np.save(tmp_path / "set" / "ascending-00000.index.npy", rows)
    dataset, rule = Dataset(tmp_path / "set"), Baseline(band="diffVH", smoothing_px=1.0, change_db=2.0, density=0.1)
    judged = evaluate(unsure, dataset, Experiment(polarisation="vv_vh", orbit_pass="ASCENDING"), rule)
    found = judged["evaluation"]["test"]
    validation, test = (dataset.select(part, "ASCENDING", ratio=5) for part in ("validation", "test"))
    known, score, base = predict(unsure, validation), predict(unsure, test), rule.predict(test)

    def f1(values, sample, at):
        return count(values, sample.label, at).rounded()["f1"]

    best = judged["evaluation"]["validation_threshold"]
    assert best == best_threshold(known, validation.label) != 0.5
    assert found["at_validation_threshold"]["f1"] == f1(score, test, best)
    both = fit_calibrations(known, validation.label)
    shifted = both.platt.for_prevalence(float(test.label.mean()))
    ways = {"score": score, "platt": both.platt.probability(score), "temperature": both.temperature.probability(score)}
    ways["platt_known_share"] = shifted.probability(score)
    errors = {name: round(calibration_error(p, test.label), 4) for name, p in ways.items()}
    assert found["calibration_error"] == errors
    assert len(set(errors.values())) == 4
    assert judged["curves"]["test"] == {
        "precision_recall": precision_recall(score, test.label), "baseline_precision_recall": precision_recall(base, test.label),
        "reliability": reliability(score, test.label), "reliability_platt": reliability(ways["platt"], test.label),
    }  # fmt: skip
    every = dataset.select("test", "ASCENDING", subthreshold="background")
    small = found["subthreshold_as_background"]
    assert small["patches"] == len(every) > len(test)
    assert small["f1"] == f1(predict(unsure, every), every, 0.6)
    assert small["baseline"]["f1"] == f1(rule.predict(every), every, 0.5) == 1
    assert {event: own["baseline"]["f1"] for event, own in found["events"].items()} == {"hokkaido": 1, "papua": 1}


def test_limits_say_what_a_card_is_scored_on_now():
    judged = {"calibration": None, "scored_on": {}, "evaluation": {}}
    own = read_card(MODELS / "vv_descending_60_12")
    assert any("scored on simulated" in limit for limit in own["limits"])
    once = rescored(own, judged, SimpleNamespace(source={"kind": "rasters"}))["limits"]
    assert not any("scored on" in limit for limit in once)


def test_baseline_of_imported_weights_is_fitted_at_the_ratio_of_the_training(tmp_path, monkeypatch):
    write_easy_set(tmp_path, cells=(8, 8))
    monkeypatch.setattr(evaluate_command, "fit_baseline", lambda sample: sample)
    sample = evaluate_command.baseline_of(
        {"imported": {}}, Dataset(tmp_path), Experiment(polarisation="vv_vh", orbit_pass="ASCENDING", imbalance=1)
    )
    assert (sample.label == 0).sum() == (sample.label == 1).sum()
