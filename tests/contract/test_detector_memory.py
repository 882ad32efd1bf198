"""`quakeslide detect` as a process of its own on sparse files: its peak memory hardly grows with the raster, whatever its layout.

The model server is scripted and answers at once: this is about the detector. `make bench` measures it with the real one, up to
30 000 px.
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window

from quakeslide.adapters.tf_serving import MODEL_STATUS, PREDICT
from tests.contract.model_server_service import TEN_MODULES, copy_modules, messages, tensor

ROOT = Path(__file__).parents[2]
NAME = "vv_vh_ascending_60_12"
BANDS = ("postVV", "postVH", "diffVV", "diffVH", "slope")
LIMIT_MB = 700
SCRIPT = """
import sys
from quakeslide.cli.main import main
try:
    main(sys.argv[1:])
finally:
    with open("/proc/self/status") as status:
        print(next(line for line in status if line.startswith("VmHWM")), file=sys.stderr)
"""


class EveryTwentieth(grpc.GenericRpcHandler):
    """Serves version 1; every twentieth window is a landslide."""

    def service(self, details):
        module = messages("predict_pb2" if details.method == PREDICT else "get_model_status_pb2")
        request = module.PredictRequest if details.method == PREDICT else module.GetModelStatusRequest
        answer = {PREDICT: self.predict, MODEL_STATUS: self.status}[details.method]
        return grpc.unary_unary_rpc_method_handler(
            lambda message, _: answer(module, message).SerializeToString(), request_deserializer=request.FromString
        )

    def status(self, module, _):
        reply = module.GetModelStatusResponse()
        reply.model_version_status.add(version=1, state=30)
        return reply

    def predict(self, module, message):
        sent = message.inputs["image"]
        height, width, bands = (dim.size for dim in sent.tensor_shape.dim)
        missing = np.isnan(np.frombuffer(sent.tensor_content, "<f4").reshape(height, width, bands)).any(axis=2)
        rows, cols = height // 32 - 1, width // 32 - 1
        blocks = missing.reshape(height // 32, 32, width // 32, 32).sum(axis=(1, 3))
        lost = blocks[:-1, :-1] + blocks[:-1, 1:] + blocks[1:, :-1] + blocks[1:, 1:]
        scores = np.where(np.arange(rows * cols).reshape(rows, cols) % 20 == 7, 0.9, 0.1)
        reply = module.PredictResponse()
        reply.model_spec.name, reply.model_spec.version.value = message.model_spec.name, 1
        reply.outputs["scores"].CopyFrom(tensor(scores.astype(np.float32)))
        reply.outputs["valid_fraction"].CopyFrom(tensor((1 - lost / 4096).astype(np.float32)))
        return reply


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Address of the server and the folder of its message modules."""
    folder = tmp_path_factory.mktemp("messages")
    copy_modules(folder, TEN_MODULES)
    sys.path.append(str(folder))
    server = grpc.server(ThreadPoolExecutor(4), handlers=[EveryTwentieth()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", folder
    server.stop(None).wait()
    sys.path.remove(str(folder))


def sparse(path, side, *, islands, layout):
    """Write a square file of 5 bands that holds data in a few places of 512 px only."""
    rng = np.random.default_rng(1)
    profile = {"driver": "GTiff", "height": side, "width": side, "count": 5, "dtype": "float32", "nodata": -9999}
    profile |= {
        "SPARSE_OK": "TRUE",
        "BIGTIFF": "YES",
        "crs": "EPSG:32653",
        "transform": Affine(10, 0, 320000, 0, -10, 4160000),
    }
    with rasterio.open(path, "w", **profile, **layout) as file:
        file.descriptions = BANDS
        for place in np.linspace(0, side - 512, islands):
            pixels = np.stack([rng.normal(mean, 2, (512, 512)) for mean in (-10, -16, 0, 0, 25)])
            file.write(pixels.astype(np.float32), window=Window(int(place), int(place), 512, 512))
    return path


def peak_mb(file, out, places):
    """Return the peak resident memory of the command in MB."""
    address, folder = places
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "functions"), str(folder)))}
    (card,) = (ROOT / "build/models" / NAME).glob("*/card.json")
    options = ["--model", NAME, "--track", "A069", "--model-server", address, "--card", card, "--out", out]
    command = [sys.executable, "-c", SCRIPT, "detect", file, *options]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = re.search(r"VmHWM:\s+(\d+) kB", done.stderr)
    assert found, done.stderr
    return int(found[1]) / 1024


TILED, STRIPS = {"tiled": True, "blockxsize": 256, "blockysize": 256}, {"blockysize": 1}


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory is read from /proc")
@pytest.mark.parametrize("layout", [TILED, STRIPS], ids=["tiles", "strips"])
def test_memory_does_not_grow_with_the_file(tmp_path, places, layout):
    side = 6000 if layout is TILED else 5000
    peaks = [
        peak_mb(sparse(tmp_path / f"{size}.tif", size, islands=islands, layout=layout), tmp_path / str(size), places)
        for size, islands in ((1024, 2), (side, 4))
    ]
    # GDAL's cache fills up: 64 MiB, or of a file in strips one row of cells and a quarter; 40 MB for what is kept of each window,
    # 80 of a file in strips: there 21 to 44 MB were seen in five runs on two machines
    kept_mb = 40 if layout is TILED else 80
    cache_mb = 64 if layout is TILED else 288 * side * 5 * 4 * 1.25 / 2**20
    pixels_mb = side**2 * 5 * 4 / 2**20
    assert peaks[1] < LIMIT_MB
    assert peaks[1] - peaks[0] < cache_mb + kept_mb < pixels_mb / 4
