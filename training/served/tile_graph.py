"""The serving graph: a network, the rule for missing pixels, and the sliding window, in TensorFlow ops only.

The detector then sends one tile instead of its overlapping windows: a quarter of the bytes, and no TensorFlow in its
process. Windows lie on the lattice of the model contract: 64 px, one every 32 px, window (r, c) at pixel (32r, 32c); what
remains at the right and lower edge belongs to the neighbouring tile or to a strip sent by itself.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from training.networks.cnn import WINDOW_PX
from training.served.precision import DEFAULT, Precision
from training.served.shared_convolutions import STRIDE_PX, SharedConvolutions

BLOCK_BYTES = 30_000_000
"""Largest tensor of a block. From 32 MiB on glibc takes each buffer from the system anew: three times slower."""


class ServingGraph(tf.Module):
    """The two signatures of a served model.

    Attributes:
        served: signature name to function, to be given to `tf.saved_model.save`.
    """

    def __init__(self, model: keras.Model, fill_db: Sequence[float], precision: Precision = DEFAULT) -> None:
        """Trace both signatures.

        Args:
            model: float32 [n, 64, 64, C] to [n, 1].
            fill_db: what replaces a missing pixel, one value in dB for each of the C bands.
            precision: that both multiply in; what comes in and goes out is float32 in any.

        Raises:
            ValueError: `fill_db` does not fit the model's bands.
        """
        super().__init__(name="quakeslide")
        self._bands = int(model.input_shape[-1])
        if len(fill_db) != self._bands:
            raise ValueError(f"fill_db has {len(fill_db)} values for {self._bands} bands")
        self._fill_db = tf.constant(fill_db, tf.float32)
        self._convolutions = SharedConvolutions(model, precision)
        self._network = self._score_one_above_the_other
        if precision == DEFAULT:
            # The variables, not the Keras model: saving a tracked Keras model restores copies of its variables, and the graph's
            # own stay uninitialised wherever the SavedModel is loaded as a graph, as TensorFlow Serving does.
            self._weights = [weight.value for weight in model.weights]
            self._network = lambda patches: model(_at_least_one(patches), training=False)[: tf.shape(patches)[0], 0]
        self._block_cells = max(4, BLOCK_BYTES // (4 * STRIDE_PX * STRIDE_PX * self._convolutions.filters))
        patches = tf.TensorSpec([None, WINDOW_PX, WINDOW_PX, self._bands], tf.float32, name="patches")
        image = tf.TensorSpec([None, None, self._bands], tf.float32, name="image")
        self.served = {
            "serving_default": tf.function(self._score_patches).get_concrete_function(patches),
            "tile": tf.function(self._score_tile).get_concrete_function(image),
        }

    def _score_patches(self, patches: tf.Tensor) -> dict[str, tf.Tensor]:
        window = [WINDOW_PX, WINDOW_PX, self._bands]
        text = f"patches must be float32 [n, {', '.join(map(str, window))}]"
        patches = _checked(patches, least=[0, *window], most=[None, *window], text=text)
        filled, _ = self._filled(patches)
        return {"score": self._network(filled)}

    def _score_tile(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        text = f"image must be float32 [H, W, {self._bands}] with H and W at least {WINDOW_PX}"
        least, most = [WINDOW_PX, WINDOW_PX, self._bands], [None, None, self._bands]
        image = _checked(image, least=least, most=most, text=text)
        shape = tf.shape(image)
        rows = (shape[0] - WINDOW_PX) // STRIDE_PX + 1
        columns = (shape[1] - WINDOW_PX) // STRIDE_PX + 1
        scores, valid_fraction = self._slide(image, rows, columns)
        return {"scores": scores, "valid_fraction": valid_fraction}

    def _filled(self, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return [..., C] with missing pixels filled in all bands, and bool [...] of those that are not missing."""
        is_seen = tf.logical_not(tf.reduce_any(tf.math.is_nan(pixels), axis=-1))
        # A selection that spreads the mask over the bands costs 4 % of the whole: left out where it would change nothing.
        filled = tf.cond(
            tf.reduce_all(is_seen),
            lambda: pixels,
            lambda: tf.where(is_seen[..., tf.newaxis], pixels, self._fill_db),
        )
        return filled, is_seen

    def _score_one_above_the_other(self, patches: tf.Tensor) -> tf.Tensor:
        """Score float32 [n, 64, 64, C] as `tile` does: patches one above the other are every second window of an image."""
        one_more = tf.pad(
            patches, [[0, 1], [0, 0], [0, 0], [0, 0]]
        )  # there is an image, too, where there are no patches
        image = tf.reshape(one_more, [-1, WINDOW_PX, self._bands])
        scores, _ = self._slide(image, 2 * tf.shape(patches)[0] + 1, tf.constant(1))
        return scores[:-1:2, 0]

    def _slide(self, image: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Score the windows of float32 [H, W, C] block by block; scores and shares of seen pixels, float32 [rows, columns]."""
        # Blocks as square as the cells they may hold allow; the last ones of a row or column are smaller.
        side = math.isqrt(self._block_cells) - 1
        across = _divide_up(columns, side)
        block_columns = _divide_up(columns, across)
        down = _divide_up(rows, self._block_cells // (block_columns + 1) - 1)
        block_rows = _divide_up(rows, down)

        def score_block(number: tf.Tensor, scores: tf.TensorArray, valid: tf.TensorArray) -> tuple[Any, ...]:
            top, left = number // across * block_rows, number % across * block_columns
            bottom, right = tf.minimum(top + block_rows, rows), tf.minimum(left + block_columns, columns)
            pixels = image[top * STRIDE_PX : (bottom + 1) * STRIDE_PX, left * STRIDE_PX : (right + 1) * STRIDE_PX]
            filled, is_seen = self._filled(pixels)
            beyond = [[0, block_rows - (bottom - top)], [0, block_columns - (right - left)]]
            found = tf.pad(self._convolutions(filled), beyond)
            return (
                number + 1,
                scores.write(number, found),
                valid.write(number, tf.pad(_valid_fraction(is_seen), beyond)),
            )

        # One block after the other: the memory of one, and inside it all threads.
        count = down * across
        arrays = [tf.TensorArray(tf.float32, count, element_shape=[None, None]) for _ in range(2)]
        _, *arrays = tf.while_loop(lambda number, *_: number < count, score_block, [0, *arrays], parallel_iterations=1)
        together = []
        for array in arrays:
            blocks = tf.reshape(array.stack(), [down, across, block_rows, block_columns])
            whole = tf.reshape(tf.transpose(blocks, [0, 2, 1, 3]), [down * block_rows, across * block_columns])
            together.append(whole[:rows, :columns])
        return together[0], together[1]


def _at_least_one(patches: tf.Tensor) -> tf.Tensor:
    """Return some patches, or an empty one where there are none: oneDNN's convolutions refuse an empty batch."""
    spare = tf.cast(tf.equal(tf.shape(patches)[0], 0), tf.int32)
    return tf.pad(patches, [[0, spare], [0, 0], [0, 0], [0, 0]])


def _divide_up(number: Any, by: Any) -> Any:
    return (number + by - 1) // by


def _checked(tensor: tf.Tensor, *, least: list[int], most: list[int | None], text: str) -> tf.Tensor:
    """Return the tensor once its real shape lies within the bounds; else InvalidArgument with the text and the shape.

    TensorFlow Serving feeds what was sent without comparing it with the signature, while its graph optimiser believes the
    signature and would fold a check against it into a constant. So the shape is forgotten first.
    """
    tensor = tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=tf.TensorShape(None))
    shape = tf.shape(tensor)
    rank = len(least)
    sizes = tf.concat([shape, tf.zeros([rank], tf.int32)], axis=0)[:rank]  # of the wanted rank, whatever was sent
    upper = [tf.int32.max if size is None else size for size in most]
    is_fine = tf.equal(tf.size(shape), rank) & tf.reduce_all((sizes >= least) & (sizes <= upper))
    with tf.control_dependencies([tf.debugging.Assert(is_fine, [text, shape])]):
        checked = tf.identity(tensor)
    checked.set_shape(most)
    return checked


def _valid_fraction(is_seen: tf.Tensor) -> tf.Tensor:
    """Return the share of seen pixels of each window, float32 [r, c], from bool [32 (r + 1), 32 (c + 1)]."""
    shape = tf.shape(is_seen)
    cells = [shape[0] // STRIDE_PX, STRIDE_PX, shape[1] // STRIDE_PX, STRIDE_PX]
    seen = tf.reduce_sum(tf.reshape(tf.cast(is_seen, tf.float32), cells), axis=[1, 3])  # up to 1024: exact in float32
    windows = seen[:-1, :-1] + seen[:-1, 1:] + seen[1:, :-1] + seen[1:, 1:]
    return windows / (WINDOW_PX * WINDOW_PX)
