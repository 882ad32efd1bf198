"""The served `tile` graph beside the notebook's way, batched Keras and the same graph through gRPC, on one tile."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from tests.bench import raster
from tests.bench.processes import ENVIRONMENTS, ModelServer, Worker
from tests.bench.rounds import alternate, median, ratio, seconds
from tests.bench.work import GEMM_FLOP, necessary_flop, windows_of

MODEL = "vv_vh_ascending_60_12"
SCORING = ("notebook", "keras", "graph", "grpc")
WAYS = (*SCORING, "gemm")
TOLERANCE = 1e-5


class ScoresDiffer(ArithmeticError):
    """Two ways give a window different scores."""


def measure(
    folder: Path,
    *,
    filters: int,
    variant: str,
    size_px: int,
    cores: Sequence[int],
    rounds: int,
    on_done: Callable[[], None],
) -> dict[str, Any]:
    """Time every way on one tile; times `len(WAYS) * (rounds + 1)` calls, the first of each way being its warming up.

    Returns:
        `seconds` {way: {wall, cpu}} a tile; `speedup_over_notebook` {way: {wall, cpu}}; `gemm_gflop_s`: of a large matrix
        product, per second of CPU; `gemm_share`: necessary operations of the graph over that rate; `largest_difference`
        between scores; `peak_mb` of each process.

    Raises:
        ScoresDiffer: by more than 1e-5.
    """
    kind = f"F{filters}-{variant}"
    served = folder / "served" / kind
    image = folder / f"image-{size_px}.npy"
    if not image.exists():
        raster.write_image(image, size_px)
    logs = folder / "logs" / f"{kind}-{len(cores)}"
    with ExitStack() as stack:
        server = stack.enter_context(ModelServer(served, logs, cores))
        common = ["--weights", folder / "weights" / kind, "--served", served / MODEL / "1", "--threads", len(cores)]
        python = ENVIRONMENTS / "training" / "bin" / "python"
        workers = {
            way: stack.enter_context(
                Worker(way, [python, "-m", "tests.bench.in_process", way, *common], logs / f"{way}.log", cores)
            )
            for way in WAYS
            if way != "grpc"
        }
        server.wait()
        command = [
            ENVIRONMENTS / "tests" / "bin" / "python",
            "-m",
            "tests.bench.over_grpc",
            "--port",
            server.port,
            "--model",
            MODEL,
        ]
        workers["grpc"] = stack.enter_context(Worker("grpc", command, logs / "grpc.log", cores, server))
        for worker in workers.values():
            worker.read()
        scores = {}
        for way in WAYS:
            target = folder / f"scores-{way}.npy"
            workers[way].score(image, target)
            scores[way] = np.load(target)
            on_done()
        difference = max(float(np.abs(scores[way] - scores["notebook"]).max()) for way in SCORING)
        if not difference <= TOLERANCE:
            raise ScoresDiffer(f"{variant}, {filters} filters: scores differ by {difference}")
        found = alternate({way: lambda way=way: workers[way].score(image) for way in WAYS}, rounds, on_done)  # type: ignore[misc]
        peaks = {way: round(found[-1][way].peak_mb) for way in SCORING} | {"model_server": round(server.peak_mb)}
    windows = windows_of(size_px)
    necessary = windows * necessary_flop(filters, len(raster.MEAN), variant)
    return {
        "filters": filters,
        "variant": variant,
        "cores": len(cores),
        "size_px": size_px,
        "windows": windows,
        "rounds": rounds,
        "seconds": {way: seconds(found, way) for way in SCORING},
        "speedup_over_notebook": {way: ratio(found, "notebook", way) for way in SCORING[1:]},
        "gemm_gflop_s": GEMM_FLOP / median(found, lambda timings: timings["gemm"].cpu) / 1e9,
        "gemm_share": median(
            found, lambda timings: necessary / timings["graph"].cpu / (GEMM_FLOP / timings["gemm"].cpu)
        ),
        "largest_difference": difference,
        "peak_mb": peaks,
    }
