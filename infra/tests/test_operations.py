# ruff: noqa: D103
"""Metrics, alerts and runbook against the code and each other: a filter for a line that nobody writes would never fire."""

import re
from pathlib import Path

from quakeslide.errors import catalogue

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
CODE = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "functions").rglob("*.py")))
METRICS = (INFRA / "log_metrics.tf").read_text(encoding="utf-8")
ALERTS = (INFRA / "alerts.tf").read_text(encoding="utf-8")
RUNBOOK = (INFRA / "README.md").read_text(encoding="utf-8")


def alert_names() -> list[str]:
    block = ALERTS[ALERTS.index("  alerts = {") : ALERTS.index('resource "google_monitoring_notification_channel"')]
    return re.findall(r"^    ([a-z-]+) = \{$", block, re.MULTILINE)


def test_every_line_that_a_metric_counts_is_written_somewhere() -> None:
    messages = re.findall(r'jsonPayload\.message=\\"([^"\\]+)\\"', METRICS)
    assert len(messages) >= 10
    missing = [message for message in messages if not re.search(rf'say\(\s*"{re.escape(message)}"', CODE)]
    assert missing == []


def test_every_code_in_an_alert_is_an_errors() -> None:
    codes = re.findall(r'labels\.code=\\"([^"\\]+)\\"', ALERTS)
    assert codes
    assert set(codes) <= {error.code for error in catalogue()}


def test_every_code_that_a_metric_counts_is_an_errors() -> None:
    counted = re.findall(r"jsonPayload\.code=\((.*?)\)", METRICS)
    codes = {code for group in counted for code in re.findall(r'\\"(\w+)\\"', group)}
    assert codes == {"newer_document", "damaged_document"}
    assert codes <= {error.code for error in catalogue()}


def test_the_feeds_error_is_named_as_in_the_code() -> None:
    assert '\\"FeedUnavailable\\"' in METRICS
    assert "FeedUnavailable" in {error.__name__ for error in catalogue()}


def test_every_alert_has_its_section_in_the_runbook_and_none_is_left_over() -> None:
    names = alert_names()
    assert len(names) >= 10
    assert re.findall(r"^#### `([a-z-]+)`$", RUNBOOK, re.MULTILINE) == names


def test_every_needed_alert_is_there() -> None:
    needed = {
        "poller-heartbeat",
        "feed-down",
        "dead-letter",
        "earth-engine-spend",
        "model-server-errors",
        "model-server-latency",
        "watch-overdue",
        "export-failures",
        "result-age",
    }
    assert needed <= set(alert_names())


def test_no_setting_looks_like_a_secret() -> None:
    """Secrets belong in Secret Manager; the functions have none, and nothing in the configuration may bring one in."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in INFRA.rglob("*.tf"))
    assert not re.search(r"(?i)(private_key|password|api_key|google_service_account_key)", text)


def test_every_variable_is_described() -> None:
    for path in INFRA.rglob("variables.tf"):
        blocks = re.split(r"^variable ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
        assert blocks
        for block in blocks:
            assert re.search(r"^  description = \".+\"$", block, re.MULTILINE), f"{path}: {block.splitlines()[0]}"


def test_sidecar_reads_the_port_that_the_image_opens() -> None:
    (opened,) = re.findall(r'"--rest_api_port=(\d+)"', (ROOT / "serving/Dockerfile").read_text(encoding="utf-8"))
    read = re.findall(r'port +=  *"(\d+)"', (INFRA / "modules/model_server/metrics.tf").read_text(encoding="utf-8"))
    assert read == [opened]
