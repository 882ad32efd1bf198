"""One Pub/Sub delivery, from the CloudEvent to the handler, with errors put where they belong.

Malformed: the raw bytes with the reason go to the topic's dead-letter topic. Permanent: written once under `state/problems/`.
Both are then acknowledged. Anything else is raised: HTTP 500, redelivered with back-off, at last dead-lettered by Pub/Sub.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from quakeslide.documents.notes import PROBLEM, write_note
from quakeslide.domain import object_names
from quakeslide.domain.composite import digest
from quakeslide.errors import MalformedMessage, PermanentError
from quakeslide.json_values import instant
from quakeslide.message_reader import parse
from quakeslide.messages import Envelope, Message
from quakeslide.ports import Bus, ObjectStore
from quakeslide.telemetry import bind, invocation

MAX_ATTRIBUTE = 1024  # bytes Pub/Sub allows in an attribute's value


class CloudEventLike(Protocol):
    """What is needed of a CloudEvent of a Pub/Sub push."""

    data: Any

    def __getitem__(self, key: str, /) -> Any:
        """Return an attribute such as `source`."""
        ...


def deliver(
    event: CloudEventLike,
    handle: Callable[[Message, Envelope], None],
    *,
    state: ObjectStore,
    bus: Bus,
    dead_letter_topic: Callable[[str], str],
    on_problem: Callable[[str], None] = lambda event_id: None,
) -> None:
    """Run a handler on one delivery.

    Args:
        event: CloudEvent `google.cloud.pubsub.topic.v1.messagePublished`.
        handle: the function's use case; binds `event_id`, `track` and `stage` before it can fail for good.
        state: bucket of the problem records.
        bus: for the dead letter.
        dead_letter_topic: maps a topic to its dead-letter topic.
        on_problem: called with the event id after a permanent error was recorded, to render `status/` anew.
    """
    envelope = open_envelope(event)

    def dead_letter(error: MalformedMessage) -> None:
        reason = str(error).encode()[:MAX_ATTRIBUTE].decode(errors="ignore")
        facts = {"reason": reason, "code": error.code, "source_message_id": envelope.message_id}
        bus.publish(dead_letter_topic(envelope.topic), envelope.raw or b"{}", {**envelope.attributes, **facts})

    def record(error: PermanentError, facts: Mapping[str, Any]) -> None:
        if "event_id" not in facts:
            raise MalformedMessage(str(error)) from error
        record_problem(state, error, facts, since=envelope.publish_time.isoformat())
        on_problem(facts["event_id"])

    with invocation(dead_letter=dead_letter, record=record):
        bind(message_id=envelope.message_id, topic=envelope.topic)
        message = parse(envelope)
        if event_id := getattr(message, "event_id", None):
            bind(event_id=event_id)
        handle(message, envelope)


def open_envelope(event: CloudEventLike) -> Envelope:
    """Read what Pub/Sub says of the message; the push URL ends in `/projects/P/topics/T`, which names the topic.

    Raises:
        ValueError: the request is no Pub/Sub push of ours; refused with HTTP 500 so that it shows.
    """
    topic = re.search(r"/topics/([^/]+)$", str(event["source"]))
    message = event.data.get("message") if isinstance(event.data, dict) else None
    if topic is None or not isinstance(message, dict):
        raise ValueError(f"no Pub/Sub push: source {event['source']!r}; push endpoints end in /projects/P/topics/T")
    for name in ("messageId", "publishTime"):
        if name not in message:
            raise ValueError(f"no Pub/Sub push: message without {name}")
    try:
        raw = base64.b64decode(message.get("data") or "", validate=True)
    except binascii.Error as error:
        raise ValueError(f"message {message.get('messageId')}: data is no base64") from error
    return Envelope(
        message_id=str(message["messageId"]),
        publish_time=instant(message["publishTime"]),
        topic=topic[1],
        raw=raw,
        attributes=message.get("attributes") or {},
    )


def record_problem(state: ObjectStore, error: PermanentError, facts: Mapping[str, Any], since: str) -> None:
    """Write a permanent error once, where `status/` finds it; the same error about the same thing has the same name."""
    track, stage = str(facts.get("track", "-")), str(facts.get("stage", "-"))
    name = object_names.problem(facts["event_id"], track, stage, error.code, digest(track, stage, str(error)))
    document = {
        "event_id": facts["event_id"],
        "track": track,
        "stage": stage,
        "code": error.code,
        "text": str(error),
        "remedy": error.remedy,
        "composite_id": facts.get("composite_id"),
        "since": since,
    }
    state.create(name, write_note(PROBLEM, document), "application/json")
