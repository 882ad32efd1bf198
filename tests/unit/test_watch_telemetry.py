"""The lines that the operator's alerts count (infra/log_metrics.tf): said when a person is needed, and only then."""

import json
import logging
from collections.abc import Iterator

import pytest

from quakeslide.errors import ExportFailed
from quakeslide.telemetry import JsonLines, log
from tests.fakes_exporter import after, noto


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    said: list[dict[str, object]] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(json.loads(self.format(record)))

    ear = Ear()
    ear.setFormatter(JsonLines())
    level = log.level
    log.addHandler(ear)
    log.setLevel(logging.INFO)
    yield said
    log.removeHandler(ear)
    log.setLevel(level)


def count(lines: list[dict[str, object]], message: str) -> int:
    return sum(line["message"] == message for line in lines)


def test_a_refused_export_is_said_once(lines: list[dict[str, object]]) -> None:
    world = noto()
    world.exporter.refusals = [ExportFailed("400: no such band")]
    world.announce()
    world.sweep_until(after(days=3), after(days=3, hours=4))
    (line,) = [line for line in lines if line["message"] == "export given up"]
    assert line["severity"] == "ERROR"
    assert line["code"] == "export_failed"
    assert "no such band" in str(line["reason"])


def test_products_that_never_come_are_said_once(lines: list[dict[str, object]]) -> None:
    world = noto()
    world.announce()
    world.sweep_until(after(days=3), after(days=3, hours=10))
    assert count(lines, "products are stuck") == 1


def test_a_watch_that_cannot_end_is_overdue_two_days_after_its_last_stage_froze(lines: list[dict[str, object]]) -> None:
    world = noto()
    world.announce()
    world.sweep(after(days=3))
    world.sweep(after(days=27))  # 12 days of window and 14 of freeze are over, its products are not there
    assert count(lines, "watch overdue") == 0
    world.sweep(after(days=29))
    (line,) = [line for line in lines if line["message"] == "watch overdue"]
    assert line["days_late"] in (2, 3)
