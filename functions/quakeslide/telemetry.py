"""JSON log lines, and `invocation`: the one place that decides what becomes of an error.

Only telemetry looks at the real clock (through the logging module).
"""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from quakeslide.errors import MalformedMessage, PermanentError, QuakeslideError

_facts: ContextVar[dict[str, Any] | None] = ContextVar("facts", default=None)
log = logging.getLogger("quakeslide")


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object: severity, message, bound facts, the record's own facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {"severity": record.levelname, "message": record.getMessage()}
        line.update(_facts.get() or {})
        line.update(getattr(record, "facts", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging() -> None:
    """Send JSON lines to standard error; called once per process by each `main.py`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def say(message: str, *, level: int = logging.INFO, **facts: Any) -> None:
    """Log a constant message with facts as fields."""
    log.log(level, message, extra={"facts": facts})


def bind(**facts: Any) -> None:
    """Add facts (event_id, track, stage ...) to all further log lines of this delivery."""
    current = _facts.get()
    if current is not None:
        current.update(facts)


@contextmanager
def invocation(
    *,
    dead_letter: Callable[[MalformedMessage], None],
    record: Callable[[PermanentError, dict[str, Any]], None],
) -> Iterator[None]:
    """Run one delivery: let each family of errors go where it belongs.

    Args:
        dead_letter: puts the raw message with the reason on the dead-letter topic; raises if it cannot.
        record: writes a permanent error under `state/problems/`, given the bound facts; raises MalformedMessage if no event is known.
    """
    facts: dict[str, Any] = {}
    token = _facts.set(facts)
    try:
        yield
    except MalformedMessage as error:
        say("malformed message", level=logging.ERROR, code=error.code, reason=str(error))
        dead_letter(error)
    except PermanentError as error:
        say("permanent error", level=logging.ERROR, code=error.code, reason=str(error), remedy=error.remedy)
        try:
            record(error, facts)
        except MalformedMessage as unknown:
            dead_letter(unknown)
    except QuakeslideError as error:
        say("transient error", level=logging.WARNING, code=error.code, reason=str(error), remedy=error.remedy)
        raise
    finally:
        _facts.reset(token)
