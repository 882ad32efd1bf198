"""Tensors on the wire and in memory."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving.local_server.errors import invalid


def dtype_name(number: int) -> str:
    """Return TensorFlow's word for a dtype, such as `float`, as its errors say it."""
    return types_pb2.DataType.Name(number).removeprefix("DT_").lower()


def to_array(proto: tensor_pb2.TensorProto, alias: str) -> NDArray[np.generic]:
    """Return the array of a tensor message, whichever field holds its values.

    Raises:
        Refusal: the message is no tensor, in TensorFlow Serving's words.
    """
    try:
        return np.asarray(tf.make_ndarray(proto))
    except (ValueError, TypeError) as error:
        raise invalid(f"tensor parsing error: {alias}") from error


def to_proto(array: NDArray[np.generic], *, as_content: bool) -> tensor_pb2.TensorProto:
    """Return a tensor message.

    Args:
        array: of a numeric dtype.
        as_content: raw little-endian bytes in `tensor_content`; else values in the repeated field of the dtype, which is
            what TensorFlow Serving sends without `--enable_serialization_as_tensor_content`.
    """
    if not as_content:
        proto = tf.make_tensor_proto(array)
        if proto.tensor_content:
            values = array.ravel().tolist()
            proto.ClearField("tensor_content")
            _repeated_field(proto).extend(values)
        return proto
    proto = tensor_pb2.TensorProto(dtype=tf.as_dtype(array.dtype).as_datatype_enum)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_content = np.ascontiguousarray(array).tobytes()
    return proto


def _repeated_field(proto: tensor_pb2.TensorProto):  # type: ignore[no-untyped-def]
    fields = {
        types_pb2.DT_FLOAT: proto.float_val,
        types_pb2.DT_DOUBLE: proto.double_val,
        types_pb2.DT_INT32: proto.int_val,
        types_pb2.DT_INT64: proto.int64_val,
        types_pb2.DT_BOOL: proto.bool_val,
    }
    return fields[proto.dtype]
