"""The measures against the paper's own numbers, the calibration and the baseline against known answers."""

from pathlib import Path

import numpy as np
import pytest

from training.baseline import Baseline, fit_baseline
from training.dataset import Sample
from training.evaluate import Platt, Scores, best_threshold, calibration_error, count, f1_interval, fit_platt, logit
from training.experiments import BANDS, WINDOWS, Experiment, paper_grid, paper_models
from training.export import read_card
from training.simulator.events import EVENTS

MODELS = Path(__file__).parents[2] / "serving" / "models"

# Nava et al. 2026, Table 5: true positives, false positives, false negatives, true negatives -> precision, recall
TABLE_5 = {
    "Sumatra descending": (60, 23, 29, 889),
    "Sumatra ascending": (74, 23, 20, 851),
    "Haiti descending": (220, 50, 242, 4570),
    "Haiti ascending": (254, 87, 214, 4593),
}


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


@pytest.mark.parametrize("counts", TABLE_5.values(), ids=TABLE_5)
def test_measures_follow_from_the_counts_of_table_5(counts):
    tp, fp, fn, tn = counts
    score = np.repeat([0.9, 0.9, 0.1, 0.1], [tp, fp, fn, tn])
    label = np.repeat([1, 0, 1, 0], [tp, fp, fn, tn])
    found = count(score, label)
    expected = Scores(true_positives=tp, false_positives=fp, false_negatives=fn, true_negatives=tn)
    assert found == expected
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    assert found.f1 == pytest.approx(2 * precision * recall / (precision + recall))
    assert found.accuracy == pytest.approx((tp + tn) / sum(counts))


def test_best_f1_on_unseen_events_is_that_of_the_paper():
    tp, fp, fn, tn = TABLE_5["Sumatra ascending"]
    scores = Scores(true_positives=tp, false_positives=fp, false_negatives=fn, true_negatives=tn)
    assert scores.f1 == pytest.approx(0.775, abs=5e-4)


def test_a_score_at_the_threshold_claims_nothing():
    assert count(np.array([0.6, 0.61]), np.array([1, 1]), 0.6).true_positives == 1


def test_nothing_claimed_and_nothing_there_is_no_division_by_zero():
    scores = count(np.array([0.1]), np.array([0]))
    assert (scores.precision, scores.recall, scores.f1, scores.accuracy) == (0, 0, 0, 1)


def test_calibration_recovers_known_parameters():
    rng = np.random.default_rng(0)
    score = rng.uniform(0.02, 0.98, 20000)
    truth = Platt(a=2.0, b=-0.5, prevalence=0.5)
    label = (rng.random(20000) < truth.probability(score)).astype(float)
    found = fit_platt(score, label)
    assert (found.a, found.b) == pytest.approx((2.0, -0.5), abs=0.1)
    assert calibration_error(found.probability(score), label) < 0.02 < calibration_error(score, label)
    assert found.prevalence == pytest.approx(label.mean(), abs=1e-5)


def test_best_threshold_parts_landslides_from_background():
    score, label = np.array([0.1, 0.2, 0.35, 0.33, 0.5]), np.array([0, 0, 1, 0, 1])
    assert best_threshold(score, label) == pytest.approx(0.34)


def test_calibration_without_landslides_is_refused():
    with pytest.raises(ValueError, match="landslides"):
        fit_platt(np.array([0.1, 0.2]), np.zeros(2))


def test_logit_of_certainty_is_finite():
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()


def test_interval_holds_the_value_and_shrinks_with_more_scenes():
    rng = np.random.default_rng(1)
    widths = []
    for n in (200, 5000):
        label = rng.random(n) < 0.3
        score = np.where(rng.random(n) < 0.85, label, ~label) * 1.0
        chosen = sample(np.zeros((n, 1, 1, 4)), label, scene=np.arange(n) // 10)
        low, high = f1_interval(score, chosen)
        assert low < count(score, label).f1 < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_baseline_finds_patches_that_change():
    rng = np.random.default_rng(0)
    patches = rng.normal(0, 0.5, (60, 64, 64, 4)).astype(np.float32)
    label = np.arange(60) % 3 == 0
    patches[label, 20:40, 20:40, 3] -= 3
    chosen = sample(patches, label)
    rule = fit_baseline(chosen)
    assert rule.band == "diffVH"
    assert count(rule.predict(chosen), chosen.label, 0.5).f1 == 1


def test_baseline_scores_the_share_that_changes():
    patches = np.zeros((1, 64, 64, 2), np.float32)
    patches[0, :32, :, 1] = 4
    rule = Baseline(band="diffVV", smoothing_px=1.0, change_db=2.0, density=0.2)
    assert rule.score(patches, ("postVV", "diffVV")) == pytest.approx([0.5], abs=0.01)


def test_forty_models_of_the_paper_and_their_grid():
    models = paper_models()
    assert len({m.model_name for m in models}) == len({m.id for m in models}) == len(models) == 40
    assert len({e.id for e in paper_grid(models[0])}) == 24
    assert len(WINDOWS) == 10
    assert BANDS["vv_vh"] == ("postVV", "postVH", "diffVV", "diffVH")


def test_experiment_has_the_same_name_on_every_machine():
    experiment = Experiment(polarisation="vv_vh", orbit_pass="ASCENDING")
    assert experiment.model_name == "vv_vh_ascending_60_12"
    assert experiment.id == "vv_vh_ascending_60_12-" + experiment.id[-8:]
    assert experiment.id == Experiment(polarisation="vv_vh", orbit_pass="ASCENDING").id
    assert experiment.id != Experiment(polarisation="vv_vh", orbit_pass="ASCENDING", seed=1).id


@pytest.mark.parametrize("orbit_pass", ["ascending", "descending"])
def test_demo_model_in_the_tree_says_what_it_is(orbit_pass):
    folder = MODELS / f"vv_vh_{orbit_pass}_60_12"
    card = read_card(folder)
    assert card["name"] == folder.name
    assert card["bands"] == list(BANDS["vv_vh"])
    assert (card["filters"], card["variant"], card["threshold"], card["version"]) == (32, "published", 0.6, 1)
    assert {EVENTS[name].role for name in card["training"]["events"]} == {"train"}
    assert "not fit for operations" in card["data_notice"]
    assert card["evaluation"]["data"] == "simulated"
    assert 0 < card["evaluation"]["test"]["f1"] < 1
    assert (folder / "weights.npz").stat().st_size < 3.4e6
