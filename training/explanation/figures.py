"""Figures like the paper's 5, 6 and 7, drawn from our own models and patches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.explanation.densities import aspect_density, slope_density
from training.explanation.expected_gradients import MOST_ERROR, Explanation
from training.explanation.slopes import Pixels

RANGES_DB = {"postVV": (-20.0, 0.0), "postVH": (-27.0, -7.0), "diffVV": (-6.0, 6.0), "diffVH": (-6.0, 6.0)}
KINDS = {"all": ("#555555", "all landslides"), "tp": ("#2b7a4b", "found (TP)"), "fn": ("#b2432f", "missed (FN)")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One explained patch.

    Attributes:
        kind: such as `TP`.
        score: of the model.
        title: where it comes from.
        patch: float32 [64, 64, bands], dB.
        contributions: float32 [64, 64, bands], of the logit.
        error: its own completeness error.
        scar: bool [64, 64], inventory; None where it is not known.
    """

    kind: str
    score: float
    title: str
    patch: NDArray[np.float32]
    contributions: NDArray[np.float32]
    error: float
    scar: NDArray[np.bool_] | None


def explained(
    kinds: Sequence[str],
    scores: Sequence[float],
    titles: Sequence[str],
    patches: NDArray[np.float32],
    explanation: Explanation,
    scars: NDArray[np.bool_] | None,
) -> list[Explained]:
    """Return one record a patch."""
    return [
        Explained(
            kind=kinds[i],
            score=scores[i],
            title=titles[i],
            patch=patches[i],
            contributions=explanation.contributions[i],
            error=float(explanation.patch_errors[i]),
            scar=None if scars is None else scars[i],
        )
        for i in range(len(patches))
    ]


def figure_5(records: Sequence[Explained], bands: Sequence[str], error: float, data: str) -> Figure:
    """Draw true positives beside false positives: post-event VV, change in VV, and the mean contribution of a pixel over all bands."""
    columns = ("postVV", "diffVV", "mean contribution")
    figure = Figure(figsize=(2.4 * len(columns) * 2, 2.55 * max(1, (len(records) + 1) // 2)), layout="constrained")
    kinds = list(dict.fromkeys(record.kind for record in records))
    rows = max(sum(record.kind == kind for record in records) for kind in kinds)
    axes = figure.subplots(rows, len(columns) * len(kinds), squeeze=False)
    for panel in axes.flat:
        panel.axis("off")
    limit = _limit([record.contributions.mean(axis=2) for record in records])
    for side, kind in enumerate(kinds):
        for row, record in enumerate(r for r in records if r.kind == kind):
            here = axes[row, side * len(columns) : (side + 1) * len(columns)]
            for panel, band in zip(here[:2], columns[:2], strict=True):
                _band(panel, record, band, bands)
            image = _contribution(here[2], record.contributions.mean(axis=2), limit, record.scar)
            here[0].set_title(f"{kind}  p = {record.score:.2f}\n{record.title}\npostVV", fontsize=8)
            here[1].set_title("diffVV", fontsize=8)
            here[2].set_title("mean contribution", fontsize=8)
    figure.colorbar(image, ax=axes, shrink=0.6, label="contribution to the logit, mean over bands")
    figure.suptitle(_headline(records, error, data), fontsize=9)
    return figure


def figure_6(records: Sequence[Explained], bands: Sequence[str], error: float, data: str) -> Figure:
    """Draw a row a patch: its bands, then what each band's pixels contributed, all on one colour scale."""
    figure = Figure(figsize=(1.75 * (2 * len(bands) + 1) + 1, 1.78 * len(records) + 0.8), layout="constrained")
    axes = figure.subplots(len(records), 2 * len(bands) + 1, squeeze=False)
    limit = _limit([record.contributions for record in records])
    for row, record in zip(axes, records, strict=True):
        for place, band in enumerate(bands):
            _band(row[place], record, band, bands)
            image = _contribution(row[len(bands) + place], record.contributions[..., place], limit, record.scar)
        _contribution(row[-1], record.contributions.mean(axis=2), limit, record.scar)
        row[0].set_ylabel(f"{record.kind}  p = {record.score:.2f}\n{record.title}", fontsize=8)
    titles = [*bands, *(f"contribution\nof {band}" for band in bands), "mean over\nbands"]
    for panel, title in zip(axes[0], titles, strict=True):
        panel.set_title(title, fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.7, pad=0.01, label="contribution to the logit")
    figure.suptitle(_headline(records, error, data), fontsize=9)
    return figure


def figure_7(pixels: Mapping[str, Pixels], look_deg: float, title: str) -> Figure:
    """Draw the densities of slope and aspect over scar pixels of all, found and missed landslides.

    Args:
        pixels: slope and aspect by `all`, `tp`, `fn`; a kind without pixels is left out.
        look_deg: azimuth in which the radar looks; slopes that face it have the opposite aspect.
        title: of the figure.
    """
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    at_slope, at_aspect = np.linspace(0, 80, 161), np.linspace(0, 360, 361)
    for kind, (colour, name) in KINDS.items():
        if kind in pixels and len(pixels[kind][0]):
            slope, aspect = pixels[kind]
            label = f"{name}: {len(slope):,} pixels"
            left.plot(at_slope, slope_density(slope, at_slope), color=colour, label=label)
            right.plot(at_aspect, aspect_density(aspect, at_aspect), color=colour, label=label)
    facing = (look_deg + 180) % 360
    right.axvline(facing, color="black", lw=0.8, ls=":")
    right.annotate("faces the radar", (facing, right.get_ylim()[1]), fontsize=7, ha="center", va="bottom")
    left.set(xlabel="slope (degrees)", ylabel="density (1/degree)", xlim=(0, 80), ylim=(0, None))
    right.set(xlabel="aspect (degrees from north)", xticks=range(0, 361, 45), xlim=(0, 360), ylim=(0, None))
    right.set_xticklabels(["N", "NE", "E", "SE", "S", "SW", "W", "NW", "N"])
    left.legend(fontsize=8)
    figure.suptitle(title, fontsize=9)
    return figure


def _band(panel: Axes, record: Explained, band: str, bands: Sequence[str]) -> None:
    panel.axis("on")
    panel.set(xticks=[], yticks=[])
    if band in bands:
        low, high = RANGES_DB[band]
        colours = "PuOr" if band.startswith("diff") else "gray"
        panel.imshow(record.patch[..., bands.index(band)], vmin=low, vmax=high, cmap=colours)
        _outline(panel, record.scar)


def _contribution(panel: Axes, values: NDArray[np.floating], limit: float, scar: NDArray[np.bool_] | None) -> object:
    panel.axis("on")
    panel.set(xticks=[], yticks=[])
    image = panel.imshow(values, vmin=-limit, vmax=limit, cmap="RdBu_r")
    _outline(panel, scar)
    return image


def _outline(panel: Axes, scar: NDArray[np.bool_] | None) -> None:
    if scar is not None and scar.any() and not scar.all():
        panel.contour(scar, levels=[0.5], colors="#11aa11", linewidths=0.8)


def _limit(values: Sequence[NDArray[np.floating]]) -> float:
    """Return where the colours end: beyond 99.5 % of the pixels, so that one pixel does not bleach all others."""
    return max(float(np.quantile(np.abs(np.concatenate([v.ravel() for v in values])), 0.995)), 1e-9)


def _headline(records: Sequence[Explained], error: float, data: str) -> str:
    verdict = "" if error < MOST_ERROR else f", NOT COMPLETE: it must be below {100 * MOST_ERROR:g} %"
    outlines = "; green: inventory" if any(record.scar is not None for record in records) else ""
    return (
        f"{data} data. Contribution of each pixel to the logit: red speaks for a landslide, blue against; completeness error "
        f"{100 * error:.1f} %{verdict}, of a single patch here at most {100 * max(record.error for record in records):.1f} %\n"
        f"diff bands: purple has become brighter, orange darker{outlines}"
    )


def save(figure: Figure, out: Path) -> None:
    """Write a figure; its folder is made if absent."""
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=140)
