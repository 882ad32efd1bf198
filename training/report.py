"""How a training tells where it is: to a bar on the terminal, or to a file that another process reads."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from training.run_files import PROGRESS


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


class Steps:
    """A progress bar for work of equal steps; where the output is no terminal, a line now and then.

    Args:
        name: of a step, singular.
        console: where to draw or print.
        clock: seconds, from any moment on.
    """

    LINES = 20
    """At most about so many lines."""

    def __init__(
        self, name: str, *, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._clock = name, clock
        self._console = console or Console()
        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}")
        self._progress = Progress(*columns, console=self._console)
        self._task = self._progress.add_task(name, total=None, left="")
        self._began: tuple[float, int] | None = None
        self._told: int | None = None

    def __enter__(self) -> "Steps":
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def __call__(self, done: int, steps: int) -> None:
        """Say how many steps are done. The first call says how many were done before: they tell nothing of the time."""
        now = self._clock()
        if self._began is None:
            self._began = now, done
        since, before = self._began
        left = ""
        if before < done < steps:
            left = f"about {timedelta(seconds=round((now - since) / (done - before) * (steps - done)))} left"
        text = f"{self._name} {done} of {steps}"
        self._progress.update(self._task, completed=done, total=steps, description=text, left=left)
        news = self._told is None or (done - self._told) * self.LINES >= steps or self._told < done == steps
        if news and not self._console.is_terminal:
            self._console.print(f"{text} {left}".rstrip(), highlight=False)
            self._told = done


def to_file(folder: Path) -> Callable[[Facts, bool], None]:
    """Return a report that replaces `progress.json` in a folder."""

    def report(facts: Facts, ended: bool) -> None:
        draft = folder / f"{PROGRESS}.draft"
        draft.write_text(json.dumps(asdict(facts)), encoding="utf-8")
        os.replace(draft, folder / PROGRESS)

    return report
