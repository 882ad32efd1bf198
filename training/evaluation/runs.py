"""Finished trainings read back, and the one that may be reported: the best on the validation part.

The paper reports the median and standard deviation over 24 trainings (A1-A3), and for its best models (Table 4) the best test scores:
choosing by the test part promises too much (T12). Here the validation part chooses, and the test scores of the chosen one are read once.
"""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from training.experiments import Experiment
from training.run_files import CONFIG, HISTORY, METRICS

At = Literal["published", "half", "validation"]
_KEYS: dict[At, str | None] = {"published": None, "half": "at_half", "validation": "at_validation_threshold"}


class UnreadableRun(ValueError):
    """Files of a finished training that this release cannot read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One finished training.

    Attributes:
        folder: where it lies.
        experiment: its values, as `config.json` says.
        dataset: identity of its patches, as `config.json` says.
        learnt_from: names of events, as `history.json` says.
        evaluation: as `metrics.json` says.
    """

    folder: Path
    experiment: Experiment
    dataset: str
    learnt_from: frozenset[str]
    evaluation: dict[str, Any]

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

    def measure(self, part: str, metric: str, at: At) -> float:
        """Return a measure of a part, as a share of 1, at a threshold."""
        block = self.evaluation[part]
        key = _KEYS[at]
        return float((block if key is None else block[key])[metric])


def read_runs(folders: Iterable[Path]) -> list[Run]:
    """Return all finished trainings at or below some folders, in the order of their names; unfinished ones are passed over.

    Raises:
        UnreadableRun: a file of a finished training is no JSON, or lacks what this release writes.
    """
    found = {file.parent for folder in folders for file in folder.rglob(METRICS) if (file.parent / CONFIG).exists()}
    return [_read(folder) for folder in sorted(found)]


def _read(folder: Path) -> Run:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        evaluation = json.loads((folder / METRICS).read_text(encoding="utf-8"))["evaluation"]
        values = config["experiment"]
        _ = evaluation["test"]["average_precision"], evaluation["test"]["at_half"]
        return Run(
            folder=folder,
            experiment=Experiment(**{**values, "events": tuple(values["events"])}),
            dataset=config["dataset"],
            learnt_from=frozenset(json.loads((folder / HISTORY).read_text(encoding="utf-8"))["events"]),
            evaluation=evaluation,
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise UnreadableRun(
            f"{folder}: {CONFIG}, {METRICS} or {HISTORY} is not of this release ({error!r}); train it again"
        ) from error


def best_on_validation(runs: Sequence[Run], at: At) -> Run:
    """Return the training with the best F1 on its validation part, the first of equals."""
    return max(runs, key=lambda run: run.measure("validation", "f1", at))


def median_and_spread(runs: Sequence[Run], metric: str, at: At) -> tuple[float, float | None]:
    """Return the median of a measure on the test part and its standard deviation (n - 1), None for a single run."""
    values = [run.measure("test", metric, at) for run in runs]
    return statistics.median(values), statistics.stdev(values) if len(values) > 1 else None
