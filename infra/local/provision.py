"""Topics, subscriptions, buckets and notifications of `topology.json`, made in the local services by the real clients."""

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import pubsub_v1, storage
from google.pubsub_v1 import types

PROJECT = "quakeslide-local"


def bucket_name(short: str) -> str:
    """Return the full name of a bucket of the topology."""
    return f"{PROJECT}-{short}"


def provision(topology: Mapping[str, Any], endpoints: Mapping[str, str]) -> None:
    """Make everything the topology lists.

    Args:
        topology: the parsed `topology.json`.
        endpoints: base URL of each function.
    """
    with pubsub_v1.PublisherClient() as publisher, pubsub_v1.SubscriberClient() as subscriber:
        for topic in [*topology["topics"], *topology["dead_letters"].values()]:
            publisher.create_topic(name=publisher.topic_path(PROJECT, topic))
        for topic in topology["dead_letters"].values():
            path = subscriber.subscription_path(PROJECT, f"{topic}-inspect")
            subscriber.create_subscription(name=path, topic=publisher.topic_path(PROJECT, topic))
        for name, wanted in topology["subscriptions"].items():
            subscriber.create_subscription(_subscription(name, wanted, topology, endpoints[wanted["function"]]))
    client = storage.Client(project=PROJECT, credentials=AnonymousCredentials())
    for short in topology["buckets"]:
        client.create_bucket(bucket_name(short))
    for topic, notice in topology["notifications"].items():
        client.bucket(bucket_name(notice["bucket"])).notification(
            topic_name=topic,
            topic_project=PROJECT,
            event_types=notice["events"],
            blob_name_prefix=notice["prefix"],
            payload_format="JSON_API_V1",
        ).create()
    client.close()


def _subscription(
    name: str, wanted: Mapping[str, Any], topology: Mapping[str, Any], endpoint: str
) -> types.Subscription:
    """Return an explicit push subscription with retry and dead letter."""
    delivery, topic = topology["delivery"], wanted["topic"]
    topic_path = f"projects/{PROJECT}/topics/{topic}"
    return types.Subscription(
        name=f"projects/{PROJECT}/subscriptions/{name}",
        topic=topic_path,
        ack_deadline_seconds=delivery["ack_deadline_s"],
        push_config=types.PushConfig(
            push_endpoint=f"{endpoint}/{topic_path}",
            oidc_token=types.PushConfig.OidcToken(service_account_email=f"push@{PROJECT}.iam.gserviceaccount.com"),
        ),
        retry_policy=types.RetryPolicy(
            minimum_backoff=timedelta(seconds=delivery["min_backoff_s"]),
            maximum_backoff=timedelta(seconds=delivery["max_backoff_s"]),
        ),
        dead_letter_policy=types.DeadLetterPolicy(
            dead_letter_topic=f"projects/{PROJECT}/topics/{topology['dead_letters'][topic]}",
            max_delivery_attempts=delivery["max_attempts"],
        ),
    )


def client_environment(storage_port: int, pubsub_port: int) -> dict[str, str]:
    """Return what points the real clients at the local services."""
    return {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{storage_port}",
        "PUBSUB_EMULATOR_HOST": f"127.0.0.1:{pubsub_port}",
        "GOOGLE_CLOUD_PROJECT": PROJECT,
    }


def use_here(environment: Mapping[str, str]) -> None:
    """Point this process's own clients at the local services too."""
    os.environ.update(environment)
