"""`python -m training table`: a table of the paper with our runs beside the printed numbers, and Figure 2.

Where no run exists a cell stays empty. Ours are what `data` says they are: numbers of simulated scenes stand beside the paper's to show
that the same procedure was followed, not that the same was measured.
"""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import click

from training.evaluation.band_sets import R12_NOTE, events_of, of_row, r12_table
from training.evaluation.figure_2 import draw_figure_2
from training.evaluation.lines import Line, as_csv, as_markdown, percent
from training.evaluation.published import Published, read_published
from training.evaluation.runs import At, Run, UnreadableRun, best_on_validation, median_and_spread, read_runs
from training.evaluation.scores import MEASURES
from training.evaluation.seeds import SEEDS_NOTE, seeds_table

PERCENT = {"accuracy": "Accuracy (%)", "precision": "Precision (%)", "recall": "Recall (%)", "f1": "F1 (%)"}
SHARE = {"accuracy": "Accuracy", "precision": "Precision", "recall": "Recall", "f1": "F1"}


def grid_table(table: str, runs: Sequence[Run], at: At) -> list[Line]:
    """Return Table A1, A2 or A3: for each row the paper's, our median and spread over the runs, and the run chosen on validation."""
    lines = []
    for row in read_published(table):
        head = (
            {"Network": row.architecture} if table == "A1" else {"Orbit": row.orbit_pass.lower(), "Stacks": row.stack}
        )
        own = of_row(row, runs)
        lines.append(
            head | {"Source": "paper", "Runs": "24"} | {PERCENT[m]: row.cell(m) for m in MEASURES} | _suspect(row)
        )
        ours = {PERCENT[m]: percent(*median_and_spread(own, m, at)) if own else "" for m in MEASURES}
        lines.append(head | {"Source": "ours, median ± sd", "Runs": str(len(own))} | ours | _remark(own, row))
        chosen = {PERCENT[m]: _chosen(own, m, at) for m in MEASURES}
        lines.append(
            head | {"Source": "ours, best on validation", "Runs": str(min(1, len(own)))} | chosen | _remark(own, row)
        )
    return lines


def table_4(runs: Sequence[Run], at: At) -> list[Line]:
    """Return Table 4: hyperparameters and scores of the best models; ours are chosen on validation, the baseline on the same patches."""
    lines = []
    names = {"imbalance": "Imbalance", "filters": "Filters", "dropout": "Dropout", "learning_rate": "Learning rate"}
    for row in read_published("4"):
        head = {"Name": row.polarisation, "Orbit": row.orbit_pass.lower()}
        values = {title: row.values[key] for key, title in names.items()}
        lines.append(head | {"Source": "paper"} | values | {PERCENT[m]: row.cell(m) for m in MEASURES} | _suspect(row))
        own = of_row(row, runs)
        values = {
            title: str(getattr(best_on_validation(own, at).experiment, key)) if own else ""
            for key, title in names.items()
        }
        scores = {PERCENT[m]: _chosen(own, m, at) for m in MEASURES}
        lines.append(head | {"Source": "ours, best on validation"} | values | scores | _remark(own, row))
        base = best_on_validation(own, at).evaluation["test"]["baseline"] if own else {}
        threshold = {PERCENT[m]: percent(base[m]) if own else "" for m in MEASURES}
        lines.append(
            head
            | {"Source": "threshold and density"}
            | dict.fromkeys(names.values(), "")
            | threshold
            | _remark(own, row)
        )
    return lines


def table_5(runs: Sequence[Run], at: At) -> list[Line]:
    """Return Table 5: unseen events, scored by the model chosen on validation, and by the baseline."""
    lines = []
    for row in read_published("5"):
        head = {"Event": row.event, "Orbit": row.orbit_pass.lower()}
        counts = {"Negatives": row.values["negatives"], "Positives": row.values["positives"]}
        lines.append(head | {"Source": "paper"} | counts | {SHARE[m]: row.cell(m) for m in MEASURES} | _suspect(row))
        own = of_row(row, runs)
        best = best_on_validation(own, at) if own else None
        part = next((p for p in best.evaluation if p.startswith("unseen_") and row.event in p), None) if best else None
        counts, ours, base = (
            {"Negatives": "", "Positives": ""},
            dict.fromkeys(SHARE.values(), ""),
            dict.fromkeys(SHARE.values(), ""),
        )
        if best and part:
            block = best.evaluation[part]
            counts = {"Negatives": str(block["patches"] - block["landslides"]), "Positives": str(block["landslides"])}
            ours = {SHARE[m]: f"{best.measure(part, m, at):.4f}" for m in MEASURES}
            base = {SHARE[m]: f"{block['baseline'][m]:.4f}" for m in MEASURES}
        lines.append(head | {"Source": "ours, best on validation"} | counts | ours | _remark(own, row))
        lines.append(head | {"Source": "threshold and density"} | counts | base | _remark(own, row))
    return lines


def _chosen(runs: Sequence[Run], metric: str, at: At) -> str:
    return percent(best_on_validation(runs, at).measure("test", metric, at)) if runs else ""


def _suspect(row: Published) -> Line:
    return {"Remark": "; ".join(row.suspect)}


def _remark(runs: Sequence[Run], row: Published) -> Line:
    others = sorted({len(run.learnt_from) for run in runs if run.learnt_from != events_of(row)})
    said = [f"learnt from {count} event{'s' * (count > 1)}, not the paper's {len(events_of(row))}" for count in others]
    return {"Remark": ", ".join([*sorted({run.data for run in runs}), *said])}


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
    "--out",
    type=click.Path(path_type=Path),
    help="Write it here, as CSV where the name ends so, else as Markdown with the command that gives it.",
)
def table_command(name: str, runs: tuple[Path, ...], at: At, out: Path | None) -> None:
    """Print a table of the paper with our runs beside it."""
    try:
        found = read_runs(runs)
    except UnreadableRun as error:
        raise click.ClickException(str(error)) from error
    if name == "figure2":
        if out is None:
            raise click.UsageError("a figure needs --out FILE.png")
        draw_figure_2(found, at, out)
        click.echo(f"{out}: {len(found)} runs")
        return
    lines = TABLES[name](found, at)
    if not lines:
        raise click.ClickException(
            f"no finished training under {', '.join(map(str, runs))}; `python -m training fit` makes some"
        )
    if out is None:
        click.echo(as_markdown(lines), nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    folders = [word for folder in runs for word in ("--runs", str(folder))]
    command = shlex.join(["python", "-m", "training", "table", name, *folders, "--at", at, "--out", str(out)])
    text = as_csv(lines) if out.suffix == ".csv" else f"`{command}`\n\n{as_markdown(lines)}\n{NOTES.get(name, '')}"
    out.write_text(text, encoding="utf-8")
    click.echo(f"{out}: {len(found)} runs")
