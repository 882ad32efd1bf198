# ruff: noqa: D103
"""What a plan would lose, by hand-written plans; tests/contract/test_topology.py does it on real ones."""

from typing import Any

import pytest

from infra.plan_guard import losses

SUBSCRIPTION = {"name": "watches-old", "topic": "projects/p/topics/watches"}


def plan(kind: str, before: dict[str, Any] | None, *actions: str) -> dict[str, Any]:
    change = {"actions": list(actions), "before": before}
    return {"resource_changes": [{"mode": "managed", "type": kind, "address": "x", "change": change}]}


def test_deleting_a_subscription_with_a_backlog_is_a_loss() -> None:
    (line,) = losses(plan("google_pubsub_subscription", SUBSCRIPTION, "delete"), lambda name: 12)
    assert "12 undelivered" in line
    assert '"watches-old" = { topic = "watches"' in line


@pytest.mark.parametrize("actions", [("create",), ("update",), ("no-op",)])
def test_what_deletes_nothing_loses_nothing(actions: tuple[str, ...]) -> None:
    assert losses(plan("google_pubsub_subscription", SUBSCRIPTION, *actions), lambda name: 12) == []


@pytest.mark.parametrize("actions", [("create", "delete"), ("delete", "create"), ("update",)])
@pytest.mark.parametrize(
    ("field", "new"),
    [("filter", 'attributes.kind = "watch"'), ("topic", "projects/p/topics/other"), ("enable_message_ordering", True)],
)
def test_what_cannot_change_under_a_name_is_refused(actions: tuple[str, ...], field: str, new: object) -> None:
    changed = plan("google_pubsub_subscription", SUBSCRIPTION, *actions)
    changed["resource_changes"][0]["change"]["after"] = SUBSCRIPTION | {field: new}
    (line,) = losses(changed, lambda name: 0)
    assert f"another {field} under the same name" in line


def test_a_filter_is_kept_with_the_subscription_that_retires() -> None:
    filtered = SUBSCRIPTION | {"filter": 'attributes.kind = "watch"'}
    (line,) = losses(plan("google_pubsub_subscription", filtered, "delete"), lambda name: 1)
    assert r'filter = "attributes.kind = \"watch\""' in line


def test_a_replacement_without_a_reason_is_refused_too() -> None:
    changed = plan("google_pubsub_subscription", SUBSCRIPTION, "delete", "create")
    changed["resource_changes"][0]["change"]["after"] = SUBSCRIPTION
    assert "another form under the same name" in losses(changed, lambda name: 0)[0]


def test_other_settings_of_a_subscription_may_change() -> None:
    changed = plan("google_pubsub_subscription", SUBSCRIPTION | {"ack_deadline_seconds": 60}, "update")
    changed["resource_changes"][0]["change"]["after"] = SUBSCRIPTION | {"ack_deadline_seconds": 600}
    assert losses(changed, lambda name: 12) == []


def test_topics_and_buckets_of_the_system_are_kept() -> None:
    assert "topic watches" in losses(plan("google_pubsub_topic", {"name": "watches"}, "delete"), lambda name: 0)[0]
    assert "bucket p-state" in losses(plan("google_storage_bucket", {"name": "p-state"}, "delete"), lambda name: 0)[0]


def test_the_bucket_of_zips_may_go() -> None:
    assert losses(plan("google_storage_bucket", {"name": "p-sources"}, "delete"), lambda name: 0) == []
