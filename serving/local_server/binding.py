"""What of a request is fed to which tensor, and which tensors are fetched, after predict_util.cc of TensorFlow Serving."""

import numpy as np
from numpy.typing import NDArray
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

from serving.local_server.errors import invalid
from serving.local_server.tensors import dtype_name, to_array


def bind(signature: meta_graph_pb2.SignatureDef, request: predict_pb2.PredictRequest) -> dict[str, NDArray[np.generic]]:
    """Return array by tensor name for a request's inputs, which must be exactly the signature's."""
    sent, wanted = sorted(request.inputs), sorted(signature.inputs)
    if len(sent) != len(wanted):
        extra, missing = sorted(set(sent) - set(wanted)), sorted(set(wanted) - set(sent))
        raise invalid(
            f"input size does not match signature: {len(sent)}!={len(wanted)} len({{{','.join(sent)}}}) != "
            f"len({{{','.join(wanted)}}}). Sent extra: {{{','.join(extra)}}}. Missing but required: {{{','.join(missing)}}}."
        )
    feeds = {}
    for number, alias in enumerate(sent):
        if alias not in signature.inputs:
            expected = ",".join(wanted)
            raise invalid(
                f"input tensor alias not found in signature: {alias}. Inputs expected to be in the set {{{expected}}}."
            )
        info = signature.inputs[alias]
        proto = request.inputs[alias]
        if proto.dtype != info.dtype:
            raise invalid(
                f"Expects arg[{number}] to be {dtype_name(info.dtype)} but {dtype_name(proto.dtype)} is provided"
            )
        feeds[info.name] = to_array(proto, alias)
    return feeds


def output_aliases(signature: meta_graph_pb2.SignatureDef, request: predict_pb2.PredictRequest) -> list[str]:
    """Return the outputs to fetch: those of the filter, or all."""
    for number, alias in enumerate(request.output_filter):
        if alias not in signature.outputs:
            known = ",".join(sorted(signature.outputs))
            raise invalid(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set {{{known}}}."
            )
        if alias in request.output_filter[:number]:
            raise invalid(f"duplicate output tensor alias: {alias}")
    return list(request.output_filter) or sorted(signature.outputs)
