"""Notifications of the local Cloud Storage, published with the real client to the local Pub/Sub service."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from google.api_core import exceptions
from google.cloud import pubsub_v1

from tests.contract import pubsub_service
from tests.contract.storage_service import PROJECT, StorageService, client_of

TOPIC = f"projects/{PROJECT}/topics/composite-shards"
SUBSCRIPTION = f"projects/{PROJECT}/subscriptions/listener"


@pytest.fixture(scope="module")
def queue() -> Iterator[pubsub_service.PubSubService]:
    with pubsub_service.ours() as running:
        yield running


@contextmanager
def listener(queue: pubsub_service.PubSubService) -> Iterator[pubsub_v1.SubscriberClient]:
    """A fresh topic with a subscription, gone at the end."""
    with pubsub_service.clients(queue.host) as (publisher, subscriber):
        publisher.create_topic(request={"name": TOPIC})
        subscriber.create_subscription(request={"name": SUBSCRIPTION, "topic": TOPIC})
        yield subscriber
        subscriber.delete_subscription(request={"subscription": SUBSCRIPTION})
        publisher.delete_topic(request={"topic": TOPIC})


def pull(subscriber: pubsub_v1.SubscriberClient, count: int) -> list[pubsub_v1.types.PubsubMessage]:
    """Take `count` messages and make sure that no more are there."""
    taken: list[pubsub_v1.types.PubsubMessage] = []
    while len(taken) < count:
        request = {"subscription": SUBSCRIPTION, "max_messages": 100}
        received = subscriber.pull(request=request, timeout=10).received_messages
        taken += [item.message for item in received]
        if received:
            ack_ids = [item.ack_id for item in received]
            subscriber.acknowledge(request={"subscription": SUBSCRIPTION, "ack_ids": ack_ids})
    assert len(taken) == count
    return taken


def test_configs_are_created_listed_and_deleted(queue: pubsub_service.PubSubService, tmp_path: Path) -> None:
    with StorageService(tmp_path, pubsub=queue.host) as service, client_of(service.url) as client:
        bucket = client.create_bucket("quakeslide-local-composites")
        first = bucket.notification(
            "composite-shards",
            topic_project=PROJECT,
            event_types=["OBJECT_FINALIZE"],
            blob_name_prefix="shards/",
            custom_attributes={"stack": "local"},
            payload_format="JSON_API_V1",
        )
        first.create()
        second = bucket.notification("composite-shards", topic_project=PROJECT)
        second.create()
        found = bucket.get_notification(first.notification_id)
        assert found.payload_format == "JSON_API_V1"
        assert (found.event_types, found.blob_name_prefix) == (["OBJECT_FINALIZE"], "shards/")
        assert found.custom_attributes == {"stack": "local"}
        service.kill()
    with StorageService(tmp_path, pubsub=queue.host) as service, client_of(service.url) as client:
        bucket = client.bucket("quakeslide-local-composites")
        listed = [(item.notification_id, item.topic_project, item.topic_name) for item in bucket.list_notifications()]
        assert listed == [("1", PROJECT, "composite-shards"), ("2", PROJECT, "composite-shards")]
        bucket.get_notification("1").delete()
        assert [item.notification_id for item in bucket.list_notifications()] == ["2"]
        with pytest.raises(exceptions.NotFound, match="No such notification"):
            bucket.get_notification("1")


def test_messages_tell_what_the_real_service_tells(queue: pubsub_service.PubSubService, tmp_path: Path) -> None:
    with (
        listener(queue) as subscriber,
        StorageService(tmp_path, pubsub=queue.host) as service,
        client_of(service.url) as client,
    ):
        bucket = client.create_bucket("quakeslide-local-composites")
        bucket.notification(
            "composite-shards",
            topic_project=PROJECT,
            event_types=["OBJECT_FINALIZE"],
            blob_name_prefix="shards/",
            custom_attributes={"stack": "local"},
            payload_format="JSON_API_V1",
        ).create()
        bucket.blob("manifests/a.json").upload_from_string(b"not notified")
        blob = bucket.blob("shards/é/1.tif")
        blob.upload_from_string(b"first", content_type="image/tiff")
        (message,) = pull(subscriber, 1)
        attributes = dict(message.attributes)
        assert attributes.pop("eventTime").endswith("Z")
        assert attributes == {
            "stack": "local",
            "notificationConfig": "projects/_/buckets/quakeslide-local-composites/notificationConfigs/1",
            "eventType": "OBJECT_FINALIZE",
            "payloadFormat": "JSON_API_V1",
            "bucketId": "quakeslide-local-composites",
            "objectId": "shards/é/1.tif",
            "objectGeneration": str(blob.generation),
        }
        resource = json.loads(message.data)
        assert (resource["name"], resource["size"], resource["contentType"]) == ("shards/é/1.tif", "5", "image/tiff")
        assert (resource["generation"], resource["crc32c"]) == (str(blob.generation), blob.crc32c)
        first = blob.generation
        blob.upload_from_string(b"second")
        (message,) = pull(subscriber, 1)
        assert message.attributes["overwroteGeneration"] == str(first)
        blob.metadata = {"k": "v"}
        blob.patch()
        blob.delete()
        service.wait_quiet()
        assert queue.state()["quiet"]
        bucket.blob("shards/last").upload_from_string(b"")
        (message,) = pull(subscriber, 1)  # the patch and the deletion were not asked for
        assert message.attributes["objectId"] == "shards/last"


def test_all_event_types_without_payload(queue: pubsub_service.PubSubService, tmp_path: Path) -> None:
    with (
        listener(queue) as subscriber,
        StorageService(tmp_path, pubsub=queue.host) as service,
        client_of(service.url) as client,
    ):
        bucket = client.create_bucket("quakeslide-local-results")
        bucket.notification("composite-shards", topic_project=PROJECT, payload_format="NONE").create()
        blob = bucket.blob("a")
        blob.upload_from_string(b"1")
        first = str(blob.generation)
        blob.upload_from_string(b"2")
        second = str(blob.generation)
        blob.metadata = {"k": "v"}
        blob.patch()
        blob.delete()
        messages = pull(subscriber, 5)
        assert {message.data for message in messages} == {b""}
        told = [
            (
                message.attributes["eventType"],
                message.attributes["objectGeneration"],
                message.attributes.get("overwroteGeneration"),
                message.attributes.get("overwrittenByGeneration"),
            )
            for message in messages
        ]
        assert sorted(told, key=str) == sorted(
            [
                ("OBJECT_FINALIZE", first, None, None),
                ("OBJECT_FINALIZE", second, first, None),
                ("OBJECT_DELETE", first, None, second),
                ("OBJECT_METADATA_UPDATE", second, None, None),
                ("OBJECT_DELETE", second, None, None),
            ],
            key=str,
        )


def test_pending_notifications_outlive_a_kill(queue: pubsub_service.PubSubService, tmp_path: Path) -> None:
    with StorageService(tmp_path, pubsub=queue.host) as service, client_of(service.url) as client:
        bucket = client.create_bucket("quakeslide-local-results")
        bucket.notification("composite-shards", topic_project=PROJECT).create()
        bucket.blob("detections/a.geojson").upload_from_string(b"{}")  # the topic does not exist yet
        with pytest.raises(TimeoutError, match="1 notifications"):
            service.wait_quiet(0.3)
        service.kill()
    with listener(queue) as subscriber, StorageService(tmp_path, pubsub=queue.host) as service:
        (message,) = pull(subscriber, 1)
        assert message.attributes["objectId"] == "detections/a.geojson"
        service.wait_quiet()


def test_wrong_configs_are_refused_by_name(queue: pubsub_service.PubSubService, tmp_path: Path) -> None:
    good = {"topic": f"//pubsub.googleapis.com/{TOPIC}", "payload_format": "NONE"}
    with StorageService(tmp_path, pubsub=queue.host) as service, client_of(service.url) as client:
        client.create_bucket("quakeslide-local-results")
        url = f"{service.url}/storage/v1/b/quakeslide-local-results/notificationConfigs"
        for change, code, named in (
            ({"topic": "composite-shards"}, 400, "'composite-shards'"),
            ({"payload_format": "XML"}, 400, "'XML'"),
            ({"event_types": ["OBJECT_MELT"]}, 400, "'OBJECT_MELT'"),
            ({"event_types": ["OBJECT_ARCHIVE"]}, 501, "OBJECT_ARCHIVE"),
            ({"custom_attributes": {"a": 1}}, 400, "custom_attributes"),
            ({"colour": "red"}, 400, '"colour"'),
        ):
            reply = requests.post(url, json=good | change, timeout=10)
            assert (reply.status_code, named in reply.json()["error"]["message"]) == (code, True), reply.text
        assert client.bucket("quakeslide-local-results").list_notifications().num_results == 0


def test_without_pubsub_notifications_are_refused(tmp_path: Path) -> None:
    with StorageService(tmp_path) as service, client_of(service.url) as client:
        bucket = client.create_bucket("quakeslide-local-results")
        with pytest.raises(exceptions.BadRequest, match="--pubsub"):
            bucket.notification("composite-shards", topic_project=PROJECT).create()
