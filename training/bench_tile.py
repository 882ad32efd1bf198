"""How fast the `tile` signature is beside the published notebook's way, on one core, in alternated rounds.

The notebook's way, written anew: windows cut on the host one by one, each resized to the network's input (here a copy: it
has that size), collected in a list, passed through Keras' `ImageDataGenerator` and predicted in batches of 512. Both score
the same windows of the same tile. Figures of one run belong together; those of two runs cannot be compared.
"""

import multiprocessing
import os
import platform
import resource
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import tensorflow as tf
from keras.src.legacy.preprocessing.image import ImageDataGenerator

from training.networks import cnn
from training.tile_graph import STRIDE_PX, WINDOW_PX, ServingGraph

MEAN, STD = (-9.0, -16.0, 0.0, 0.0), (4.0, 4.5, 2.0, 2.5)
NOTEBOOK_BATCH = 512
GEMM_SIDE = 1536
SCORING = ("notebook", "batched Keras", "tile graph")
WAYS = (*SCORING, "gemm")


def necessary_flop(filters: int, bands: int, variant: str) -> int:
    """Return the floating-point operations that no exact method can share, per window: two per multiply-add."""
    pixels = [side * side + 4 * 2 * side + 4 * 4 for side in (32, 16, 8)]  # of a cell, of four strips, of four corners
    convolutions = 9 * filters * (pixels[0] * bands + (pixels[1] + pixels[2]) * filters)
    joined = filters * (1 if variant == "published" else 3)
    return 2 * (convolutions + 64 * joined * 8 * filters)


def _windows(image: np.ndarray) -> Iterator[np.ndarray]:
    for top in range(0, image.shape[0] - WINDOW_PX + 1, STRIDE_PX):
        for left in range(0, image.shape[1] - WINDOW_PX + 1, STRIDE_PX):
            yield image[top : top + WINDOW_PX, left : left + WINDOW_PX]


def _way(name: str, filters: int, variant: str, image: np.ndarray) -> Callable[[], np.ndarray]:
    """Return a function that scores all windows by one way, float32 [windows]."""
    if name == "gemm":
        square = tf.random.normal([GEMM_SIDE, GEMM_SIDE])
        return lambda: tf.matmul(square, square).numpy()[0]
    tf.keras.utils.set_random_seed(filters)
    model = cnn(bands=image.shape[2], filters=filters, variant=variant, mean=MEAN, std=STD)  # type: ignore[arg-type]
    if name == "tile graph":
        with TemporaryDirectory() as folder:
            graph = ServingGraph(model, MEAN)
            tf.saved_model.save(graph, folder, signatures=graph.served)
            served = tf.saved_model.load(folder)
        tensor = tf.constant(image)
        # Bound to the function, for signatures live only as long as what was loaded.
        return lambda served=served: served.signatures["tile"](image=tensor)["scores"].numpy().reshape(-1)  # type: ignore[misc]
    if name == "batched Keras":
        call = tf.function(lambda patches: model(patches, training=False)[:, 0])

        def batched() -> np.ndarray:
            patches = np.stack(list(_windows(image)))
            batches = np.array_split(patches, -(-len(patches) // NOTEBOOK_BATCH))
            return np.concatenate([call(tf.constant(batch)).numpy() for batch in batches])

        return batched

    def notebook() -> np.ndarray:
        patches = [np.array(window, copy=True) for window in _windows(image)]
        flow = ImageDataGenerator().flow(np.array(patches), batch_size=NOTEBOOK_BATCH, shuffle=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of an iterator without workers
            scores: np.ndarray = model.predict(flow, verbose=0)[:, 0]
        return scores

    return notebook


def _serve_way(pipe: Connection, name: str, filters: int, variant: str, size_px: int) -> None:
    """Answer each message with seconds by the wall and of CPU and the result; an empty one ends it."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    image = np.random.default_rng(0).normal(MEAN, STD, (size_px, size_px, len(MEAN))).astype(np.float32)
    call = _way(name, filters, variant, image)
    while pipe.recv():
        wall, cpu = time.perf_counter(), time.process_time()
        result = call()
        pipe.send((time.perf_counter() - wall, time.process_time() - cpu, result))
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measure(filters: int, variant: str, *, size_px: int, rounds: int) -> dict[str, Any]:
    """Time each way in alternated rounds and compare the scores.

    Each way has a process of its own: Keras' `predict` changes how the C library gives memory back (TensorFlow's "memory
    patch"), which slows whatever else runs in its process.

    Returns:
        `us` {way: {"wall": .., "cpu": ..}} medians per window; `speedup` and `speedup_cpu` of the tile graph over the
        notebook, medians of the ratios within a round; `gemm_share`: necessary operations per CPU second over those of a
        large matrix product; `difference`: the largest between scores; `peak_mb` of the tile graph's process.

    Raises:
        ArithmeticError: a way's scores differ from the notebook's by more than 1e-5.
    """
    context = multiprocessing.get_context("spawn")
    pipes, processes = {}, []
    for way in WAYS:
        pipes[way], theirs = context.Pipe()
        processes.append(context.Process(target=_serve_way, args=(theirs, way, filters, variant, size_px), daemon=True))
        processes[-1].start()
        theirs.close()  # so that a child's death ends `recv`

    def once(way: str) -> tuple[float, float, np.ndarray]:
        pipes[way].send(True)
        answer: tuple[float, float, np.ndarray] = pipes[way].recv()
        return answer

    results = {way: once(way)[2] for way in WAYS}  # compiles, warms
    times = [{way: once(way)[:2] for way in WAYS} for _ in range(rounds)]
    peaks = {}
    for way in WAYS:
        pipes[way].send(False)
        peaks[way] = pipes[way].recv()
    for process in processes:
        process.join()

    count = results["tile graph"].size
    difference = max(float(np.abs(results[way] - results["notebook"]).max()) for way in SCORING)
    if not difference <= 1e-5:
        raise ArithmeticError(f"{variant}, {filters} filters: scores differ by {difference}")

    def median(value: Callable[[dict[str, tuple[float, float]]], float]) -> float:
        return statistics.median(value(row) for row in times)

    rate = median(lambda row: 2 * GEMM_SIDE**3 / row["gemm"][1])
    necessary = count * necessary_flop(filters, len(MEAN), variant)
    us = {
        way: {
            kind: median(lambda row, way=way, i=i: row[way][i]) * 1e6 / count for i, kind in enumerate(("wall", "cpu"))
        }  # type: ignore[misc]
        for way in SCORING
    }
    return {
        "filters": filters,
        "variant": variant,
        "windows": count,
        "us": us,
        "speedup": median(lambda row: row["notebook"][0] / row["tile graph"][0]),
        "speedup_cpu": median(lambda row: row["notebook"][1] / row["tile graph"][1]),
        "gemm_gflop_s": rate / 1e9,
        "gemm_share": median(lambda row: necessary / row["tile graph"][1]) / rate,
        "difference": difference,
        "peak_mb": peaks["tile graph"],
    }


@click.command("bench")
@click.option("--size-px", type=click.IntRange(WINDOW_PX), default=1024, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--filters", type=click.IntRange(1), multiple=True, default=(32, 64), show_default=True)
@click.option(
    "--variant", "variants", type=click.Choice(["published", "paper"]), multiple=True, default=("published", "paper")
)
@click.option("--core", type=int, help="Pin to this core; default: the first allowed one.")
def bench_command(
    size_px: int, rounds: int, filters: tuple[int, ...], variants: tuple[str, ...], core: int | None
) -> None:
    r"""Time the tile graph against the published notebook's way.

    \b
    Example:
      python -m training.bench_tile --rounds 5
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0)) if core is None else core})
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    click.echo(
        f"{platform.machine()}, one core, load average {load}, TensorFlow {tf.__version__}, {size_px} px, {rounds} rounds"
    )
    click.echo(f"{'':14}{'microseconds per window, wall (CPU)':^51}{'times the notebook':>19}{'share of':>10}")
    click.echo(f"{'':14}{'notebook':>17}{'batched Keras':>17}{'tile graph':>17}{'wall (CPU)':>19}{'GEMM':>10}")
    for variant in variants:
        for number in filters:
            row = measure(number, variant, size_px=size_px, rounds=rounds)
            cells = "".join(f"{us['wall']:>9.0f} ({us['cpu']:.0f})".rjust(17) for us in row["us"].values())
            gain = f"{row['speedup']:.1f} ({row['speedup_cpu']:.1f})"
            share = f"{100 * row['gemm_share']:.0f} %"
            click.echo(
                f"{variant:10}{number:4}{cells}{gain:>19}{share:>10}   difference {row['difference']:.0e}, peak {row['peak_mb']:.0f} MB"
            )


if __name__ == "__main__":
    bench_command()
