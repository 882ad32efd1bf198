"""Which patches are explained, and which ones they are held against."""

import numpy as np
from numpy.typing import NDArray

from training.dataset import Sample

KINDS = ("TP", "FP", "FN")
BACKGROUND_PATCHES = 64


def kinds_of(scores: NDArray[np.floating], label: NDArray[np.floating], threshold: float) -> NDArray[np.str_]:
    """Return `TP`, `FP`, `FN` or `TN` of each patch."""
    claim, truth = scores > threshold, label == 1
    return np.where(claim, np.where(truth, "TP", "FP"), np.where(truth, "FN", "TN"))


def choose(kinds: NDArray[np.str_], scores: NDArray[np.floating], kind: str, count: int) -> NDArray[np.int64]:
    """Return patches of a kind, evenly spread over them in the order of their scores: nobody picked the good ones."""
    places = np.nonzero(kinds == kind)[0]
    return _spread(places[np.argsort(-scores[places], kind="stable")], count)


def choose_background(validation: Sample, explained: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return patches without a landslide, evenly spread over those of the validation part.

    Args:
        validation: what they are chosen from.
        explained: int64 [n], index of the patches to explain: none of them may be what it is held against.
    """
    is_calm = (validation.label != 1) & ~np.isin(validation.index, explained)
    return _spread(np.nonzero(is_calm)[0], BACKGROUND_PATCHES)


def _spread(places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return places[np.unique(np.linspace(0, len(places) - 1, min(count, len(places))).round().astype(int))]
