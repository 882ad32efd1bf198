"""What one threshold cannot say: precision against recall over all of them, and what share of patches with a score are landslides."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

POINTS = 101
BINS = 10


def precision_recall(score: NDArray[np.floating], label: NDArray[np.floating]) -> dict[str, Any]:
    """Return average precision and the curve, thinned to at most 101 points evenly spread over recall.

    Returns:
        `average_precision` (None where there is no landslide), and lists `threshold`, `precision`, `recall` by rising threshold.
    """
    if not (label == 1).any():
        return {"average_precision": None, "threshold": [], "precision": [], "recall": []}
    precision, recall, threshold = metrics.precision_recall_curve(label == 1, score)
    rising = recall[-2::-1]  # without the last point, which no threshold makes
    keep = np.unique(
        len(threshold) - 1 - np.searchsorted(rising, np.linspace(0, 1, POINTS)).clip(0, len(threshold) - 1)
    )
    return {
        "average_precision": round(float(metrics.average_precision_score(label == 1, score)), 4),
        **{
            name: [round(float(v), 4) for v in values[keep]]
            for name, values in (("threshold", threshold), ("precision", precision), ("recall", recall))
        },
    }


def reliability(probability: NDArray[np.floating], label: NDArray[np.floating]) -> list[dict[str, float]]:
    """Return for each tenth that holds a patch: how many, their mean probability, the share that are landslides."""
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    rows = []
    for number in np.unique(place):
        here = place == number
        rows.append(
            {
                "patches": int(here.sum()),
                "mean_probability": round(float(probability[here].mean()), 4),
                "landslide_share": round(float(np.mean(label[here] == 1)), 4),
            }
        )
    return rows
