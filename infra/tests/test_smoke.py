# ruff: noqa: D103
"""The smoke test itself, with the real clients on the local Cloud Storage and Pub/Sub, at every place where an event can stop."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud import pubsub_v1, storage

from infra.google_api import Refusal
from infra.smoke import Smoke
from quakeslide import message_reader, messages
from tests.contract.pubsub_service import ours
from tests.contract.storage_service import StorageService

PROJECT = "quakeslide-local"
TRACK = "A069/60-12"
PRODUCT = {"type": "FeatureCollection", "features": [], "outcome": "none found"}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[storage.Client]:
    """Buckets and topics as deployed, and one subscription that hears what is asked."""
    with (
        ours() as pubsub,
        StorageService(tmp_path_factory.mktemp("storage")) as files,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("PUBSUB_EMULATOR_HOST", pubsub.host)
        environment.setenv("STORAGE_EMULATOR_HOST", files.url)
        with pubsub_v1.PublisherClient() as publisher, pubsub_v1.SubscriberClient() as subscriber:
            for topic in ("earthquakes", "watches"):
                publisher.create_topic(name=publisher.topic_path(PROJECT, topic))
            name = subscriber.subscription_path(PROJECT, "heard")
            subscriber.create_subscription(name=name, topic=publisher.topic_path(PROJECT, "earthquakes"))
        client = storage.Client(project=PROJECT)
        for short in ("state", "composites", "results", "models"):
            client.create_bucket(f"{PROJECT}-{short}")
        yield client
        client.close()


@pytest.fixture
def cloud(services: storage.Client) -> storage.Client:
    """The same with its model card, whatever the test before did."""
    put(services, "models", "vv_vh_ascending_60_12/1/card.json", {})
    return services


def put(client: storage.Client, short: str, name: str, document: dict[str, Any]) -> None:
    client.bucket(f"{PROJECT}-{short}").blob(name).upload_from_string(json.dumps(document))


def smoke(said: list[str] | None = None) -> Smoke:
    lines = said if said is not None else []
    return Smoke(PROJECT, PROJECT, pause_s=0.05, say=lines.append)


def heard(event: str) -> messages.Message:
    """Return what was published about an event, read by the system's own parser."""
    with pubsub_v1.SubscriberClient() as subscriber:
        path = subscriber.subscription_path(PROJECT, "heard")
        received = subscriber.pull(subscription=path, max_messages=100, timeout=30).received_messages
        (item,) = [item for item in received if item.message.attributes["event_id"] == event]
        envelope = messages.Envelope(
            message_id=item.message.message_id,
            publish_time=item.message.publish_time,
            topic="earthquakes",
            raw=item.message.data,
            attributes=dict(item.message.attributes),
        )
        return message_reader.parse(envelope)


def reach(client: storage.Client, event: str, milestones: int) -> None:
    """Let an event get as far as so many milestones."""
    names = (
        ("state", f"watches/closed/{event}.json"),
        ("composites", f"manifests/{event}/{TRACK}/0123456789ab.json"),
        ("composites", f"shards/{event}/{TRACK}/0123456789ab/composite.tif"),
        ("results", f"detections/{event}/{TRACK}/0123456789ab-final.geojson"),
    )
    for short, name in names[:milestones]:
        put(client, short, name, PRODUCT)


def test_an_event_is_followed_to_its_map(cloud: storage.Client) -> None:
    said: list[str] = []
    run = smoke(said)
    reach(cloud, run.event, 4)
    name = run.run(minutes=1)
    assert name == f"detections/{run.event}/{TRACK}/0123456789ab-final.geojson"
    assert run.judge(name).startswith("none found: 0 detections in gs://quakeslide-local-results/detections/")
    assert len(said) == 5


def test_what_is_asked_is_a_message_that_the_exporter_reads(cloud: storage.Client) -> None:
    run = smoke()
    reach(cloud, run.event, 4)
    run.run(minutes=1)
    message = heard(run.event)
    assert isinstance(message, messages.Manual)
    assert message.event_id == run.event
    assert message.aoi is not None
    assert message.post_start is not None
    assert [str(stage) for stage in message.stages or ()] == ["60-12"]


@pytest.mark.parametrize(
    ("milestones", "says"),
    [
        (0, "earthquakes-to-export-composites"),
        (1, "No usable Sentinel-1 pass"),
        (2, "Earth Engine's tasks"),
        (3, "is the model server up"),
    ],
)
def test_where_it_stops_it_says_what_to_look_at(cloud: storage.Client, milestones: int, says: str) -> None:
    run = smoke()
    reach(cloud, run.event, milestones)
    with pytest.raises(Refusal, match=says):
        run.run(minutes=0.01)


def test_a_recorded_problem_is_told_at_once_with_its_remedy(cloud: storage.Client) -> None:
    run = smoke()
    reach(cloud, run.event, 2)
    problem = {"code": "model_missing", "track": "A069", "stage": "60-12", "text": "no model.", "remedy": "Export it."}
    put(cloud, "state", f"problems/{run.event}/A069/60-12/model_missing-0123.json", problem)
    with pytest.raises(Refusal, match=r"model_missing \(A069 60-12\): no model. Export it."):
        run.run(minutes=5)


def test_no_model_cards_are_missed_before_anything_is_asked(cloud: storage.Client) -> None:
    cloud.bucket(f"{PROJECT}-models").blob("vv_vh_ascending_60_12/1/card.json").delete()
    with pytest.raises(Refusal, match="No model card"):
        smoke().run(minutes=1)


def test_a_project_where_nothing_is_deployed(cloud: storage.Client) -> None:
    run = Smoke("quakeslide-empty", "quakeslide-empty")
    with pytest.raises(Refusal, match=r"topics/earthquakes is not there.\n  Run: make deploy PROJECT=quakeslide-empty"):
        run.run(minutes=1)
