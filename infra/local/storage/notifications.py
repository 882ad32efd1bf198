"""Notification configurations of buckets, and the Pub/Sub messages that follow from them.

Reference: https://cloud.google.com/storage/docs/pubsub-notifications and
https://cloud.google.com/storage/docs/json_api/v1/notifications
"""

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infra.local.storage.errors import invalid, not_found, not_implemented
from infra.local.storage.events import EVENT_TYPES, Event
from infra.local.storage.files import write_json
from infra.local.storage.outbox import Outbox

_TOPIC = re.compile(
    r"//pubsub\.googleapis\.com/(projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/topics/[A-Za-z][\w.~+%-]{2,254})"
)
_FORMATS = ("JSON_API_V1", "NONE")
_OUTPUT_ONLY = ("kind", "id", "selfLink", "etag")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationConfig:
    """Who hears of which events of a bucket.

    Attributes:
        id: a number, as text, counted in the bucket.
        topic: `projects/P/topics/T`.
        event_types: the types told of; empty = all.
        object_name_prefix: only objects whose names begin so.
        custom_attributes: added to each message.
        payload_format: `JSON_API_V1` (the object resource) or `NONE`.
    """

    id: str
    topic: str
    event_types: Sequence[str]
    object_name_prefix: str
    custom_attributes: Mapping[str, str]
    payload_format: str

    def wants(self, event: Event) -> bool:
        """Tell whether this event is to be told of."""
        listed = not self.event_types or event.event_type in self.event_types
        return listed and event.stored.name.startswith(self.object_name_prefix)

    def resource(self, bucket: str, base_url: str) -> dict[str, Any]:
        """Return the notification resource; optional fields that were not given stay out."""
        optional = {
            "event_types": list(self.event_types),
            "object_name_prefix": self.object_name_prefix,
            "custom_attributes": dict(self.custom_attributes),
        }
        return {
            "kind": "storage#notification",
            "id": self.id,
            "selfLink": f"{base_url}/storage/v1/b/{bucket}/notificationConfigs/{self.id}",
            "topic": f"//pubsub.googleapis.com/{self.topic}",
            "payload_format": self.payload_format,
            "etag": self.id,
            **{name: value for name, value in optional.items() if value},
        }


def parse_config(body: Mapping[str, Any], config_id: str) -> NotificationConfig:
    """Read a notification resource; 400 or 501 names the field that is wrong."""
    known = {"topic", "event_types", "object_name_prefix", "custom_attributes", "payload_format", *_OUTPUT_ONLY}
    for field in body:
        if field not in known:
            raise invalid(f'Invalid JSON payload received. Unknown name "{field}": no notification has this field.')
    topic = body.get("topic")
    match = _TOPIC.fullmatch(topic) if isinstance(topic, str) else None
    if match is None:
        raise invalid(f"Invalid topic {topic!r}: expected //pubsub.googleapis.com/projects/PROJECT/topics/TOPIC")
    payload_format = body.get("payload_format")
    if payload_format not in _FORMATS:
        raise invalid(f"Invalid payload_format {payload_format!r}: expected one of {', '.join(_FORMATS)}")
    event_types = body.get("event_types") or []
    for event_type in event_types:
        if event_type == "OBJECT_ARCHIVE":
            raise not_implemented("OBJECT_ARCHIVE notifications (they need object versioning)")
        if event_type not in EVENT_TYPES:
            raise invalid(f"Invalid event type {event_type!r}: expected one of {', '.join(EVENT_TYPES)}")
    prefix = body.get("object_name_prefix") or ""
    attributes = body.get("custom_attributes") or {}
    if not isinstance(prefix, str):
        raise invalid(f"Invalid object_name_prefix {prefix!r}: no string")
    if not isinstance(attributes, dict) or not all(isinstance(value, str) for value in attributes.values()):
        raise invalid(f"Invalid custom_attributes {attributes!r}: no map of strings")
    return NotificationConfig(
        id=config_id,
        topic=match[1],
        event_types=list(event_types),
        object_name_prefix=prefix,
        custom_attributes=attributes,
        payload_format=payload_format,
    )


class Notifications:
    """The configurations of all buckets, kept in ROOT/notifications/BUCKET.json; the store's event sink.

    Args:
        root: folder of the service.
        outbox: takes the messages.
        base_url: the service's own address, for links in resources.
        enabled: whether there is a Pub/Sub service to publish to.

    Raises:
        ValueError: not enabled, although the root holds configurations.
    """

    def __init__(self, root: Path, outbox: Outbox, base_url: str, *, enabled: bool) -> None:
        self._folder = root / "notifications"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._outbox = outbox
        self._base_url = base_url
        self._enabled = enabled
        self._lock = threading.RLock()
        self._configs: dict[str, dict[str, NotificationConfig]] = {}
        for path in self._folder.glob("*.json"):
            configs = [NotificationConfig(**fields) for fields in json.loads(path.read_text(encoding="utf-8"))]
            self._configs[path.stem] = {config.id: config for config in configs}
        silenced = sorted(bucket for bucket, configs in self._configs.items() if configs)
        if silenced and not enabled:
            raise ValueError(
                f"{root} has notification configurations of {', '.join(silenced)}: give --pubsub HOST:PORT"
            )

    def create(self, bucket: str, body: Mapping[str, Any]) -> NotificationConfig:
        """Add a configuration; 400 or 501 names what is wrong with it."""
        if not self._enabled:
            raise invalid("notificationConfigs: this service was started without --pubsub HOST:PORT")
        with self._lock:
            numbers = (int(config_id) for config_id in self._configs.get(bucket, {}))
            config = parse_config(body, str(max(numbers, default=0) + 1))
            self._save(bucket, {**self._configs.get(bucket, {}), config.id: config})
            return config

    def configs(self, bucket: str) -> list[NotificationConfig]:
        """Return the configurations of a bucket."""
        with self._lock:
            return list(self._configs.get(bucket, {}).values())

    def get(self, bucket: str, config_id: str) -> NotificationConfig:
        """Return one configuration; 404 if there is none."""
        with self._lock:
            found = self._configs.get(bucket, {}).get(config_id)
            if found is None:
                raise not_found(f"No such notification: {bucket}/{config_id}")
            return found

    def delete(self, bucket: str, config_id: str) -> None:
        """Remove one configuration; 404 if there is none."""
        with self._lock:
            self.get(bucket, config_id)
            left = {key: config for key, config in self._configs[bucket].items() if key != config_id}
            self._save(bucket, left)

    def forget(self, bucket: str) -> None:
        """Remove all configurations of a bucket that is gone."""
        with self._lock:
            if self._configs.pop(bucket, None) is not None:
                (self._folder / f"{bucket}.json").unlink()

    def change(self, events: Sequence[Event], commit: Callable[[], object]) -> None:
        """Do as `EventSink.change` promises."""
        messages = [
            self._message(config, event)
            for event in events
            for config in self.configs(event.stored.bucket)
            if config.wants(event)
        ]
        self._outbox.around(messages, commit)

    def _message(self, config: NotificationConfig, event: Event) -> dict[str, Any]:
        stored = event.stored
        attributes = {
            **config.custom_attributes,
            "notificationConfig": f"projects/_/buckets/{stored.bucket}/notificationConfigs/{config.id}",
            "eventType": event.event_type,
            "payloadFormat": config.payload_format,
            "bucketId": stored.bucket,
            "objectId": stored.name,
            "objectGeneration": str(stored.generation),
            "eventTime": event.event_time,
            **event.attributes,
        }
        resource = json.dumps(stored.resource(self._base_url), indent=2)
        return {
            "topic": config.topic,
            "attributes": attributes,
            "data": resource if config.payload_format == "JSON_API_V1" else "",
        }

    def _save(self, bucket: str, configs: dict[str, NotificationConfig]) -> None:
        write_json(self._folder / f"{bucket}.json", [asdict(config) for config in configs.values()])
        self._configs[bucket] = configs
