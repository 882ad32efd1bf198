"""How long a model's first tile takes with and without the requests that warm it up: `python -m serving.first_request`.

Starts the local server twice, over a model as it was exported and over a copy without its warm-up file, and sends it the same tile several
times, as the detector sends them: 288 px, gRPC, one after the other.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

WARM_UP = Path("assets.extra/tf_serving_warmup_requests")
TILE_PX, REPEATS = 288, 10
METHOD = "/tensorflow.serving.PredictionService/Predict"


@click.command("first_request")
@click.argument(
    "version", type=click.Path(path_type=Path, exists=True), default=Path("build/models/vv_vh_ascending_60_12/1")
)
def main(version: Path) -> None:
    """Print the first answer's time and the median of those after it, in ms, for VERSION's folder."""
    for is_warm in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / version.parent.name / version.name
            shutil.copytree(version, copy)
            if not is_warm:
                (copy / WARM_UP).unlink()
            seconds = _answer_times(Path(folder), version.parent.name)
        later = statistics.median(seconds[1:])
        click.echo(f"{'warmed up' if is_warm else 'cold'}: first {1e3 * seconds[0]:.0f} ms, later {1e3 * later:.0f} ms")


def _answer_times(models: Path, name: str) -> list[float]:
    command = [sys.executable, "-m", "serving.local_server", "--models", models, "--port", "0", "--rest-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            ready = json.loads(server.stdout.readline())
            return [_answer_time(ready["port"], name) for _ in range(1 + REPEATS)]
        finally:
            server.terminate()


def _answer_time(port: int, name: str) -> float:
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = name, "tile"
    image = np.random.default_rng(0).normal(-8, 3, (TILE_PX, TILE_PX, 4)).astype(np.float32)
    request.inputs["image"].CopyFrom(tf.make_tensor_proto(image))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        grpc.channel_ready_future(channel).result(30)
        predict = channel.unary_unary(
            METHOD, predict_pb2.PredictRequest.SerializeToString, predict_pb2.PredictResponse.FromString
        )
        start = time.perf_counter()
        predict(request, timeout=60)
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
