"""Reads a Terraform plan for what would lose messages or data, before anyone says yes to it.

A subscription that is deleted takes its backlog with it. So a plan may delete one only once it is empty; until then it stays as
`retiring_subscriptions` and goes on pushing. A filter or topic never changes under the same name: Pub/Sub refuses that, the replacement
that Terraform plans instead cannot be made beside the old one, and made after it, it misses what is published in between. Buckets
that hold state and results are never replaced.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

IMMUTABLE = ("filter", "topic", "enable_message_ordering")  # of a subscription, once it is created
KEPT_BUCKETS = ("composites", "models", "results", "state")


def losses(plan: Mapping[str, Any], backlog: Callable[[str], int]) -> list[str]:
    """Return what the plan would lose, one sentence each with its remedy; nothing lost is an empty list.

    Args:
        plan: of `terraform show -json`.
        backlog: how many undelivered messages a subscription holds, by its name; -1 where that is not known.
    """
    found = []
    for change in plan.get("resource_changes", []):
        if change["mode"] != "managed" or not {"delete", "update"} & set(change["change"]["actions"]):
            continue
        before = change["change"]["before"]
        if change["type"] == "google_pubsub_subscription" and (changed := _changed_under_its_name(change["change"])):
            found.append(
                f"subscription {before['name']} would get another {' and '.join(changed)} under the same name, which Pub/Sub refuses. "
                f"Give the new one a name of its own in topology.json, and keep this one until it is empty: {_retiring(before)}"
            )
        elif "delete" not in change["change"]["actions"]:
            continue
        elif change["type"] == "google_pubsub_subscription":
            if held := backlog(before["name"]):
                count = "an unknown number of" if held < 0 else str(held)
                found.append(
                    f"subscription {before['name']} would be deleted with {count} undelivered messages. "
                    f"Keep it until it is empty: {_retiring(before)}"
                )
        elif change["type"] == "google_pubsub_topic":
            found.append(
                f"topic {before['name']} would be deleted, and every subscription to it would hear nothing more. "
                "Add the new topic beside it, move senders and subscribers, then remove it."
            )
        elif change["type"] == "google_storage_bucket" and before["name"].endswith(KEPT_BUCKETS):
            found.append(
                f"bucket {before['name']} would be deleted or made anew. Copy its objects first, or take the change back "
                "(a bucket's name and place cannot change)."
            )
    return found


def _changed_under_its_name(change: Mapping[str, Any]) -> list[str]:
    """Return which unchangeable fields a subscription that keeps its name would change; a planned replacement is one."""
    before, after = change["before"], change.get("after")
    if after is None or after.get("name", before["name"]) != before["name"]:
        return []
    changed = [field for field in IMMUTABLE if field in after and (before.get(field) or "") != (after[field] or "")]
    return changed or (["form"] if "delete" in change["actions"] else [])


def _retiring(before: Mapping[str, Any]) -> str:
    """Return the setting that keeps a subscription as it is."""
    kept = f'topic = "{before["topic"].rsplit("/", 1)[-1]}", function = ...'
    if before.get("filter"):
        kept += f", filter = {json.dumps(before['filter'])}"
    return f'retiring_subscriptions = {{ "{before["name"]}" = {{ {kept} }} }}'
