"""Faults that a test asks for.

`POST /_local/faults` takes a list of

    {"on": "predict" | "status", "action": ACTION, "seconds": 0.5, "times": 3, "model": "vv_vh_ascending_60_12"}

    unavailable, resource_exhausted     the error status
    delay                               the right answer, `seconds` late
    wrong_version                       the answer names a version that was not asked
    older_version                       of predict: it names the version before; of status: the newest version is not listed
    half                                tensors keep their shape and lose the second half of their values
    nan                                 every score is NaN
    wrong_shape                         tensors have one row less

`seconds` belongs to `delay` alone; `times` says how many calls are hit (1 unless said); `model` narrows it to one model.
The list replaces the earlier one. Faults are used up in the order of the list, one a call.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any, Literal, get_args

import grpc
import numpy as np
from tensorflow_serving.apis import predict_pb2

from serving.local_server.errors import Refusal, invalid
from serving.local_server.tensors import to_array, to_proto

Action = Literal[
    "unavailable", "resource_exhausted", "delay", "wrong_version", "older_version", "half", "nan", "wrong_shape"
]
OF_PREDICT_ALONE = {"wrong_version", "half", "nan", "wrong_shape"}
CALLS = ("predict", "status")
SCORES = ("scores", "score")
FIELDS = {"on", "action", "seconds", "times", "model"}


@dataclass(kw_only=True)
class Fault:
    """One fault and how many calls it still hits."""

    on: str
    action: Action
    seconds: float = 0.0
    times: int = 1
    model: str | None = None

    @classmethod
    def parse(cls, value: Any) -> "Fault":
        """Return the fault of a JSON object.

        Raises:
            Refusal: INVALID_ARGUMENT naming what is unknown or missing.
        """
        if not isinstance(value, dict):
            raise invalid(f"a fault is a JSON object, got {value!r}")
        if unknown := set(value) - FIELDS:
            raise invalid(f"unknown fields in a fault: {', '.join(sorted(unknown))}")
        fault = cls(**{"on": "", "action": "", **value})
        if fault.on not in CALLS:
            raise invalid(f"a fault's 'on' is one of {', '.join(CALLS)}, got {fault.on!r}")
        if fault.action not in get_args(Action):
            raise invalid(f"a fault's 'action' is one of {', '.join(get_args(Action))}, got {fault.action!r}")
        if fault.action in OF_PREDICT_ALONE and fault.on != "predict":
            raise invalid(f"{fault.action!r} is a fault of 'predict'")
        if not isinstance(fault.times, int) or isinstance(fault.times, bool) or fault.times < 1:
            raise invalid(f"a fault's 'times' is a positive integer, got {fault.times!r}")
        if not isinstance(fault.seconds, int | float) or (fault.seconds > 0) != (fault.action == "delay"):
            raise invalid("'seconds' is a positive number with the action 'delay', and absent with any other")
        return fault


class Faults:
    """The faults that are still to come; safe from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def replace(self, values: Any) -> None:
        """Take a new list from JSON; an empty one clears.

        Raises:
            Refusal: the list is no list of faults; the earlier ones stay.
        """
        if not isinstance(values, list):
            raise invalid("faults are a JSON list")
        faults = [Fault.parse(value) for value in values]
        with self._lock:
            self._faults = faults

    def remaining(self) -> list[dict[str, Any]]:
        """Return what is still to come, as JSON."""
        with self._lock:
            return [vars(fault).copy() for fault in self._faults]

    def strike(self, call: str, model: str) -> Action | None:
        """Let the next fault of this call happen; return its action where the answer must be spoilt, see `spoil`.

        Raises:
            Refusal: the fault is an error status.
        """
        with self._lock:
            due = next((f for f in self._faults if f.on == call and f.model in (None, model)), None)
            if due is None:
                return None
            due.times -= 1
            if due.times == 0:
                self._faults.remove(due)
        if due.action == "unavailable":
            raise Refusal(grpc.StatusCode.UNAVAILABLE, "injected fault: unavailable")
        if due.action == "resource_exhausted":
            raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "injected fault: resource exhausted")
        if due.action == "delay":
            time.sleep(due.seconds)
            return None
        return due.action


def spoil(response: predict_pb2.PredictResponse, action: Action) -> None:
    """Make an answer wrong in one way."""
    if action in ("wrong_version", "older_version"):
        response.model_spec.version.value += 1 if action == "wrong_version" else -1
        return
    for alias, proto in response.outputs.items():
        array = to_array(proto, alias)
        if action == "nan" and alias not in SCORES:
            continue
        if action == "nan":
            array = np.full_like(array, np.nan)
        if action == "wrong_shape":
            array = array[:-1]
        spoilt = to_proto(array, as_content=True)
        if action == "half":
            spoilt.tensor_content = spoilt.tensor_content[: array.nbytes // 2]
        proto.CopyFrom(spoilt)
