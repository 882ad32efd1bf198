"""How far the measuring is: a bar on a terminal, elsewhere a plain line for each finished part."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
StartPart = Callable[[str, int], Callable[[], None]]


@contextmanager
def parts(console: Console) -> Iterator[StartPart]:
    """Yield what starts a part, given its name and the number of its timings, and returns what to call after each of them."""
    has_bar = console.is_terminal and not console.is_dumb_terminal
    with Progress(*COLUMNS, console=console, auto_refresh=False, disable=not has_bar) as progress:
        bar = progress.add_task("", total=None)

        def start(text: str, total: int) -> Callable[[], None]:
            progress.reset(bar, description=text, total=total)
            progress.refresh()

            def advance() -> None:
                progress.advance(bar)
                progress.refresh()  # by hand: nothing else may run while something is timed
                (task,) = progress.tasks
                if task.finished and not has_bar:
                    console.print(f"{text}: done in {task.finished_time:.0f} s", highlight=False)

            return advance

        yield start
