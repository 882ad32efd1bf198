"""`python -m training`: simulate scenes, train a model, evaluate it, export it for TensorFlow Serving."""

import ctypes
import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's greetings; before it is imported

import click
import tensorflow as tf
from rich.progress import Progress

from training.baseline import Baseline
from training.dataset import Dataset, Recipe, UnusableDataset, build
from training.evaluate import evaluate as judge
from training.experiments import Experiment
from training.export import CARD, WEIGHTS, UnusableModel, export_command, load_model, read_card
from training.fit import run

SCENES = Path("build/training/scenes-60-12")
RUNS = Path("build/training/runs")


@click.group()
def main() -> None:
    r"""Train the landslide classifier of Nava et al. 2026 on simulated scenes.

    \b
    The demo models were made so:
      python -m training simulate --jobs 2
      python -m training fit --pass ascending --epochs 16 --patience 6 --publish serving/models
      python -m training fit --pass descending --epochs 16 --patience 6 --publish serving/models
    """


@main.command()
@click.option("--out", type=click.Path(path_type=Path), default=SCENES, show_default=True)
@click.option("--pre-days", type=click.IntRange(12, 365), default=60, show_default=True)
@click.option("--post-days", type=click.IntRange(12, 60), default=12, show_default=True)
@click.option("--scenes-per-event", type=click.IntRange(1), default=20, show_default=True)
@click.option("--unseen-scenes-per-event", type=click.IntRange(0), default=5, show_default=True)
@click.option("--scene-px", type=click.IntRange(128), default=1024, show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
def simulate(out: Path, jobs: int, **values: int) -> None:
    r"""Simulate scenes and cut them into patches.

    \b
    Example:
      python -m training simulate --scenes-per-event 20 --jobs 2
    """
    try:
        with Progress() as progress:
            task = progress.add_task("simulating", total=None)
            for done, scenes in build(Recipe(**values), out, jobs=jobs):
                progress.update(task, completed=done, total=scenes, description=f"scene {done} of {scenes}")
    except UnusableDataset as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{out}: {len(Recipe(**values).scenes)} scenes")


@main.command()
@click.option("--scenes", type=click.Path(path_type=Path), default=SCENES, show_default=True)
@click.option("--runs", type=click.Path(path_type=Path), default=RUNS, show_default=True)
@click.option("--polarisation", type=click.Choice(["vv", "vv_vh"]), default="vv_vh", show_default=True)
@click.option("--pass", "orbit_pass", type=click.Choice(["ascending", "descending"]), required=True)
@click.option("--filters", type=click.IntRange(1), default=32, show_default=True)
@click.option("--variant", type=click.Choice(["published", "paper"]), default="published", show_default=True)
@click.option("--imbalance", type=click.IntRange(1), default=5, show_default=True)
@click.option("--dropout", type=click.FloatRange(0, 0.95), default=0.5, show_default=True)
@click.option("--learning-rate", type=float, default=1e-3, show_default=True)
@click.option("--batch-size", type=click.IntRange(1), default=64, show_default=True)
@click.option("--epochs", type=click.IntRange(1), default=500, show_default=True)
@click.option("--patience", type=click.IntRange(1), default=30, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True)
@click.option("--publish", type=click.Path(path_type=Path), help="Also copy weights and card to this folder of models.")
def fit(scenes: Path, runs: Path, orbit_pass: str, threads: int, publish: Path | None, **values: Any) -> None:
    r"""Train one model; a finished run is not repeated.

    \b
    Example:
      python -m training fit --pass ascending --epochs 12
    """
    _keep_freed_memory()
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    command = shlex.join(["python", "-m", "training", *sys.argv[1:]])
    try:
        dataset = Dataset(scenes)
        experiment = Experiment(
            orbit_pass=orbit_pass.upper(),  # type: ignore[arg-type]
            pre_days=dataset.recipe.pre_days,
            post_days=dataset.recipe.post_days,
            **values,
        )
        folder = run(experiment, dataset, runs, command=command)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if publish:
        target = publish / experiment.model_name
        target.mkdir(parents=True, exist_ok=True)
        for name in (WEIGHTS, CARD):
            shutil.copyfile(folder / name, target / name)
    card = read_card(folder)
    click.echo(f"{folder}\n{json.dumps(card['evaluation'], indent=1)}")


def _keep_freed_memory() -> None:
    """Let glibc keep what TensorFlow frees: otherwise every batch maps its buffers anew, half of the time in page faults."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for option, value in (
            (-4, 0),
            (-8, 1),
            (-1, 2**31 - 1),
            (-2, 2**28),
        ):  # MMAP_MAX, ARENA_MAX, TRIM_THRESHOLD, TOP_PAD
            libc.mallopt(option, value)


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--scenes", type=click.Path(path_type=Path), default=SCENES, show_default=True)
def evaluate(folder: Path, scenes: Path) -> None:
    r"""Score a model folder again on the test part and on the unseen events.

    \b
    Example:
      python -m training evaluate serving/models/vv_vh_ascending_60_12
    """
    try:
        card = read_card(folder)
        polarisation, orbit_pass, pre_days, post_days = card["name"].rsplit("_", 3)
        experiment = Experiment(
            polarisation=polarisation, orbit_pass=orbit_pass.upper(), pre_days=int(pre_days), post_days=int(post_days)
        )
        rule = Baseline(**card["evaluation"]["baseline_rule"])
        judged = judge(load_model(folder), Dataset(scenes), experiment, rule)
    except (UnusableModel, UnusableDataset) as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(judged, indent=1))


main.add_command(export_command)

if __name__ == "__main__":
    main()
