"""Tensors in REST's JSON, row ("instances") and column ("inputs") format, after json_tensor.cc of TensorFlow Serving."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.local_server.errors import invalid
from serving.local_server.tensors import dtype_name

ROW, COLUMN = "instances", "inputs"
DTYPES = {
    types_pb2.DT_FLOAT: np.float32,
    types_pb2.DT_DOUBLE: np.float64,
    types_pb2.DT_INT32: np.int32,
    types_pb2.DT_INT64: np.int64,
    types_pb2.DT_BOOL: np.bool_,
}
SHOWN_CHARACTERS = 256  # of a wrong value in an error text

Inputs = Mapping[str, meta_graph_pb2.TensorInfo]


def parse(body: bytes) -> Any:
    """Return the JSON value of a request; NaN and Infinity are numbers here, as TensorFlow Serving reads them.

    Raises:
        Refusal: INVALID_ARGUMENT.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        raise invalid(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    except UnicodeDecodeError as error:
        raise invalid(f"JSON Parse error: {error.reason} at offset: {error.start}") from error


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a request; see `parse`."""
    document = parse(body)
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {_shown(document)} Is not object")
    return document


def signature_name(document: Mapping[str, Any]) -> str:
    """Return the signature a request names, empty for the default one."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {_shown(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def tensors(document: Mapping[str, Any], inputs: Inputs) -> tuple[str, dict[str, NDArray[np.generic]]]:
    """Return the request's format (ROW or COLUMN) and its arrays by input.

    Raises:
        Refusal: INVALID_ARGUMENT.
    """
    if ROW in document and COLUMN in document:
        raise invalid(
            f"JSON Value: {_shown(document)} Not formatted correctly expecting only one of '{COLUMN}' or '{ROW}' "
            "keys to exist "
        )
    if ROW in document:
        return ROW, _rows(document, inputs)
    if COLUMN in document:
        return COLUMN, _columns(document[COLUMN], inputs)
    raise invalid(f"Missing '{COLUMN}' or '{ROW}' key")


def render(form: str, outputs: Mapping[str, NDArray[np.generic]]) -> str:
    """Return a predict response; one output stands by itself, several are named.

    Raises:
        Refusal: INVALID_ARGUMENT when outputs do not have the common first axis that rows need.
    """
    names = sorted(outputs)
    if form == COLUMN:
        values = {name: _plain(outputs[name]) for name in names}
        return json.dumps({"outputs": values if len(names) > 1 else values[names[0]]}, indent=1)
    sizes = {}
    for name in names:
        if outputs[name].ndim == 0:
            raise invalid(f"Tensor name: {name} has no shape information ")
        sizes[name] = outputs[name].shape[0]
        if sizes[name] != sizes[names[0]]:
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {sizes[name]} expecting: {sizes[names[0]]}"
            )
    plain = {name: _plain(outputs[name]) for name in names}
    if len(names) == 1:
        return json.dumps({"predictions": plain[names[0]]}, indent=1)
    rows = [dict(zip(names, values, strict=True)) for values in zip(*plain.values(), strict=True)]
    return json.dumps({"predictions": rows}, indent=1)


def _plain(array: NDArray[np.generic]) -> Any:
    """Return nested lists; a float32 with the fewest digits that give it back, not as the double next to it."""
    if array.dtype == np.float32:
        array = array.astype(str).astype(np.float64)
    return array.tolist()


def _rows(document: Mapping[str, Any], inputs: Inputs) -> dict[str, NDArray[np.generic]]:
    rows = document[ROW]
    if not isinstance(rows, list):
        raise invalid(f"JSON Value: {_shown(document)} Expecting '{ROW}' to be an list/array")
    if not rows:
        raise invalid(f"JSON Value: {_shown(document)} No values in '{ROW}' array")
    are_objects = isinstance(rows[0], dict)
    if not are_objects and len(inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    parts: dict[str, list[NDArray[np.generic]]] = {name: [] for name in inputs}
    for number, row in enumerate(rows):
        if isinstance(row, dict) != are_objects:
            expected, got = ("object", "list") if are_objects else ("value/list", "object")
            raise invalid(f"Expecting {expected} but got {got} at item {number} of input list")
        named = row if are_objects else {next(iter(inputs)): row}
        if set(named) != set(inputs):
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object: {_shown(row)} keys must be "
                f"equal to: {','.join(sorted(inputs))}"
            )
        for name, value in named.items():
            array = _array(value, inputs[name].dtype)
            if parts[name] and array.shape != parts[name][0].shape:
                first = ",".join(map(str, parts[name][0].shape))
                here = ",".join(map(str, array.shape))
                raise invalid(
                    f"Failed to process element: {number} of 'instances' list. Error: INVALID_ARGUMENT: "
                    f"Expecting shape [{first}] but got: [{here}]"
                )
            parts[name].append(array)
    return {name: np.stack(arrays) for name, arrays in parts.items()}


def _columns(value: Any, inputs: Inputs) -> dict[str, NDArray[np.generic]]:
    if not isinstance(value, dict):
        if len(inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        value = {next(iter(inputs)): value}
    for name in inputs:
        if name not in value:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: _array(value[name], inputs[name].dtype) for name in inputs}


def _array(value: Any, dtype: int) -> NDArray[np.generic]:
    """Return a dense array from nested lists, of the shape that its first elements show."""
    if dtype not in DTYPES:
        raise invalid(f"Conversion of JSON Value: {_shown(value)} to type: {dtype_name(dtype)}")
    shape: list[int] = []
    first = value
    while isinstance(first, list):
        shape.append(len(first))
        if not first:
            break
        first = first[0]
    leaves: list[Any] = []
    _collect(value, 0, shape, dtype, leaves)
    return np.array(leaves, DTYPES[dtype]).reshape(shape)


def _collect(value: Any, level: int, shape: list[int], dtype: int, leaves: list[Any]) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {_shown(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {len(shape)}"
            )
        if not _is_of_type(value, dtype):
            raise invalid(
                f"JSON Value: {_shown(value)} Type: {_type_name(value)} is not of expected type: {dtype_name(dtype)}"
            )
        leaves.append(value)
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for element in value:
        _collect(element, level + 1, shape, dtype, leaves)


def _is_of_type(value: Any, dtype: int) -> bool:
    if dtype == types_pb2.DT_BOOL:
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if dtype in (types_pb2.DT_FLOAT, types_pb2.DT_DOUBLE):
        return isinstance(value, int | float)
    if not isinstance(value, int):
        return False
    limits = np.iinfo(DTYPES[dtype])
    return bool(limits.min <= value <= limits.max)


def _type_name(value: Any) -> str:
    names = {dict: "Object", list: "Array", str: "String", type(None): "Null", int: "Number", float: "Number"}
    return str(value) if isinstance(value, bool) else names[type(value)]


def _shown(value: Any) -> str:
    return json.dumps(value)[:SHOWN_CHARACTERS]
