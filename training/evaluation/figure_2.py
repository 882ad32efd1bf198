"""Figure 2: F1 over the ten pairs of windows, for both passes and both band sets; the paper's medians and ours."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from training.evaluation.band_sets import of_row
from training.evaluation.published import Published, read_published
from training.evaluation.runs import At, Run, median_and_spread, of_one_kind
from training.figure_file import save_figure

COLOURS = {"ASCENDING": "#b2432f", "DESCENDING": "#2b6ca3"}
SHIFT = {"ASCENDING": -0.18, "DESCENDING": 0.18}


def draw_figure_2(runs: Sequence[Run], at: At, out: Path) -> None:
    """Write the figure; a pair of windows without a run has the paper's value only.

    Args:
        runs: of any models; those of the CNN count.
        at: the threshold of our scores.
        out: PNG, or what the suffix says.

    Raises:
        MixedRuns: trainings of one pair of windows are of several kinds.
    """
    figure = figure_2(runs, at)
    save_figure(figure, out)


def figure_2(runs: Sequence[Run], at: At) -> Figure:
    """Return the figure; see `draw_figure_2`."""
    figure = Figure(figsize=(11, 7), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True)
    for panel, (table, title) in zip(panels, (("A2", "VV and VH"), ("A3", "VV")), strict=True):
        rows = read_published(table)
        stacks = list(dict.fromkeys(row.stack for row in rows))
        for orbit_pass, colour in COLOURS.items():
            own = [row for row in rows if row.orbit_pass == orbit_pass]
            places = [stacks.index(row.stack) + SHIFT[orbit_pass] for row in own]
            panel.errorbar(
                [place - 0.06 for place in places],
                [100 * row.share("f1") for row in own],
                yerr=[float(row.spreads["f1"]) for row in own],
                fmt="o",
                mfc="white",
                color=colour,
                capsize=3,
                label=f"{orbit_pass.lower()}, paper (median ± sd of 24)",
            )
            _draw_ours(panel, own, places, runs, at, f"{orbit_pass.lower()}, ours", colour)
        panel.set(title=title, ylabel="F1 (%)", xticks=range(len(stacks)), xticklabels=stacks, ylim=(0, 100))
        panel.grid(axis="y", alpha=0.3)
    data = ", ".join(sorted({run.data for run in runs})) or "no run yet"
    panels[-1].set_xlabel("days before - days after the earthquake")
    panels[0].legend(ncols=2, fontsize=8, loc="lower left")
    figure.suptitle(f"F1 by windows. Ours: {data}")
    return figure


def _draw_ours(
    panel: object,
    rows: Sequence[Published],
    places: Sequence[float],
    runs: Sequence[Run],
    at: At,
    label: str,
    colour: str,
) -> None:
    points = []
    for row, place in zip(rows, places, strict=True):
        own = of_one_kind(of_row(row, runs))
        if own:
            value, deviation = median_and_spread(own, "f1", at)
            points.append((place + 0.06, 100 * value, 100 * (deviation or 0)))
    if points:
        x, y, spread = zip(*points, strict=True)
        panel.errorbar(x, y, yerr=spread, fmt="s", color=colour, capsize=3, label=f"{label} (median ± sd)")  # type: ignore[attr-defined]
