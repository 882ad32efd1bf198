"""`python -m training curves`: precision over recall, and reliability, of a finished training."""

import json
from pathlib import Path
from typing import Any

import click
from matplotlib.figure import Figure

from training.figure_file import refuse_other_suffix, save_figure


def draw_curves(judged: dict[str, Any], out: Path) -> None:
    """Write a figure: a row a part, left precision over recall with the baseline, right reliability before and after calibration.

    Args:
        judged: `metrics.json` of a run, or what `evaluate` prints.
        out: file.
    """
    parts = {name: curves for name, curves in judged["curves"].items() if curves["precision_recall"]["threshold"]}
    figure = Figure(figsize=(10, 3.6 * len(parts) + 0.4), layout="constrained")
    for (name, curves), (left, right) in zip(parts.items(), figure.subplots(len(parts), 2, squeeze=False), strict=True):
        for key, colour, label in (
            ("precision_recall", "#2b6ca3", "network"),
            ("baseline_precision_recall", "#888888", "threshold and density"),
        ):
            curve = curves[key]
            left.plot(
                curve["recall"], curve["precision"], color=colour, label=f"{label}, AP {curve['average_precision']:.3f}"
            )
        block = judged["evaluation"][name]
        limit = judged["evaluation"]["threshold"]
        left.plot(block["recall"], block["precision"], "o", color="#2b6ca3", label=f"score above {limit}")
        left.axhline(block["landslides"] / block["patches"], color="black", lw=0.8, ls=":")
        left.set(xlabel="recall", ylabel=f"{name.replace('_', ' ')}\nprecision", xlim=(0, 1), ylim=(0, 1.02))
        right.plot([0, 1], [0, 1], color="black", lw=0.8, ls=":")
        for key, colour, label in (
            ("reliability", "#b2432f", "score"),
            ("reliability_platt", "#2b7a4b", "calibrated (Platt)"),
        ):
            if (rows := curves.get(key)) is None:  # a network whose scores could not be calibrated
                continue
            sizes = [8 + 120 * (row["patches"] / block["patches"]) ** 0.5 for row in rows]
            x, y = ([row[value] for row in rows] for value in ("mean_probability", "landslide_share"))
            right.plot(x, y, color=colour, lw=1)
            right.scatter(x, y, s=sizes, color=colour, label=label)
        right.set(xlabel="mean probability", ylabel="share of landslides", xlim=(0, 1), ylim=(0, 1))
        for panel in (left, right):
            panel.grid(alpha=0.3)
            panel.legend(fontsize=8)
    figure.suptitle(
        f"{judged['evaluation']['data']} data; dotted: no skill (left), perfect calibration (right); dots: number of patches"
    )
    save_figure(figure, out)


CURVES_HELP = """Draw precision over recall, and reliability, of a finished training.

\b
Example:
  python -m training curves build/training/runs/RUN/metrics.json --out build/training/curves.png
"""


@click.command("curves", help=CURVES_HELP)
@click.argument("metrics", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Figure: PNG, PDF or SVG.")
def curves_command(metrics: Path, out: Path) -> None:
    """Draw precision over recall, and reliability, of a finished training."""
    refuse_other_suffix(out)
    try:
        judged = json.loads(metrics.read_text(encoding="utf-8"))
    except ValueError as error:
        raise click.ClickException(f"{metrics} is no metrics.json of a training: {error}") from error
    if not judged.get("curves"):
        raise click.ClickException(
            f"{metrics} holds no curves: it was written by an older release; train or evaluate again"
        )
    draw_curves(judged, out)
    click.echo(str(out))
