"""What is to be done: trainings with the patch sets they need, and how each of them stands."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from training.campaign.claim import holder
from training.dataset import dataset_for
from training.experiments import Experiment
from training.run_files import CONFIG, FAILURE, METRICS, PROGRESS, write_json

State = Literal["finished", "running", "failed", "begun", "waiting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One training with all that a worker must know.

    Attributes:
        experiment: what to train.
        data: folder of its patch set.
        runs: folder of run folders.
        run_id: its name there.
        command: to be written into the card.
    """

    experiment: Experiment
    data: Path
    runs: Path
    run_id: str
    command: str

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.runs / self.run_id

    def to_json(self) -> str:
        """Return one line that `from_json` reads."""
        values = {**asdict(self), "data": str(self.data), "runs": str(self.runs)}
        return json.dumps(values)

    @classmethod
    def from_json(cls, line: str) -> "Task":
        """Read what `to_json` wrote."""
        values = json.loads(line)
        experiment = {**values["experiment"], "events": tuple(values["experiment"]["events"])}
        folders = {"data": Path(values["data"]), "runs": Path(values["runs"])}
        return cls(**{**values, **folders, "experiment": Experiment(**experiment)})


def tasks_for(experiments: Sequence[Experiment], data: Path, runs: Path, *, command: str) -> list[Task]:
    """Find the patch set of each training and name its run.

    Raises:
        UnusableDataset: a set is missing, or is not of the windows it should be of.
    """
    tasks = []
    for experiment in experiments:
        dataset = dataset_for(data, experiment.pre_days, experiment.post_days)
        run_id = experiment.run_id(dataset.identity)
        folder = dataset.folder.resolve()
        tasks.append(Task(experiment=experiment, data=folder, runs=runs.resolve(), run_id=run_id, command=command))
    return tasks


def state_of(folder: Path) -> State:
    """Say how a run stands, from its folder alone."""
    if (folder / METRICS).exists():
        return "finished"
    if holder(folder):
        return "running"
    if (folder / FAILURE).exists():
        return "failed"
    return "begun" if (folder / CONFIG).exists() else "waiting"


def validation_f1(folder: Path) -> float:
    """Return the F1 at 0.5 of a finished run on the validation part, at the ratio of the test part.

    Who watches many trainings chooses among them, and the test part is not for choosing.
    """
    evaluation = json.loads((folder / METRICS).read_text(encoding="utf-8"))["evaluation"]
    return float(evaluation["validation_as_tested"]["at_half"]["f1"])


def progress_of(folder: Path) -> dict[str, Any] | None:
    """Return what a running training said last, None where it says nothing yet or no longer."""
    try:
        return json.loads((folder / PROGRESS).read_text())
    except (FileNotFoundError, ValueError):  # removed when the run ends; half a file where a folder is no local one
        return None


def record_failure(folder: Path, reason: str) -> None:
    """Leave word of a run that did not end; the same command tries it again."""
    with suppress(OSError):  # where nothing can be written, the error itself must come through
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / FAILURE, {"reason": reason})


def reason_of(folder: Path) -> str:
    """Return the last line of why a run failed, empty where nothing says so."""
    try:
        lines = json.loads((folder / FAILURE).read_text(encoding="utf-8"))["reason"].split("\n")
    except (OSError, ValueError):
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
