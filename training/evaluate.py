"""How good a model is on patches it has not seen, beside what a threshold reaches on the same patches."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray

from training.baseline import Baseline
from training.dataset import PATCHES, Dataset, Sample, UnusableDataset, dataset_for
from training.environment import keep_freed_memory
from training.evaluation import curves
from training.evaluation.calibration import Calibration, calibration_error, fit_platt, fit_temperature, for_card
from training.evaluation.intervals import intervals
from training.evaluation.scores import HALF, THRESHOLD, best_threshold, count
from training.experiments import Experiment
from training.export import UnusableModel, load_model, read_card
from training.limits import where_the_baseline_wins


def predict(model: keras.Model, sample: Sample) -> NDArray[np.float64]:
    """Return the score of every patch of a sample, float64 [n]."""
    batches = [np.asarray(model(batch, training=False))[:, 0] for batch in sample.batches(256)]
    return np.concatenate(batches).astype(np.float64)


def evaluate(model: keras.Model, dataset: Dataset, experiment: Experiment, baseline: Baseline) -> dict[str, Any]:
    """Return what a model card says of a model: test part and unseen events, with the baseline on the same patches.

    Threshold, Platt's parameters and temperature are found on the validation part alone; the test part is looked at once, afterwards.

    Returns:
        `calibration`; `evaluation`: by part the counts and measures at three thresholds (the tool's 0.6, 0.5, the validation part's
        best), their intervals, patches below 5 % counted as background, the events one by one, the baseline, and where it wins;
        `curves`: by part.
    """
    validation = dataset.select(
        "validation",
        experiment.orbit_pass,
        experiment.bands,
        ratio=experiment.imbalance,
        split=experiment.split,
        events=experiment.events,
    )
    known = predict(model, validation)
    platt, temperature = fit_platt(known, validation.label), fit_temperature(known, validation.label)
    balanced = best_threshold(known, validation.label)
    evaluation: dict[str, Any] = {"threshold": THRESHOLD, "validation_threshold": balanced}
    evaluation["data"] = dataset.source["kind"]
    evaluation["validation"] = {"patches": len(validation), **_at_thresholds(known, validation.label, balanced)}
    drawn: dict[str, Any] = {}
    strict, generous = (_parts(dataset, experiment, subthreshold) for subthreshold in ("exclude", "background"))
    for name, sample in strict.items():
        score, base = predict(model, sample), baseline.predict(sample)
        evaluation[name] = {
            **_judged(score, sample, balanced),
            "calibration_error": _calibration_errors(score, sample.label, platt, temperature),
            "baseline": _judged(base, sample, HALF, threshold=HALF),
        }
        drawn[name] = {
            "precision_recall": curves.precision_recall(score, sample.label),
            "baseline_precision_recall": curves.precision_recall(base, sample.label),
            "reliability": curves.reliability(score, sample.label),
            "reliability_platt": curves.reliability(platt.probability(score), sample.label),
        }
        every = generous[name]
        evaluation[name]["subthreshold_as_background"] = {
            **_at_thresholds(predict(model, every), every.label, balanced),
            "patches": len(every),
            "baseline": count(baseline.predict(every), every.label, HALF).rounded(),
        }
        if len(events := list(dict.fromkeys(sample.event))) > 1:
            evaluation[name]["events"] = {
                event: {
                    **count(score[sample.event == event], sample.label[sample.event == event]).rounded(),
                    "baseline_f1": count(
                        base[sample.event == event], sample.label[sample.event == event], HALF
                    ).rounded()["f1"],
                }
                for event in events
            }
    evaluation["baseline_rule"] = baseline.as_dict()
    evaluation["where_the_baseline_wins"] = where_the_baseline_wins(evaluation)
    return {"calibration": for_card(platt, temperature), "evaluation": evaluation, "curves": drawn}


def _parts(dataset: Dataset, experiment: Experiment, subthreshold: Any) -> dict[str, Sample]:
    choice = {"orbit_pass": experiment.orbit_pass, "bands": experiment.bands, "subthreshold": subthreshold}
    test = dataset.select("test", **choice, split=experiment.split, events=experiment.events)
    unseen = dataset.select("unseen", **choice)
    return {"test": test} | {f"unseen_{e}": unseen.only(unseen.event == e) for e in dict.fromkeys(unseen.event)}


def _at_thresholds(score: NDArray[np.floating], label: NDArray[np.floating], balanced: float) -> dict[str, Any]:
    return {
        **count(score, label).rounded(),
        "at_half": count(score, label, HALF).rounded(),
        "at_validation_threshold": count(score, label, balanced).rounded(),
    }


def _judged(
    score: NDArray[np.floating], sample: Sample, balanced: float, *, threshold: float = THRESHOLD
) -> dict[str, Any]:
    found = count(score, sample.label, threshold)
    spread, unit = intervals(score, sample.label, sample.scene, threshold)
    judged = {
        "patches": len(sample),
        "landslides": int(sample.label.sum()),
        **found.rounded(),
        "counts": found.counts(),
        "intervals_95": spread,
        "intervals_over": unit,
        "average_precision": curves.precision_recall(score, sample.label)["average_precision"],
    }
    return judged if threshold == HALF else {**judged, **_at_thresholds(score, sample.label, balanced)}


def _calibration_errors(
    score: NDArray[np.floating], label: NDArray[np.floating], platt: Calibration, temperature: Calibration
) -> dict[str, float]:
    """Return the expected calibration error of the score itself and of both calibrations; `known_share` is shifted to this part's."""
    shifted = platt.for_prevalence(float(np.mean(label)))
    ways = {"score": score, "platt": platt.probability(score), "temperature": temperature.probability(score)}
    ways["platt_known_share"] = shifted.probability(score)
    return {name: round(calibration_error(probability, label), 4) for name, probability in ways.items()}


EVALUATE_HELP = """Score a model folder again on the test part and on the unseen events.

\b
Example:
  python -m training evaluate serving/models/vv_vh_ascending_60_12
"""


@click.command("evaluate", help=EVALUATE_HELP)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), default=PATCHES, show_default=True)
def evaluate_command(folder: Path, data: Path) -> None:
    """Score a model folder again on the test part and on the unseen events."""
    keep_freed_memory()
    try:
        card = read_card(folder)
        polarisation, orbit_pass, pre_days, post_days = card["name"].rsplit("_", 3)
        experiment = Experiment(
            polarisation=polarisation,
            orbit_pass=orbit_pass.upper(),
            pre_days=int(pre_days),
            post_days=int(post_days),
            imbalance=card["training"]["imbalance"],
            split=card["training"].get("split", "cell"),
        )
        rule = Baseline(**card["evaluation"]["baseline_rule"])
        fills = card["fill_db"]
        by_band = fills if isinstance(fills, dict) else dict(zip(card["bands"], fills, strict=True))
        dataset = dataset_for(data, experiment.pre_days, experiment.post_days).filled_with(by_band)
        here = set(dataset.rows(experiment.orbit_pass, experiment.bands)["event"].tolist())
        experiment = replace(experiment, events=tuple(sorted(here & set(card["training"]["events"]))))
        judged = evaluate(load_model(folder), dataset, experiment, rule)
    except (UnusableModel, UnusableDataset) as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(judged, indent=1))
