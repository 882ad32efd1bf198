"""How good a model is on patches it has not seen, beside what a threshold reaches on the same patches."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray

from training.baseline import Baseline, fit_baseline
from training.dataset import PATCHES, Dataset, Sample, UnusableDataset, dataset_for
from training.environment import keep_freed_memory
from training.evaluation import curves
from training.evaluation.calibration import Calibrations, calibration_error, fit_calibrations, for_card
from training.evaluation.intervals import intervals
from training.evaluation.scores import HALF, MEASURES, THRESHOLD, best_threshold, count
from training.experiments import Experiment, experiment_of
from training.export import UnusableModel, load_model, read_card
from training.limits import where_the_baseline_wins
from training.run_files import CARD, METRICS, write_json

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
        as `validation_as_tested`, at that of the test part: trainings of different ratios compare there; `curves`: by part.
    """
    choice = {"orbit_pass": experiment.orbit_pass, "bands": experiment.bands}
    own = {**choice, "split": experiment.split, "events": experiment.events}
    validation = dataset.select("validation", **own, ratio=experiment.imbalance)  # type: ignore[arg-type]
    known = predict(model, validation)
    calibrations = fit_calibrations(known, validation.label)
    balanced = best_threshold(known, validation.label)
    as_tested = dataset.select("validation", **own)  # type: ignore[arg-type]
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
        evaluation[name] = {
            **_at_thresholds(score, sample, balanced),
            **_counted(score, sample, THRESHOLD),
            "calibration_error": _calibration_errors(score, sample.label, calibrations),
            "baseline": _counted(base, sample, HALF),
        }
        drawn[name] = {
            "precision_recall": curves.precision_recall(score, sample.label),
            "baseline_precision_recall": curves.precision_recall(base, sample.label),
            "reliability": curves.reliability(score, sample.label),
        }
        if calibrations:
            drawn[name]["reliability_platt"] = curves.reliability(calibrations.platt.probability(score), sample.label)
        every = generous[name]
        evaluation[name]["subthreshold_as_background"] = {
            "patches": len(every),
            **_at_thresholds(predict(model, every), every, balanced),
            "baseline": _measured(baseline.predict(every), every, HALF),
        }
        if len(events := list(dict.fromkeys(sample.event))) > 1:
            evaluation[name]["events"] = {
                event: _of_event(score[here], base[here], sample.only(here), balanced)
                for event in events
                for here in [sample.event == event]
            }
    evaluation["baseline_rule"] = baseline.as_dict()
    evaluation["where_the_baseline_wins"] = where_the_baseline_wins(evaluation)
    return {"calibration": for_card(calibrations), "evaluation": evaluation, "curves": drawn}


def _parts(dataset: Dataset, experiment: Experiment, subthreshold: Any) -> dict[str, Sample]:
    choice = {"orbit_pass": experiment.orbit_pass, "bands": experiment.bands, "subthreshold": subthreshold}
    test = dataset.select("test", **choice, split=experiment.split, events=experiment.events)
    unseen = dataset.select("unseen", **choice)
    return {"test": test} | {f"unseen_{e}": unseen.only(unseen.event == e) for e in dict.fromkeys(unseen.event)}


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


def _of_event(score: Scores, base: Scores, sample: Sample, balanced: float) -> dict[str, Any]:
    return {
        "patches": len(sample),
        "landslides": int(sample.label.sum()),
        **_at_thresholds(score, sample, balanced),
        "baseline": _measured(base, sample, HALF),
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


EVALUATE_HELP = """Score a model folder again on the test part and on the unseen events; print what it found as JSON.

Imported weights are scored like trained ones: their thresholds, calibration and baseline come from the patch set.

\b
Examples:
  python -m training evaluate serving/models/vv_vh_ascending_60_12
  python -m training evaluate build/training/imported/vv_vh_ascending_60_12 --write
"""


@click.command("evaluate", help=EVALUATE_HELP)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), default=PATCHES, show_default=True)
@click.option(
    "--write",
    is_flag=True,
    help="Put calibration and scores into the card, and into metrics.json of a training's folder.",
)
def evaluate_command(folder: Path, data: Path, write: bool) -> None:
    """Score a model folder again on the test part and on the unseen events."""
    keep_freed_memory()
    try:
        card = read_card(folder)
        fills = card["fill_db"]
        by_band = fills if isinstance(fills, dict) else dict(zip(card["bands"], fills, strict=True))
        pre_days, post_days = (int(days) for days in card["name"].rsplit("_", 2)[1:])
        dataset = dataset_for(data, pre_days, post_days).filled_with(by_band)
        experiment = as_trained(card, dataset)
        judged = evaluate(load_model(folder), dataset, experiment, baseline_of(card, dataset, experiment))
    except (UnusableModel, UnusableDataset) as error:
        raise click.ClickException(str(error)) from error
    if write:
        scored = {key: judged[key] for key in ("calibration", "evaluation")}
        write_json(folder / CARD, {**card, "scored_on": scored_on(dataset), **scored}, indent=2)
        if (folder / METRICS).exists():
            write_json(folder / METRICS, judged)
        click.echo(f"{folder / CARD}: scored on {dataset.folder}")
        return
    click.echo(json.dumps(judged, indent=1))


def scored_on(dataset: Dataset) -> dict[str, Any]:
    """Return what a card says of the patches behind its scores: what they were made from, and the hash of their contents."""
    return {"identity": dataset.identity, **dataset.source}


def as_trained(card: dict[str, Any], dataset: Dataset) -> Experiment:
    """Return the values of a training that decide which patches it is judged on; those of the paper for imported weights.

    Raises:
        UnusableDataset: the set holds none of the events that the model learnt from: its test part would be other ground.
    """
    experiment = experiment_of(card)
    learnt_from = card.get("training", {}).get("events")
    if learnt_from is None:
        return experiment
    here = set(dataset.rows(experiment.orbit_pass, experiment.bands)["event"].tolist())
    if not (known := here & set(learnt_from)):
        raise UnusableDataset(
            f"{dataset.folder} holds none of the events that {card['name']} learnt from ({', '.join(learnt_from)}); "
            f"it holds {', '.join(sorted(here)) or 'nothing of this pass and these bands'}"
        )
    return replace(experiment, events=tuple(sorted(known)))


def baseline_of(card: dict[str, Any], dataset: Dataset, experiment: Experiment) -> Baseline:
    """Return the rule of a card, or, for imported weights, the one that fits the training part of a set."""
    if rule := card.get("evaluation", {}).get("baseline_rule"):
        return Baseline(**rule)
    choice = {"split": experiment.split, "events": experiment.events, "ratio": experiment.imbalance}
    return fit_baseline(dataset.select("train", experiment.orbit_pass, experiment.bands, **choice))  # type: ignore[arg-type]
