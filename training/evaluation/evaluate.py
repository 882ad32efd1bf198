"""How good a model is on patches it has not seen, beside what a threshold reaches on the same patches."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.dataset import Dataset, Sample
from training.evaluation import curves
from training.evaluation.baseline import Baseline
from training.evaluation.calibration import Calibrations, calibration_error, fit_calibrations, for_card
from training.evaluation.intervals import intervals
from training.evaluation.limits import where_the_baseline_wins
from training.evaluation.scores import HALF, MEASURES, THRESHOLD, best_threshold, count
from training.experiments import Experiment

Scores = NDArray[np.floating]


def predict(model: keras.Model, sample: Sample) -> NDArray[np.float64]:
    """Return the score of every patch of a sample, float64 [n]."""
    batches = [np.asarray(model(batch, training=False))[:, 0] for batch in sample.batches(256)]
    return np.concatenate(batches).astype(np.float64)


def evaluate(model: keras.Model, dataset: Dataset, experiment: Experiment, baseline: Baseline) -> dict[str, Any]:
    """Return what a model card says of a model: test part and unseen events, with the baseline on the same patches.

    Threshold, Platt's parameters and temperature are found on the validation part alone; the test part is looked at once, afterwards.

    Returns:
        `calibration`, None where the scores order the validation part the wrong way round; `evaluation`: by part the counts and
        measures at three thresholds (the tool's 0.6, 0.5, the validation part's best) with their intervals, patches below 5 % counted as
        background, the events one by one, the baseline, and where it wins; the validation part twice, at the ratio of the training and,
        as `validation_as_tested`, at that of the test part: trainings of different ratios compare there; `scored_on`: what the patches
        were made from, and the hash of their contents; `curves`: by part.
    """
    choose = partial(
        dataset.select,
        orbit_pass=experiment.orbit_pass,
        bands=experiment.bands,
        split=experiment.split,
        events=experiment.events,
    )
    validation = choose("validation", ratio=experiment.imbalance)
    known = predict(model, validation)
    calibrations = fit_calibrations(known, validation.label)
    balanced = best_threshold(known, validation.label)
    as_tested = choose("validation")
    evaluation: dict[str, Any] = {
        "threshold": THRESHOLD,
        "validation_threshold": balanced,
        "data": dataset.source["kind"],
        "validation": {"patches": len(validation), **_at_thresholds(known, validation, balanced)},
        "validation_as_tested": {
            "patches": len(as_tested),
            "landslides": int(as_tested.label.sum()),
            **_at_thresholds(predict(model, as_tested), as_tested, balanced),
        },
    }
    drawn: dict[str, Any] = {}
    strict, generous = (_parts(dataset, experiment, subthreshold) for subthreshold in ("exclude", "background"))
    for name, sample in strict.items():
        score, base = predict(model, sample), baseline.predict(sample)
        every = generous[name]
        evaluation[name] = {
            **_of_part(score, base, sample, balanced, calibrations),
            "subthreshold_as_background": {
                "patches": len(every),
                **_at_thresholds(predict(model, every), every, balanced),
                "baseline": _measured(baseline.predict(every), every, HALF),
            },
        }
        drawn[name] = _curves(score, base, sample, calibrations)
    evaluation["baseline_rule"] = baseline.as_dict()
    evaluation["where_the_baseline_wins"] = where_the_baseline_wins(evaluation)
    return {
        "calibration": for_card(calibrations),
        "scored_on": {"identity": dataset.identity, **dataset.source},
        "evaluation": evaluation,
        "curves": drawn,
    }


def _parts(dataset: Dataset, experiment: Experiment, subthreshold: Any) -> dict[str, Sample]:
    choice = {"orbit_pass": experiment.orbit_pass, "bands": experiment.bands, "subthreshold": subthreshold}
    test = dataset.select("test", **choice, split=experiment.split, events=experiment.events)
    unseen = dataset.select("unseen", **choice)
    return {"test": test} | {f"unseen_{e}": unseen.only(unseen.event == e) for e in dict.fromkeys(unseen.event)}


def _of_part(
    score: Scores, base: Scores, sample: Sample, balanced: float, calibrations: Calibrations | None
) -> dict[str, Any]:
    found = {
        **_at_thresholds(score, sample, balanced),
        **_counted(score, sample, THRESHOLD),
        "calibration_error": _calibration_errors(score, sample.label, calibrations),
        "baseline": _counted(base, sample, HALF),
    }
    if len(events := list(dict.fromkeys(sample.event))) > 1:
        found["events"] = {event: _of_event(score, base, sample, sample.event == event, balanced) for event in events}
    return found


def _curves(score: Scores, base: Scores, sample: Sample, calibrations: Calibrations | None) -> dict[str, Any]:
    drawn = {
        "precision_recall": curves.precision_recall(score, sample.label),
        "baseline_precision_recall": curves.precision_recall(base, sample.label),
        "reliability": curves.reliability(score, sample.label),
    }
    if calibrations:
        drawn["reliability_platt"] = curves.reliability(calibrations.platt.probability(score), sample.label)
    return drawn


def _measured(score: Scores, sample: Sample, threshold: float, intervals_of: Sequence[str] = ("f1",)) -> dict[str, Any]:
    """Return the measures at a threshold, with the intervals of some."""
    spread, unit = intervals(score, sample.label, sample.scene, threshold)
    return {
        **count(score, sample.label, threshold).rounded(),
        "intervals_95": {name: spread[name] for name in intervals_of},
        "intervals_over": unit,
    }


def _at_thresholds(score: Scores, sample: Sample, balanced: float) -> dict[str, Any]:
    return {
        **_measured(score, sample, THRESHOLD),
        "at_half": _measured(score, sample, HALF),
        "at_validation_threshold": _measured(score, sample, balanced),
    }


def _counted(score: Scores, sample: Sample, threshold: float) -> dict[str, Any]:
    landslides = int(sample.label.sum())
    return {
        "patches": len(sample),
        "landslides": landslides,
        "background_per_landslide": round((len(sample) - landslides) / landslides, 2) if landslides else None,
        "counts": count(score, sample.label, threshold).counts(),
        "average_precision": curves.precision_recall(score, sample.label)["average_precision"],
        **_measured(score, sample, threshold, MEASURES),
    }


def _of_event(score: Scores, base: Scores, every: Sample, here: NDArray[np.bool_], balanced: float) -> dict[str, Any]:
    sample = every.only(here)
    return {
        "patches": len(sample),
        "landslides": int(sample.label.sum()),
        **_at_thresholds(score[here], sample, balanced),
        "baseline": _measured(base[here], sample, HALF),
    }


def _calibration_errors(
    score: Scores, label: NDArray[np.floating], calibrations: Calibrations | None
) -> dict[str, float]:
    """Return the expected calibration error of the score itself and of both calibrations; `known_share` is shifted to this part's."""
    ways = {"score": score}
    if calibrations:
        ways["platt"] = calibrations.platt.probability(score)
        ways["temperature"] = calibrations.temperature.probability(score)
        if 0 < (share := float(np.mean(label))) < 1:
            ways["platt_known_share"] = calibrations.platt.for_prevalence(share).probability(score)
    return {name: round(calibration_error(probability, label), 4) for name, probability in ways.items()}
