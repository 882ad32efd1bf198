"""Requests that a model server runs when it loads a model, so that the first real one is not slow.

TensorFlow Serving looks for `assets.extra/tf_serving_warmup_requests` in the SavedModel, a TFRecord file of PredictionLog messages.
https://www.tensorflow.org/tfx/serving/saved_model_warmup

The messages are written field by field: this environment has no tensorflow-serving-api. Numbers of fields are those of
prediction_log.proto, predict.proto and model.proto.
"""

from collections.abc import Collection
from pathlib import Path

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

FILE = Path("assets.extra/tf_serving_warmup_requests")
TILE_PX = 544
"""One block of windows and some: what is set up lazily depends on the signature, not on the size."""


def write_warm_up(folder: Path, *, name: str, bands: int, signatures: Collection[str]) -> None:
    """Write the requests into a SavedModel's folder: patches, a tile that is seen and one that is missing, to the signatures it has.

    Args:
        folder: of `saved_model.pb`.
        name: the model is served under.
        bands: of its input.
        signatures: of the model.
    """
    requests = [
        ("serving_default", "patches", [1, 64, 64, bands], -10.0),
        ("tile", "image", [TILE_PX, TILE_PX, bands], -10.0),
        ("tile", "image", [TILE_PX, TILE_PX, bands], float("nan")),
    ]
    (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / FILE)) as writer:
        for signature, alias, shape, value in requests:
            if signature in signatures:
                writer.write(_prediction_log(name, signature, alias, _constant(shape, value)))


def _constant(shape: list[int], value: float) -> bytes:
    """Return a TensorProto: a tensor that names one value has it everywhere."""
    proto = tensor_pb2.TensorProto(dtype=tf.float32.as_datatype_enum, float_val=[value])
    for size in shape:
        proto.tensor_shape.dim.add(size=size)
    return bytes(proto.SerializeToString())


def _prediction_log(name: str, signature: str, alias: str, tensor: bytes) -> bytes:
    model_spec = _field(1, name.encode()) + _field(3, signature.encode())  # ModelSpec: name, signature_name
    named_input = _field(1, alias.encode()) + _field(2, tensor)  # an entry of a map
    request = _field(1, model_spec) + _field(2, named_input)  # PredictRequest: model_spec, inputs
    return _field(6, _field(1, request))  # PredictionLog: predict_log; PredictLog: request


def _field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field of the protocol buffers' wire format."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
