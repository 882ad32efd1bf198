"""What each pixel of each band adds to the logit of a patch: expected gradients (Erion et al. 2021, arXiv:1906.10670).

The average, over background patches x' and places a between 0 and 1 on the way, of `(x - x') * df/dx` at `x' + a (x - x')`:
integrated gradients (Sundararajan et al. 2017) with patches of the background class as the baseline, an approximation of SHAP values.
f is the logit before the sigmoid, where contributions add up: their sum is f(x) minus the mean of f over the background. How far it is
not, the completeness error, is part of every result. Places are the midpoints of equal steps and every background patch is used at
every place: nothing is drawn, and what error is left is that of the steps. How many are enough differs from network to network and from
patch to patch, so `until_complete` doubles them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.networks import logits_of

MOST_ERROR = 0.05
"""A larger completeness error means that the contributions do not tell why: what is missing could lie anywhere."""
FIRST_STEPS, DOUBLINGS = 32, 4
SHAP_SAMPLES = 200

Progress = Callable[[int, int], object]
"""Is told how many are done, of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Contributions to the logits of some patches.

    Attributes:
        contributions: float32 [n, 64, 64, bands], in units of the logit; positive speaks for a landslide.
        logits: float64 [n], of the patches.
        background_logit: mean logit of the background patches: what the contributions start from.
        steps: places on the way from each background patch; None for another method.
    """

    contributions: NDArray[np.float32]
    logits: NDArray[np.float64]
    background_logit: float
    steps: int | None = None

    @property
    def gaps(self) -> NDArray[np.float64]:
        """What the contributions of each patch sum up to, less what they should, float64 [n]."""
        sums = self.contributions.sum(axis=(1, 2, 3), dtype=np.float64)
        return sums - (self.logits - self.background_logit)

    @property
    def completeness_error(self) -> float:
        """Mean size of the gaps as a share of the mean size of what is explained."""
        return float(np.abs(self.gaps).mean() / np.abs(self.logits - self.background_logit).mean())

    @property
    def patch_errors(self) -> NDArray[np.float64]:
        """Size of each gap as a share of what is explained of its patch, float64 [n]; large where the logit is near the background's."""
        return np.abs(self.gaps) / np.abs(self.logits - self.background_logit)

    @property
    def is_complete(self) -> bool:
        """Whether the completeness error is below `MOST_ERROR`."""
        return self.completeness_error < MOST_ERROR

    def band_shares(self) -> NDArray[np.float64]:
        """Return how much of all contributions, counted without sign, falls to each band, float64 [bands], sum 1."""
        sizes = np.abs(self.contributions).sum(axis=(0, 1, 2), dtype=np.float64)
        return sizes / sizes.sum()


def until_complete(
    attempt: Callable[[int], Explanation], *, first: int = FIRST_STEPS, doublings: int = DOUBLINGS
) -> Explanation:
    """Return the first complete explanation of attempts that take twice the steps of the one before; the last one if none is complete.

    Args:
        attempt: makes an explanation with so many steps.
        first: steps of the first attempt.
        doublings: attempts after the first, at most.
    """
    found = attempt(first)
    for doubling in range(1, doublings + 1):
        if found.is_complete:
            break
        found = attempt(first * 2**doubling)
    return found


def explain(
    model: keras.Model,
    patches: NDArray[np.float32],
    background: NDArray[np.float32],
    *,
    steps: int = FIRST_STEPS,
    progress: Progress = lambda done, of: None,
) -> Explanation:
    """Explain patches by expected gradients.

    Args:
        model: one of `training.networks`.
        patches: float32 [n, 64, 64, bands] in dB, without NaN.
        background: float32 [m, 64, 64, bands], patches without a landslide. 62 of them left 2.3 % to four patches of the demo model
            (descending) in 32 steps, 1.1 % in 64; a single patch had 11 and 7 %. Other networks and patches, other errors.
        steps: places on the way from each background patch to the patch.
        progress: is told after each patch.
    """
    network = logits_of(model)

    @tf.function(reduce_retracing=True)
    def gradients(inputs: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(network(inputs, training=False))
        return tape.gradient(total, inputs)

    contributions = np.zeros(patches.shape, np.float32)
    progress(0, len(patches))
    for number, patch in enumerate(patches):
        way = patch - background
        slope = np.zeros_like(background)
        for step in range(steps):
            slope += gradients(tf.constant(background + np.float32((step + 0.5) / steps) * way)).numpy()
        contributions[number] = (way * slope).mean(axis=0) / steps
        progress(number + 1, len(patches))
    return Explanation(
        contributions=contributions,
        logits=_logits(network, patches),
        background_logit=float(_logits(network, background).mean()),
        steps=steps,
    )


def explain_with_shap(model: keras.Model, patches: NDArray[np.float32], background: NDArray[np.float32]) -> Explanation:
    """Explain patches by the package `shap`, GradientExplainer with `SHAP_SAMPLES` a patch; it is in no lock of this project.

    It draws its places and background patches. With shap 0.51, 200 samples left 20 % to a prototype's patches and 40 % to four of the
    demo model, whose 3200 samples still left 17 %, though the contributions correlate with those of `explain` at 0.97 and 0.998: more
    samples do not make it complete in any time that one would wait, so none are added.

    Raises:
        ModuleNotFoundError: `shap` is not installed; the text says what to do.
    """
    try:
        import shap
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the package shap is not installed, and in none of the locks: make an environment of your own from "
            "training/requirements.txt and `pip install shap` there, or use --method expected-gradients, which needs nothing more"
        ) from error
    network = logits_of(model)
    values = np.asarray(
        shap.GradientExplainer(network, background).shap_values(patches, nsamples=SHAP_SAMPLES, rseed=0)
    )
    return Explanation(
        contributions=values.reshape(patches.shape).astype(np.float32),
        logits=_logits(network, patches),
        background_logit=float(_logits(network, background).mean()),
    )


def _logits(network: keras.Model, patches: NDArray[np.float32]) -> NDArray[np.float64]:
    parts = [np.asarray(network(patches[i : i + 64], training=False))[:, 0] for i in range(0, len(patches), 64)]
    return np.concatenate(parts).astype(np.float64)
