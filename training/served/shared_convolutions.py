"""Exact scores of overlapping windows from convolutions that are computed once.

Windows lie half a window apart, so each inner feature is wanted by four of them. They differ only near a window's border,
where the network sees zeros in place of the neighbourhood: nine maps (`training.served.nine_maps`) hold all features of all windows.

The next level of a strip needs the strip and the two whole pixels beside it, and as its convolution and pooling take three
pixels to one, it is written as a matrix: three pixels side by side in the channels, the two outputs to be pooled side by
side in the channels again.

Standardisation and batch normalisation are folded into the weights behind them. That would be wrong at a border, where the
network pads with zeros after normalising; here no kernel ever reaches over a window's border.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from training.served.nine_maps import COLUMNS, PARTS, ROWS, Maps, Part, beside, cut, halved, windows_of
from training.served.precision import DEFAULT, Precision, known

STRIDE_PX = 32


class SharedConvolutions:
    """A network of `training.networks.cnn`, applied to all windows of an image at once."""

    def __init__(self, model: keras.Model, precision: Precision = DEFAULT) -> None:
        """Fold the network's weights as they are now.

        Args:
            model: float32 [n, 64, 64, C] to [n, 1].
            precision: of the operands of convolutions and of the hidden layer.

        Raises:
            UnknownPrecision: there is none of that name.
        """
        precision = known(precision)
        layers = {layer.name: layer for layer in model.layers}
        self.filters = int(layers["conv3"].filters)
        self._joins_blocks = "resize1" in layers  # variant `paper`
        scale, shift = _standardisation(layers.get("standardise"), int(model.input_shape[-1]))
        self._standardise = None
        if precision != DEFAULT:  # raw dB would lose what is small beside their mean
            self._standardise = [tf.constant(values, tf.float32) for values in (scale, shift)]
            scale, shift = np.ones_like(scale), np.zeros_like(shift)
        self._blocks, affine = [], []
        for number in (1, 2, 3):
            block = _Block(layers[f"conv{number}"], scale, shift, layers[f"norm{number}"], precision, pairs=number == 1)
            self._blocks.append(block)
            scale, shift = block.scale, block.shift
            affine.append((scale, shift))
        self._head = _head(layers["hidden"], layers["score"], affine if self._joins_blocks else affine[2:], precision)

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        """Score every window.

        Args:
            image: float32 [32 (r + 1), 32 (c + 1), C] without NaN.

        Returns:
            float32 [r, c].
        """
        if self._standardise is not None:
            scale, shift = self._standardise
            image = image * scale + shift
        levels = [cut(image, STRIDE_PX)]
        for number, block in enumerate(self._blocks):
            levels.append(block(levels[number], STRIDE_PX >> number))
        maps = levels[3]
        if self._joins_blocks:
            # Bilinear, half-pixel centres: means of the pixels 4i + 1 and 4i + 2 of 32, none at a border; 2i and 2i + 1 of 16.
            whole = levels[1]["whole", "whole"][tf.newaxis, 1:-1, 1:-1]
            first = cut(tf.nn.avg_pool2d(whole, 2, 1, "VALID")[0, ::4, ::4], 4)
            second = halved(levels[2], 8)
            maps = {key: tf.concat([first[key], second[key], maps[key]], axis=-1) for key in maps}
        return self._head(windows_of(maps, 4))


class _Block:
    """Convolution, ReLU and pooling of nine maps; the normalisation is left to the next block as `scale` and `shift`.

    Pooling takes the largest, so a filter with a negative scale is computed with the opposite sign.
    """

    def __init__(
        self, conv: Any, scale: np.ndarray, shift: np.ndarray, norm: Any, precision: Precision, *, pairs: bool
    ) -> None:
        """Fold the weights.

        Args:
            conv: 3 x 3, padded with zeros.
            scale: what the maps must be multiplied with first, float64 [channels].
            shift: what must be added then, float64 [channels].
            norm: batch normalisation that follows.
            precision: of maps and kernels.
            pairs: whether whole maps, too, compute the pixels that are pooled side by side in the channels: more
                multiplications, but much faster where channels are few.
        """
        self._filters = int(conv.filters)
        self._pairs = pairs
        self._dtype = tf.as_dtype(precision)
        gamma, beta, mean, variance = (
            np.asarray(w, np.float64) for w in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
        )
        normalise = gamma / np.sqrt(variance + norm.epsilon)
        sign = np.where(normalise < 0, -1.0, 1.0)
        self.scale, self.shift = np.abs(normalise), beta - mean * normalise
        self._bounds = None
        if (sign < 0).any():
            self._bounds = [
                tf.constant(b, tf.float32) for b in (np.where(sign > 0, 0, -np.inf), np.where(sign > 0, np.inf, 0))
            ]
        kernel = np.asarray(conv.kernel, np.float64) * sign
        bias = np.asarray(conv.bias, np.float64) * sign
        self._weights = {}
        for part in product(PARTS, PARTS):
            folded = _folded(kernel, part, pairs)  # [height, width, columns aside, rows aside, in, outputs, filters]
            outputs = folded.shape[-2]
            added = bias + np.einsum("hwcrigf,i->gf", folded, shift)
            folded = folded * scale[:, None, None]
            self._weights[part] = (
                _rounded(folded.reshape(*folded.shape[:2], -1, outputs * self._filters), self._dtype),
                tf.constant(added.reshape(-1), tf.float32),
            )

    def __call__(self, maps: Maps, n: int) -> Maps:
        """Return the maps of n / 2 pixels a cell."""
        maps = {part: tf.cast(x, self._dtype) for part, x in maps.items()}
        out = {}
        for row in PARTS:
            strips = {column: beside(row, maps[row, column], maps["whole", column], n, ROWS) for column in PARTS}
            for column in PARTS:
                out[row, column] = self._convolve(
                    beside(column, strips[column], strips["whole"], n, COLUMNS), row, column
                )
        return out

    def _convolve(self, x: tf.Tensor, row: Part, column: Part) -> tf.Tensor:
        kernel, bias = self._weights[row, column]
        strides = [2 if self._pairs and part == "whole" else 1 for part in (row, column)]
        y = tf.nn.conv2d(x[tf.newaxis], kernel, strides, "SAME")
        if self._dtype != tf.float32 and row == column == "whole":
            # All pixels have one bias here, so the largest can be chosen first: the same, and a quarter of it to be converted.
            y = self._biased(tf.cast(self._pooled(y, row), tf.float32), bias[: self._filters])
        else:
            y = self._pooled(self._biased(tf.cast(y, tf.float32), bias), row)
        return y if self._bounds is None else tf.clip_by_value(y, *self._bounds)

    def _biased(self, y: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        y = tf.nn.bias_add(y, bias)
        return tf.nn.relu(y) if self._bounds is None else y

    def _pooled(self, y: tf.Tensor, row: Part) -> tf.Tensor:
        shape = tf.shape(y)
        if row == "whole" and not self._pairs:
            return tf.nn.max_pool2d(tf.reshape(y, [1, shape[1], -1, self._filters]), 2, 2, "VALID")[0]
        # The four lie side by side.
        return tf.reduce_max(tf.reshape(y, [shape[1], -1, 4, self._filters]), axis=2)


def _folded(kernel: np.ndarray, parts: tuple[Part, Part], pairs: bool) -> np.ndarray:
    """Return what one convolution has to multiply with, [height, width, columns aside, rows aside, in, outputs, filters]."""
    rows, columns = (_taps(part, pairs) for part in parts)
    folded = np.einsum("hapy,wbqx,yxif->hwbaipqf", rows, columns, kernel)
    return folded.reshape(*folded.shape[:5], -1, kernel.shape[-1])


def _taps(part: Part, pairs: bool) -> np.ndarray:
    """Return which tap of a kernel joins which input to which output along one axis, [kernel, aside, outputs, tap]."""
    if part == "whole" and not pairs:
        return np.eye(3)[:, None, None, :]
    both = np.stack([np.eye(4, 3, -output) for output in (0, 1)], axis=1)  # two outputs of four inputs
    if part == "whole":
        return both[:, None]
    return both[None, 1:] if part == "start" else both[None, :-1]  # what is left out is the zeros beyond the border


def _standardisation(layer: Any, bands: int) -> tuple[np.ndarray, np.ndarray]:
    if layer is None:
        return np.ones(bands), np.zeros(bands)
    mean, variance = (np.asarray(w, np.float64).reshape(-1) for w in (layer.mean, layer.variance))
    return 1 / np.sqrt(variance), -mean / np.sqrt(variance)


def _rounded(values: np.ndarray, dtype: tf.DType) -> tf.Tensor:
    return tf.cast(tf.constant(values, tf.float32), dtype)


def _head(
    hidden: Any, score: Any, affine: list[tuple[np.ndarray, np.ndarray]], precision: Precision
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the dense layers as a function of float32 [r, c, features]."""
    scale, shift = (np.concatenate(values) for values in zip(*affine, strict=True))
    units = int(hidden.units)
    kernel = np.asarray(hidden.kernel, np.float64).reshape(64, 3 // len(affine), scale.size, units)
    kernel = kernel.sum(axis=1)  # published: the third block three times
    bias = np.asarray(hidden.bias, np.float64) + np.einsum("pcu,c->u", kernel, shift)
    dtype = tf.as_dtype(precision)
    first = _rounded((kernel * scale[:, None]).reshape(-1, units), dtype)
    first_bias = tf.constant(bias, tf.float32)
    last, last_bias = (tf.constant(np.asarray(w), tf.float32) for w in (score.kernel, score.bias))

    def head(windows: tf.Tensor) -> tf.Tensor:
        shape = tf.shape(windows)
        flat = tf.cast(tf.reshape(windows, [-1, windows.shape[-1]]), dtype)
        units = tf.nn.relu(tf.nn.bias_add(tf.cast(tf.matmul(flat, first), tf.float32), first_bias))
        return tf.reshape(tf.sigmoid(tf.nn.bias_add(tf.matmul(units, last), last_bias)), shape[:2])

    return head
