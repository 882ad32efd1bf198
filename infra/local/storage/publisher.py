"""The real Pub/Sub client, pointed at the local Pub/Sub service."""

import os
from concurrent.futures import Future

from infra.local.storage.outbox import Message, Publisher


def connect(address: str) -> Publisher:
    """Return what publishes to the service at `HOST:PORT`; retries are the outbox's, so the client makes none itself."""
    os.environ["PUBSUB_EMULATOR_HOST"] = address
    # imported here: a second of start-up that a storage service without notifications does not need
    from google.api_core.exceptions import GoogleAPIError
    from google.cloud import pubsub_v1

    client = pubsub_v1.PublisherClient(batch_settings=pubsub_v1.types.BatchSettings(max_messages=1))

    def publish(message: Message) -> "Future[str]":
        data = message["data"].encode()
        future: Future[str] = client.publish(message["topic"], data, retry=None, timeout=10.0, **message["attributes"])
        return future

    return Publisher(publish=publish, errors=(GoogleAPIError, TimeoutError))
