"""Trains one experiment: Adam, the paper's loss, early stop on the validation loss; leaves weights, card and history behind.

A run's folder holds, when it is finished: weights.npz and card.json (see `training.model_folder`), history.json,
config.json, environment.json and, written last, metrics.json. Before that: checkpoint.npz, progress.json.
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from training import model_folder, networks
from training.campaign.claim import claim
from training.dataset import Dataset, Sample
from training.evaluation.baseline import fit_baseline
from training.evaluation.evaluate import evaluate
from training.evaluation.limits import RESEARCH_NOTICE, SIMULATED_NOTICE, limits
from training.evaluation.scores import THRESHOLD
from training.experiments import PROTOCOL, Experiment
from training.fitting import losses
from training.fitting.batches import Batches
from training.fitting.checkpoint import Keeper
from training.fitting.constants import constants_of
from training.fitting.environment import environment, times
from training.fitting.keras_progress import Reporter
from training.fitting.progress import Report, silence
from training.patches.split import refuse_leak
from training.run_files import CHECKPOINT, CONFIG, ENVIRONMENT, FAILURE, HISTORY, METRICS, PROGRESS, write_json

Outcome = Literal["finished", "kept", "claimed"]


def samples(experiment: Experiment, dataset: Dataset) -> tuple[Sample, Sample]:
    """Return the training and the validation part of an experiment.

    Raises:
        ValueError: the set was made for other windows, or a part holds no landslide.
        LeakedEvent: Sumatra or Haiti is among them.
    """
    if (dataset.pre_days, dataset.post_days) != (experiment.pre_days, experiment.post_days):
        found = f"{dataset.pre_days}-{dataset.post_days}"
        raise ValueError(f"{dataset.folder} holds windows {found}, not those of {experiment.model_name}")
    parts = []
    for part in ("train", "validation"):
        sample = dataset.select(
            part,
            experiment.orbit_pass,
            experiment.bands,
            ratio=experiment.imbalance,
            split=experiment.split,
            events=experiment.events,
        )
        refuse_leak(part, sample.event)
        if not sample.label.any():
            raise ValueError(
                f"{dataset.folder}: no landslide patch in part {part} of {experiment.orbit_pass}; more scenes or events are needed"
            )
        parts.append(sample)
    return parts[0], parts[1]


def refuse_unscorable(experiment: Experiment, dataset: Dataset) -> None:
    """Refuse an experiment that could be trained, but not be scored at its end.

    Raises:
        ValueError: the validation or the test part is all of one kind.
    """
    for part in ("validation", "test"):
        label = dataset.select(
            part, experiment.orbit_pass, experiment.bands, split=experiment.split, events=experiment.events
        ).label
        slides = int(label.sum())
        if slides in (0, len(label)):
            raise ValueError(
                f"{dataset.folder}: part {part} of {experiment.orbit_pass} holds {slides} landslide patches and {len(label) - slides} of "
                "background: nothing could be scored there; more scenes or events are needed"
            )


def train(
    experiment: Experiment, dataset: Dataset, folder: Path, *, report: Report = silence
) -> tuple[keras.Model, dict[str, Any]]:
    """Train a network, going on from the checkpoint in `folder` if there is one.

    Returns:
        The network with its best weights, and what is to be known of the training: constants, counts, history.

    Raises:
        ValueError: see `samples`.
    """
    began = time.monotonic()
    mean, std = constants_of(samples(experiment, dataset)[0])
    constants = {
        key: dict(zip(experiment.bands, values, strict=True)) for key, values in (("mean", mean), ("std", std))
    }
    fills = {band: m if band.startswith("post") else 0.0 for band, m in constants["mean"].items()}
    seen, judged = samples(experiment, dataset.filled_with(fills))
    keras.utils.set_random_seed(experiment.seed)
    model = compiled(experiment, mean, std)
    batches = Batches(seen, experiment.batch_size, seed=experiment.seed)
    keeper = Keeper(folder / CHECKPOINT, batches, experiment.patience, began=began)
    first = keeper.restore(model)
    if not keeper.is_over:
        model.fit(
            batches,
            validation_data=Batches(judged, 256, seed=None),
            initial_epoch=first,
            epochs=experiment.epochs,
            shuffle=False,  # Batches does it
            verbose=0,
            callbacks=[keeper, Reporter(report, first_epoch=first)],
        )
    keeper.take_best(model)
    return model, {
        "standardisation": constants if experiment.standardise else None,
        "fill_db": fills,
        "patches": {"train": len(seen), "validation": len(judged)},
        "events": sorted(set(seen.event.tolist())),
        "scenes": len(np.unique(seen.scene)),
        "epochs": keeper.epochs,
        "best_epoch": keeper.best_epoch,
        "seconds": round(keeper.seconds, 1),
        "history": keeper.history,
    }


def compiled(experiment: Experiment, mean: list[float], std: list[float]) -> keras.Model:
    """Return the experiment's network, untrained, with optimizer and loss."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(experiment.precision)
    try:
        model = networks.build(
            experiment.network,
            bands=len(experiment.bands),
            filters=experiment.filters,
            variant=experiment.variant,
            dropout=experiment.dropout,
            mean=mean if experiment.standardise else None,
            std=std if experiment.standardise else None,
            batch_norm_momentum=experiment.batch_norm_momentum,
        )
    finally:
        keras.config.set_dtype_policy(before)
    model.compile(
        optimizer=keras.optimizers.Adam(experiment.learning_rate),
        loss=losses.loss_for(experiment.network),
        metrics=[keras.metrics.F1Score(average="micro", threshold=0.5, name="f1")],
    )
    return model


def run(
    experiment: Experiment, dataset: Dataset, runs: Path, *, command: str, report: Report = silence
) -> tuple[Path, Outcome]:
    """Train, evaluate and write `runs/<run id>/`; a finished run is kept, one that somebody else works on is left alone.

    Raises:
        ValueError: see `samples` and `refuse_unscorable`; or the checkpoint is damaged.
    """
    folder = runs / experiment.run_id(dataset.identity)
    with claim(folder) as is_ours:
        if (folder / METRICS).exists():
            return folder, "kept"
        if not is_ours:
            return folder, "claimed"
        config = {
            "experiment": asdict(experiment),
            "dataset": dataset.identity,
            "protocol": PROTOCOL,
            "command": command,
            "source": dataset.source,
        }
        write_json(folder / CONFIG, config)
        ran_on = folder / ENVIRONMENT
        since = times(ran_on, goes_on=(folder / CHECKPOINT).exists())
        write_json(ran_on, {**environment(), **since})
        refuse_unscorable(experiment, dataset)
        model, learnt = train(experiment, dataset, folder, report=report)
        filled = dataset.filled_with(learnt["fill_db"])
        judged = evaluate(model, filled, experiment, fit_baseline(samples(experiment, filled)[0]))
        card = model_card(experiment, dataset, learnt, judged, command=command)
        model_folder.save_weights(model, folder, card)
        write_json(folder / HISTORY, learnt)
        write_json(folder / METRICS, judged)
        for name in (CHECKPOINT, PROGRESS, FAILURE):
            (folder / name).unlink(missing_ok=True)
    return folder, "finished"


def model_card(
    experiment: Experiment,
    dataset: Dataset,
    learnt: dict[str, Any],
    judged: dict[str, Any],
    *,
    command: str,
) -> dict[str, Any]:
    """Return the card of a model, but for the hash of its weights."""
    kind = dataset.source["kind"]
    network = model_folder.network_card(
        experiment.model_name,
        experiment.bands,
        version=1,
        architecture=experiment.network,
        variant=experiment.variant,
        filters=experiment.filters,
        fill_db=learnt["fill_db"],
        standardisation=learnt["standardisation"],
        pixel_geometry=dataset.pixel_geometry,
        threshold=THRESHOLD,
        calibration=judged["calibration"],
        data_notice=SIMULATED_NOTICE if kind == "simulated" else RESEARCH_NOTICE,
    )
    return network | {
        "dropout": experiment.dropout,
        "training": {
            "command": command,
            "run": experiment.run_id(dataset.identity),
            "patch_set": dataset.identity,
            "patches_from": kind,
            "experiment": asdict(experiment),
            "scenes": learnt["scenes"],
            "events": learnt["events"],
            "patches": learnt["patches"],
            "epochs": learnt["epochs"],
            "best_epoch": learnt["best_epoch"],
            "seconds": round(learnt["seconds"]),
        },
        "scored_on": judged["scored_on"],
        "evaluation": judged["evaluation"],
        "limits": limits(experiment, dataset.pixel_geometry, learnt_from=kind, scored_on=kind),
    }
