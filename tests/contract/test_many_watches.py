"""A sweep over 500 open watches: the real clients against the local Cloud Storage and Pub/Sub, within the function's time limit."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud import pubsub_v1

from quakeslide.adapters.gcs_store import GcsStore
from quakeslide.adapters.pubsub_bus import AT_ONCE, PubsubBus
from quakeslide.errors import BusUnavailable
from quakeslide.usecases.sweep import sweep
from tests.contract.pubsub_service import PubSubService, ours
from tests.contract.storage_service import StorageService, client_of

PROJECT, WATCHES = "quakeslide-local", 500
STATE = "quakeslide-local-state"
TOPOLOGY = json.loads((Path(__file__).parents[2] / "infra/topology.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pubsub() -> Iterator[PubSubService]:
    with pytest.MonkeyPatch.context() as patch, ours() as service:
        patch.setenv("PUBSUB_EMULATOR_HOST", service.host)
        yield service


@pytest.fixture
def bus(pubsub: PubSubService) -> Iterator[PubsubBus]:
    bus = PubsubBus(PROJECT, deadline_s=5)
    yield bus
    bus.close()


@pytest.fixture(scope="module")
def subscription(pubsub: PubSubService) -> str:
    with pubsub_v1.SubscriberClient() as subscriber:
        publisher = pubsub_v1.PublisherClient()
        topic = publisher.create_topic(name=publisher.topic_path(PROJECT, "watches")).name
        publisher.transport.close()
        return subscriber.create_subscription(name=f"projects/{PROJECT}/subscriptions/witness", topic=topic).name


@pytest.fixture
def state(tmp_path: Path) -> Iterator[GcsStore]:
    """500 open watches, the one with the highest name looked at longest ago; and one that has ended."""
    with pytest.MonkeyPatch.context() as patch, StorageService(tmp_path) as stored, client_of(stored.url) as client:
        patch.setenv("STORAGE_EMULATOR_HOST", stored.url)
        bucket = client.create_bucket(STATE)
        for number in reversed(range(WATCHES)):
            bucket.blob(f"watches/open/us{number:05d}.json").upload_from_string("{}", "application/json")
        bucket.blob("watches/closed/us99999.json").upload_from_string("{}", "application/json")
        yield GcsStore(STATE)


def received(subscription: str) -> list[str]:
    """Pull until nothing more comes; return the events in the order in which they came."""
    events: list[str] = []
    with pubsub_v1.SubscriberClient() as subscriber:
        while len(events) < WATCHES:
            reply = subscriber.pull(subscription=subscription, max_messages=1000, timeout=10)
            subscriber.acknowledge(subscription=subscription, ack_ids=[m.ack_id for m in reply.received_messages])
            events += [m.message.attributes["event_id"] for m in reply.received_messages]
    return events


def test_sweep_hands_out_500_watches_oldest_first_well_within_its_time(
    bus: PubsubBus, subscription: str, state: GcsStore
) -> None:
    start = time.monotonic()
    assert sweep(state, bus) == WATCHES
    took = time.monotonic() - start
    assert took < TOPOLOGY["functions"]["export_composites"]["timeout_s"] / 10
    assert received(subscription) == [f"us{number:05d}" for number in reversed(range(WATCHES))]


def test_more_messages_than_fit_one_request_keep_their_order(bus: PubsubBus, subscription: str) -> None:
    messages = [(b"{}", {"event_id": f"us{number:05d}"}) for number in range(2 * AT_ONCE + 1)]
    bus.publish_all("watches", messages)
    assert received(subscription)[:WATCHES] == [attributes["event_id"] for _, attributes in messages][:WATCHES]


def test_no_message_is_no_request(bus: PubsubBus) -> None:
    bus.publish_all("no-such-topic", [])
    with pytest.raises(BusUnavailable, match="no-such-topic"):
        bus.publish_all("no-such-topic", [(b"{}", {})])
