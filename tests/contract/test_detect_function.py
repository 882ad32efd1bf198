"""`detect_landslides` from its zip, in its own environment, with the real clients against the local services and model server."""

import base64
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from click.testing import CliRunner
from google.cloud import pubsub_v1, storage

from infra.local.processes import ReservedPort
from quakeslide.cli.main import main
from quakeslide.documents.manifest import write_manifest
from quakeslide.domain import object_names
from quakeslide.messages import encode
from tests.contract.model_server_service import (
    ROOT,
    SITE_PACKAGES,
    TEN_MODULES,
    TRAINING_PYTHON,
    copy_modules,
    local_server,
    wait_until_open,
)
from tests.contract.pubsub_service import clients, ours
from tests.contract.shard_file import tif
from tests.contract.storage_service import PROJECT, StorageService, client_of
from tests.fakes_detector import composite_of, image_of, rescan_of

pytestmark = pytest.mark.timeout(1200)  # a model is exported first, by TensorFlow, which may take minutes

PYTHON = ROOT / "build/envs/detect_landslides/bin/python"
BUCKETS = {name: f"quakeslide-local-{name}" for name in ("composites", "state", "results", "models")}
NAME = "vv_vh_ascending_60_12"

# Random weights: nothing is learnt, but scores differ from window to window and lie on both sides of the threshold.
EXPORT = """
import sys
from pathlib import Path
from training.model_folder import save_weights
from training.served.export import export_saved_model
from training.tests.numpy_network import random_model
out, bands = Path(sys.argv[1]), ["postVV", "postVH", "diffVV", "diffVH"]
model = random_model(seed=3, filters=4, mean=[-11.0, -18.0, 0.0, 0.0], std=[4.0] * 4)
card = dict(name="vv_vh_ascending_60_12", version=1, bands=bands, units="dB", window_px=64, pixel_geometry="utm_10m",
            fill_db=dict(zip(bands, [-11.0, -18.0, 0.0, 0.0])), threshold=0.6, calibration=None, variant="published",
            filters=4, standardisation=dict(mean=dict(zip(bands, [-11.0, -18.0, 0.0, 0.0])), std=dict.fromkeys(bands, 4.0)),
            data_notice="random weights")
save_weights(model, out / "weights", card)
export_saved_model(out / "weights", out / "models")
"""


@dataclass
class Function:
    """The running function and what surrounds it."""

    url: str
    storage: storage.Client
    publisher: pubsub_v1.PublisherClient
    subscriber: pubsub_v1.SubscriberClient
    models: Path
    model_port: int

    def push(self, data: bytes, attributes: dict[str, str], message_id: str = "1") -> int:
        """Deliver a message as a push subscription does; return the HTTP status."""
        message = {
            "data": base64.b64encode(data).decode(),
            "attributes": attributes,
            "messageId": message_id,
            "publishTime": "2024-01-10T00:00:00Z",
        }
        url = f"{self.url}/projects/{PROJECT}/topics/composite-shards"
        body = {"message": message, "subscription": f"projects/{PROJECT}/subscriptions/s"}
        return requests.post(url, json=body, timeout=100).status_code

    def notify(self, name: str) -> int:
        blob = self.storage.bucket(BUCKETS["composites"]).get_blob(name)
        attributes = {"eventType": "OBJECT_FINALIZE", "objectId": name, "objectGeneration": str(blob.generation)}
        return self.push(b"{}", attributes | {"bucketId": BUCKETS["composites"]})

    def put(self, bucket: str, name: str, data: bytes) -> None:
        self.storage.bucket(BUCKETS[bucket]).blob(name).upload_from_string(data)

    def plan(self, composite: Any) -> None:
        name = object_names.manifest(composite.event_id, composite.track, composite.stage, composite.composite_id)
        self.put("composites", name, write_manifest(composite))

    def contents(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        blobs = self.storage.list_blobs(BUCKETS[bucket], prefix=prefix)
        return {blob.name: blob.download_as_bytes() for blob in blobs}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    subprocess.run([TRAINING_PYTHON, "-c", EXPORT, folder], cwd=ROOT, check=True, capture_output=True, timeout=400)
    return folder / "models"


@pytest.fixture(scope="module")
def unzipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    bundle = [sys.executable, "functions/bundle.py", "zip", "detect_landslides", "--site-packages", SITE_PACKAGES]
    subprocess.run([*bundle, "--out", folder], cwd=ROOT, check=True)
    with zipfile.ZipFile(folder / "detect_landslides.zip") as archive:
        archive.extractall(folder / "source")
    return folder / "source"


@pytest.fixture(scope="module")
def function(models: Path, unzipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    with ExitStack() as stack:
        stored = stack.enter_context(StorageService(tmp_path_factory.mktemp("storage")))
        pubsub = stack.enter_context(ours())
        server = stack.enter_context(local_server("--models", models))
        client = stack.enter_context(client_of(stored.url))
        publisher, subscriber = stack.enter_context(clients(pubsub.host))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("STORAGE_EMULATOR_HOST", stored.url)
        patch.setenv("PUBSUB_EMULATOR_HOST", pubsub.host)
        patch.setenv("PROJECT", PROJECT)
        for bucket in BUCKETS.values():
            client.create_bucket(bucket)
        for topic in ("composite-shards", "composite-shards-dead-letter", "landslide-results"):
            publisher.create_topic(name=publisher.topic_path(PROJECT, topic))
        environment = {f"{name.upper()}_BUCKET": bucket for name, bucket in BUCKETS.items()} | {
            "DEAD_LETTERS": "composite-shards=composite-shards-dead-letter",
            "MODEL_SERVER": f"127.0.0.1:{server.port}",
        }
        port = stack.enter_context(closing(ReservedPort())).number
        command = [
            PYTHON.with_name("functions-framework"),
            "--target",
            "detect_landslides",
            "--signature-type",
            "cloudevent",
        ]
        process = stack.enter_context(
            subprocess.Popen(
                [*command, "--source", "main.py", "--host", "127.0.0.1", "--port", str(port)],
                cwd=unzipped,
                env=os.environ | environment,
            )
        )
        stack.callback(process.terminate)
        wait_until_open(port, process)
        made = Function(f"http://127.0.0.1:{port}", client, publisher, subscriber, models, server.port)
        made.put("models", f"{NAME}/1/card.json", (models / NAME / "1/card.json").read_bytes())
        yield made


def write_shards(function: Function, composite: Any) -> list[str]:
    image = image_of(composite)
    for shard in composite.shards():
        pixels = image[shard.row : shard.row + shard.height, shard.col : shard.col + shard.width]
        function.put("composites", shard.name, tif(pixels, shard.row, shard.col, names=composite.bands))
    return [shard.name for shard in composite.shards()]


def without_finality(document: dict[str, Any]) -> dict[str, Any]:
    for feature in document["features"]:
        del feature["properties"]["finality"]
    return {key: value for key, value in document.items() if key != "finality"}


def test_shards_become_products_and_the_command_line_agrees(function: Function, tmp_path: Path) -> None:
    composite = composite_of(shard_px=256)
    function.plan(composite)
    names = write_shards(function, composite)
    assert [function.notify(name) for name in names] == [200] * len(names)
    cells = function.contents("state", "cells/")
    assert len(cells) == len(list(composite.cells()))
    products = function.contents("results")
    kinds = {name.split("/")[0] for name in products}
    assert kinds == {"detections", "support", "latest", "summary", "pages", "status"}
    assert [function.notify(name) for name in reversed(names)] == [200] * len(names)
    assert function.push(*encode(rescan_of(composite))) == 200
    assert function.contents("results") == products
    (detections,) = [json.loads(data) for name, data in products.items() if name.startswith("detections/")]
    assert detections["model"]["version"] == 1

    (tmp_path / "all.tif").write_bytes(tif(image_of(composite), 0, 0, names=composite.bands))
    (tmp_path / "manifest.json").write_bytes(write_manifest(composite))
    options = {
        "--model-server": f"127.0.0.1:{function.model_port}",
        "--models": function.models,
        "--out": tmp_path / "out",
    }
    options["--manifest"] = tmp_path / "manifest.json"
    arguments = ["detect", str(tmp_path / "all.tif"), *(str(part) for pair in options.items() for part in pair)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == (0 if detections["features"] else 3), result.output
    found = json.loads((tmp_path / "out/detections.geojson").read_bytes())
    assert without_finality(found) == without_finality(detections)
    for shared in ("blind.geojson", "score.tif"):
        assert (tmp_path / "out" / shared).stat().st_size > 0


def test_malformed_message_goes_to_the_dead_letter_topic(function: Function) -> None:
    dead = function.subscriber.subscription_path(PROJECT, "dead")
    topic = function.publisher.topic_path(PROJECT, "composite-shards-dead-letter")
    function.subscriber.create_subscription(name=dead, topic=topic)
    attributes = {"eventType": "OBJECT_FINALIZE", "objectId": "shards/../x", "objectGeneration": "1"}
    assert function.push(b"{}", attributes) == 200
    (received,) = function.subscriber.pull(subscription=dead, max_messages=5, timeout=30).received_messages
    assert received.message.attributes["code"] == "malformed_message"
    assert "shards/../x" in received.message.attributes["reason"]


def test_model_that_is_not_served_is_recorded_and_shown(function: Function) -> None:
    composite = replace(composite_of(128, 128, track="D012"), event_id="us7000none")
    function.plan(composite)
    (name,) = write_shards(function, composite)
    assert function.notify(name) == 200
    (problem,) = [json.loads(data) for data in function.contents("state", "problems/us7000none/").values()]
    assert (problem["code"], problem["track"], problem["stage"]) == ("model_missing", "D012", "60-12")
    assert "vv_vh_descending_60_12" in problem["text"]
    (shown,) = json.loads(function.contents("results")["status/us7000none.json"])["problems"]
    assert shown["code"] == "model_missing"
    assert not function.contents("results", "detections/us7000none/")


def test_wrong_shard_is_recorded_by_name(function: Function) -> None:
    composite = replace(composite_of(128, 128), event_id="us7000lies")
    function.plan(composite)
    (shard,) = composite.shards()
    function.put("composites", shard.name, tif(np.zeros((96, 128, 9)), 0, 0, names=composite.bands))
    assert function.notify(shard.name) == 200
    (problem,) = [json.loads(data) for data in function.contents("state", "problems/us7000lies/").values()]
    assert problem["code"] == "lying_manifest"
    assert shard.name in problem["text"]
    assert not function.contents("state", f"cells/{composite.composite_id}/")


def test_shard_without_a_manifest_is_given_back(function: Function) -> None:
    composite = replace(composite_of(128, 128), event_id="us7000wait")
    (name,) = write_shards(function, composite)
    assert function.notify(name) == 500


def test_all_nan_composite_is_a_result(function: Function) -> None:
    composite = replace(composite_of(128, 128), event_id="us7000void")
    function.plan(composite)
    (shard,) = composite.shards()
    function.put("composites", shard.name, tif(np.full((128, 128, 9), np.nan), 0, 0, names=composite.bands))
    assert function.notify(shard.name) == 200
    ((_, data),) = function.contents("results", "detections/us7000void/").items()
    assert json.loads(data)["outcome"] == "could not look"


def test_follow_prints_results_as_their_notifications_arrive(function: Function) -> None:
    name = f"detections/us6000m0xl/A069/60-12/{'0' * 12}-final.geojson"
    product = {"title": "Landslides after X", "outcome": "detections", "finality": "final", "features": [1, 2]}
    function.put("results", name, json.dumps(product | {"data_notice": "SIMULATED"}).encode())
    topic = function.publisher.topic_path(PROJECT, "landslide-results")
    function.subscriber.create_subscription(name=function.subscriber.subscription_path(PROJECT, "mine"), topic=topic)
    attributes = {"eventType": "OBJECT_FINALIZE", "objectId": name, "bucketId": BUCKETS["results"]}
    function.publisher.publish(topic, b"{}", **attributes).result(60)
    result = CliRunner().invoke(main, ["follow", "--subscription", "mine", "--results", "1", "--seconds", "120"])
    assert result.exit_code == 0, result.output
    assert "Landslides after X: detections (2, final)" in result.output
    assert name in result.output
    assert "SIMULATED" in result.output
    silent = CliRunner().invoke(main, ["follow", "--seconds", "0.1"])
    assert silent.exit_code == 3


@pytest.fixture(scope="module", autouse=True)
def message_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("messages")
    copy_modules(folder, TEN_MODULES)
    sys.path.append(str(folder))
    yield
    sys.path.remove(str(folder))
