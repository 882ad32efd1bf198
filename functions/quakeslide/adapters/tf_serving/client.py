"""Asks a model server: which version answers, and what it makes of a tile."""

from collections import deque
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
from google.auth.credentials import Credentials
from numpy.typing import NDArray
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from quakeslide.adapters.tf_serving.blocks import Allowance, Block, blocks, pixels_of
from quakeslide.adapters.tf_serving.channel import open_channel
from quakeslide.adapters.tf_serving.tensors import read_array, write_image
from quakeslide.domain.composite import MODEL_BANDS
from quakeslide.domain.lattice import WINDOW_PX
from quakeslide.domain.sentinel1 import Polarisation
from quakeslide.domain.windows import lattice_shape
from quakeslide.errors import ModelMissing, ModelUnavailable, QuakeslideError, TileTooLarge, UnusableComposite
from quakeslide.ports import WindowScores

PREDICT = "/tensorflow.serving.PredictionService/Predict"
MODEL_STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
DEADLINE_S = 60.0  # a block takes a tenth of a second; TensorFlow's first call on a new shape takes several
ATTEMPTS = 6
MAX_WAIT_S = 8.0  # between attempts; six of them give up after at most 16 s of waiting

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
TOO_LARGE = "message larger than max"  # gRPC says RESOURCE_EXHAUSTED of it too, but it will not pass


class TfServing:
    """A LandslideModel behind TF Serving's gRPC port.

    Args:
        address: `host:port`, in the clear; or `https://host[:port]`, with TLS and an identity token in every call, as Cloud Run wants it.
        label: `stable`, `canary` or another label of models.config, whose version is asked; the newest where empty.
        attempts: how often a call is tried when a retry may help.
        deadline_s: how long one call may take.
        identity: whose tokens; where None, those of the account this process runs as, for the address.
        trusted: certificates of authorities to trust, PEM; the usual ones where None.

    Raises:
        ModelUnavailable: an https address, and this process has no account.
    """

    def __init__(
        self,
        address: str,
        *,
        label: str = "",
        attempts: int = ATTEMPTS,
        deadline_s: float = DEADLINE_S,
        identity: Credentials | None = None,
        trusted: bytes | None = None,
    ) -> None:
        # Imported here, not above: where the messages are missing, all else still works.
        from tensorflow_serving.apis import get_model_status_pb2, predict_pb2

        self._address = address
        self._label, self._attempts, self._deadline_s = label, attempts, deadline_s
        self._predict_pb2, self._status_pb2 = predict_pb2, get_model_status_pb2
        self._channel = open_channel(address, identity, trusted)
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
        """Return the version that the label names, or the newest that is AVAILABLE.

        Raises:
            ModelMissing: the server knows no model of this name, or no such label of it.
            ModelUnavailable: it does not answer, or no version is available now.
        """
        return int(self._patiently(lambda: self._labelled(name) if self._label else self._newest(name)))

    def _newest(self, name: str) -> int:
        request = self._status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        future = self._model_status.future(request, timeout=self._deadline_s)
        versions = self._answer(future, f"status of model {name}").model_version_status
        available = [status.version for status in versions if status.state == status.State.AVAILABLE]
        if not available:
            states = ", ".join(f"{s.version} {s.State.Name(s.state)}" for s in versions) or "none"
            raise ModelUnavailable(f"model {name} at {self._address} has no available version ({states})")
        return int(max(available))

    def _labelled(self, name: str) -> int:
        """Ask one empty window: GetModelStatus ignores labels, and the answer of Predict says which version gave it."""
        polarisation = Polarisation.VV_VH if name.startswith(Polarisation.VV_VH) else Polarisation.VV
        image = np.zeros((WINDOW_PX, WINDOW_PX, len(MODEL_BANDS[polarisation])), np.float32)
        about = f"model {name} labelled {self._label!r}"
        try:
            reply = self._answer(self._send(image, name, None), about)
        except UnusableComposite as error:  # what the server says of a label that it does not know
            raise ModelMissing(str(error)) from error
        return int(reply.model_spec.version.value)

    def score(self, tile: NDArray[np.float32], wanted: NDArray[np.bool_], *, name: str, version: int) -> WindowScores:
        """Score lattice windows of a tile, in blocks of 8 x 8 windows from its corner; blocks without a wanted one are not sent.

        A few calls are always under way. Where the server refuses one for now, nothing else is sent until it has passed.

        Args:
            tile: float32 [H, W, C], dB, bands in the model's order, NaN is missing, at least 64 px a side.
            wanted: bool [rows, cols] of its windows.
            name: of the model.
            version: of the model; a reply naming another one is refused.

        Returns:
            Scores of all windows in the blocks sent, NaN elsewhere.

        Raises:
            ModelUnavailable, ModelMissing: see the port.
            TileTooLarge: the server's limit of a message is under 1.3 MB.
            UnusableComposite: the server refuses the tile.
        """
        if wanted.shape != lattice_shape(*tile.shape[:2]) or not wanted.size:
            raise UnusableComposite(
                f"a tile of {tile.shape[0]} x {tile.shape[1]} px holds no window of {WINDOW_PX} px, or not {wanted.shape}"
            )
        scores = np.full(wanted.shape, np.nan, np.float32)
        valid = np.zeros(wanted.shape, np.float32)
        to_send, allowance = deque(blocks(wanted)), Allowance()
        under_way: deque[tuple[Block, Any]] = deque()
        try:
            while to_send or under_way:
                while to_send and len(under_way) < allowance.calls:
                    block = to_send.popleft()
                    under_way.append((block, self._send(tile[pixels_of(block)], name, version)))
                block, future = under_way.popleft()
                reply = self._reply(future, tile[pixels_of(block)], name, version, allowance)
                scores[block], valid[block] = reply.scores, reply.valid_fraction
        finally:
            for _, future in under_way:
                future.cancel()
        return WindowScores(scores=scores, valid_fraction=valid)

    def _send(self, image: NDArray[np.float32], name: str, version: int | None) -> Any:
        """Start one Predict call; the version is pinned, or named by the label."""
        request = self._predict_pb2.PredictRequest()
        request.model_spec.name = name
        if version is None:
            request.model_spec.version_label = self._label
        else:
            request.model_spec.version.value = version
        request.model_spec.signature_name = "tile"
        write_image(request.inputs["image"], image)
        return self._predict.future(request, timeout=self._deadline_s)

    def _reply(
        self, first: Any, image: NDArray[np.float32], name: str, version: int, allowance: Allowance
    ) -> WindowScores:
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
            allowance.answered()
            return WindowScores(
                scores=read_array(reply, "scores", shape, name),
                valid_fraction=read_array(reply, "valid_fraction", shape, name),
            )

        result: WindowScores = self._patiently(receive, lambda _: allowance.refused())
        return result

    def _answer(self, future: Any, about: str) -> Any:
        """Return a call's reply or raise what its status code means."""
        try:
            return future.result()
        except grpc.RpcError as error:
            text = f"{about} at {self._address}: {error.code().name}: {error.details()}"
            if TOO_LARGE in (error.details() or ""):
                raise TileTooLarge(text) from error
            if error.code() in RETRY_MAY_HELP:
                raise ModelUnavailable(text) from error
            raise ERRORS.get(error.code(), ModelUnavailable)(text) from error
        except grpc.FutureCancelledError as error:
            raise ModelUnavailable(f"{about} at {self._address}: cancelled") from error

    def _patiently(self, call: Callable[[], Any], on_refusal: Callable[[RetryCallState], None] = lambda _: None) -> Any:
        """Try a call again with growing, random pauses while it raises ModelUnavailable."""
        retrying = Retrying(
            retry=retry_if_exception_type(ModelUnavailable),
            stop=stop_after_attempt(self._attempts),
            wait=wait_random_exponential(multiplier=0.5, max=MAX_WAIT_S),
            before_sleep=on_refusal,
            reraise=True,
        )
        return retrying(call)
