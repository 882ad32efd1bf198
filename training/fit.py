"""Trains one experiment: Adam, focal loss, early stop on the validation loss; leaves weights, card and history behind."""

import ctypes
import json
import math
import os
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from training import export, losses, networks
from training.baseline import fit_baseline
from training.dataset import SCENES, Dataset, Sample
from training.evaluate import evaluate
from training.evaluation.scores import THRESHOLD
from training.experiments import Experiment

DATA_NOTICE = "demo model from simulated scenes, not fit for operations"
RUNS = Path("build/training/runs")
_HISTORY = "history.json"
_METRICS = "metrics.json"


class Batches(keras.utils.PyDataset):
    """Shuffled batches of a sample; a new order every epoch, the same for the same seed."""

    def __init__(self, sample: Sample, size: int, *, seed: int | None) -> None:
        super().__init__()
        self._sample, self._size = sample, size
        self._rng = None if seed is None else np.random.default_rng(seed)
        self._order = np.arange(len(sample))
        self.on_epoch_end()

    def __len__(self) -> int:
        """Count the batches of one epoch."""
        return math.ceil(len(self._sample) / self._size)

    def __getitem__(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return batch `number`: float32 [n, 64, 64, C] in dB and labels float32 [n, 1]."""
        places = self._order[number * self._size : (number + 1) * self._size]
        return self._sample.take(places), self._sample.label[places, None]

    def on_epoch_end(self) -> None:
        """Shuffle anew."""
        if self._rng is not None:
            self._order = self._rng.permutation(len(self._sample))


class Bar(keras.callbacks.Callback):
    """A progress bar: epoch, losses, F1, time left if all epochs are needed."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start the bar."""
        total = self.params["epochs"] * self.params["steps"]
        self._task = self._progress.add_task("training", total=total, facts="")
        self._past = ""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Remember which epoch it is."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move on by one batch."""
        facts = f"epoch {self._epoch + 1}/{self.params['epochs']} loss {(logs or {})['loss']:.4f}{self._past}"
        self._progress.update(self._task, advance=1, facts=facts)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Show what the validation said."""
        values = logs or {}
        self._past = f"  val loss {values['val_loss']:.4f} F1 {values['val_f1']:.3f}"
        if not self._progress.console.is_terminal:
            self._progress.console.print(f"epoch {epoch + 1}: loss {values['loss']:.4f}{self._past}")


def constants_of(sample: Sample, *, at_most: int = 2000) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each band over (an even choice of) the training patches, dB."""
    places = np.unique(np.linspace(0, len(sample) - 1, min(at_most, len(sample))).astype(np.int64))
    pixels = sample.take(places).reshape(-1, len(sample.bands)).astype(np.float64)
    return [round(float(v), 4) for v in pixels.mean(axis=0)], [round(float(v), 4) for v in pixels.std(axis=0)]


def train(
    experiment: Experiment, dataset: Dataset, *, progress: Progress | None = None
) -> tuple[keras.Model, dict[str, Any]]:
    """Train a network; return it with its best weights, and the history with the constants that standardise its input.

    Raises:
        ValueError: the data set was made for other windows, or a part of it holds no landslide.
    """
    made_for = dataset.recipe.pre_days, dataset.recipe.post_days
    if made_for != (experiment.pre_days, experiment.post_days):
        raise ValueError(f"{dataset.folder} holds windows {made_for}, not those of {experiment.model_name}")
    seen = dataset.select("train", experiment.orbit_pass, experiment.bands, ratio=experiment.imbalance)
    judged = dataset.select("validation", experiment.orbit_pass, experiment.bands, ratio=experiment.imbalance)
    if not seen.label.any() or not judged.label.any():
        raise ValueError(
            f"{dataset.folder}: no landslide patch to learn from or to validate with; simulate more scenes"
        )
    keras.utils.set_random_seed(experiment.seed)
    mean, std = constants_of(seen)
    model = networks.cnn(
        bands=len(experiment.bands),
        filters=experiment.filters,
        variant=experiment.variant,
        dropout=experiment.dropout,
        mean=mean,
        std=std,
        batch_norm_momentum=experiment.batch_norm_momentum,
    )
    model.compile(
        optimizer=keras.optimizers.Adam(experiment.learning_rate),
        loss=losses.focal_loss(),
        metrics=[keras.metrics.F1Score(average="micro", threshold=0.5, name="f1")],
    )
    stop = keras.callbacks.EarlyStopping("val_loss", patience=experiment.patience, restore_best_weights=True)
    history = model.fit(
        Batches(seen, experiment.batch_size, seed=experiment.seed),
        validation_data=Batches(judged, 256, seed=None),
        epochs=experiment.epochs,
        verbose=0,
        callbacks=[stop, *([Bar(progress)] if progress else [])],
    )
    epochs = {name: [round(float(v), 6) for v in values] for name, values in history.history.items()}
    return model, {
        "standardisation": {"mean": mean, "std": std},
        "patches": {"train": len(seen), "validation": len(judged)},
        "epochs": len(epochs["loss"]),
        "best_epoch": int(np.argmin(epochs["val_loss"])) + 1,
        "history": epochs,
    }


def run(experiment: Experiment, dataset: Dataset, runs: Path, *, command: str) -> Path:
    """Train, evaluate and write `runs/<experiment id>/`; a finished one is left as it is.

    Returns:
        The run's folder: weights.npz, card.json, history.json, metrics.json.
    """
    folder = runs / experiment.id
    if (folder / _METRICS).exists():
        return folder
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[facts]}"), TimeRemainingColumn())
    started = time.monotonic()
    with Progress(*columns) as progress:
        model, learnt = train(experiment, dataset, progress=progress)
    seconds = round(time.monotonic() - started)
    sample = dataset.select("train", experiment.orbit_pass, experiment.bands, ratio=experiment.imbalance)
    judged = evaluate(model, dataset, experiment, fit_baseline(sample))
    card = model_card(experiment, dataset, learnt, judged, command=command, seconds=seconds)
    export.save_weights(model, folder, card)
    (folder / _HISTORY).write_text(json.dumps(learnt, indent=1) + "\n", encoding="utf-8")
    draft = folder / f"{_METRICS}.draft"
    draft.write_text(json.dumps(judged, indent=1) + "\n", encoding="utf-8")
    os.replace(draft, folder / _METRICS)
    return folder


def model_card(
    experiment: Experiment,
    dataset: Dataset,
    learnt: dict[str, Any],
    judged: dict[str, Any],
    *,
    command: str,
    seconds: int,
) -> dict[str, Any]:
    """Return the card of a model, but for the hash of its weights."""
    mean = learnt["standardisation"]["mean"]
    fills = {band: m if band.startswith("post") else 0.0 for band, m in zip(experiment.bands, mean, strict=True)}
    return {
        "name": experiment.model_name,
        "version": 1,
        "bands": list(experiment.bands),
        "units": "dB",
        "window_px": networks.WINDOW_PX,
        "pixel_geometry": "utm_10m",
        "fill_db": fills,
        "standardisation": learnt["standardisation"],
        "threshold": THRESHOLD,
        "calibration": judged["calibration"],
        "variant": experiment.variant,
        "filters": experiment.filters,
        "dropout": experiment.dropout,
        "training": {
            "command": command,
            "seed": experiment.seed,
            "scenes": sum(1 for name, _ in dataset.recipe.scenes if name in dataset.recipe.events),
            "events": list(dataset.recipe.events),
            "patches": learnt["patches"],
            "epochs": learnt["epochs"],
            "best_epoch": learnt["best_epoch"],
            "seconds": seconds,
            "imbalance": experiment.imbalance,
            "learning_rate": experiment.learning_rate,
            "batch_size": experiment.batch_size,
        },
        "evaluation": judged["evaluation"],
        "data_notice": DATA_NOTICE,
    }


FIT_HELP = """Train one model; a finished run is not repeated.

\b
Example:
  python -m training fit --pass ascending --epochs 12
"""


@click.command("fit", help=FIT_HELP)
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
def fit_command(scenes: Path, runs: Path, orbit_pass: str, threads: int, publish: Path | None, **values: Any) -> None:
    """Train one model; a finished run is not repeated."""
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
        for name in (export.WEIGHTS, export.CARD):
            shutil.copyfile(folder / name, target / name)
    card = export.read_card(folder)
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
