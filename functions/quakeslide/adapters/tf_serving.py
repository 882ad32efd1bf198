"""TensorFlow Serving over gRPC, without TensorFlow in this process.

Of `tensorflow-serving-api` only the ten generated message modules are needed that Predict and GetModelStatus use. They lie beside the
library in the function's zip (see `functions/bundle.py`). The `*_pb2_grpc` modules would pull in TensorFlow; a channel's
`unary_unary` needs none. https://www.tensorflow.org/tfx/serving/api_rest and `prediction_service.proto` name the methods.
"""

from collections.abc import Callable
from typing import Any

import google.auth.exceptions
import grpc
import numpy as np
from google.auth.credentials import Credentials
from google.auth.transport.grpc import secure_authorized_channel
from google.auth.transport.requests import Request
from google.oauth2 import id_token
from numpy.typing import NDArray
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from quakeslide.domain.lattice import STRIDE_PX, WINDOW_PX
from quakeslide.domain.windows import lattice_shape
from quakeslide.errors import ModelMissing, ModelUnavailable, QuakeslideError, UnusableComposite
from quakeslide.ports import WindowScores

PREDICT = "/tensorflow.serving.PredictionService/Predict"
MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
MAX_MESSAGE = 64 << 20  # bytes; gRPC's own limit of 4 MB is less than one block of four bands
# Windows a side in one message: 288 px, 1.3 MB with four bands. Shards are multiples of 256 px, so however a composite is cut, the
# same calls are made and the scores are the same to the last bit.
BLOCK_WINDOWS = 8
IN_FLIGHT = 4  # messages sent before the first is answered, so that the server is never idle
DEADLINE_S = 60.0  # a block takes a tenth of a second; TensorFlow's first call on a new shape takes several
ATTEMPTS = 4
MAX_WAIT_S = 8.0  # between attempts; four of them give up after about 20 s

RETRY_MAY_HELP = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.FAILED_PRECONDITION,  # what TF Serving says of a model that is loading or unloading
    grpc.StatusCode.UNKNOWN,
}
ERRORS: dict[grpc.StatusCode, type[QuakeslideError]] = {
    grpc.StatusCode.NOT_FOUND: ModelMissing,
    grpc.StatusCode.INVALID_ARGUMENT: UnusableComposite,
}


class TfServing:
    """A LandslideModel behind TF Serving's gRPC port.

    Args:
        address: `host:port`, in the clear; or `https://host[:port]`, with TLS and an identity token in every call, as Cloud Run wants it.
        attempts: how often a call is tried when a retry may help.
        identity: whose tokens; where None, those of the account this process runs as, for the address.
        trusted: certificates of authorities to trust, PEM; the usual ones where None.

    Raises:
        ModelUnavailable: an https address, and this process has no account.
    """

    def __init__(
        self,
        address: str,
        *,
        attempts: int = ATTEMPTS,
        identity: Credentials | None = None,
        trusted: bytes | None = None,
    ) -> None:
        # Imported here, not above: where the messages are missing, all else still works.
        from tensorflow_serving.apis import get_model_status_pb2, predict_pb2

        self._address = address
        self._attempts = attempts
        self._predict_pb2, self._status_pb2 = predict_pb2, get_model_status_pb2
        self._channel = _channel(address, identity, trusted)
        self._predict = self._channel.unary_unary(
            PREDICT,
            request_serializer=predict_pb2.PredictRequest.SerializeToString,
            response_deserializer=predict_pb2.PredictResponse.FromString,
        )
        self._model_status = self._channel.unary_unary(
            MODEL_STATUS,
            request_serializer=get_model_status_pb2.GetModelStatusRequest.SerializeToString,
            response_deserializer=get_model_status_pb2.GetModelStatusResponse.FromString,
        )

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def served_version(self, name: str) -> int:
        """Return the newest version that is AVAILABLE.

        Raises:
            ModelMissing: the server knows no model of this name.
            ModelUnavailable: it does not answer, or no version is available now.
        """
        request = self._status_pb2.GetModelStatusRequest()
        request.model_spec.name = name

        def ask() -> int:
            reply = self._answer(self._model_status.future(request, timeout=DEADLINE_S), f"status of model {name}")
            versions = reply.model_version_status
            available = [status.version for status in versions if status.state == status.State.AVAILABLE]
            if not available:
                states = ", ".join(f"{s.version} {s.State.Name(s.state)}" for s in versions) or "none"
                raise ModelUnavailable(f"model {name} at {self._address} has no available version ({states})")
            return int(max(available))

        return int(self._patiently(ask))

    def score(self, tile: NDArray[np.float32], *, name: str, version: int) -> WindowScores:
        """Score the lattice windows of a tile, in blocks of 8 x 8 windows from its corner; empty blocks are not sent.

        Args:
            tile: float32 [H, W, C], dB, bands in the model's order, NaN is missing, at least 64 px a side.
            name: of the model.
            version: of the model; a reply naming another one is refused.

        Raises:
            ModelUnavailable, ModelMissing: see the port.
            UnusableComposite: the server refuses the tile.
        """
        rows, cols = lattice_shape(*tile.shape[:2])
        if not rows * cols:
            raise UnusableComposite(f"a tile of {tile.shape[0]} x {tile.shape[1]} px holds no window of {WINDOW_PX} px")
        scores = np.full((rows, cols), np.nan, np.float32)
        valid = np.zeros((rows, cols), np.float32)
        requests = [block for block in _blocks(rows, cols) if not np.isnan(tile[_pixels(*block)]).all()]
        for first in range(0, len(requests), IN_FLIGHT):
            batch = requests[first : first + IN_FLIGHT]
            sent = [self._send(tile[_pixels(*block)], name, version) for block in batch]
            for (down, across), future in zip(batch, sent, strict=True):
                reply = self._reply(future, tile[_pixels(down, across)], name, version)
                scores[down, across], valid[down, across] = reply.scores, reply.valid_fraction
        return WindowScores(scores=scores, valid_fraction=valid)

    def _send(self, image: NDArray[np.float32], name: str, version: int) -> Any:
        """Start one Predict call; the version is pinned."""
        request = self._predict_pb2.PredictRequest()
        request.model_spec.name = name
        request.model_spec.version.value = version
        request.model_spec.signature_name = "tile"
        tensor = request.inputs["image"]
        tensor.dtype = 1  # DT_FLOAT in tensorflow/core/framework/types.proto
        for size in image.shape:
            tensor.tensor_shape.dim.add().size = size
        tensor.tensor_content = np.ascontiguousarray(image, "<f4").tobytes()
        return self._predict.future(request, timeout=DEADLINE_S)

    def _reply(self, first: Any, image: NDArray[np.float32], name: str, version: int) -> WindowScores:
        """Wait for a call, sending it again where that may help."""
        pending = [first]

        def receive() -> WindowScores:
            future = pending.pop() if pending else self._send(image, name, version)
            reply = self._answer(future, f"model {name} version {version}")
            answered = reply.model_spec.version.value
            if (reply.model_spec.name, answered) != (name, version):
                raise ModelUnavailable(
                    f"asked {self._address} for {name} version {version}, answered by {reply.model_spec.name} {answered}"
                )
            shape = lattice_shape(*image.shape[:2])
            return WindowScores(
                scores=_array(reply, "scores", shape, name), valid_fraction=_array(reply, "valid_fraction", shape, name)
            )

        result: WindowScores = self._patiently(receive)
        return result

    def _answer(self, future: Any, about: str) -> Any:
        """Return a call's reply or raise what its status code means."""
        try:
            return future.result()
        except grpc.RpcError as error:
            text = f"{about} at {self._address}: {error.code().name}: {error.details()}"
            if error.code() in RETRY_MAY_HELP:
                raise ModelUnavailable(text) from error
            raise ERRORS.get(error.code(), ModelUnavailable)(text) from error
        except grpc.FutureCancelledError as error:
            raise ModelUnavailable(f"{about} at {self._address}: cancelled") from error

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """Try a call again with growing, random pauses while it raises ModelUnavailable."""
        retrying = Retrying(
            retry=retry_if_exception_type(ModelUnavailable),
            stop=stop_after_attempt(self._attempts),
            wait=wait_random_exponential(multiplier=0.5, max=MAX_WAIT_S),
            reraise=True,
        )
        return retrying(call)


def _channel(address: str, identity: Credentials | None, trusted: bytes | None) -> grpc.Channel:
    """Open a connection; see TfServing."""
    options = [("grpc.max_send_message_length", MAX_MESSAGE), ("grpc.max_receive_message_length", MAX_MESSAGE)]
    if not address.startswith("https://"):
        return grpc.insecure_channel(address, options=options)
    request = Request()
    if identity is None:
        try:
            identity = id_token.fetch_id_token_credentials(address, request=request)  # type: ignore[no-untyped-call]
        except google.auth.exceptions.GoogleAuthError as error:
            raise ModelUnavailable(
                f"{address} wants an identity token, and there is no account here: {error}"
            ) from error
    host = address.removeprefix("https://").rstrip("/")
    target = host if ":" in host else f"{host}:443"
    return secure_authorized_channel(  # type: ignore[no-untyped-call]
        identity, request, target, ssl_credentials=grpc.ssl_channel_credentials(trusted), options=options
    )


def _blocks(rows: int, cols: int) -> list[tuple[slice, slice]]:
    """Cut windows into blocks, as slices of window rows and columns."""
    return [
        (slice(row, min(row + BLOCK_WINDOWS, rows)), slice(col, min(col + BLOCK_WINDOWS, cols)))
        for row in range(0, rows, BLOCK_WINDOWS)
        for col in range(0, cols, BLOCK_WINDOWS)
    ]


def _pixels(down: slice, across: slice) -> tuple[slice, slice]:
    """Return the pixels that a block's windows cover."""
    reach = WINDOW_PX - STRIDE_PX
    return (
        slice(down.start * STRIDE_PX, down.stop * STRIDE_PX + reach),
        slice(across.start * STRIDE_PX, across.stop * STRIDE_PX + reach),
    )


def _array(reply: Any, output: str, shape: tuple[int, int], name: str) -> NDArray[np.float32]:
    """Read a float32 output; a tensor of one value, or a few, may come as `float_val` instead of bytes."""
    if output not in reply.outputs:
        raise ModelMissing(f"model {name} answers without the output {output!r}: its tile signature is another")
    tensor = reply.outputs[output]
    values = np.frombuffer(tensor.tensor_content, "<f4") if tensor.tensor_content else np.array(tensor.float_val, "<f4")
    if values.size == 1:
        values = np.broadcast_to(values, shape)  # a constant tensor is sent as its one value
    if tuple(dim.size for dim in tensor.tensor_shape.dim) != shape or values.size != shape[0] * shape[1]:
        raise ModelMissing(f"model {name}: output {output!r} is not [{shape[0]}, {shape[1]}]: its signature is another")
    return values.reshape(shape).astype(np.float32)
