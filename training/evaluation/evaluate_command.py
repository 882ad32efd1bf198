"""`python -m training evaluate`: a model folder scored again, one that was trained here on no patch that it learnt from."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from training.dataset import PATCHES, Dataset, UnusableDataset, dataset_for
from training.evaluation.baseline import Baseline, fit_baseline
from training.evaluation.evaluate import evaluate
from training.evaluation.limits import limits_of_card
from training.experiments import Experiment, experiment_of
from training.fitting.tensorflow_setup import keep_freed_memory
from training.model_folder import load_model, read_card
from training.model_name import ModelName
from training.run_files import CARD, METRICS, write_json

EVALUATE_HELP = """Score a model folder again on the test part and on the unseen events; print what it found as JSON.

Imported weights are scored like trained ones: their thresholds and baseline come from the patch set. Nothing tells which ground they
learnt from; scores on it are too good, and their card says so. A calibration is written into their card only from real patches, and if
--learnt-elsewhere says that they learnt from none of them: the detector would apply it.

\b
Examples:
  python -m training evaluate serving/models/vv_vh_ascending_60_12
  python -m training evaluate build/imported/vv_vh_ascending_60_12 --data real --write
"""


@click.command("evaluate", help=EVALUATE_HELP)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--data", type=click.Path(path_type=Path), default=PATCHES, show_default=True, help="Patch set, or folder of them."
)
@click.option(
    "--write",
    is_flag=True,
    help="Put calibration and scores into the card, and into metrics.json of a training's folder.",
)
@click.option(
    "--learnt-elsewhere", is_flag=True, help="You know that imported weights learnt from none of the set's ground."
)
def evaluate_command(folder: Path, data: Path, write: bool, learnt_elsewhere: bool) -> None:
    """Score a model folder again on the test part and on the unseen events."""
    keep_freed_memory()
    try:
        card = read_card(folder)
        dataset = dataset_of(card, data)
        experiment = as_trained(card, dataset)
        judged = evaluate(load_model(folder), dataset, experiment, baseline_of(card, dataset, experiment))
    except ValueError as error:  # model, card or set are unusable, or a part is all of one kind
        raise click.ClickException(str(error)) from error
    if not write:
        click.echo(json.dumps(judged, indent=1))
        return
    rewritten = rescored(card, judged, dataset, learnt_elsewhere=learnt_elsewhere)
    write_json(folder / CARD, rewritten, indent=2)
    if (folder / METRICS).exists():
        write_json(folder / METRICS, judged)
    click.echo(f"{folder / CARD}: scored on {dataset.folder}")


def rescored(
    card: dict[str, Any], judged: dict[str, Any], dataset: Dataset, *, learnt_elsewhere: bool = False
) -> dict[str, Any]:
    """Return a card with new scores and calibration; imported weights get one only from real patches that they have not learnt."""
    scored = {key: judged[key] for key in ("calibration", "scored_on", "evaluation")}
    kind = dataset.source["kind"]
    scored["limits"] = limits_of_card(card, scored_on=kind, learnt_elsewhere=learnt_elsewhere)
    if "imported" in card and (not learnt_elsewhere or kind == "simulated"):
        scored["calibration"] = None
    return {**card, **scored}


def dataset_of(card: dict[str, Any], data: Path) -> Dataset:
    """Return the patch set of a model's windows, missing pixels read as its card says.

    Raises:
        UnusableDataset: there is none.
    """
    name = ModelName.parse(card["name"])
    return dataset_for(data, name.pre_days, name.post_days).filled_with(card["fill_db"])


def as_trained(card: dict[str, Any], dataset: Dataset) -> Experiment:
    """Return the values of a training that decide which patches it is judged on; what `experiment_of` knows for imported weights.

    Raises:
        UnknownExperiment: the card does not say them.
        UnusableDataset: the set holds none of the events that the model learnt from, or has other cells: its test part would be ground
            of which nobody knows whether it was learnt.
    """
    experiment = experiment_of(card)
    if "imported" in card:
        return experiment
    learnt_from = card["training"]["events"]
    here = set(dataset.rows(experiment.orbit_pass, experiment.bands)["event"].tolist())
    if not (known := here & set(learnt_from)):
        raise UnusableDataset(
            f"{dataset.folder} holds none of the events that {card['name']} learnt from ({', '.join(learnt_from)}); "
            f"it holds {', '.join(sorted(here)) or 'nothing of this pass and these bands'}"
        )
    then = card["pixel_geometry"], card["scored_on"].get("cells")
    now = dataset.pixel_geometry, dataset.source.get("cells")
    if dataset.source.get("cells") == "numbered" and dataset.identity != (own := card["training"]["patch_set"]):
        raise UnusableDataset(
            f"{dataset.folder}: its cells are numbers, which are the same ground in one set alone; {card['name']} learnt from set "
            f"{own[:12]}, this is {dataset.identity[:12]}. Give --data that set; with `cells` in their configurations sets can be compared"
        )
    if then != now:
        raise UnusableDataset(
            f"{dataset.folder} has other cells than the set that {card['name']} learnt from ({now} for {then}): which of them it has "
            "seen cannot be told"
        )
    return replace(experiment, events=tuple(sorted(known)))


def baseline_of(card: dict[str, Any], dataset: Dataset, experiment: Experiment) -> Baseline:
    """Return the rule that a training left in its card; for imported weights the one that fits the training part of a set."""
    if "imported" not in card and (rule := card["evaluation"].get("baseline_rule")):
        return Baseline(**rule)
    training_part = dataset.select(
        "train",
        experiment.orbit_pass,
        experiment.bands,
        split=experiment.split,
        events=experiment.events,
        ratio=experiment.imbalance,
    )
    return fit_baseline(training_part)
