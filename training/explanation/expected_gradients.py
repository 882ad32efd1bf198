"""What each pixel of each band adds to the logit of a patch: expected gradients (Erion et al. 2021, arXiv:1906.10670).

The average, over background patches x' and places a between 0 and 1 on the way, of `(x - x') * df/dx` at `x' + a (x - x')`:
integrated gradients (Sundararajan et al. 2017) with patches of the background class as the baseline, an approximation of SHAP values.
f is the logit before the sigmoid, where contributions add up: their sum is f(x) minus the mean of f over the background. How far it is
not, the completeness error, is part of every result. Places are the midpoints of equal steps and every background patch is used at
every place: nothing is drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.networks import logits_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Contributions to the logits of some patches.

    Attributes:
        contributions: float32 [n, 64, 64, bands], in units of the logit; positive speaks for a landslide.
        logits: float64 [n], of the patches.
        background_logit: mean logit of the background patches: what the contributions start from.
    """

    contributions: NDArray[np.float32]
    logits: NDArray[np.float64]
    background_logit: float

    @property
    def gaps(self) -> NDArray[np.float64]:
        """What the contributions of each patch sum up to, less what they should, float64 [n]."""
        sums = self.contributions.sum(axis=(1, 2, 3), dtype=np.float64)
        return sums - (self.logits - self.background_logit)

    @property
    def completeness_error(self) -> float:
        """Mean size of the gaps as a share of the mean size of what is explained."""
        return float(np.abs(self.gaps).mean() / np.abs(self.logits - self.background_logit).mean())

    def band_shares(self) -> NDArray[np.float64]:
        """Return how much of all contributions, counted without sign, falls to each band, float64 [bands], sum 1."""
        sizes = np.abs(self.contributions).sum(axis=(0, 1, 2), dtype=np.float64)
        return sizes / sizes.sum()


Explain = Callable[[keras.Model, NDArray[np.float32], NDArray[np.float32]], Explanation]


def explain(
    model: keras.Model, patches: NDArray[np.float32], background: NDArray[np.float32], *, steps: int = 32
) -> Explanation:
    """Explain patches by expected gradients.

    Args:
        model: one of `training.networks`.
        patches: float32 [n, 64, 64, bands] in dB, without NaN.
        background: float32 [m, 64, 64, bands], patches without a landslide; 64 give a completeness error below 1 % (32 steps).
        steps: places on the way from each background patch to the patch.
    """
    network = logits_of(model)

    @tf.function(reduce_retracing=True)
    def gradients(inputs: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            total = tf.reduce_sum(network(inputs, training=False))
        return tape.gradient(total, inputs)

    contributions = np.zeros(patches.shape, np.float32)
    for number, patch in enumerate(patches):
        way = patch - background
        slope = np.zeros_like(background)
        for step in range(steps):
            slope += gradients(tf.constant(background + np.float32((step + 0.5) / steps) * way)).numpy()
        contributions[number] = (way * slope).mean(axis=0) / steps
    return Explanation(
        contributions=contributions,
        logits=_logits(network, patches),
        background_logit=float(_logits(network, background).mean()),
    )


def explain_with_shap(model: keras.Model, patches: NDArray[np.float32], background: NDArray[np.float32]) -> Explanation:
    """Explain patches by the package `shap`, GradientExplainer with 200 samples a patch; it is in no lock of this project.

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
    values = np.asarray(shap.GradientExplainer(network, background).shap_values(patches, nsamples=200, rseed=0))
    return Explanation(
        contributions=values.reshape(patches.shape).astype(np.float32),
        logits=_logits(network, patches),
        background_logit=float(_logits(network, background).mean()),
    )


def _logits(network: keras.Model, patches: NDArray[np.float32]) -> NDArray[np.float64]:
    parts = [np.asarray(network(patches[i : i + 64], training=False))[:, 0] for i in range(0, len(patches), 64)]
    return np.concatenate(parts).astype(np.float64)
