"""Reads a Terraform plan for what would lose messages or data, before anyone says yes to it.

A subscription that is deleted takes its backlog with it, whether its name, its filter or its topic changed. So a plan may delete one
only once it is empty; until then it stays as `retiring_subscriptions` and goes on pushing. Buckets that hold state and results are
never replaced.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

KEPT_BUCKETS = ("composites", "models", "results", "state")


def losses(plan: Mapping[str, Any], backlog: Callable[[str], int]) -> list[str]:
    """Return what the plan would lose, one sentence each with its remedy; nothing lost is an empty list.

    Args:
        plan: of `terraform show -json`.
        backlog: how many undelivered messages a subscription holds, by its name; -1 where that is not known.
    """
    found = []
    for change in _deletions(plan):
        before = change["change"]["before"]
        if change["type"] == "google_pubsub_subscription":
            name = before["name"]
            held = backlog(name)
            if held:
                count = "an unknown number of" if held < 0 else str(held)
                found.append(
                    f"subscription {name} would be deleted with {count} undelivered messages. Keep it until it is empty: "
                    f'retiring_subscriptions = {{ "{name}" = {{ topic = "{before["topic"].rsplit("/", 1)[-1]}", function = ... }} }}'
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


def _deletions(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield changes that delete what is there: also replacements, in either order."""
    for change in plan.get("resource_changes", []):
        if change["mode"] == "managed" and "delete" in change["change"]["actions"]:
            yield change
