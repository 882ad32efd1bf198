"""Finished trainings read back, and the one that may be reported: the best on the validation part.

The paper reports the median and standard deviation over 24 trainings (A1-A3), and for its best models (Table 4) the best test scores:
choosing by the test part promises too much (T12). Here the validation part chooses, and the test scores of the chosen one are read once.
"""

import json
import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from training.experiments import KNOWN_OF_IMPORTED, Experiment, experiment_of
from training.run_files import CARD, CONFIG, HISTORY, METRICS, WEIGHTS

At = Literal["published", "half", "validation"]
_KEYS: dict[At, str | None] = {"published": None, "half": "at_half", "validation": "at_validation_threshold"}


DATA_SET = "data set"
WITH_SMALL = "F1, below 5 % as background"
"""Title of the column for `measure_with_small`."""
VARIED = frozenset({"filters", "imbalance", "dropout", "learning_rate", "seed"})
"""What the trainings behind one number may differ in: the paper's grid (3.5), and luck."""
ROW = frozenset({"polarisation", "orbit_pass", "pre_days", "post_days", "network", "events"})
"""What the rows of a table tell apart by themselves."""


class MixedRuns(ValueError):
    """Trainings of one cell that differ in more than the paper's grid: their median would mean nothing."""


class UnreadableRun(ValueError):
    """Files of a finished training that this release cannot read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One finished training.

    Attributes:
        folder: where it lies.
        experiment: its values.
        dataset: identity of the patches that it was scored on.
        learnt_from: names of events; empty for imported weights, which do not say.
        evaluation: as `metrics.json` or the card says.
        is_imported: weights that somebody else trained: of their values KNOWN_OF_IMPORTED is known.
    """

    folder: Path
    experiment: Experiment
    dataset: str
    learnt_from: frozenset[str]
    evaluation: dict[str, Any]
    is_imported: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Polarisation, pass, stack, network: the row of a table it belongs to."""
        e = self.experiment
        return e.polarisation, e.orbit_pass, f"{e.pre_days}-{e.post_days}", e.network

    @property
    def scored_parts(self) -> list[str]:
        """The test part and the unseen events."""
        return [part for part in self.evaluation if part == "test" or part.startswith("unseen_")]

    @property
    def data(self) -> str:
        """What it was trained and scored on, such as `simulated`."""
        return str(self.evaluation["data"])

    @property
    def values(self) -> dict[str, str]:
        """Its values, empty where unknown, who trained it and what it was scored on, as text by name."""
        known = {name: str(value) for name, value in asdict(self.experiment).items()}
        if self.is_imported:
            known = {name: value if name in KNOWN_OF_IMPORTED else "" for name, value in known.items()}
        return {**known, "weights": "imported" if self.is_imported else "trained", DATA_SET: self.dataset[:12]}

    def measure(self, part: str, metric: str, at: At) -> float:
        """Return a measure of a part, as a share of 1, at a threshold."""
        return float(_at(self.evaluation[part], at)[metric])

    def interval(self, part: str, metric: str, at: At) -> tuple[float, float]:
        """Return the 95 % interval of a measure."""
        low, high = _at(self.evaluation[part], at)["intervals_95"][metric]
        return float(low), float(high)

    def measure_with_small(self, part: str, metric: str, at: At) -> float:
        """Return a measure where patches of which at most 5 % slid count as background, as in the paper's 3.2."""
        return float(_at(self.evaluation[part]["subthreshold_as_background"], at)[metric])


def _at(block: dict[str, Any], at: At) -> dict[str, Any]:
    key = _KEYS[at]
    return block if key is None else dict(block[key])


def read_runs(folders: Iterable[Path]) -> list[Run]:
    """Return all finished trainings at or below some folders, in the order of their names; unfinished ones are passed over.

    A model folder without the files of its training, such as those in `serving/models`, is read from its card if it was ever scored, and
    if its training is not among the others.

    Raises:
        UnreadableRun: a file of a finished training is no JSON, or lacks what this release writes.
    """
    folders = list(folders)
    trained = {file.parent for folder in folders for file in folder.rglob(METRICS) if (file.parent / CONFIG).exists()}
    runs = [_read(folder, from_card=False) for folder in sorted(trained)]
    names = {folder.name for folder in trained}
    # a SavedModel has a card, too, but no weights beside it
    models = {file.parent for folder in folders for file in folder.rglob(WEIGHTS)} - trained
    for folder in sorted(models):
        if (folder / CONFIG).exists() or not (folder / CARD).exists():
            continue
        card = _card(folder)
        if card.get("evaluation") and card.get("training", {}).get("run") not in names:
            runs.append(_read(folder, from_card=True))
    return runs


def _read(folder: Path, *, from_card: bool) -> Run:
    try:
        is_imported = False
        if from_card:
            card = _card(folder)
            is_imported = "imported" in card
            experiment, evaluation = experiment_of(card), card["evaluation"]
            dataset, learnt_from = card["scored_on"]["identity"], card.get("training", {}).get("events", ())
        else:
            config, metrics = _json(folder / CONFIG), _json(folder / METRICS)
            experiment, evaluation = experiment_of({"training": config}), metrics["evaluation"]
            dataset = metrics.get("scored_on", {"identity": config["dataset"]})["identity"]
            learnt_from = _json(folder / HISTORY)["events"]
        _ = evaluation["test"]["at_half"]["intervals_95"], evaluation["validation_as_tested"]["at_half"]
        return Run(
            folder=folder,
            experiment=experiment,
            dataset=dataset,
            learnt_from=frozenset(learnt_from),
            evaluation=evaluation,
            is_imported=is_imported,
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        files = CARD if from_card else f"{CONFIG}, {METRICS} or {HISTORY}"
        raise UnreadableRun(
            f"{folder}: {files} is not of this release ({error!r}); "
            f"`python -m training evaluate {folder} --write` scores it again"
        ) from error


def _card(folder: Path) -> dict[str, Any]:
    try:
        return dict(_json(folder / CARD))
    except ValueError as error:
        raise UnreadableRun(f"{folder / CARD} is damaged: {error}") from error


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def differing(runs: Sequence[Run], *, but: Collection[str] = ()) -> list[str]:
    """Return the names of values in which some trainings differ."""
    return [name for name in runs[0].values if name not in but and len({run.values[name] for run in runs}) > 1]


def kinds(runs: Sequence[Run]) -> list[list[Run]]:
    """Return trainings parted into groups whose members differ in nothing but the paper's grid and the seed."""
    parted: dict[tuple[tuple[str, str], ...], list[Run]] = {}
    for run in runs:
        same = tuple((name, value) for name, value in run.values.items() if name not in VARIED | ROW)
        parted.setdefault(same, []).append(run)
    return [parted[same] for same in sorted(parted)]


def of_one_kind(runs: Sequence[Run]) -> list[Run]:
    """Return the trainings behind one cell of a table.

    Raises:
        MixedRuns: they are of several kinds.
    """
    if len(kinds(runs)) > 1:
        names = differing(runs, but=VARIED | ROW)
        values = "; ".join(f"{name}: {', '.join(sorted({run.values[name] for run in runs}))}" for name in names)
        raise MixedRuns(
            f"trainings of {runs[0].experiment.model_name} differ in {values}; choose with --where NAME=VALUE"
        )
    return list(runs)


def best_on_validation(runs: Sequence[Run], at: At) -> Run:
    """Return the training with the best F1 on the validation part, the first of equals.

    The part is taken at the ratio of the test part, the same for all: at its own ratio a training of 4:1 scores higher than one of 6:1
    that is as good.
    """
    return max(runs, key=lambda run: run.measure("validation_as_tested", "f1", at))


def median_and_spread(runs: Sequence[Run], metric: str, at: At) -> tuple[float, float | None]:
    """Return the median of a measure on the test part and its standard deviation (n - 1), None for a single run."""
    values = [run.measure("test", metric, at) for run in runs]
    return statistics.median(values), statistics.stdev(values) if len(values) > 1 else None
