"""Faults on request: what a test or a demo lets happen after (or before) an object is written.

    {"on": "object_written", "name": "^detections/", "action": "kill", "pid": 4711}      SIGKILL after the commit, before the reply
    {"on": "object_written", "name": "^detections/", "action": "drop", "times": 2}       committed, but answered with 503
    {"on": "object_written", "name": "^detections/", "action": "delay", "seconds": 3.0}  committed, the reply comes late
    {"on": "object_written", "name": "^detections/", "action": "error"}                  503 before the commit

`name` is a regular expression searched in the object's name; `times` defaults to 1. Each write meets one fault before its
commit and one after it at most, the first of the list that matches and has times left.
"""

import logging
import os
import re
import signal
import threading
import time
from dataclasses import dataclass
from typing import Any

from infra.local.storage.errors import StorageError, invalid

log = logging.getLogger(__name__)

_EXTRA_FIELD = {"kill": "pid", "delay": "seconds", "drop": None, "error": None}


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault of the list, with the times it has left."""

    name: re.Pattern[str]
    action: str
    pid: int
    seconds: float
    times: int
    request: dict[str, Any]


def parse_fault(body: Any) -> Fault:
    """Read one fault; 400 names the field that is wrong."""
    if not isinstance(body, dict):
        raise invalid(f"a fault is a JSON object; got {body!r}")
    if body.get("on") != "object_written":
        raise invalid(f"fault: 'on' is {body.get('on')!r}; expected 'object_written'")
    action = body.get("action")
    if action not in _EXTRA_FIELD:
        raise invalid(f"fault: 'action' is {action!r}; expected one of {', '.join(_EXTRA_FIELD)}")
    extra = _EXTRA_FIELD[action]
    for field in body:
        if field not in {"on", "name", "action", "times", extra}:
            raise invalid(f"fault {action}: unknown field {field!r}")
    pid, seconds, times = body.get("pid", 0), body.get("seconds", 0.0), body.get("times", 1)
    if extra is not None and extra not in body:
        raise invalid(f"fault {action}: {extra!r} is missing")
    if not isinstance(pid, int) or (action == "kill" and pid < 2):
        raise invalid(f"fault kill: 'pid' is {pid!r}; expected a process id above 1")
    if not isinstance(seconds, int | float) or not 0 <= seconds <= 600:
        raise invalid(f"fault delay: 'seconds' is {seconds!r}; expected 0 to 600")
    if not isinstance(times, int) or times < 1:
        raise invalid(f"fault: 'times' is {times!r}; expected a whole number above 0")
    try:
        name = re.compile(body["name"])
    except (KeyError, TypeError, re.error) as error:
        raise invalid(f"fault: 'name' is {body.get('name')!r}; expected a regular expression ({error})") from error
    return Fault(name=name, action=action, pid=pid, seconds=seconds, times=times, request=body)


class Faults:
    """The faults now in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def replace(self, bodies: Any) -> None:
        """Put a new list in force, an empty one clears; 400 if one of them is wrong, and then none is changed."""
        if not isinstance(bodies, list):
            raise invalid(f"faults are a JSON list; got {bodies!r}")
        faults = [parse_fault(body) for body in bodies]
        with self._lock:
            self._faults = faults

    def left(self) -> list[dict[str, Any]]:
        """Return the faults that have not all happened yet."""
        with self._lock:
            return [{**fault.request, "times": fault.times} for fault in self._faults if fault.times]

    def before_commit(self, name: str) -> None:
        """Answer 503 if an `error` is due for this object."""
        if self._take(name, ("error",)):
            raise StorageError(503, "backendError", f"injected fault: error before {name} was written")

    def after_commit(self, name: str) -> None:
        """Kill, delay or drop, if that is due for this object."""
        fault = self._take(name, ("kill", "drop", "delay"))
        if fault is None:
            return
        log.warning("injected fault %s after %s was written", fault.action, name)
        if fault.action == "kill":
            try:
                os.kill(fault.pid, signal.SIGKILL)
            except ProcessLookupError:
                log.warning("injected fault kill: no process %d", fault.pid)
        elif fault.action == "delay":
            time.sleep(fault.seconds)
        else:
            raise StorageError(503, "backendError", f"injected fault: {name} was written, the reply dropped")

    def _take(self, name: str, actions: tuple[str, ...]) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.times and fault.action in actions and fault.name.search(name):
                    fault.times -= 1
                    return fault
        return None
