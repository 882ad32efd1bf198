# ruff: noqa: D103
"""What a plan would lose, by hand-written plans; tests/contract/test_topology.py does it on real ones."""

from typing import Any

import pytest

from infra.plan_guard import losses

SUBSCRIPTION = {"name": "watches-old", "topic": "projects/p/topics/watches"}


def plan(kind: str, before: dict[str, Any] | None, *actions: str) -> dict[str, Any]:
    change = {"actions": list(actions), "before": before}
    return {"resource_changes": [{"mode": "managed", "type": kind, "address": "x", "change": change}]}


@pytest.mark.parametrize("actions", [("delete",), ("create", "delete"), ("delete", "create")])
def test_deleting_or_replacing_a_subscription_with_a_backlog_is_a_loss(actions: tuple[str, ...]) -> None:
    (line,) = losses(plan("google_pubsub_subscription", SUBSCRIPTION, *actions), lambda name: 12)
    assert "12 undelivered" in line
    assert '"watches-old" = { topic = "watches"' in line


@pytest.mark.parametrize("actions", [("create",), ("update",), ("no-op",)])
def test_what_deletes_nothing_loses_nothing(actions: tuple[str, ...]) -> None:
    assert losses(plan("google_pubsub_subscription", SUBSCRIPTION, *actions), lambda name: 12) == []


def test_topics_and_buckets_of_the_system_are_kept() -> None:
    assert "topic watches" in losses(plan("google_pubsub_topic", {"name": "watches"}, "delete"), lambda name: 0)[0]
    assert "bucket p-state" in losses(plan("google_storage_bucket", {"name": "p-state"}, "delete"), lambda name: 0)[0]


def test_the_bucket_of_zips_may_go() -> None:
    assert losses(plan("google_storage_bucket", {"name": "p-sources"}, "delete"), lambda name: 0) == []
