"""Resource names, by the rules of https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names."""

import re

from infra.local.pubsub.refusal import invalid

DELETED_TOPIC = "_deleted-topic_"
"""Stands as the topic of a subscription whose topic was deleted."""

_PROJECT = r"projects/(?P<project>[a-z0-9][a-z0-9.:-]*)"
_ID = r"(?P<id>(?!goog)[A-Za-z][A-Za-z0-9._~%+-]{2,254})"


def check_project(name: str) -> None:
    """Refuse what is not `projects/P`."""
    if not re.fullmatch(_PROJECT, name):
        raise invalid(f"Invalid [projects] name: (name={name})")


def check_topic(name: str) -> None:
    """Refuse what is not `projects/P/topics/T`; T has 3-255 characters, begins with a letter and not with `goog`."""
    if not re.fullmatch(rf"{_PROJECT}/topics/{_ID}", name):
        raise invalid(f"Invalid [topics] name: (name={name})")


def check_subscription(name: str) -> None:
    """Refuse what is not `projects/P/subscriptions/S`; S as in `check_topic`."""
    if not re.fullmatch(rf"{_PROJECT}/subscriptions/{_ID}", name):
        raise invalid(f"Invalid [subscriptions] name: (name={name})")


def project_of(name: str) -> str:
    """The project id in a full topic or subscription name."""
    return name.split("/")[1]
