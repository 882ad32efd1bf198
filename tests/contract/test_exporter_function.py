"""`export_composites` in functions-framework, with the real clients, against the local Pub/Sub, Cloud Storage and Earth Engine."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import functions_framework
import numpy as np
import pytest
import requests
from click.testing import CliRunner, Result
from google.cloud import pubsub_v1, storage
from shapely.geometry import mapping

from quakeslide.cli.main import main
from tests.contract.earth_engine_service import PROJECT, EarthEngineService, wait_for
from tests.contract.exporter_ground import CORNER, SHAPE, T0, angle_of, ground_at, scene
from tests.contract.pubsub_service import ours
from tests.contract.storage_service import StorageService, client_of

MAIN = Path(__file__).parents[2] / "functions/export_composites/main.py"
BUCKETS = {name: f"quakeslide-local-{name}" for name in ("state", "composites", "results")}
EVENT = "quiet20240101"


@dataclass
class Function:
    """The running function and what surrounds it."""

    client: Any
    engine: EarthEngineService
    storage: storage.Client
    dead: str
    subscriber: pubsub_v1.SubscriberClient

    def push(self, topic: str, body: object, at: datetime, message_id: str) -> int:
        """Deliver a message as a push subscription does; return the HTTP status."""
        message = {
            "data": base64.b64encode(json.dumps(body).encode()).decode(),
            "attributes": {},
            "messageId": message_id,
            "publishTime": at.isoformat().replace("+00:00", "Z"),
        }
        envelope = {"message": message, "subscription": f"projects/{PROJECT}/subscriptions/s"}
        return int(self.client.post(f"/projects/{PROJECT}/topics/{topic}", json=envelope).status_code)

    def read(self, bucket: str, name: str) -> Any:
        return json.loads(self.storage.bucket(BUCKETS[bucket]).blob(name).download_as_bytes())

    def names(self, bucket: str, prefix: str) -> list[str]:
        return [blob.name for blob in self.storage.list_blobs(BUCKETS[bucket], prefix=prefix)]


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    archive, root = tmp_path_factory.mktemp("archive"), tmp_path_factory.mktemp("storage")
    (archive / "COPERNICUS").mkdir()
    flat = np.full(SHAPE, -12, "float32")
    for day in (-26, -14, -2, 10):
        bands = {"VV": flat, "VH": flat - 6, "angle": angle_of("ASCENDING")}
        scene(archive, f"S1_{day}", start=T0 + timedelta(days=day), orbit=69, bands=bands)
    with (
        pytest.MonkeyPatch.context() as patch,
        StorageService(root) as stored,
        client_of(stored.url) as client,
        EarthEngineService(archive, stored.url) as engine,
        ours() as pubsub,
    ):
        environment = {
            "PROJECT": PROJECT,
            "STATE_BUCKET": BUCKETS["state"],
            "COMPOSITES_BUCKET": BUCKETS["composites"],
            "RESULTS_BUCKET": BUCKETS["results"],
            "DEAD_LETTERS": "earthquakes=earthquakes-dead-letter,watches=watches-dead-letter",
            "EARTH_ENGINE_URL": engine.url,
            "STAGES": "60-12",
            "SHARD_PX": "256",
            "STORAGE_EMULATOR_HOST": stored.url,
            "PUBSUB_EMULATOR_HOST": pubsub.host,
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        for bucket in BUCKETS.values():
            client.create_bucket(bucket)
        publisher, subscriber = pubsub_v1.PublisherClient(), pubsub_v1.SubscriberClient()
        for topic in ("earthquakes-dead-letter", "watches", "composite-shards"):
            publisher.create_topic(name=publisher.topic_path(PROJECT, topic))
        dead = subscriber.subscription_path(PROJECT, "dead")
        subscriber.create_subscription(name=dead, topic=publisher.topic_path(PROJECT, "earthquakes-dead-letter"))
        app = functions_framework.create_app("export_composites", str(MAIN), "cloudevent")
        yield Function(app.test_client(), engine, client, dead, subscriber)
        publisher.transport.close()
        subscriber.close()


def test_manual_message_twice_becomes_one_export_with_its_shard(function: Function) -> None:
    body = {"kind": "manual", "event_id": EVENT, "aoi": mapping(ground_at(CORNER)), "post_start": T0.isoformat()}
    for _ in range(2):
        assert function.push("earthquakes", body, T0 + timedelta(days=11), "manual") == 200
    (operation,) = function.engine.state()["operations"]
    wait_for(operation)
    due = {"kind": "watch", "event_id": EVENT}
    assert function.push("watches", due, T0 + timedelta(days=11, hours=1), "due") == 200
    (row,) = function.read("results", f"status/{EVENT}.json")["tracks"]
    assert (row["track"], row["stage"], row["state"]) == ("A069", "60-12", "detecting")
    (manifest,) = function.names("composites", "manifests/")
    assert function.names("composites", "shards/") == function.read("composites", manifest)["shards"]


def test_impossible_request_is_acknowledged_and_shown(function: Function) -> None:
    assert function.push("earthquakes", {"kind": "manual", "event_id": "nowhere1"}, T0, "impossible") == 200
    (problem,) = function.read("results", "status/nowhere1.json")["problems"]
    assert problem["code"] == "impossible_request"
    assert problem["text"].endswith("must bring aoi and post_start")


def test_malformed_message_goes_to_the_dead_letter_topic(function: Function) -> None:
    assert function.push("earthquakes", {"kind": "nonsense"}, T0, "malformed") == 200
    (received,) = function.subscriber.pull(subscription=function.dead, max_messages=5, timeout=30).received_messages
    assert json.loads(received.message.data) == {"kind": "nonsense"}
    assert received.message.attributes["code"] == "malformed_message"


def composite_by_hand(function: Function, *arguments: str) -> Result:
    """Run the command; the fixture's environment names project, buckets and services."""
    assert function.engine.process.poll() is None
    hand = [
        "composite",
        "--event",
        EVENT,
        "--track",
        "A069",
        "--shard-px",
        "256",
        "--now",
        f"{T0 + timedelta(days=11):%FT%TZ}",
    ]
    return CliRunner().invoke(main, [*hand, *arguments])


def test_plan_by_hand_is_printed_without_exporting(function: Function) -> None:
    body = {"kind": "manual", "event_id": EVENT, "aoi": mapping(ground_at(CORNER)), "post_start": T0.isoformat()}
    assert function.push("earthquakes", body, T0 + timedelta(days=11), "manual") == 200
    before = len(function.engine.state()["operations"])
    result = composite_by_hand(function, "--stage", "60-12", "--plan")
    assert result.exit_code == 0, result.output
    assert "passes       3 before, 1 after" in result.output
    assert "pixels       " in result.output
    assert "EECU hours   " in result.output
    assert len(function.engine.state()["operations"]) == before


def test_composite_by_hand_is_exported(function: Function) -> None:
    before = function.names("composites", "shards/")
    result = composite_by_hand(function, "--stage", "120-12")  # none of the ladder's
    assert result.exit_code == 0, result.output
    operation = result.output.rpartition("exporting: ")[2].strip()
    assert wait_for(operation)["metadata"]["state"] == "SUCCEEDED"
    (manifest,) = function.names("composites", f"manifests/{EVENT}/A069/120-12/")
    new = set(function.names("composites", "shards/")) - set(before)
    assert sorted(new) == function.read("composites", manifest)["shards"]
    again = composite_by_hand(function, "--stage", "120-12")
    assert "exported already: shards/quiet20240101/A069/120-12/" in again.output
    assert set(function.names("composites", "shards/")) == {*before, *new}


def test_composite_by_hand_beyond_the_budget_is_refused_unless_told(function: Function) -> None:
    tasks = len(function.engine.state()["operations"])
    tight = ("--stage", "240-12", "--eecu-hours-per-event", "1e-12")
    refused = composite_by_hand(function, *tight)
    assert (refused.exit_code, "waits: this event's budget" in refused.output) == (1, True)
    assert len(function.engine.state()["operations"]) == tasks
    started = composite_by_hand(function, *tight, "--beyond-budget")
    assert started.exit_code == 0, started.output
    operation = started.output.rpartition("exporting: ")[2].strip()
    assert wait_for(operation)["metadata"]["state"] == "SUCCEEDED"


def test_composite_by_hand_refuses_what_cannot_be(function: Function) -> None:
    assert composite_by_hand(function, "--stage", "60-13").exit_code == 2
    result = composite_by_hand(function, "--stage", "60-12", "--track", "D001")
    assert (result.exit_code, "D001 does not see" in result.output) == (1, True)


def test_silent_engine_refuses_the_message(function: Function) -> None:
    function.engine.process.terminate()
    function.engine.process.wait(timeout=60)
    with pytest.raises(requests.ConnectionError):
        function.engine.state()
    due = {"kind": "watch", "event_id": EVENT}
    assert function.push("watches", due, T0 + timedelta(days=12), "refused") == 500
