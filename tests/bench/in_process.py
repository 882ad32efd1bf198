"""The ways that need TensorFlow in their own process; run by the environment `training`, see `lines`.

The notebook's way, written anew: windows cut on the host one by one, each resized to the network's input (it has that size already,
of which OpenCV's `resize` makes a copy), collected in a list, passed through Keras' `ImageDataGenerator` and predicted in batches of 512.
"""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import keras
import numpy as np
import tensorflow as tf
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from numpy.typing import NDArray

from tests.bench.lines import Image, serve
from tests.bench.work import GEMM_SIDE
from training.model_folder import load_model
from training.served.tile_graph import STRIDE_PX, WINDOW_PX

NOTEBOOK_BATCH = 512
Scoring = Callable[[], NDArray[np.float32]]


def windows(image: Image) -> Iterator[Image]:
    """Yield the windows of an image by rows, float32 [64, 64, C]."""
    for top in range(0, image.shape[0] - WINDOW_PX + 1, STRIDE_PX):
        for left in range(0, image.shape[1] - WINDOW_PX + 1, STRIDE_PX):
            yield image[top : top + WINDOW_PX, left : left + WINDOW_PX]


def notebook(model: keras.Model, image: Image) -> Scoring:
    """Return the published notebook's way."""

    def score() -> NDArray[np.float32]:
        patches = [np.array(window, copy=True) for window in windows(image)]
        flow = ImageDataGenerator().flow(np.array(patches), batch_size=NOTEBOOK_BATCH, shuffle=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of an iterator without workers
            scores: NDArray[np.float32] = model.predict(flow, verbose=0)[:, 0]
        return scores

    return score


def batched_keras(call: Callable[[tf.Tensor], tf.Tensor], image: Image) -> Scoring:
    """Return what a careful user of Keras would write: a compiled function over batches of windows."""

    def score() -> NDArray[np.float32]:
        patches = np.stack(list(windows(image)))
        batches = np.array_split(patches, -(-len(patches) // NOTEBOOK_BATCH))
        return np.concatenate([call(tf.constant(batch)).numpy() for batch in batches])

    return score


def tile_graph(signature: Callable[..., dict[str, tf.Tensor]], image: Image) -> Scoring:
    """Return the served signature `tile`, called in this process."""
    tensor = tf.constant(image)

    def score() -> NDArray[np.float32]:
        scores: NDArray[np.float32] = signature(image=tensor)["scores"].numpy()
        return scores

    return score


def gemm(_: Image) -> Scoring:
    """Return a large matrix product, by whose rate the others are judged."""
    square = tf.random.normal([GEMM_SIDE, GEMM_SIDE])
    return lambda: tf.matmul(square, square).numpy()[0]


@click.command()
@click.argument("way", type=click.Choice(["notebook", "keras", "graph", "gemm"]))
@click.option("--weights", type=click.Path(path_type=Path, exists=True), required=True, help="Model folder.")
@click.option("--served", type=click.Path(path_type=Path, exists=True), required=True, help="Its SavedModel.")
@click.option("--threads", type=click.IntRange(1), required=True)
def main(way: str, weights: Path, served: Path, threads: int) -> None:
    """Score by one way until the input ends."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1 if threads == 1 else 2)
    if way == "gemm":
        serve(gemm)
    elif way == "graph":
        loaded = tf.saved_model.load(str(served))  # bound here: signatures live only as long as what was loaded
        serve(lambda image: tile_graph(loaded.signatures["tile"], image))
    elif way == "notebook":
        model = load_model(weights)
        serve(lambda image: notebook(model, image))
    else:
        model = load_model(weights)
        call = tf.function(lambda patches: model(patches, training=False)[:, 0], reduce_retracing=True)
        serve(lambda image: batched_keras(call, image))


if __name__ == "__main__":
    main()
