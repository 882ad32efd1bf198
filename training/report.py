"""How far some work of equal steps is: a bar on the terminal, lines elsewhere."""

import time
from collections.abc import Callable
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn


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
