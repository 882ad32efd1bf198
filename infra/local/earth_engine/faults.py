"""Faults to order: exports that fail, vanish, dawdle, or find the queue full."""

import re
import threading
from dataclasses import dataclass
from typing import Any

from infra.local.earth_engine.errors import EarthEngineError

ACTIONS = {"fail", "lose", "delay", "queue_full"}
FIELDS = {"on", "description", "action", "message", "seconds", "times"}


@dataclass(slots=True)
class Fault:
    """One order.

    Attributes:
        pattern: regular expression searched in the export's description.
        action: one of ACTIONS.
        message: error message of `fail`.
        seconds: length of `delay`.
        left: how often it is still to happen.
    """

    pattern: re.Pattern[str]
    action: str
    message: str
    seconds: float
    left: int


def parse_fault(record: Any) -> Fault:
    """Read one order.

    Raises:
        EarthEngineError: naming what is wrong.
    """
    if not isinstance(record, dict) or set(record) - FIELDS:
        raise EarthEngineError(f"fault: unknown field {sorted(set(record) - FIELDS)}; known: {sorted(FIELDS)}")
    if record.get("on") != "export":
        raise EarthEngineError(f"fault: 'on' must be 'export'; got {record.get('on')!r}")
    if record.get("action") not in ACTIONS:
        raise EarthEngineError(f"fault: 'action' must be one of {sorted(ACTIONS)}; got {record.get('action')!r}")
    return Fault(
        re.compile(record.get("description", "")),
        record["action"],
        record.get("message", "An internal error has occurred"),
        float(record.get("seconds", 0)),
        int(record.get("times", 1)),
    )


class Faults:
    """The orders in force."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def replace(self, records: Any) -> int:
        """Put these orders in force instead of the present ones; returns their number.

        Raises:
            EarthEngineError: the body is not a list of orders.
        """
        if not isinstance(records, list):
            raise EarthEngineError("faults: a list is needed")
        faults = [parse_fault(record) for record in records]
        with self._lock:
            self._faults = faults
        return len(faults)

    def take(self, action: str, description: str) -> Fault | None:
        """Use up one occurrence of a matching order."""
        with self._lock:
            for fault in self._faults:
                if fault.action == action and fault.left > 0 and fault.pattern.search(description):
                    fault.left -= 1
                    return fault
        return None
