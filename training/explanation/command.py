"""`python -m training explain`: figures 5, 6 and 7 of a model, with the completeness error of what they show."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from training.dataset import PATCHES, Dataset, Sample, UnusableDataset
from training.evaluation.evaluate import predict
from training.evaluation.evaluate_command import as_trained, dataset_of
from training.experiments import UnknownExperiment
from training.explanation.choice import KINDS, choose, choose_background, kinds_of
from training.explanation.expected_gradients import (
    DOUBLINGS,
    FIRST_STEPS,
    MOST_ERROR,
    SHAP_SAMPLES,
    Explanation,
    explain,
    explain_with_shap,
    until_complete,
)
from training.explanation.figures import explained, figure_5, figure_6, figure_7, save
from training.explanation.ground import Ground, UnknownGround, ground_under
from training.explanation.slopes import averages, by_outcome
from training.model_folder import UnusableModel, load_model, read_card
from training.patches.split import Part
from training.patches.store import OrbitPass
from training.report import Steps
from training.simulator.geometry import look_azimuth

MEAN_LATITUDE_DEG = 20.0  # the look azimuth changes by less than 4 degrees between the equator and 45 degrees


EXPLAIN_HELP = f"""Explain a model's decisions: what each pixel of each band contributed, and on which slopes it finds landslides.

Writes figure5.png (true and false positives), figure6.png (true positives and misses, band by band), figure7.png (slope and aspect)
and explanation.json, which holds the completeness error. Patches are chosen evenly over their scores, from events that the model learnt
from; the background they are held against comes from the validation part.

Expected gradients begin with {FIRST_STEPS} steps and double them, up to {FIRST_STEPS * 2**DOUBLINGS}, until the completeness error is
below {100 * MOST_ERROR:g} %. Where it stays above, all files are written and the command ends with an error.

\b
Example:
  python -m training explain serving/models/vv_vh_descending_60_12 --out build/training/explanation
"""
METHOD_HELP = (
    f"shap needs the package of that name, which is not installed here. Expect a completeness error of 20 to 40 % from its {SHAP_SAMPLES} "
    f"samples: the command then ends with an error, as with every one from {100 * MOST_ERROR:g} % on."
)


@click.command("explain", help=EXPLAIN_HELP)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--data", type=click.Path(path_type=Path), default=PATCHES, show_default=True, help="Patch set, or folder of them."
)
@click.option("--part", type=click.Choice(["validation", "test", "unseen"]), default="test", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for figures and numbers.")
@click.option("--each", type=click.IntRange(1, 20), default=3, show_default=True, help="Patches of each kind.")
@click.option(
    "--method",
    type=click.Choice(["expected-gradients", "shap"]),
    default="expected-gradients",
    show_default=True,
    help=METHOD_HELP,
)
@click.option("--threshold", type=click.FloatRange(0, 1), help="The card's where it is not given.")
@click.option("--ground/--no-ground", default=True, show_default=True, help="Inventory outlines and figure 7.")
def explain_command(
    folder: Path, data: Path, part: Part, out: Path, each: int, method: str, threshold: float | None, ground: bool
) -> None:
    """Explain a model's decisions."""
    out.mkdir(parents=True, exist_ok=True)  # now, not after the work
    try:
        card, model = read_card(folder), load_model(folder)
        dataset = dataset_of(card, data)
        experiment = as_trained(card, dataset)
        orbit_pass = experiment.orbit_pass
        choice = {"orbit_pass": orbit_pass, "bands": card["bands"], "split": experiment.split}
        sample = dataset.select(part, **choice, events=() if part == "unseen" else experiment.events)
        validation = dataset.select("validation", **choice, events=experiment.events)
        scores = predict(model, sample) if len(sample) else np.zeros(0)
        kinds = kinds_of(scores, sample.label, card["threshold"] if threshold is None else threshold)
        places = np.concatenate([choose(kinds, scores, kind, each) for kind in KINDS])
        if not len(places):
            raise click.ClickException(f"{data}: no landslide and no false alarm in part {part}: nothing to explain")
        calm = choose_background(validation, sample.index[places])
        if not len(calm):
            raise click.ClickException(
                f"{data}: no patch without a landslide in the validation part: nothing to hold the explained ones against"
            )
        # before the explanation: a set that the simulator no longer makes is refused in seconds
        shown = np.union1d(places, np.nonzero(sample.label == 1)[0])
        under = _ground(dataset, sample.rows[shown], orbit_pass) if ground else None
        patches = sample.take(places)
        found = _explained(model, patches, validation.take(calm), method)
    except (UnusableModel, UnusableDataset, UnknownExperiment, UnknownGround, ModuleNotFoundError) as error:
        raise click.ClickException(str(error)) from error
    outlined = None if under is None else under.at(np.searchsorted(shown, places))
    _draw(out, card["bands"], sample, places, kinds, scores, patches, found, outlined, dataset.source["kind"])
    report = _report(card, sample, places, kinds, scores, found, method, len(calm))
    if under is not None:
        report["slope_and_aspect"] = _draw_slopes(out, dataset, orbit_pass, under, sample.event[shown], kinds[shown])
    (out / "explanation.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    click.echo(f"{out}: {len(places)} patches, completeness error {_said(found)}")
    if not found.is_complete:
        _end_incomplete(found)


def _ground(dataset: Dataset, rows: NDArray[np.void], orbit_pass: OrbitPass) -> Ground:
    with Steps("scene", console=Console(stderr=True)) as steps:
        return ground_under(dataset.folder, dataset.source, rows, orbit_pass, steps)


def _explained(
    model: keras.Model, patches: NDArray[np.float32], background: NDArray[np.float32], method: str
) -> Explanation:
    if method == "shap":
        return explain_with_shap(model, patches, background)

    def attempt(steps: int) -> Explanation:
        with Steps(f"{steps} steps, patch", console=Console(stderr=True)) as bar:
            return explain(model, patches, background, steps=steps, progress=bar)

    return until_complete(attempt)


def _said(found: Explanation) -> str:
    return f"{100 * found.completeness_error:.2f} %, of a single patch at most {100 * found.patch_errors.max():.1f} %"


def _end_incomplete(found: Explanation) -> None:
    limit = f"{100 * MOST_ERROR:g} %"
    means = "" if found.steps is None else f" after {found.steps} steps"
    click.secho(
        f"completeness error {_said(found)}{means}: the mean is not below {limit}, and what these contributions leave out could "
        "lie anywhere. The files are written and say so; do not show them as explanations",
        fg="red",
        err=True,
    )
    click.get_current_context().exit(1)


def _draw(
    out: Path,
    bands: list[str],
    sample: Sample,
    places: NDArray[np.int64],
    kinds: NDArray[np.str_],
    scores: NDArray[np.float64],
    patches: NDArray[np.float32],
    found: Explanation,
    ground: Ground | None,
    data: str,
) -> None:
    titles = [f"{row['event']} {row['scene']} cell {row['row']}-{row['column']}" for row in sample.rows[places]]
    scars = None if ground is None else ground.scar
    records = explained(kinds[places].tolist(), scores[places].tolist(), titles, patches, found, scars)
    by_kind = {kind: [record for record in records if record.kind == kind] for kind in KINDS}
    if by_kind["TP"] or by_kind["FP"]:
        save(figure_5(by_kind["TP"] + by_kind["FP"], bands, found.completeness_error, data), out / "figure5.png")
    if by_kind["TP"] or by_kind["FN"]:
        save(
            figure_6(by_kind["TP"][:2] + by_kind["FN"][:2], bands, found.completeness_error, data), out / "figure6.png"
        )


def _draw_slopes(
    out: Path,
    dataset: Dataset,
    orbit_pass: OrbitPass,
    ground: Ground,
    event: NDArray[np.str_],
    kinds: NDArray[np.str_],
) -> dict[str, Any]:
    """Draw figure 7 over the scar pixels of all landslide patches of the part; return what it rests on."""
    pixels = by_outcome(ground, kinds)
    events = ", ".join(sorted(set(event[np.isin(kinds, ("TP", "FN"))].tolist())))
    sight = "without" if ground.is_filtered else "with"
    title = (
        f"slope and aspect under landslides, {sight} layover and shadow, {orbit_pass.lower()}, {dataset.source.get('kind', '')} data: "
        f"{events}"
    )
    if len(pixels["all"][0]):
        save(figure_7(pixels, look_azimuth(orbit_pass, MEAN_LATITUDE_DEG), title), out / "figure7.png")
    return {"without_layover_and_shadow": ground.is_filtered, **averages(pixels)}


def _report(
    card: dict[str, Any],
    sample: Sample,
    places: NDArray[np.int64],
    kinds: NDArray[np.str_],
    scores: NDArray[np.float64],
    found: Explanation,
    method: str,
    background: int,
) -> dict[str, Any]:
    counted = dict(zip(*(values.tolist() for values in np.unique(kinds, return_counts=True)), strict=True))
    shares = {}
    for kind in KINDS:
        if (here := kinds[places] == kind).any():
            part = replace(found, contributions=found.contributions[here], logits=found.logits[here])
            shares[kind] = dict(zip(card["bands"], part.band_shares().round(4).tolist(), strict=True))
    return {
        "model": card["name"],
        "sha256": card["sha256"],
        "method": method,
        "events": sorted(set(sample.event.tolist())),
        "background": {"part": "validation", "patches": background},
        "steps": found.steps,
        "background_logit": round(found.background_logit, 5),
        "completeness_error": round(found.completeness_error, 5),
        "largest_completeness_error": round(float(found.patch_errors.max()), 5),
        "is_complete": found.is_complete,
        "decisions": counted,
        "band_shares": shares,
        "patches": [
            {
                "kind": str(kinds[place]),
                "score": round(float(scores[place]), 4),
                "gap": round(float(gap), 5),
                "completeness_error": round(float(error), 5),
                **{name: sample.rows[place][name].item() for name in ("event", "scene", "row", "column")},
            }
            for place, gap, error in zip(places, found.gaps, found.patch_errors, strict=True)
        ],
    }
