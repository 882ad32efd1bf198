"""Tells from the weights alone which variant of the CNN they were trained as.

All variants have the same shapes. But where conv3 is joined with itself three times (`published`), the three slices of the first dense
kernel that read the copies see the same features: training changes them alike, channel by channel, on top of initial values that have
nothing in common. Where three different blocks are joined (`paper`), channel 5 of one slice has nothing to do with channel 5 of
another, and as the blocks differ in scale, training leaves the slices with different spreads. A net that has hardly been trained shows
neither.

A plain correlation of slices is no proof: what a hidden unit learns of the brightness of a pixel shows in all channels, so in all
slices. Hence the question is whether equal channels agree better than others would: the correlation is compared with that of all
permutations of the channels, whose mean and variance are known in closed form (Hoeffding 1951, Ann. Math. Statist. 22, 558-566).
"""

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["published", "paper", "undecided"]

AGREEMENT_MIN = 4.0
"""Standard deviations of the permutations; can reach about `filters`."""

FILTERS_MIN = 8
"""With fewer the slices are too short to tell: chance alone gives them other spreads."""

SPREAD_MIN = 0.05
"""Difference of the logarithms of two slices' standard deviations; small nets trained as `published` reached 0.04."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the three slices look like.

    Attributes:
        verdict: the variant, or that the weights do not tell.
        agreement: of equal channels, above that of permuted ones, in their standard deviations; the smallest of the three pairs.
        correlation: of the slices as they are, the smallest of the three.
        spread: the largest difference between the logarithms of the slices' standard deviations.
    """

    verdict: Verdict
    agreement: float
    correlation: float
    spread: float

    def as_dict(self) -> dict[str, Any]:
        """Return what a model card says of it."""
        return asdict(self)


def examine(hidden_kernel: NDArray[np.floating], filters: int) -> Evidence:
    """Examine the kernel of the first dense layer.

    Args:
        hidden_kernel: [64 * 3 * filters, 8 * filters]; rows by pixel, then by block, then by channel.
        filters: channels of each convolution.
    """
    by_pixel = np.asarray(hidden_kernel, np.float64).reshape(64, 3, filters, -1)
    slices = by_pixel.transpose(1, 2, 0, 3).reshape(3, filters, -1)
    pairs = list(combinations(slices, 2))
    agreements = [_agreement(a, b) for a, b in pairs]
    correlation = min(np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs)
    spread = float(np.ptp(np.log(slices.std(axis=(1, 2)))))
    verdict: Verdict = "undecided"
    is_long = filters >= FILTERS_MIN
    if is_long and min(agreements) > AGREEMENT_MIN:
        verdict = "published"
    elif is_long and max(agreements) < AGREEMENT_MIN and spread > SPREAD_MIN:
        verdict = "paper"
    return Evidence(
        verdict=verdict,
        agreement=round(min(agreements), 2),
        correlation=round(float(correlation), 4),
        spread=round(spread, 4),
    )


def _agreement(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return how far equal channels [F, n] agree better than permuted ones, in standard deviations over all permutations."""
    products = a @ b.T
    centred = products - products.mean(axis=0) - products.mean(axis=1, keepdims=True) + products.mean()
    deviation = np.sqrt((centred**2).sum() / (len(a) - 1)) if len(a) > 1 else 0.0
    return float(np.trace(centred) / deviation) if deviation > 0 else 0.0
