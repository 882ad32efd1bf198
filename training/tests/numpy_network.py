"""The network once more in plain NumPy, written from the paper and the released notebook: the tests' own opinion.

Imports of the product only what builds a Keras model to take weights from.
"""

from collections.abc import Sequence

import keras
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from training.networks import cnn

BATCH_NORM_EPSILON = 1e-3  # Keras' default, which neither paper nor notebook changes


def random_model(
    *,
    seed: int,
    filters: int,
    bands: int = 4,
    variant: str = "published",
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> keras.Model:
    """Return an untrained network whose every weight is random, so that nothing cancels and scores spread."""
    model = cnn(bands=bands, filters=filters, variant=variant, mean=mean, std=std)
    rng = np.random.default_rng(seed)
    weights = []
    for weight in model.weights:
        kind = weight.path.rsplit("/", 1)[1]
        if kind == "kernel":
            value = rng.normal(0, np.sqrt(2 / np.prod(weight.shape[:-1])), weight.shape)
        elif kind == "moving_variance":
            value = rng.uniform(0.5, 2, weight.shape)
        elif kind == "gamma":  # of both signs: pooling and normalisation do not commute for a negative one
            value = rng.uniform(0.5, 1.5, weight.shape) * rng.choice([-1, 1], weight.shape)
        else:
            value = rng.normal(0, 0.2, weight.shape)
        weights.append(value.astype(np.float16).astype(np.float32))  # as a saved model has them
    model.set_weights(weights)
    return model


def scores(
    patches: np.ndarray,
    weights: Sequence[np.ndarray],
    *,
    variant: str,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> np.ndarray:
    """Return float64 [n] for float [n, 64, 64, bands] without NaN."""
    x = patches.astype(np.float64)
    if mean is not None and std is not None:
        x = (x - np.asarray(mean)) / np.asarray(std)
    w = [array.astype(np.float64) for array in weights]
    pooled = []
    for block in range(3):
        kernel, bias, gamma, beta, average, variance = w[6 * block : 6 * block + 6]
        x = np.maximum(_convolve_same(x, kernel) + bias, 0)
        x = gamma * (x - average) / np.sqrt(variance + BATCH_NORM_EPSILON) + beta
        x = _max_pool(x)
        pooled.append(x)
    if variant == "published":
        joined = np.concatenate([pooled[2]] * 3, axis=-1)  # pooling before or after the joining is the same
    else:
        joined = np.concatenate([_bilinear(pooled[0], 8), _bilinear(pooled[1], 8), pooled[2]], axis=-1)
    hidden = np.maximum(joined.reshape(len(x), -1) @ w[18] + w[19], 0)
    return (1 / (1 + np.exp(-(hidden @ w[20] + w[21]))))[:, 0]


def _convolve_same(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    views = sliding_window_view(padded, (3, 3), axis=(1, 2))  # [n, h, w, in, 3, 3]
    return np.einsum("nhwcij,ijcf->nhwf", views, kernel, optimize=True)


def _max_pool(x: np.ndarray) -> np.ndarray:
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


def _bilinear(x: np.ndarray, side: int) -> np.ndarray:
    """Resize by an even factor with half-pixel centres: an output is the mean of the four pixels around its centre."""
    factor = x.shape[1] // side
    first = factor // 2 - 1 + factor * np.arange(side)
    rows = (x[:, first] + x[:, first + 1]) / 2
    return (rows[:, :, first] + rows[:, :, first + 1]) / 2
