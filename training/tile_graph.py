"""The serving graph: a network, the rule for missing pixels, and the sliding window, in TensorFlow ops only.

The detector then sends one tile instead of its overlapping windows: a quarter of the bytes, and no TensorFlow in its
process. Windows lie on the lattice of the model contract: 64 px, one every 32 px, window (r, c) at pixel (32r, 32c); what
remains at the right and lower edge belongs to the neighbouring tile or to a strip sent by itself.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

WINDOW_PX = 64
STRIDE_PX = 32
BATCH_WINDOWS = 256
"""Windows scored at a time: 17 MB of input; with 64 filters about 0.5 GB of features, whatever the size of the tile."""


class ServingGraph(tf.Module):
    """The two signatures of a served model.

    Attributes:
        served: signature name to function, to be given to `tf.saved_model.save`.
    """

    def __init__(self, model: keras.Model, fill_db: Sequence[float]) -> None:
        """Trace both signatures.

        Args:
            model: float32 [n, 64, 64, C] to [n, 1].
            fill_db: what replaces a missing pixel, one value in dB for each of the C bands.

        Raises:
            ValueError: `fill_db` does not fit the model's bands.
        """
        super().__init__(name="quakeslide")
        self._bands = int(model.input_shape[-1])
        if len(fill_db) != self._bands:
            raise ValueError(f"fill_db has {len(fill_db)} values for {self._bands} bands")
        # The variables, not the Keras model: saving a tracked Keras model restores copies of its variables, and the graph's
        # own stay uninitialised wherever the SavedModel is loaded as a graph, as TensorFlow Serving does.
        self._weights = [weight.value for weight in model.weights]
        self._network = lambda patches: model(patches, training=False)[:, 0]
        self._fill_db = tf.constant(fill_db, tf.float32)
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
        filled, is_seen = self._filled(image)
        shape = tf.shape(image)
        rows = (shape[0] - WINDOW_PX) // STRIDE_PX + 1
        columns = (shape[1] - WINDOW_PX) // STRIDE_PX + 1
        return {
            "scores": self._slide(filled, rows, columns),
            "valid_fraction": _valid_fraction(is_seen, rows, columns),
        }

    def _filled(self, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return [..., C] with missing pixels filled in all bands, and bool [...] of those that are not missing."""
        is_seen = tf.logical_not(tf.reduce_any(tf.math.is_nan(pixels), axis=-1))
        return tf.where(is_seen[..., tf.newaxis], pixels, self._fill_db), is_seen

    def _slide(self, image: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
        """Score the windows of float32 [H, W, C] in bounded batches; float32 [rows, columns]."""
        count = rows * columns
        batches = (count + BATCH_WINDOWS - 1) // BATCH_WINDOWS
        # The image as cells of one stride: every window is two by two of them.
        used = image[: (rows + 1) * STRIDE_PX, : (columns + 1) * STRIDE_PX]
        cells = tf.reshape(used, [rows + 1, STRIDE_PX, columns + 1, STRIDE_PX, self._bands])
        cells = tf.reshape(tf.transpose(cells, [0, 2, 1, 3, 4]), [-1, STRIDE_PX, STRIDE_PX, self._bands])

        def score_batch(number: tf.Tensor, scores: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            first = number * BATCH_WINDOWS
            window = tf.range(first, tf.minimum(first + BATCH_WINDOWS, count))
            upper_left = window // columns * (columns + 1) + window % columns
            lower_left = upper_left + columns + 1
            four = tf.stack([upper_left, upper_left + 1, lower_left, lower_left + 1], axis=1)
            quarters = tf.reshape(tf.gather(cells, four), [-1, 2, 2, STRIDE_PX, STRIDE_PX, self._bands])
            patches = tf.transpose(quarters, [0, 1, 3, 2, 4, 5])
            patches = tf.reshape(patches, [-1, WINDOW_PX, WINDOW_PX, self._bands])
            return number + 1, scores.write(number, self._network(patches))

        # One batch after the other: the memory of one, and inside it all threads.
        _, scores = tf.while_loop(
            lambda number, _: number < batches,
            score_batch,
            [0, tf.TensorArray(tf.float32, batches, infer_shape=False, element_shape=[None])],
            parallel_iterations=1,
        )
        return tf.reshape(scores.concat(), [rows, columns])


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


def _valid_fraction(is_seen: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Return the share of seen pixels of each window, float32 [rows, columns], from bool [H, W]."""
    used = tf.cast(is_seen[: (rows + 1) * STRIDE_PX, : (columns + 1) * STRIDE_PX], tf.float32)
    cells = tf.reshape(used, [rows + 1, STRIDE_PX, columns + 1, STRIDE_PX])
    seen = tf.reduce_sum(cells, axis=[1, 3])  # whole numbers up to 1024: exact in float32
    windows = seen[:-1, :-1] + seen[:-1, 1:] + seen[1:, :-1] + seen[1:, 1:]
    return windows / (WINDOW_PX * WINDOW_PX)
