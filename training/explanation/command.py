"""`python -m training explain`: figures 5, 6 and 7 of a model, with the completeness error of what they show."""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from training.dataset import PATCHES, Sample, UnusableDataset, dataset_for
from training.evaluate import predict
from training.explanation.densities import circular_mean_deg
from training.explanation.expected_gradients import Explanation, explain, explain_with_shap
from training.explanation.figures import draw_figure_5, draw_figure_6, draw_figure_7, explained
from training.explanation.ground import Ground, UnknownGround, ground_under
from training.export import UnusableModel, load_model, read_card
from training.patches.split import Part
from training.simulator.geometry import look_azimuth

KINDS = ("TP", "FP", "FN")
BACKGROUND_PATCHES = 64
STEPS = 32
MEAN_LATITUDE_DEG = 20.0  # the look azimuth changes by less than 4 degrees between the equator and 45 degrees


def kinds_of(scores: NDArray[np.floating], label: NDArray[np.floating], threshold: float) -> NDArray[np.str_]:
    """Return `TP`, `FP`, `FN` or `TN` of each patch."""
    claim, truth = scores > threshold, label == 1
    return np.where(claim, np.where(truth, "TP", "FP"), np.where(truth, "FN", "TN"))


def choose(kinds: NDArray[np.str_], scores: NDArray[np.floating], kind: str, count: int) -> NDArray[np.int64]:
    """Return patches of a kind, evenly spread over them in the order of their scores: nobody picked the good ones."""
    places = np.nonzero(kinds == kind)[0]
    ordered = places[np.argsort(-scores[places], kind="stable")]
    return ordered[np.unique(np.linspace(0, len(ordered) - 1, min(count, len(ordered))).round().astype(int))]


EXPLAIN_HELP = """Explain a model's decisions: what each pixel of each band contributed, and on which slopes it finds landslides.

Writes figure5.png (true and false positives), figure6.png (true positives and misses, band by band), figure7.png (slope and aspect)
and explanation.json, which holds the completeness error. Patches are chosen evenly over their scores.

\b
Example:
  python -m training explain serving/models/vv_vh_descending_60_12 --out build/training/explanation
"""


@click.command("explain", help=EXPLAIN_HELP)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), default=PATCHES, show_default=True)
@click.option("--part", type=click.Choice(["validation", "test", "unseen"]), default="test", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for figures and numbers.")
@click.option("--each", type=click.IntRange(1, 20), default=3, show_default=True, help="Patches of each kind.")
@click.option(
    "--method",
    type=click.Choice(["expected-gradients", "shap"]),
    default="expected-gradients",
    show_default=True,
    help="shap needs the package of that name, which is not installed here.",
)
@click.option("--threshold", type=click.FloatRange(0, 1), help="The card's where it is not given.")
@click.option("--ground/--no-ground", default=True, show_default=True, help="Inventory outlines and figure 7.")
def explain_command(
    folder: Path, data: Path, part: Part, out: Path, each: int, method: str, threshold: float | None, ground: bool
) -> None:
    """Explain a model's decisions."""
    try:
        card, model = read_card(folder), load_model(folder)
        _, orbit_pass, pre_days, post_days = card["name"].rsplit("_", 3)
        fills = card["fill_db"]
        by_band = fills if isinstance(fills, dict) else dict(zip(card["bands"], fills, strict=True))
        dataset = dataset_for(data, int(pre_days), int(post_days)).filled_with(by_band)
        sample = dataset.select(
            part, orbit_pass.upper(), card["bands"], split=card.get("training", {}).get("split", "cell")
        )
        scores = predict(model, sample)
        kinds = kinds_of(scores, sample.label, card["threshold"] if threshold is None else threshold)
        places = np.concatenate([choose(kinds, scores, kind, each) for kind in KINDS])
        if not len(places):
            raise click.ClickException(f"{data}: no landslide and no false alarm in part {part}: nothing to explain")
        calm = choose(np.where(sample.label == 1, "", "calm"), scores, "calm", BACKGROUND_PATCHES)
        patches, background = sample.take(places), sample.take(calm)
        found = (
            explain_with_shap(model, patches, background)
            if method == "shap"
            else explain(model, patches, background, steps=STEPS)
        )
        under = ground_under(dataset.folder, dataset.source, sample.rows[places]) if ground else None
        _draw(out, card["bands"], sample, places, kinds, scores, patches, found, under)
        report = _report(card, sample, places, kinds, scores, found, method, len(calm))
        if ground:
            report["slope_and_aspect"] = _figure_7(
                out, orbit_pass.upper(), dataset.folder, dataset.source, sample, kinds
            )
    except (UnusableModel, UnusableDataset, UnknownGround, ModuleNotFoundError) as error:
        raise click.ClickException(str(error)) from error
    (out / "explanation.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    click.echo(f"{out}: {len(places)} patches, completeness error {100 * found.completeness_error:.2f} %")


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
) -> None:
    titles = [f"{row['event']} {row['scene']} cell {row['row']}-{row['column']}" for row in sample.rows[places]]
    scars = None if ground is None else ground.scar
    records = explained(kinds[places].tolist(), scores[places].tolist(), titles, patches, found, scars)
    by_kind = {kind: [record for record in records if record.kind == kind] for kind in KINDS}
    if by_kind["TP"] or by_kind["FP"]:
        draw_figure_5(by_kind["TP"] + by_kind["FP"], bands, found.completeness_error, out / "figure5.png")
    if by_kind["TP"] or by_kind["FN"]:
        chosen = by_kind["TP"][:2] + by_kind["FN"][:2]
        draw_figure_6(chosen, bands, found.completeness_error, out / "figure6.png")


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
            part = Explanation(
                contributions=found.contributions[here],
                logits=found.logits[here],
                background_logit=found.background_logit,
            )
            shares[kind] = dict(zip(card["bands"], part.band_shares().round(4).tolist(), strict=True))
    return {
        "model": card["name"],
        "sha256": card["sha256"],
        "method": method,
        "background_patches": background,
        "steps": STEPS if method == "expected-gradients" else None,
        "completeness_error": round(found.completeness_error, 5),
        "decisions": counted,
        "band_shares": shares,
        "patches": [
            {
                "kind": str(kinds[place]),
                "score": round(float(scores[place]), 4),
                "gap": round(float(gap), 5),
                **{name: sample.rows[place][name].item() for name in ("event", "scene", "row", "column")},
            }
            for place, gap in zip(places, found.gaps, strict=True)
        ],
    }


def _figure_7(
    out: Path, orbit_pass: Any, folder: Path, source: dict[str, Any], sample: Sample, kinds: NDArray[np.str_]
) -> dict[str, Any]:
    """Draw figure 7 over the scar pixels of all landslide patches of the part; return their medians."""
    is_slide = sample.label == 1
    ground = ground_under(folder, source, sample.rows[is_slide])
    kind = kinds[is_slide]
    masks = {"all": np.ones(len(kind), bool), "tp": kind == "TP", "fn": kind == "FN"}
    pairs = {name: ground.under_scars(keep) for name, keep in masks.items()}
    events = ", ".join(sorted(set(sample.event[is_slide].tolist())))
    draw_figure_7(
        {name: pair[0] for name, pair in pairs.items()},
        {name: pair[1] for name, pair in pairs.items()},
        look_azimuth(orbit_pass, MEAN_LATITUDE_DEG),
        f"slope and aspect under landslides, {orbit_pass.lower()}, {source.get('kind', '')} data: {events}",
        out / "figure7.png",
    )
    return {
        name: {
            "pixels": len(slope),
            "median_slope_deg": round(float(np.median(slope)), 1),
            "mean_aspect_deg": round(circular_mean_deg(aspect), 1),
        }
        for name, (slope, aspect) in pairs.items()
        if len(slope)
    }
