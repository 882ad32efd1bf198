"""Starts model servers for the contract tests, and talks to them without TensorFlow."""

import atexit
import fcntl
import importlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import numpy as np
import requests

ROOT = Path(__file__).parents[2]
SERVING_PYTHON = ROOT / "build/envs/serving/bin/python"
TRAINING_PYTHON = ROOT / "build/envs/training/bin/python"
SITE_PACKAGES = next((ROOT / "build/envs/serving/lib").glob("python3.*/site-packages"))

# What Predict and GetModelStatus need; `test_detector_needs_ten_message_modules` traces it.
TEN_MODULES = (
    "tensorflow/compiler/xla/tsl/protobuf/error_codes_pb2.py",
    "tensorflow/core/framework/resource_handle_pb2.py",
    "tensorflow/core/framework/tensor_pb2.py",
    "tensorflow/core/framework/tensor_shape_pb2.py",
    "tensorflow/core/framework/types_pb2.py",
    "tensorflow/core/protobuf/error_codes_pb2.py",
    "tensorflow_serving/apis/get_model_status_pb2.py",
    "tensorflow_serving/apis/model_pb2.py",
    "tensorflow_serving/apis/predict_pb2.py",
    "tensorflow_serving/apis/status_pb2.py",
)

# Trains nothing: random weights, float16 as in the project, and the scores that plain NumPy gives for one image.
EXPORT_SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from training.model_folder import save_weights
from training.served.export import export_saved_model
from training.tests.numpy_network import random_model, scores

out = Path(sys.argv[1])
bands = ["postVV", "postVH", "diffVV", "diffVH"]
image = np.random.default_rng(0).normal(-3, 3, (160, 130, 4)).astype(np.float32)
image[:40, :50] = np.nan
filled = np.where(np.isnan(image).any(axis=2, keepdims=True), np.float32(-2.0), image)
np.save(out / "image.npy", image)
for name, version, seed in (("first", 1, 1), ("first", 2, 2), ("second", 7, 3), ("late", 1, 4)):
    model = random_model(seed=seed, filters=4)
    card = dict(name=name, version=version, variant="published", filters=4, bands=bands, standardisation=None)
    folder = out / "weights" / f"{name}{version}"
    save_weights(model, folder, {**card, "fill_db": dict.fromkeys(bands, -2.0)})
    export_saved_model(folder, out / ("unserved" if name == "late" else "models"))
    if (name, version) == ("first", 1):
        export_saved_model(folder, out / "batched", only_patches=True)
    windows = [filled[32 * r : 32 * r + 64, 32 * c : 32 * c + 64] for r in range(4) for c in range(3)]
    expected = scores(np.stack(windows), model.get_weights(), variant="published").reshape(4, 3)
    np.save(out / f"expected_{name}_{version}.npy", expected)
"""


@cache
def exported_models() -> Path:
    """Return a folder with `models/{first/1,first/2,second/7}`, `unserved/late/1`, `batched/first_patches/1`, `image.npy`,
    `expected_NAME_VERSION.npy`.

    Exported once for all workers of a run; each has a copy of its own, removed when it ends. Who changes it puts it back.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    shared = Path(tempfile.gettempdir()) / f"model-server-{run}"
    shared.mkdir(mode=0o700, exist_ok=True)
    atexit.register(shutil.rmtree, shared, ignore_errors=True)
    made = shared / "made"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            draft = tempfile.mkdtemp(dir=shared)
            command = [TRAINING_PYTHON, "-c", EXPORT_SCRIPT, draft]
            done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=400)
            assert done.returncode == 0, done.stderr
            Path(draft).rename(made)
        own = Path(tempfile.mkdtemp(prefix="model-server-"))
        shutil.copytree(made, own, dirs_exist_ok=True)
    atexit.register(shutil.rmtree, own)
    return own


def imported_by(modules: Sequence[str]) -> set[str]:
    """Return generated modules and what they import of tensorflow, as paths below site-packages, by reading their text."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        text = (SITE_PACKAGES / path).read_text(encoding="utf-8")
        for package, module in re.findall(r"^from (tensorflow[\w.]*) import (\w+)", text, re.MULTILINE):
            waiting.append(f"{package.replace('.', '/')}/{module}.py")
    return found


def copy_modules(to: Path, modules: Sequence[str]) -> None:
    """Copy message modules without any `__init__.py`: `tensorflow` becomes a namespace package that imports nothing."""
    for module in modules:
        (to / module).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SITE_PACKAGES / module, to / module)


def metrics(server: "Server") -> dict[str, float]:
    """Return what Prometheus reads, by name and labels as they are written."""
    answer = requests.get(f"{server.url}/monitoring/prometheus/metrics", timeout=30)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running server."""

    port: int
    rest_port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.rest_port}"


@contextmanager
def local_server(*options: str | Path) -> Iterator[Server]:
    """Run our server until the block ends."""
    command = [SERVING_PYTHON, "-m", "serving.local_server", "--port", "0", "--rest-port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=sys.stderr, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline() or "{}")
            assert ready.get("service") == "model_server", f"the server ended with {process.wait(60)}"
            yield Server(port=ready["port"], rest_port=ready["rest_port"], process=process)
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def genuine_server(config: Path, *options: str) -> Iterator[Server]:
    """Run `tensorflow_model_server` until the block ends."""
    port, rest_port = free_port(), free_port()
    command = [
        "tensorflow_model_server",
        f"--port={port}",
        f"--rest_api_port={rest_port}",
        f"--model_config_file={config}",
        "--allow_version_labels_for_unavailable_models=true",
        "--enable_serialization_as_tensor_content=true",
        *options,
    ]
    with subprocess.Popen(command, stdout=sys.stderr, stderr=sys.stderr, text=True) as process:
        try:
            wait_until_open(rest_port, process)
            yield Server(port=port, rest_port=rest_port, process=process)
        finally:
            process.terminate()
            process.wait(60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_open(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended with {process.returncode}"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError(f"nothing listens on port {port}")


class Client:
    """Calls a server with nothing but the copied message modules."""

    def __init__(self, port: int) -> None:
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{port}",
            options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
        )

    def call(self, method: str, request: Any, response: type[Any]) -> Any:
        """Call `Service/Method` of tensorflow.serving."""
        invoke = self.channel.unary_unary(
            f"/tensorflow.serving.{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=response.FromString,
        )
        return invoke(request, timeout=60, wait_for_ready=True)

    def predict(
        self, name: str, arrays: dict[str, Any], *, signature: str = "", outputs: Sequence[str] = (), **spec: Any
    ):
        """Predict; `spec` is `version=` or `version_label=`; arrays are NumPy arrays or tensor messages."""
        predict_pb2 = messages("predict_pb2")
        request = predict_pb2.PredictRequest(output_filter=outputs)
        request.model_spec.name = name
        request.model_spec.signature_name = signature
        if "version" in spec:
            request.model_spec.version.value = spec["version"]
        if "version_label" in spec:
            request.model_spec.version_label = spec["version_label"]
        for alias, value in arrays.items():
            request.inputs[alias].CopyFrom(tensor(value) if isinstance(value, np.ndarray) else value)
        return self.call("PredictionService/Predict", request, predict_pb2.PredictResponse)

    def status(self, name: str, version: int | None = None):
        status_pb2 = messages("get_model_status_pb2")
        request = status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        if version is not None:
            request.model_spec.version.value = version
        return self.call("ModelService/GetModelStatus", request, status_pb2.GetModelStatusResponse)


def messages(module: str) -> ModuleType:
    return importlib.import_module(f"tensorflow_serving.apis.{module}")


def tensor(array: np.ndarray) -> Any:
    """Return a TensorProto of a float32 or float64 array."""
    tensor_pb2 = importlib.import_module("tensorflow.core.framework.tensor_pb2")
    types_pb2 = importlib.import_module("tensorflow.core.framework.types_pb2")
    dtype = {"float32": types_pb2.DT_FLOAT, "float64": types_pb2.DT_DOUBLE}[array.dtype.name]
    proto = tensor_pb2.TensorProto(dtype=dtype, tensor_content=array.tobytes())
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    return proto


def array(proto: Any) -> np.ndarray:
    """Return the array of a float32 TensorProto, from whichever field holds its values."""
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_content:
        return np.frombuffer(proto.tensor_content, np.float32).reshape(shape)
    values = np.array(proto.float_val, np.float32)
    return (np.full(shape, values[0]) if len(values) == 1 else values.reshape(shape)).astype(np.float32)
