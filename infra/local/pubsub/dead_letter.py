"""The message that arrives on a dead-letter topic: https://cloud.google.com/pubsub/docs/handling-failures#dead_letter_topic."""

from google.pubsub_v1 import types

from infra.local.pubsub.backlog import Entry
from infra.local.pubsub.names import project_of


def dead_letter(config: types.Subscription, entry: Entry) -> types.PubsubMessage:
    """Copy an undeliverable message, adding where it comes from and how often it was tried."""
    source = {
        "CloudPubSubDeadLetterSourceDeliveryCount": str(entry.attempts),
        "CloudPubSubDeadLetterSourceSubscription": config.name.rsplit("/", 1)[-1],
        "CloudPubSubDeadLetterSourceSubscriptionProject": project_of(config.name),
        "CloudPubSubDeadLetterSourceTopicPublishTime": stamp(entry.message),
    }
    message = entry.message
    return types.PubsubMessage(
        data=message.data, attributes={**message.attributes, **source}, ordering_key=message.ordering_key
    )


def stamp(message: types.PubsubMessage) -> str:
    """A message's publish time as the service writes it in JSON: RFC 3339, UTC, milliseconds."""
    return message.publish_time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
