"""What may be asked: limits and defaults of topics, subscriptions and messages; what this service does not play is refused.

Limits: https://cloud.google.com/pubsub/quotas#resource_limits; texts as the real service or Google's emulator gives them.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import grpc
from google.pubsub_v1 import types

from infra.local.pubsub import filter_grammar
from infra.local.pubsub.refusal import Refused, invalid, out_of_range, unsupported

TOPIC_FIELDS = {"name", "labels"}
SUBSCRIPTION_FIELDS = {
    "name", "topic", "push_config", "ack_deadline_seconds", "labels", "enable_message_ordering", "filter",
    "dead_letter_policy", "retry_policy",
}  # fmt: skip
UPDATABLE = {"push_config", "ack_deadline_seconds", "retry_policy", "dead_letter_policy", "labels"}
MAX_PUBLISH_BYTES = 10_000_000
MAX_PUBLISH_MESSAGES = 1000
_LONGEST_BACKOFF = timedelta(seconds=600)


def check_fields(message: Any, known: Iterable[str], what: str) -> None:
    """Refuse by name any field that is set and not played here."""
    for descriptor, _ in type(message).pb(message).ListFields():
        if descriptor.name not in known:
            raise unsupported(f"the field {descriptor.name} of {what}")


def check_mask(mask: Sequence[str], message: Any, updatable: Iterable[str]) -> None:
    """Refuse an update mask that is empty, names no field, or names one that cannot be changed."""
    what = type(message).__name__
    if not mask:
        raise invalid(
            f"The update_mask in the Update{what}Request must be set, and must contain a non-empty paths list."
        )
    prefix = f"Invalid update_mask provided in the Update{what}Request:"
    for path in mask:
        if path not in type(message).meta.fields:
            raise invalid(f"{prefix} {path} is not a known {what} field.")
        if path not in updatable:
            raise invalid(f"{prefix} the {path} field in the {what} is not mutable.")


def completed(config: types.Subscription) -> types.Subscription:
    """Check a subscription and fill in the defaults of the real service; names and topics are the broker's to check."""
    if config.enable_exactly_once_delivery:
        raise unsupported("exactly-once delivery (enable_exactly_once_delivery)")
    check_fields(config, SUBSCRIPTION_FIELDS, "Subscription")
    config.ack_deadline_seconds = config.ack_deadline_seconds or 10
    check_deadline(config.ack_deadline_seconds, "ack_deadline_seconds", minimum=10)
    check_push(config.push_config)
    if config.filter:
        try:
            filter_grammar.parse(config.filter)
        except filter_grammar.FilterError as error:
            raise invalid(f"Invalid filter syntax: {error} (filter={config.filter}).") from error
    if "retry_policy" in config:
        _complete_retry(config.retry_policy)
    if "dead_letter_policy" in config:
        _complete_dead_letter(config.dead_letter_policy)
    return config


def check_deadline(seconds: int, name: str, minimum: int) -> None:
    """Refuse an acknowledgement deadline outside `minimum` to 600 s."""
    if seconds < minimum:
        raise out_of_range(name, seconds, minimum=minimum)
    if seconds > 600:
        raise out_of_range(name, seconds, maximum=600)


def check_push(config: types.PushConfig) -> None:
    """Refuse a push endpoint off this machine, or a way of pushing that is not played here."""
    check_fields(config, {"push_endpoint", "attributes", "oidc_token", "pubsub_wrapper"}, "PushConfig")
    for name, value in config.attributes.items():
        if (name, value) != ("x-goog-version", "v1"):
            raise unsupported(f"the push attribute {name}={value}; only x-goog-version=v1")
    if not config.push_endpoint:
        if "oidc_token" in config:
            raise invalid("push_config has an oidc_token but no push_endpoint.")
        return
    try:
        url = urlsplit(config.push_endpoint)
        host, _ = url.hostname, url.port  # a bad port raises only when read
    except ValueError as error:
        raise invalid(f"Invalid push endpoint given (endpoint={config.push_endpoint}): {error}.") from error
    if url.scheme != "http" or not host:
        raise invalid(f"Invalid push endpoint given (endpoint={config.push_endpoint}): not an http:// address.")
    if not _is_loopback(host):
        raise invalid(f"Invalid push endpoint given (endpoint={config.push_endpoint}): {host} is not on loopback.")
    if "oidc_token" in config and not config.oidc_token.service_account_email:
        raise invalid("The oidc_token of push_config needs a service_account_email.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _complete_retry(policy: types.RetryPolicy) -> None:
    if "minimum_backoff" not in policy:
        policy.minimum_backoff = timedelta(seconds=10)
    if "maximum_backoff" not in policy:
        policy.maximum_backoff = _LONGEST_BACKOFF
    for name in ("minimum_backoff", "maximum_backoff"):
        value: timedelta = getattr(policy, name)
        if not timedelta(0) <= value <= _LONGEST_BACKOFF:
            raise invalid(
                f"The value for {name} is out of bounds. You passed {value.total_seconds():g}s in the request, "
                "but the value must be between 0s and 600s."
            )
    if policy.maximum_backoff < policy.minimum_backoff:
        passed, least = (f"{b.total_seconds():g}s" for b in (policy.maximum_backoff, policy.minimum_backoff))
        raise out_of_range("maximum_backoff", passed, minimum=least)


def _complete_dead_letter(policy: types.DeadLetterPolicy) -> None:
    policy.max_delivery_attempts = attempts = policy.max_delivery_attempts or 5
    if not 5 <= attempts <= 100:
        broken = out_of_range(
            "max_delivery_attempts", attempts, **({"minimum": 5} if attempts < 5 else {"maximum": 100})
        )
        raise Refused(grpc.StatusCode.OUT_OF_RANGE, broken.text)


def check_publish(messages: Sequence[types.PubsubMessage], size: int) -> None:
    """Refuse a publish request beyond the limits, or one with an empty message.

    Args:
        messages: the messages as sent.
        size: bytes of the whole request.
    """
    if not messages:
        raise out_of_range("message_count", 0, minimum=1)
    if len(messages) > MAX_PUBLISH_MESSAGES:
        raise out_of_range("message_count", len(messages), maximum=MAX_PUBLISH_MESSAGES)
    if size > MAX_PUBLISH_BYTES:
        raise out_of_range("request_size", size, maximum=MAX_PUBLISH_BYTES)
    for message in messages:
        if not message.data and not message.attributes:
            raise invalid(
                "One or more messages in the publish request is empty. "
                "Each message must contain either non-empty data, or at least one attribute."
            )
        if len(message.attributes) > 100:
            raise out_of_range("attributes_count", len(message.attributes), maximum=100)
        for key, value in message.attributes.items():
            if not key or key.startswith("goog"):
                raise invalid(f"Invalid attribute key (key={key}): it must not be empty or begin with goog.")
            _check_bytes("attribute_key_size", key, 256)
            _check_bytes("attribute_value_size", value, 1024)
        _check_bytes("ordering_key_size", message.ordering_key, 1024)


def _check_bytes(name: str, text: str, most: int) -> None:
    if len(text.encode()) > most:
        raise out_of_range(name, len(text.encode()), maximum=most)
