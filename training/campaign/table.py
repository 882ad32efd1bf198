"""A campaign on the terminal: totals, and a line for each run that is being trained."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from training.campaign.plan import Task, progress_of, state_of

EVERY_S = 1.0
LINES_EVERY_S = 300.0
"""In a log, which nobody watches."""


class CampaignTable:
    """Counts outcomes, and looks into the folders of running tasks for what they say.

    Args:
        tasks: those that were asked for.
        console: where to draw.
    """

    def __init__(self, tasks: Sequence[Task], console: Console) -> None:
        self._console = console
        self._open = {task.run_id: task for task in tasks}
        self.outcomes: Counter[str] = Counter()
        self._began = time.monotonic()
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self._bar = Progress(*columns, TextColumn("{task.fields[left]}"), console=console)
        self._total = self._bar.add_task("runs", total=len(tasks), left="")

    def end(self, task: Task, outcome: str) -> None:
        """Take note of how a task ended; without a terminal, say it in a line."""
        del self._open[task.run_id]
        self.outcomes[outcome] += 1
        worked = self.outcomes["finished"] + self.outcomes["failed"]
        left = ""
        if worked:
            seconds = (time.monotonic() - self._began) / worked * len(self._open)
            left = f"about {timedelta(seconds=round(seconds))} left"
        self._bar.update(self._total, advance=1, left=left)
        if not self._console.is_terminal:
            self._console.print(
                f"{task.run_id}: {outcome}; {len(self._open)} to do {left}", highlight=False, soft_wrap=True
            )

    def __rich__(self) -> Group:
        """Draw."""
        table = Table("run", "epoch", "loss", "val loss", "val F1", "left", box=None)
        for task in list(self._open.values()):
            if state_of(task.folder) != "running":
                continue
            facts = progress_of(task.folder)
            if facts is None:
                table.add_row(task.run_id, "starting", "", "", "", "")
                continue
            past = [
                "" if facts[name] is None else f"{facts[name]:{form}}"
                for name, form in (("val_loss", ".4f"), ("val_f1", ".3f"))
            ]
            left = timedelta(seconds=round(facts["seconds_left"]))
            table.add_row(
                task.run_id, f"{facts['epoch']}/{facts['epochs']}", f"{facts['loss']:.4f}", *past, f"at most {left}"
            )
        return Group(table, self._bar)

    @contextmanager
    def drawn(self) -> Iterator[None]:
        """Keep it on the terminal; where the output is none, print a line for each running training now and then."""
        if not self._console.is_terminal:
            with _repeated(self._tell, LINES_EVERY_S):
                yield
            return
        with Live(self, console=self._console, auto_refresh=False) as live:
            try:
                with _repeated(live.refresh, EVERY_S):
                    yield
            finally:
                live.refresh()

    def _tell(self) -> None:
        for task in list(self._open.values()):
            if state_of(task.folder) == "running" and (facts := progress_of(task.folder)):
                left = timedelta(seconds=round(facts["seconds_left"]))
                self._console.print(
                    f"{task.run_id}: epoch {facts['epoch']}/{facts['epochs']} loss {facts['loss']:.4f}, at most {left} left",
                    highlight=False,
                    soft_wrap=True,
                )


@contextmanager
def _repeated(act: Callable[[], None], every_s: float) -> Iterator[None]:
    """Act every so many seconds, in a thread, until the block ends."""
    ended = Event()

    def repeat() -> None:
        while not ended.wait(every_s):
            act()

    thread = Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
