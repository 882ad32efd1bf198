"""Arrays as TensorFlow's messages hold them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quakeslide.errors import ModelMissing

DT_FLOAT = 1  # tensorflow/core/framework/types.proto


def write_image(tensor: Any, image: NDArray[np.float32]) -> None:
    """Put float32 [H, W, C] into a TensorProto."""
    tensor.dtype = DT_FLOAT
    for size in image.shape:
        tensor.tensor_shape.dim.add().size = size
    tensor.tensor_content = np.ascontiguousarray(image, "<f4").tobytes()


def read_array(reply: Any, output: str, shape: tuple[int, int], name: str) -> NDArray[np.float32]:
    """Read a float32 output; a tensor of one value, or a few, may come as `float_val` instead of bytes.

    Raises:
        ModelMissing: the output is not there, has another shape, or fewer values than its shape says.
    """
    if output not in reply.outputs:
        raise ModelMissing(f"model {name} answers without the output {output!r}: its tile signature is another")
    tensor = reply.outputs[output]
    content = tensor.tensor_content
    if content:
        values = np.frombuffer(content[: len(content) // 4 * 4], "<f4")
    else:
        values = np.array(tensor.float_val, "<f4")
        if values.size == 1:
            values = np.broadcast_to(values, shape)  # a constant tensor is sent as its one value
    if tuple(dim.size for dim in tensor.tensor_shape.dim) != shape or values.size != shape[0] * shape[1]:
        raise ModelMissing(f"model {name}: output {output!r} is not [{shape[0]}, {shape[1]}]: its signature is another")
    return values.reshape(shape).astype(np.float32)
