"""Measures, intervals, calibration and curves against known answers."""

import numpy as np
import pytest
from sklearn import metrics

from training.evaluation.calibration import (
    Calibration,
    calibration_error,
    fit_calibrations,
    fit_platt,
    fit_temperature,
    for_card,
    logit,
)
from training.evaluation.curves import precision_recall, reliability
from training.evaluation.intervals import intervals
from training.evaluation.scores import MEASURES, best_threshold, count


def drawn(n, seed=1):
    """Scores of a detector that is right in 85 % of cases, and labels."""
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.3).astype(float)
    return np.where(rng.random(n) < 0.85, label, 1 - label), label


def test_a_score_at_the_threshold_claims_nothing():
    assert count(np.array([0.6, 0.61]), np.array([1, 1]), 0.6).true_positives == 1


def test_nothing_claimed_and_nothing_there_is_no_division_by_zero():
    scores = count(np.array([0.1]), np.array([0]))
    assert (scores.precision, scores.recall, scores.f1, scores.accuracy) == (0, 0, 0, 1)


def test_measures_are_those_of_scikit_learn():
    score, label = drawn(500)
    found = count(score, label, 0.5).rounded()
    claim = score > 0.5
    expected = [
        metrics.f1_score(label, claim),
        metrics.precision_score(label, claim),
        metrics.recall_score(label, claim),
    ]
    assert list(found.values()) == pytest.approx([*expected, metrics.accuracy_score(label, claim)], abs=5e-5)


def test_best_threshold_parts_landslides_from_background():
    score, label = np.array([0.1, 0.2, 0.35, 0.33, 0.5]), np.array([0, 0, 1, 0, 1])
    assert best_threshold(score, label) == pytest.approx(0.34)


def test_intervals_hold_the_values_and_shrink_with_more_scenes():
    widths = []
    for n in (200, 5000):
        score, label = drawn(n)
        spread, unit = intervals(score, label, np.arange(n) // 10)
        found = count(score, label).rounded()
        assert unit == "scene"
        assert list(spread) == list(MEASURES)
        assert all(spread[name][0] < found[name] < spread[name][1] for name in MEASURES)
        widths.append(spread["f1"][1] - spread["f1"][0])
    assert widths[1] < widths[0] / 2


def test_interval_of_a_share_is_that_of_the_binomial():
    score, label = drawn(2000)
    spread, _ = intervals(score, label, np.arange(2000))
    share = count(score, label).accuracy
    half = 1.96 * np.sqrt(share * (1 - share) / 2000)
    assert spread["accuracy"] == pytest.approx((share - half, share + half), abs=0.004)


def test_patches_that_resemble_each_other_widen_the_interval():
    score, label = drawn(100)
    score, label = np.repeat(score, 20), np.repeat(label, 20)
    (low, high), (low_alone, high_alone) = (
        intervals(score, label, group)[0]["f1"] for group in (np.arange(2000) // 20, np.arange(2000))
    )
    assert high - low > 3 * (high_alone - low_alone)


def test_interval_of_a_single_patch_is_its_value():
    """An event may have one test patch: no reason to lose a training that took a day."""
    spread, unit = intervals(np.array([0.9]), np.array([1.0]), np.array([3]))
    assert (spread["f1"], unit) == ((1.0, 1.0), "patch")
    assert intervals(np.array([]), np.array([]), np.array([], int))[0]["f1"] == (0.0, 0.0)


def test_one_scene_is_resampled_by_patch_and_says_so():
    score, label = drawn(300)
    assert intervals(score, label, np.zeros(300, int))[1] == "patch"


def test_calibration_recovers_known_parameters():
    rng = np.random.default_rng(0)
    score = rng.uniform(0.02, 0.98, 20000)
    truth = Calibration(a=2.0, b=-0.5, prevalence=0.5)
    label = (rng.random(20000) < truth.probability(score)).astype(float)
    found = fit_platt(score, label)
    assert (found.a, found.b) == pytest.approx((2.0, -0.5), abs=0.1)
    assert calibration_error(found.probability(score), label) < 0.02 < calibration_error(score, label)
    assert found.prevalence == pytest.approx(label.mean(), abs=1e-5)


def test_temperature_recovers_a_known_one():
    rng = np.random.default_rng(0)
    score = rng.uniform(0.02, 0.98, 20000)
    label = (rng.random(20000) < Calibration(a=1 / 0.43, b=0.0, prevalence=0.5).probability(score)).astype(float)
    found = fit_temperature(score, label)
    assert for_card(fit_calibrations(score, label))["temperature"] == pytest.approx(0.43, abs=0.02)
    assert found.probability(np.array([0.5])) == pytest.approx([0.5])


def test_steep_calibration_of_a_detector_that_is_never_wrong_stays_a_probability():
    """A validation part that the scores separate drives the slope up without end."""
    score, label = np.array([1e-9, 0.3, 0.7, 1 - 1e-9]), np.array([0, 0, 1, 1])
    np.testing.assert_allclose(fit_temperature(score, label).probability(score), label, atol=1e-6)
    many = np.repeat(score, 50)
    steep = fit_platt(many, np.repeat(label, 50))
    assert 1 < steep.a < 10  # Platt's targets: 100 of each kind are no proof that none will ever be wrong
    assert 0.98 < steep.probability(np.array([0.999999]))[0] < 1


def test_scores_that_point_the_wrong_way_are_not_calibrated():
    score, label = drawn(500)
    assert fit_calibrations(score, label).platt.a > 0
    assert fit_platt(1 - score, label).a < 0
    assert fit_calibrations(1 - score, label) is None
    assert for_card(None) is None


def test_shifted_calibration_is_true_where_landslides_are_rarer():
    """Two normal scores make the posterior known: its logit is x - 1/2 + logit of the prevalence."""
    rng = np.random.default_rng(3)

    def patches(prevalence, n=60000):
        label = (rng.random(n) < prevalence).astype(float)
        return 1 / (1 + np.exp(-(rng.normal(label, 1)))), label

    fitted = fit_platt(*patches(0.2))
    score, label = patches(0.02)
    there = fitted.for_prevalence(0.02)
    assert (
        calibration_error(there.probability(score), label) < 0.005 < calibration_error(fitted.probability(score), label)
    )
    assert there.b == pytest.approx(-0.5 + logit(np.array(0.02)), abs=0.1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        fitted.for_prevalence(0.0)


def test_calibration_without_landslides_is_refused():
    for fit in (fit_platt, fit_temperature):
        with pytest.raises(ValueError, match="landslides"):
            fit(np.array([0.1, 0.2]), np.zeros(2))


def test_logit_of_certainty_is_finite():
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()


def test_curve_passes_through_the_measures_at_its_thresholds():
    rng = np.random.default_rng(2)
    label = (rng.random(3000) < 0.2).astype(float)
    score = np.clip(rng.normal(0.35 + 0.3 * label, 0.15), 0, 1).round(2)
    curve = precision_recall(score, label)
    assert len(curve["threshold"]) <= 101
    for threshold, precision, recall in list(zip(*list(curve.values())[1:], strict=True))[::10]:
        found = count(score, label, threshold - 1e-9).rounded()
        assert (found["precision"], found["recall"]) == (precision, recall)


def test_average_precision_of_a_perfect_and_of_a_blind_score():
    label = np.arange(1000) % 5 == 0
    assert precision_recall(label * 1.0, label)["average_precision"] == 1
    assert precision_recall(np.full(1000, 0.5), label)["average_precision"] == 0.2
    assert precision_recall(np.zeros(3), np.zeros(3))["average_precision"] is None


def test_reliability_counts_every_patch_once():
    rng = np.random.default_rng(2)
    probability = rng.random(5000)
    rows = reliability(probability, (rng.random(5000) < probability).astype(float))
    assert sum(row["patches"] for row in rows) == 5000
    assert all(row["landslide_share"] == pytest.approx(row["mean_probability"], abs=0.07) for row in rows)
    assert reliability(np.array([1.0]), np.array([1.0])) == [
        {"patches": 1, "mean_probability": 1.0, "landslide_share": 1.0}
    ]


def test_temperature_cools_an_overconfident_score_down():
    rng = np.random.default_rng(0)
    score = rng.uniform(0.02, 0.98, 5000)
    label = (rng.random(5000) < Calibration(a=0.4, b=0.0, prevalence=0.5).probability(score)).astype(float)
    assert fit_temperature(score, label).a == pytest.approx(0.4, abs=0.05)


def test_errors_of_calibration_do_not_cancel_over_bins():
    probability, label = np.repeat([0.25, 0.75], 10), np.tile([0.0, 1.0], 10)
    assert calibration_error(probability, label) == pytest.approx(0.25)


def test_curve_spans_all_recalls():
    rng = np.random.default_rng(2)
    label = (rng.random(3000) < 0.2).astype(float)
    curve = precision_recall(np.clip(rng.normal(0.35 + 0.3 * label, 0.15), 0, 1), label)
    assert np.diff(curve["recall"][::-1]).max() < 0.02
    assert (curve["recall"][0], curve["recall"][-1]) == (1, pytest.approx(0, abs=0.01))
