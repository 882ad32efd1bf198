"""What the calls do, on protobuf messages; gRPC and REST are two ways in.

Follows predict_util.cc, get_model_status_impl.cc and get_model_metadata_impl.cc of TensorFlow Serving.
"""

import threading
import time
from collections import Counter
from contextlib import nullcontext
from typing import Any

import grpc
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2, predict_pb2

from serving.local_server.binding import bind, output_aliases
from serving.local_server.errors import ENDING, Refusal, invalid, not_found
from serving.local_server.faults import Faults, spoil
from serving.local_server.metrics import Metrics
from serving.local_server.repository import ModelRepository
from serving.local_server.servable import Servable
from serving.local_server.tensors import to_proto

DEFAULT_SIGNATURE = "serving_default"
SIGNATURE_FIELD = "signature_def"


class ModelServerApi:
    """PredictionService and ModelService."""

    def __init__(
        self, repository: ModelRepository, faults: Faults, metrics: Metrics, *, concurrent_runs: int, as_content: bool
    ) -> None:
        """Answer from a repository.

        Args:
            repository: the served models.
            faults: the faults to come.
            metrics: gets the time that requests spend in a session.
            concurrent_runs: graphs running at a time, batches aside; further calls wait, so that memory stays bounded.
            as_content: see `tensors.to_proto`.
        """
        self._repository = repository
        self._faults = faults
        self._metrics = metrics
        self._concurrent_runs = concurrent_runs
        self._running = threading.BoundedSemaphore(concurrent_runs)
        self._is_ending = False
        self._as_content = as_content
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._windows = 0

    def predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        """Run one signature of one version.

        Raises:
            Refusal: in TensorFlow Serving's words.
        """
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        with self._lock:
            self._calls[request.model_spec.name] += 1
        fault = self._faults.strike("predict", request.model_spec.name)
        servable = self.find(request.model_spec)
        key = request.model_spec.signature_name or DEFAULT_SIGNATURE
        if key not in servable.signatures:
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{key}" not found.')
        signature = servable.signatures[key]
        feeds = bind(signature, request)
        aliases = output_aliases(signature, request)
        start = time.perf_counter()
        with nullcontext() if servable.is_batched else self._running:  # batches have threads of their own
            if self._is_ending:
                raise Refusal(grpc.StatusCode.UNAVAILABLE, ENDING)
            arrays = servable.run(feeds, [signature.outputs[alias].name for alias in aliases])
        self._metrics.ran(servable.name, time.perf_counter() - start)
        with self._lock:
            self._windows += max(array.size for array in arrays)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        response.model_spec.signature_name = key
        for alias, array in zip(aliases, arrays, strict=True):
            response.outputs[alias].CopyFrom(to_proto(array, as_content=self._as_content))
        if fault is not None:
            spoil(response, fault)
        return response

    def close(self) -> None:
        """Refuse what comes, and return when no graph runs any more, batches aside.

        A thread inside TensorFlow when the interpreter ends cannot come back: the process would abort ("terminate called without an active
        exception") in place of ending.
        """
        self._is_ending = True
        for _ in range(self._concurrent_runs):
            self._running.acquire()
        self._running.release(self._concurrent_runs)

    def get_model_status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Say which versions are served; a label in the request is ignored, as in TensorFlow Serving."""
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        name = request.model_spec.name
        fault = self._faults.strike("status", name)
        versions = self._repository.versions(name)[1 if fault == "older_version" else 0 :]
        if request.model_spec.HasField("version"):
            version = request.model_spec.version.value
            if version not in versions:
                raise not_found(f"Could not find version {version} of model {name}")
            versions = [version]
        if not versions:
            raise not_found(f"Could not find any versions of model {name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in versions:
            status = response.model_version_status.add(version=version)
            status.state = get_model_status_pb2.ModelVersionStatus.AVAILABLE
            status.status.SetInParent()
        return response

    def get_model_metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Return the signatures of one version, the only metadata there is."""
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for wanted in request.metadata_field:
            if wanted != SIGNATURE_FIELD:
                raise invalid(f"Metadata field {wanted} is not supported")
        servable = self.find(request.model_spec)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for key, signature in servable.signature_defs.items():
            signatures.signature_def[key].CopyFrom(signature)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        response.metadata[SIGNATURE_FIELD].Pack(signatures)
        return response

    def find(self, spec: model_pb2.ModelSpec) -> Servable:
        """Return the version a spec means."""
        choice = spec.WhichOneof("version_choice")
        return self._repository.find(
            spec.name,
            version=spec.version.value if choice == "version" else None,
            label=spec.version_label if choice == "version_label" else None,
        )

    def state(self) -> dict[str, Any]:
        """Return what `GET /_local/state` shows; `windows` counts the scores of the largest output of every run."""
        with self._lock:
            calls, windows = dict(self._calls), self._windows
        return {
            "models": {name: self._repository.versions(name) for name in self._repository.names()},
            "predict_calls": sum(calls.values()),
            "predict_calls_by_model": calls,
            "windows": windows,
            "warm_up_requests": self._repository.warm_up_requests(),
            "faults": self._faults.remaining(),
        }
