"""How a training tells where it is: to a bar on the terminal, or to a file that another process reads."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from training.run_files import PROGRESS, write_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Where a training is.

    Attributes:
        epoch, epochs: from 1, and at most.
        step, steps: batches done since the first epoch, and if all epochs are needed.
        loss, val_loss, val_f1: the running one, and those of the last epoch; None before there is one.
        seconds_left: if all epochs are needed.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    val_loss: float | None
    val_f1: float | None
    seconds_left: float

    def __str__(self) -> str:
        past = "" if self.val_loss is None else f"  val loss {self.val_loss:.4f} F1 {self.val_f1:.3f}"
        return f"epoch {self.epoch}/{self.epochs} loss {self.loss:.4f}{past}"


Report = Callable[[Facts, bool], None]
"""Is told where a training is, and whether an epoch has just ended."""


def silence(facts: Facts, ended: bool) -> None:
    """Tell nobody."""


class Bar:
    """A progress bar for one training; where the output is no terminal, a line for each epoch."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns)
        self._task = self._progress.add_task("training", total=None, facts="")

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, facts: Facts, ended: bool) -> None:
        """Move on."""
        self._progress.update(self._task, completed=facts.step, total=facts.steps, facts=str(facts))
        if ended and not self._progress.console.is_terminal:
            left = f"  at most {timedelta(seconds=round(facts.seconds_left))} left" if facts.step < facts.steps else ""
            self._progress.console.print(f"{facts}{left}", soft_wrap=True)


def to_file(folder: Path) -> Report:
    """Return a report that replaces `progress.json` in a folder."""
    return lambda facts, ended: write_json(folder / PROGRESS, asdict(facts))
