"""On which slopes a model finds landslides and misses them: the pixels behind figure 7 (Nava et al. 2026, section 5.2).

The paper filters layover and shadow out of its inventories before patches are labelled, and does not say whether figure 7 counts those
pixels. Here it does not where they are known: a pixel that the pass cannot see says nothing of what the model makes of slopes.
`all` are the landslide patches of the explained part, found and missed; the paper's text compares with its whole training set.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.explanation.densities import circular_mean_deg
from training.explanation.ground import Ground

Pixels = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Slope and aspect of some pixels, degrees, float32 [n]."""


def by_outcome(ground: Ground, kinds: NDArray[np.str_]) -> dict[str, Pixels]:
    """Return slope and aspect of the visible scar pixels of all landslide patches, the found ones and the missed ones.

    Args:
        ground: under n patches.
        kinds: [n], `TP`, `FN` or others; others are left out.

    Returns:
        Pixels by `all`, `tp`, `fn`.
    """
    found, missed = kinds == "TP", kinds == "FN"
    return {name: ground.under_scars(keep) for name, keep in (("all", found | missed), ("tp", found), ("fn", missed))}


def averages(pixels: dict[str, Pixels]) -> dict[str, Any]:
    """Return how many pixels there are, their median slope and mean aspect; kinds without pixels are left out."""
    return {
        name: {
            "pixels": len(slope),
            "median_slope_deg": round(float(np.median(slope)), 1),
            "mean_aspect_deg": round(circular_mean_deg(aspect), 1),
        }
        for name, (slope, aspect) in pixels.items()
        if len(slope)
    }
