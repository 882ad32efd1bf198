import json
import logging
from collections.abc import Iterator

import pytest

from quakeslide.errors import LostRace, MalformedMessage, PermanentError
from quakeslide.telemetry import JsonLines, bind, configure_logging, invocation, log, say


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self.lines: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    handler, level, handlers = Lines(), log.level, log.handlers[:]
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    yield handler.lines
    log.handlers[:] = handlers
    log.setLevel(level)


def run(error: Exception | None = None, **facts: object) -> list[object]:
    """Run one delivery; return what became of the error."""
    fates: list[object] = []
    with invocation(dead_letter=fates.append, record=lambda e, bound: fates.append((e, dict(bound)))):
        bind(**facts)
        say("at work", tile=3)
        if error:
            raise error
    return fates


def test_line_holds_severity_message_bound_facts_and_its_own(lines):
    run(event_id="us1", track="A069")
    assert lines == [
        {"severity": "INFO", "message": "at work", "event_id": "us1", "track": "A069", "tile": 3},
    ]


def test_facts_end_with_their_delivery(lines):
    run(event_id="us1")
    say("between")
    bind(event_id="nobody's")
    run(track="D012")
    assert lines[1] == {"severity": "INFO", "message": "between"}
    assert "event_id" not in lines[2]


def test_values_that_json_does_not_know_become_text(lines):
    say("thing", what=PermanentError("x"), when=None)
    assert lines == [{"severity": "INFO", "message": "thing", "what": "x", "when": None}]


def test_exception_stands_in_one_line(lines):
    try:
        raise OSError("disk")
    except OSError:
        log.exception("failed")
    assert lines[0]["severity"] == "ERROR"
    assert "OSError: disk" in str(lines[0]["exception"])


def test_malformed_goes_to_the_dead_letter(lines):
    error = MalformedMessage("no JSON")
    assert run(error) == [error]
    assert lines[-1] == {
        "severity": "ERROR",
        "message": "malformed message",
        "code": "malformed_message",
        "reason": "no JSON",
    }


def test_permanent_is_recorded_with_the_bound_facts(lines):
    error = PermanentError("broken")
    assert run(error, event_id="us1", stage="60-12") == [(error, {"event_id": "us1", "stage": "60-12"})]
    line = lines[-1]
    assert (line["severity"], line["message"], line["code"]) == ("ERROR", "permanent error", "permanent")
    assert line["remedy"] == PermanentError.remedy


def test_permanent_that_cannot_be_placed_is_dead_lettered(lines):
    fates: list[MalformedMessage] = []
    unknown = MalformedMessage("whose?")

    def record(error: PermanentError, facts: dict[str, object]) -> None:
        raise unknown

    with invocation(dead_letter=fates.append, record=record):
        raise PermanentError("broken")
    assert fates == [unknown]


def test_transient_is_raised_with_a_warning(lines):
    with pytest.raises(LostRace):
        run(LostRace("slower"), event_id="us1")
    assert (lines[-1]["severity"], lines[-1]["code"], lines[-1]["event_id"]) == ("WARNING", "lost_race", "us1")


def test_bug_is_raised_and_not_renamed(lines):
    with pytest.raises(ZeroDivisionError):
        run(ZeroDivisionError())
    assert [line["message"] for line in lines] == ["at work"]
    say("after")
    assert lines[-1] == {"severity": "INFO", "message": "after"}


def test_configured_once_however_often(lines):
    before = log.propagate
    try:
        configure_logging()
        configure_logging()
        assert len(log.handlers) == 1
        assert log.propagate is False
    finally:
        log.propagate = before
