"""PredictionService and ModelService over gRPC, by generic handlers: the generated `_grpc` modules bring nothing else."""

from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

from serving.local_server.api import ModelServerApi
from serving.local_server.errors import Refusal
from serving.local_server.metrics import Metrics


def grpc_server(api: ModelServerApi, metrics: Metrics, *, threads: int, max_message_bytes: int) -> grpc.Server:
    """Return a server, not started, that answers from the API; other methods are UNIMPLEMENTED.

    Args:
        api: what the calls do.
        metrics: counts Predict.
        threads: calls answered at a time.
        max_message_bytes: larger requests are refused with RESOURCE_EXHAUSTED; answers may have any size.
    """

    def predict(request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        with metrics.request(request.model_spec.name, "Predict", "GRPC"):
            return api.predict(request)

    handlers = (
        grpc.method_handlers_generic_handler(
            "tensorflow.serving.PredictionService",
            {
                "Predict": _unary(
                    predict, predict_pb2.PredictRequest.FromString, predict_pb2.PredictResponse.SerializeToString
                ),
                "GetModelMetadata": _unary(
                    api.get_model_metadata,
                    get_model_metadata_pb2.GetModelMetadataRequest.FromString,
                    get_model_metadata_pb2.GetModelMetadataResponse.SerializeToString,
                ),
            },
        ),
        grpc.method_handlers_generic_handler(
            "tensorflow.serving.ModelService",
            {
                "GetModelStatus": _unary(
                    api.get_model_status,
                    get_model_status_pb2.GetModelStatusRequest.FromString,
                    get_model_status_pb2.GetModelStatusResponse.SerializeToString,
                )
            },
        ),
    )
    return grpc.server(
        futures.ThreadPoolExecutor(max_workers=threads),
        handlers=handlers,
        options=[
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # a taken port is an error, not a second server behind it
        ],
    )


def _unary(
    answer: Callable[[Any], Any], read: Callable[[bytes], Any], write: Callable[[Any], bytes]
) -> grpc.RpcMethodHandler:
    def handle(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return answer(request)
        except Refusal as refusal:
            context.abort(refusal.code, refusal.message)

    return grpc.unary_unary_rpc_method_handler(handle, request_deserializer=read, response_serializer=write)
