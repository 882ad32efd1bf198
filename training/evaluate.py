"""How good a model is on patches it has not seen: the paper's measures, their spread, calibration, and what a threshold reaches."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from training.baseline import Baseline
from training.dataset import SCENES, Dataset, Sample, UnusableDataset
from training.experiments import Experiment
from training.export import UnusableModel, load_model, read_card

THRESHOLD = 0.6
"""Of the published tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Counts of a decision and what the paper derives from them (Tables 4 and 5)."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def accuracy(self) -> float:
        """Share of right decisions."""
        right = self.true_positives + self.true_negatives
        return _share(right, right + self.false_positives + self.false_negatives)

    @property
    def precision(self) -> float:
        """Share of claims that are right; 0 without claims."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of landslides that are found; 0 without landslides."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 if both are."""
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)

    def rounded(self) -> dict[str, float]:
        """Return the four measures for a card."""
        values = {"f1": self.f1, "precision": self.precision, "recall": self.recall, "accuracy": self.accuracy}
        return {name: round(value, 4) for name, value in values.items()}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def count(score: NDArray[np.floating], label: NDArray[np.floating], threshold: float = THRESHOLD) -> Scores:
    """Count right and wrong decisions; a score above the threshold claims a landslide."""
    claim, truth = score > threshold, label == 1
    return Scores(
        true_positives=int(np.sum(claim & truth)),
        false_positives=int(np.sum(claim & ~truth)),
        false_negatives=int(np.sum(~claim & truth)),
        true_negatives=int(np.sum(~claim & ~truth)),
    )


def f1_interval(
    score: NDArray[np.floating], sample: Sample, threshold: float = THRESHOLD, *, draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of F1 over resampled scenes: patches of one scene resemble each other, so they stay together."""
    numbers, scene = np.unique(sample.scene, return_inverse=True)
    claim, truth = score > threshold, sample.label == 1
    per_scene = np.stack([np.bincount(scene, kind, len(numbers)) for kind in (claim & truth, claim, truth)], axis=1)
    chosen = np.random.default_rng(seed).integers(0, len(numbers), (draws, len(numbers)))
    hits, claims, slides = per_scene[chosen].sum(axis=1).T
    f1 = 2 * hits / np.maximum(claims + slides, 1)
    low, high = np.quantile(f1, [0.025, 0.975])
    return round(float(low), 4), round(float(high), 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Platt:
    """Turns a score into a probability: sigmoid(a * logit(score) + b), true where `prevalence` of the patches are landslides.

    Elsewhere the logit of the local prevalence, minus that of `prevalence`, has to be added.
    """

    a: float
    b: float
    prevalence: float

    def probability(self, score: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each score."""
        return 1 / (1 + np.exp(-(self.a * logit(score) + self.b)))


def best_threshold(score: NDArray[np.floating], label: NDArray[np.floating]) -> float:
    """Return the threshold, in steps of 0.01, with the greatest F1; the highest of equals."""
    steps = np.arange(1, 100)[::-1] / 100
    return float(max(steps, key=lambda threshold: count(score, label, threshold).f1))


def logit(score: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return log(p / (1 - p)); scores are kept 1e-6 away from 0 and 1."""
    p = np.clip(np.asarray(score, np.float64), 1e-6, 1 - 1e-6)
    return np.log(p / (1 - p))


def fit_platt(score: NDArray[np.floating], label: NDArray[np.floating]) -> Platt:
    """Return the calibration with the greatest likelihood.

    Raises:
        ValueError: the labels are all alike.
    """
    if len(np.unique(label)) < 2:
        raise ValueError("a calibration needs landslides and background")
    x, sign = logit(score), np.where(label == 1, 1.0, -1.0)
    found = optimize.minimize(lambda p: np.mean(np.logaddexp(0, -sign * (p[0] * x + p[1]))), x0=[1.0, 0.0])
    a, b = (round(float(v), 6) for v in found.x)
    return Platt(a=a, b=b, prevalence=round(float(np.mean(label)), 6))


def calibration_error(probability: NDArray[np.floating], label: NDArray[np.floating], bins: int = 10) -> float:
    """Return the expected calibration error over equally wide bins."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    difference = np.bincount(place, probability - label, bins)
    return float(np.sum(np.abs(difference)) / counts.sum())


def predict(model: keras.Model, sample: Sample) -> NDArray[np.float64]:
    """Return the score of every patch of a sample, float64 [n]."""
    batches = [np.asarray(model(batch, training=False))[:, 0] for batch in sample.batches(256)]
    return np.concatenate(batches).astype(np.float64)


def evaluate(model: keras.Model, dataset: Dataset, experiment: Experiment, baseline: Baseline) -> dict[str, Any]:
    """Return what a model card says of a model: test part and unseen events, with the baseline on the same patches.

    Returns:
        `calibration` (Platt, fitted on the validation part) and `evaluation`: by part the measures of model and baseline at their
        thresholds, the interval of F1, the count of patches.
    """
    validation = dataset.select("validation", experiment.orbit_pass, experiment.bands, ratio=experiment.imbalance)
    known = predict(model, validation)
    platt, balanced = fit_platt(known, validation.label), best_threshold(known, validation.label)
    evaluation: dict[str, Any] = {"threshold": THRESHOLD, "validation_threshold": balanced, "data": "simulated"}
    test = dataset.select("test", experiment.orbit_pass, experiment.bands)
    unseen = dataset.select("unseen", experiment.orbit_pass, experiment.bands)
    samples = {"test": test} | {f"unseen_{e}": unseen.only(unseen.event == e) for e in dict.fromkeys(unseen.event)}
    for name, sample in samples.items():
        score, base = predict(model, sample), baseline.predict(sample)
        probability = platt.probability(score)
        evaluation[name] = {
            "patches": len(sample),
            "landslides": int(sample.label.sum()),
            **count(score, sample.label).rounded(),
            "f1_95": f1_interval(score, sample),
            "at_validation_threshold": count(score, sample.label, balanced).rounded(),
            "calibration_error": round(calibration_error(probability, sample.label), 4),
            "baseline": {
                **count(base, sample.label, 0.5).rounded(),
                "f1_95": f1_interval(base, sample, 0.5),
            },
        }
    evaluation["baseline_rule"] = baseline.as_dict()
    return {"calibration": {"method": "platt", **asdict(platt)}, "evaluation": evaluation}


EVALUATE_HELP = """Score a model folder again on the test part and on the unseen events.

\b
Example:
  python -m training evaluate serving/models/vv_vh_ascending_60_12
"""


@click.command("evaluate", help=EVALUATE_HELP)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--scenes", type=click.Path(path_type=Path), default=SCENES, show_default=True)
def evaluate_command(folder: Path, scenes: Path) -> None:
    """Score a model folder again on the test part and on the unseen events."""
    try:
        card = read_card(folder)
        polarisation, orbit_pass, pre_days, post_days = card["name"].rsplit("_", 3)
        experiment = Experiment(
            polarisation=polarisation, orbit_pass=orbit_pass.upper(), pre_days=int(pre_days), post_days=int(post_days)
        )
        rule = Baseline(**card["evaluation"]["baseline_rule"])
        judged = evaluate(load_model(folder), Dataset(scenes), experiment, rule)
    except (UnusableModel, UnusableDataset) as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(judged, indent=1))
