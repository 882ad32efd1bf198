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
    return randomise(cnn(bands=bands, filters=filters, variant=variant, mean=mean, std=std), seed=seed)


def randomise(model: keras.Model, *, seed: int) -> keras.Model:
    """Give every weight of a network a random value that float16 can hold; return the network."""
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
        x = np.maximum(convolve_same(x, kernel) + bias, 0)
        x = normalise(x, gamma, beta, average, variance)
        x = max_pool(x)
        pooled.append(x)
    if variant == "published":
        joined = np.concatenate([pooled[2]] * 3, axis=-1)  # pooling before or after the joining is the same
    else:
        joined = np.concatenate([_bilinear(pooled[0], 8), _bilinear(pooled[1], 8), pooled[2]], axis=-1)
    hidden = np.maximum(joined.reshape(len(x), -1) @ w[18] + w[19], 0)
    return sigmoid(hidden @ w[20] + w[21])[:, 0]


def cbam_logits(patches: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Return the logits, float64 [n], of the network with attention (Woo et al. 2018, equations 2 and 3), weights by `layer/name`."""
    w = {path: array.astype(np.float64) for path, array in weights.items()}
    x = patches.astype(np.float64)
    for i in "123":
        x = _normalised(np.maximum(_convolved(x, w, f"conv{i}"), 0), w, f"norm{i}")
        channels = sum(
            np.maximum(seen @ w[f"squeeze{i}/kernel"] + w[f"squeeze{i}/bias"], 0) @ w[f"restore{i}/kernel"]
            + w[f"restore{i}/bias"]
            for seen in (x.mean(axis=(1, 2)), x.max(axis=(1, 2)))
        )
        x = x * sigmoid(channels)[:, None, None]
        x = x * sigmoid(_convolved(np.stack([x.mean(axis=3), x.max(axis=3)], axis=3), w, f"places{i}"))
        x = max_pool(x)
    return _two_dense(x, w)


def resnet_logits(patches: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Return the logits, float64 [n], of the residual network, weights by `layer/name`."""
    w = {path: array.astype(np.float64) for path, array in weights.items()}
    x = np.maximum(_normalised(_convolved(patches.astype(np.float64), w, "initial"), w, "initial_norm"), 0)
    for i in "123":
        shortcut = _convolved(x, w, f"shortcut{i}") if f"shortcut{i}/kernel" in w else x
        x = np.maximum(_normalised(_convolved(x, w, f"first{i}"), w, f"first_norm{i}"), 0)
        x = _normalised(_convolved(x, w, f"second{i}"), w, f"second_norm{i}")
        x = max_pool(np.maximum(x + shortcut, 0))
    return _two_dense(x, w)


def _convolved(x: np.ndarray, w: dict[str, np.ndarray], layer: str) -> np.ndarray:
    return convolve_same(x, w[f"{layer}/kernel"]) + w[f"{layer}/bias"]


def _normalised(x: np.ndarray, w: dict[str, np.ndarray], layer: str) -> np.ndarray:
    return normalise(x, *(w[f"{layer}/{name}"] for name in ("gamma", "beta", "moving_mean", "moving_variance")))


def _two_dense(x: np.ndarray, w: dict[str, np.ndarray]) -> np.ndarray:
    hidden = np.maximum(x.reshape(len(x), -1) @ w["hidden/kernel"] + w["hidden/bias"], 0)
    return (hidden @ w["score/kernel"] + w["score/bias"])[:, 0]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def normalise(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, average: np.ndarray, variance: np.ndarray
) -> np.ndarray:
    """Return batch normalisation as it is after training."""
    return gamma * (x - average) / np.sqrt(variance + BATCH_NORM_EPSILON) + beta


def convolve_same(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the cross-correlation of [n, h, w, in] with a kernel [k, k, in, out], k odd, the image padded with zeros."""
    rim = kernel.shape[0] // 2
    padded = np.pad(x, ((0, 0), (rim, rim), (rim, rim), (0, 0)))
    views = sliding_window_view(padded, kernel.shape[:2], axis=(1, 2))  # [n, h, w, in, k, k]
    return np.einsum("nhwcij,ijcf->nhwf", views, kernel, optimize=True)


def max_pool(x: np.ndarray) -> np.ndarray:
    """Return the largest of every 2 x 2 pixels."""
    n, h, w, c = x.shape
    return x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))


def _bilinear(x: np.ndarray, side: int) -> np.ndarray:
    """Resize by an even factor with half-pixel centres: an output is the mean of the four pixels around its centre."""
    factor = x.shape[1] // side
    first = factor // 2 - 1 + factor * np.arange(side)
    rows = (x[:, first] + x[:, first + 1]) / 2
    return (rows[:, :, first] + rows[:, :, first + 1]) / 2
