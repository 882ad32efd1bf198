"""How far a measure could have come out otherwise: 95 % intervals by the bootstrap (Efron 1979), whole scenes at a time.

Patches of one scene resemble each other, so they are drawn together; drawing them one by one would promise too much.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from training.evaluation.scores import MEASURES, THRESHOLD, count

Interval = tuple[float, float]
Unit = Literal["scene", "patch"]


def intervals(
    score: NDArray[np.floating],
    label: NDArray[np.floating],
    group: NDArray[np.integer],
    threshold: float = THRESHOLD,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[dict[str, Interval], Unit]:
    """Return the 95 % interval of every measure of `scores.MEASURES`.

    Args:
        score: float [n].
        label: [n], 1 = landslide.
        group: int [n], the scene of each patch; with a single scene the patches are drawn instead, and the intervals are too narrow.
        threshold: a score above it claims a landslide.
        draws: resamples.
        seed: of the resamples: the same data give the same intervals.

    Returns:
        (low, high) by measure, and what was drawn.
    """
    unit: Unit = "scene"
    numbers, place = np.unique(group, return_inverse=True)
    if len(numbers) < 2:
        unit, place = "patch", np.arange(len(score))
    if len(score) < 2:  # nothing to draw from: the value itself
        alone = count(score, label, threshold)
        return {name: (round(getattr(alone, name), 4),) * 2 for name in MEASURES}, unit
    claim, truth = score > threshold, label == 1
    kinds = (claim & truth, claim & ~truth, ~claim & truth, ~claim & ~truth)
    per_group = np.stack([np.bincount(place, kind) for kind in kinds], axis=1)

    def measures(drawn: NDArray[np.integer], axis: int) -> NDArray[np.float64]:
        hits, false, missed, rest = np.moveaxis(per_group[drawn].sum(axis=axis - 1), -1, 0)
        whole = [hits + rest, hits, hits, 2 * hits]
        parts = [hits + false + missed + rest, hits + false, hits + missed, 2 * hits + false + missed]
        return np.stack([w / np.maximum(p, 1) for w, p in zip(whole, parts, strict=True)])

    found = stats.bootstrap(
        (np.arange(len(per_group)),),
        measures,
        n_resamples=draws,
        vectorized=True,
        method="percentile",
        batch=100,  # where patches are drawn, all draws at once would take gigabytes
        rng=np.random.default_rng(seed),
    ).confidence_interval
    pairs = zip(MEASURES, found.low, found.high, strict=True)
    return {name: (round(float(low), 4), round(float(high), 4)) for name, low, high in pairs}, unit
