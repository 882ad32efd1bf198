"""The whole detector, `quakeslide detect` as a process beside a model server, against the size of the raster."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench import raster
from tests.bench.graph import MODEL
from tests.bench.processes import ENVIRONMENTS, ROOT, ModelServer, Timing, Worker, run_to_end
from tests.bench.rounds import alternate, ratio, seconds
from tests.bench.work import windows_of

MODELS = ROOT / "build" / "models"
NOTHING_FOUND = 3


def measure(
    folder: Path,
    *,
    size_px: int,
    is_sparse: bool,
    with_notebook: bool,
    cores: Sequence[int],
    rounds: int,
    on_done: Callable[[], None],
) -> dict[str, Any]:
    """Time the detector on a raster of one size, alternated with the notebook's way on the same pixels where asked.

    Nothing is warmed up: the detector is started anew each time, as it is used; the server has answered before.

    Returns:
        `seconds` {way: {wall, cpu}}, the detector's CPU with the model server's; `detector_peak_mb`: the detector's process alone.
    """
    logs = folder / "logs" / f"detector-{size_px}"
    file = folder / f"{'sparse' if is_sparse else 'full'}-{size_px}.tif"
    if not file.exists():
        draft = file.with_suffix(".part.tif")
        (raster.write_sparse if is_sparse else raster.write_full)(draft, size_px)
        draft.rename(file)
    with ExitStack() as stack:
        server = stack.enter_context(ModelServer(MODELS, logs, cores))
        server.wait()
        detect = [ENVIRONMENTS / "tests" / "bin" / "python", "-m", "quakeslide.cli.main", "detect"]
        detect += ["--model-server", f"127.0.0.1:{server.port}", "--models", MODELS, "--model", MODEL]
        out = folder / "products" / str(size_px)

        def detector(path: Path = file) -> Timing:
            before = server.cpu
            command = [*detect, path, "--out", out]
            own = run_to_end("quakeslide detect", command, logs / "detect.log", cores, (0, NOTHING_FOUND))
            return Timing(wall=own.wall, cpu=own.cpu + server.cpu - before, peak_mb=own.peak_mb)

        ways = {"detector": detector}
        if with_notebook:
            image = folder / f"image-{size_px}.npy"
            if not image.exists():
                raster.write_image(image, size_px)
            command = [ENVIRONMENTS / "training" / "bin" / "python", "-m", "tests.bench.in_process", "notebook"]
            command += ["--weights", ROOT / "serving" / "models" / MODEL, "--served", MODELS / MODEL / "1"]
            command += ["--threads", len(cores)]
            notebook = stack.enter_context(Worker("notebook", command, logs / "notebook.log", cores))
            notebook.read()
            ways["notebook"] = lambda: notebook.score(image)
        found = alternate(ways, rounds, on_done)
        server_peak = server.peak_mb
    row: dict[str, Any] = {
        "size_px": size_px,
        "is_sparse": is_sparse,
        "windows": windows_of(size_px, is_flush=True),
        "cores": len(cores),
        "rounds": rounds,
        "seconds": {way: seconds(found, way) for way in ways},
        "detector_peak_mb": round(max(timings["detector"].peak_mb for timings in found)),
        "model_server_peak_mb": round(server_peak),
    }
    if with_notebook:
        row["speedup_over_notebook"] = ratio(found, "notebook", "detector")
        row["notebook_peak_mb"] = round(found[-1]["notebook"].peak_mb)
    return row
