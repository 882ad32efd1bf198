"""`fit` and `list`: train what is chosen, and say how it stands."""

import os
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from traceback import format_exception
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from training.campaign import selection
from training.campaign.claim import holder
from training.campaign.plan import Task, progress_of, reason_of, record_failure, state_of, tasks_for, validation_f1
from training.campaign.processes import train_in_processes
from training.campaign.table import CampaignTable
from training.dataset import PATCHES, Dataset, UnusableDataset
from training.experiments import Experiment
from training.run_files import CARD, FAILURE, WEIGHTS

RUNS = Path("build/training/runs")
REASONS = 3
"""So many different ones are printed of trainings that failed."""

FIT_HELP = """Train what is chosen; finished runs are not repeated, interrupted ones go on where they were.

One training runs in this process. Several run in worker processes (--engine processes) or on a Ray cluster (--engine ray: the one at
RAY_ADDRESS, else one on this machine). A run that failed is tried again when the command is given again. Several machines may share a
folder of runs: each leaves alone what another works on.

\b
Examples:
  python -m training fit --pass ascending --epochs 40 --patience 4
  python -m training fit --preset published --jobs 2
  python -m training fit --models 'vv*_60_12' --seed 0 --seed 1 --seed 2 --variant published --variant paper --jobs 2
  python -m training fit --grid --models 'vv_vh_*_60_12' --engine processes --jobs 8
  RAY_ADDRESS=10.0.0.1:6379 python -m training fit --grid --engine ray --threads 4
"""


@click.command("fit", help=FIT_HELP)
@selection.options
@click.option(
    "--data", type=click.Path(path_type=Path), default=PATCHES, show_default=True, help="Patch set, or folder of them."
)
@click.option("--runs", type=click.Path(path_type=Path), default=RUNS, show_default=True, help="Folder of run folders.")
@click.option(
    "--engine",
    type=click.Choice(["inline", "processes", "ray"]),
    help="inline for one training without --gpus, else processes.",
)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Trainings at a time.")
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Of each training.")
@click.option("--gpus", type=click.IntRange(0), default=0, help="Processes: share out so many GPUs among workers.")
@click.option(
    "--gpus-per-run", type=click.FloatRange(0), default=0.0, help="Ray: share of a GPU that a training takes."
)
@click.option(
    "--publish", type=click.Path(path_type=Path), help="Also copy weights and cards to this folder of models."
)
def fit_command(
    data: Path,
    runs: Path,
    engine: str | None,
    jobs: int,
    threads: int,
    gpus: int,
    gpus_per_run: float,
    publish: Path | None,
    **choice: Any,
) -> None:
    """Train what is chosen."""
    # off by default where AVX2 is all there is: a training step takes 1.5 times the CPU there without it
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    experiments = selection.chosen(**choice)
    engine = engine or ("inline" if len(experiments) == 1 and not gpus else "processes")
    if gpus and engine != "processes":
        raise click.UsageError(f"--gpus goes with --engine processes; --engine {engine} would ignore it")
    if gpus_per_run and engine != "ray":
        raise click.UsageError(f"--gpus-per-run goes with --engine ray; --engine {engine} would ignore it")
    if publish:
        _refuse_several_of_a_model(experiments)
        publish.mkdir(parents=True, exist_ok=True)  # now, not after hours
    command = shlex.join(["python", "-m", "training", *sys.argv[1:]])
    try:
        tasks = tasks_for(experiments, data, runs, command=command)
        if engine == "inline":
            outcomes = _train_here(tasks, threads)
        else:
            outcomes = _campaign(tasks, engine, jobs=jobs, threads=threads, gpus=gpus, gpus_per_run=gpus_per_run)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on from the last epoch of each training", err=True)
        raise
    conclude(tasks, outcomes, publish)


def _refuse_several_of_a_model(experiments: Sequence[Experiment]) -> None:
    ((name, count),) = Counter(experiment.model_name for experiment in experiments).most_common(1)
    if count > 1:
        raise click.UsageError(
            f"--publish takes one training for each model, and {name} has {count} here: give one --seed and one --variant, "
            "and instead of a grid the values that you chose (--filters, --dropout and so on)"
        )


def conclude(tasks: Sequence[Task], outcomes: Counter[str], publish: Path | None) -> None:
    """Say what has become of some tasks, and publish where that was asked and all are finished.

    Raises:
        click.ClickException: some failed, or cannot be published yet.
    """
    for task in tasks if len(tasks) <= 8 else ():
        click.echo(f"{task.folder}  {_summary(task)}")
    click.echo(", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))
    if outcomes["claimed"]:
        click.echo(
            f"{outcomes['claimed']} of {len(tasks)} left alone, for somebody else worked on them; "
            "the same command, given again, trains what they do not finish"
        )
    unpublished = "; nothing was published" if publish else ""
    if outcomes["failed"]:
        failed = (
            f"{outcomes['failed']} of {len(tasks)} failed; {FAILURE} in their folders under {tasks[0].runs} says why"
        )
        reasons = dict.fromkeys(filter(None, (reason_of(task.folder) for task in tasks)))
        said = "\n".join([f"{failed}; the same command tries them again{unpublished}", *list(reasons)[:REASONS]])
        raise click.ClickException(said)
    unfinished = sum(state_of(task.folder) != "finished" for task in tasks)
    if publish and unfinished:
        raise click.ClickException(
            f"{unfinished} of {len(tasks)} not finished yet{unpublished}; give the command again then"
        )
    if publish:
        _publish(tasks, publish)


def _publish(tasks: Sequence[Task], models: Path) -> None:
    for task in tasks:
        target = models / task.experiment.model_name
        target.mkdir(parents=True, exist_ok=True)
        for name in (WEIGHTS, CARD):
            shutil.copyfile(task.folder / name, target / name)


def _train_here(tasks: Sequence[Task], threads: int) -> Counter[str]:
    from training.fitting.tensorflow_setup import prepare

    prepare(threads)
    return Counter(train_one(task) for task in tasks)


def train_one(task: Task) -> str:
    """Train in this process, with a bar; return the outcome.

    Raises:
        click.ClickException: it failed; its folder says why.
    """
    from training.fitting.fit import run
    from training.fitting.progress import Bar

    try:
        with Bar() as bar:
            _, outcome = run(task.experiment, Dataset(task.data), task.runs, command=task.command, report=bar)
    except Exception as error:  # whatever it was, `list` has to say that it failed, as for a worker that died of it
        record_failure(task.folder, "".join(format_exception(error)))
        reason = str(error) or type(error).__name__
        raise click.ClickException(
            f"{reason}\n{task.run_id} failed; {task.folder / FAILURE} says where; the same command tries it again"
        ) from error
    return outcome


def _campaign(
    tasks: list[Task], engine: str, *, jobs: int, threads: int, gpus: int, gpus_per_run: float
) -> Counter[str]:
    table = CampaignTable(tasks, Console())
    open_tasks = []
    for task in tasks:
        if state_of(task.folder) == "finished":
            table.end(task, "kept")
        else:
            open_tasks.append(task)
    with table.drawn():
        if open_tasks:
            if engine == "ray":
                from training.campaign.ray_cluster import train_on_ray  # importing Ray takes seconds

                outcomes = train_on_ray(open_tasks, jobs=jobs, threads=threads, gpus_per_run=gpus_per_run)
            else:
                outcomes = train_in_processes(open_tasks, jobs=jobs, threads=threads, gpus=gpus)
            with closing(outcomes):
                for task, outcome in outcomes:
                    table.end(task, outcome)
    return table.outcomes


def _summary(task: Task) -> str:
    state = state_of(task.folder)
    if state == "finished":
        return f"F1 {validation_f1(task.folder):.4f} on the validation part"
    return f"{state}, by {who}" if (who := holder(task.folder)) else state


LIST_HELP = """List trainings and how each of them stands.

\b
Examples:
  python -m training list --grid --models 'vv_vh_*_60_12'
  python -m training list --preset appendix
"""


@click.command("list", help=LIST_HELP)
@selection.options
@click.option(
    "--data", type=click.Path(path_type=Path), default=PATCHES, show_default=True, help="Patch set, or folder of them."
)
@click.option("--runs", type=click.Path(path_type=Path), default=RUNS, show_default=True, help="Folder of run folders.")
def list_command(data: Path, runs: Path, **choice: Any) -> None:
    """List trainings."""
    experiments = selection.chosen(**choice)
    # only where they tell trainings apart: a terminal is narrow
    compared = [name for name in ("variant", "seed") if len({getattr(e, name) for e in experiments}) > 1]
    values = "filters", "imbalance", "dropout", "rate"
    table = Table("model", "network", *compared, *values, "state", "F1, validation", "run", box=None)
    states: Counter[str] = Counter()
    for experiment in experiments:
        try:
            (task,) = tasks_for([experiment], data, runs, command="")
            state, run_id = str(state_of(task.folder)), task.run_id
            facts = progress_of(task.folder) if state == "running" else None
            f1 = f"{validation_f1(task.folder):.4f}" if state == "finished" else ""
        except UnusableDataset:
            state, run_id, f1, facts = "no data", "", "", None
        states[state] += 1
        told = f"{state}, epoch {facts['epoch']} of {facts['epochs']}" if facts else state
        numbers = experiment.filters, experiment.imbalance, experiment.dropout, experiment.learning_rate
        row = *(str(getattr(experiment, name)) for name in compared), *(f"{number:g}" for number in numbers)
        table.add_row(experiment.model_name, experiment.network, *row, told, f1, run_id)
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
    console.print(f"{states.total()} trainings: " + ", ".join(f"{n} {state}" for state, n in sorted(states.items())))
