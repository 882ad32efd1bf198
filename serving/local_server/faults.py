"""Faults that a test asks for.

`POST /_local/faults` takes a list of

    {"on": "predict" | "status", "action": "unavailable" | "resource_exhausted" | "delay" | "wrong_version",
     "seconds": 0.5, "times": 3, "model": "vv_vh_ascending_60_12"}

`seconds` belongs to `delay` alone; `times` says how many calls are hit (1 unless said); `model` narrows it to one model.
The list replaces the earlier one. Faults are used up in the order of the list, one a call.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any, Literal, get_args

import grpc

from serving.local_server.errors import Refusal, invalid

Action = Literal["unavailable", "resource_exhausted", "delay", "wrong_version"]
CALLS = ("predict", "status")
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
        if fault.action == "wrong_version" and fault.on != "predict":
            raise invalid("'wrong_version' is a fault of 'predict'")
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

    def strike(self, call: str, model: str) -> bool:
        """Let the next fault of this call happen; return whether the answer must name a wrong version.

        Raises:
            Refusal: the fault is an error status.
        """
        with self._lock:
            due = next((f for f in self._faults if f.on == call and f.model in (None, model)), None)
            if due is None:
                return False
            due.times -= 1
            if due.times == 0:
                self._faults.remove(due)
        if due.action == "unavailable":
            raise Refusal(grpc.StatusCode.UNAVAILABLE, "injected fault: unavailable")
        if due.action == "resource_exhausted":
            raise Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "injected fault: resource exhausted")
        if due.action == "delay":
            time.sleep(due.seconds)
        return due.action == "wrong_version"
