"""Decisions counted, and the measures that the paper derives from the counts (Tables 4, 5, A1, A2, A3)."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.6
"""Of the published tool: a score above it claims a landslide."""

HALF = 0.5
"""What a metric of Keras counts with; the paper does not say at which threshold its patch scores were counted."""

MEASURES = ("accuracy", "precision", "recall", "f1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Counts of a decision and what the paper derives from them."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def accuracy(self) -> float:
        """Share of right decisions."""
        right = self.true_positives + self.true_negatives
        return _share(right, right + self.false_positives + self.false_negatives)

    @property
    def precision(self) -> float:
        """Share of claims that are right; 0 without claims."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of landslides that are found; 0 without landslides."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 if both are."""
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)

    def rounded(self) -> dict[str, float]:
        """Return the four measures for a card."""
        return {name: round(getattr(self, name), 4) for name in ("f1", "precision", "recall", "accuracy")}

    def counts(self) -> dict[str, int]:
        """Return the four counts for a card."""
        return asdict(self)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def count(score: NDArray[np.floating], label: NDArray[np.floating], threshold: float = THRESHOLD) -> Scores:
    """Count right and wrong decisions; a score above the threshold claims a landslide."""
    claim, truth = score > threshold, label == 1
    return Scores(
        true_positives=int(np.sum(claim & truth)),
        false_positives=int(np.sum(claim & ~truth)),
        false_negatives=int(np.sum(~claim & truth)),
        true_negatives=int(np.sum(~claim & ~truth)),
    )


def best_threshold(score: NDArray[np.floating], label: NDArray[np.floating]) -> float:
    """Return the threshold, in steps of 0.01, with the greatest F1; the highest of equals."""
    steps = np.arange(1, 100)[::-1] / 100
    return float(max(steps, key=lambda threshold: count(score, label, threshold).f1))
