"""`python -m training table`: a table of the paper with our runs beside it, and Figure 2."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import click

from training.evaluation.band_sets import R12_NOTE, r12_table
from training.evaluation.figure_2 import draw_figure_2
from training.evaluation.lines import Line, as_csv, as_markdown
from training.evaluation.runs import At, MixedRuns, Run, UnreadableRun, read_runs
from training.evaluation.seeds import SEEDS_NOTE, seeds_table
from training.evaluation.tables import grid_table, table_4, table_5
from training.figure_file import refuse_other_suffix

TABLES: dict[str, Callable[[Sequence[Run], At], list[Line]]] = {
    "4": table_4,
    "5": table_5,
    **{name: lambda runs, at, name=name: grid_table(name, runs, at) for name in ("A1", "A2", "A3")},  # type: ignore[misc]
    "R12": r12_table,
    "seeds": seeds_table,
}

NOTES = {"R12": R12_NOTE, "seeds": SEEDS_NOTE}
"""What a file says below its table."""

TABLE_HELP = """Print a table of the paper with our runs beside it; cells without a run stay empty.

4, 5, A1, A2, A3, or figure2 (needs --out FILE.png): the paper's median and standard deviation over 24 trainings stand beside ours, and
beside the one that the validation part chooses. R12: VV on six events and on nine against VV and VH on six. seeds: smallest, median and
greatest score of trainings that differ in the seed alone, with the baseline on the same patches.

\b
Examples:
  python -m training table A2 --runs build/training/runs
  python -m training table figure2 --runs build/training/runs --out build/training/figure2.png
  python -m training table seeds --runs build/training/runs --at published --out training/results/seeds.md
"""


@click.command("table", help=TABLE_HELP)
@click.argument("name", type=click.Choice([*TABLES, "figure2"]))
@click.option(
    "--runs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    required=True,
    help="Folder of finished trainings, at any depth; may be repeated.",
)
@click.option(
    "--at",
    type=click.Choice(get_args(At)),
    default="half",
    show_default=True,
    help="Threshold: the tool's 0.6, 0.5 (the paper does not say its own), or the best on validation.",
)
@click.option(
    "--where",
    "wanted",
    multiple=True,
    metavar="NAME=VALUE",
    help="Only runs of this value, such as variant=published or seed=0.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write it here, as CSV where the name ends so, else as Markdown with the command that gives it.",
)
def table_command(name: str, runs: tuple[Path, ...], at: At, wanted: tuple[str, ...], out: Path | None) -> None:
    """Print a table of the paper with our runs beside it."""
    try:
        there = read_runs(runs)
        found = [run for run in there if _is_wanted(run, wanted)]
        if not found:
            raise click.ClickException(_none(there, runs, wanted))
        if name == "figure2":
            if out is None:
                raise click.UsageError("a figure needs --out FILE.png")
            refuse_other_suffix(out)
            draw_figure_2(found, at, out)
            click.echo(f"{out}: {len(found)} runs")
            return
        lines = TABLES[name](found, at)
    except (UnreadableRun, MixedRuns) as error:
        raise click.ClickException(str(error)) from error
    if out is None:
        click.echo(as_markdown(lines), nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    options = [word for folder in runs for word in ("--runs", str(folder))]
    options += [word for pair in wanted for word in ("--where", pair)]
    command = shlex.join(["python", "-m", "training", "table", name, *options, "--at", at, "--out", str(out)])
    text = as_csv(lines) if out.suffix == ".csv" else f"`{command}`\n\n{as_markdown(lines)}\n{NOTES.get(name, '')}"
    out.write_text(text, encoding="utf-8")
    click.echo(f"{out}: {len(found)} runs")


def _none(there: Sequence[Run], folders: Sequence[Path], wanted: Sequence[str]) -> str:
    """Say why there is nothing to show."""
    where = ", ".join(map(str, folders))
    if not there:
        return f"no finished training under {where}; `python -m training fit` makes some"
    names = dict.fromkeys(pair.partition("=")[0] for pair in wanted)
    known = "; ".join(f"{name} is {' or '.join(sorted({run.values[name] for run in there}))}" for name in names)
    return f"none of the {len(there)} finished trainings under {where} is {', '.join(wanted)}: there {known}"


def _is_wanted(run: Run, wanted: Sequence[str]) -> bool:
    for pair in wanted:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"--where {pair}: write NAME=VALUE, such as seed=0")
        if name not in run.values:
            raise click.UsageError(f"--where {pair}: there is no value {name!r}; there are {', '.join(run.values)}")
        if run.values[name] != value:
            return False
    return True
