"""Export tasks of the local Earth Engine through the unmodified client: files, limits, identity, cancelling, faults."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ee
import ee.batch
import ee.data
import numpy as np
import pytest
import requests
from google.cloud import storage
from rasterio.io import MemoryFile

from tests.contract.earth_engine_service import CRS, PROJECT, EarthEngineService, wait_for, write_image
from tests.contract.storage_service import StorageService, client_of

BUCKET = "quakeslide-local-composites"
WEST, NORTH, WIDTH, HEIGHT = 500_000, 4_000_000, 700, 560


class Desk:
    """What a test needs to start exports and look at what came of them."""

    def __init__(self, archive: Path, service: EarthEngineService, client: storage.Client, storage_url: str) -> None:
        self.archive, self.service, self.client, self.storage_url = archive, service, client, storage_url

    def config(self, image: ee.Image, prefix: str, **options: Any) -> dict[str, Any]:
        """The request the client makes of an export."""
        grid = {"crs": CRS, "crsTransform": [10, 0, WEST, 0, -10, NORTH], "dimensions": f"{WIDTH}x{HEIGHT}"}
        description = options.pop("description", prefix)
        task = ee.batch.Export.image.toCloudStorage(
            image, description, options.pop("bucket", BUCKET), prefix, **(grid | options)
        )
        assert task.config is not None
        return task.config

    def start(self, image: ee.Image, prefix: str, **options: Any) -> str:
        """Start an export; returns the operation's name."""
        return ee.data.exportImage(f"id-{prefix.replace('/', '-')}", self.config(image, prefix, **options))["name"]

    def finish(self, image: ee.Image, prefix: str, **options: Any) -> dict[str, Any]:
        """Export and wait."""
        return wait_for(self.start(image, prefix, **options))

    def names(self, prefix: str) -> list[str]:
        return sorted(blob.name for blob in self.client.list_blobs(BUCKET, prefix=prefix))

    @contextmanager
    def opened(self, name: str) -> Iterator[Any]:
        with MemoryFile(self.client.bucket(BUCKET).blob(name).download_as_bytes()) as memory, memory.open() as dataset:
            yield dataset

    def post(self, body: dict[str, Any]) -> requests.Response:
        return requests.post(f"{self.service.url}/v1/projects/{PROJECT}/image:export", json=body, timeout=10)


def write_scene(archive: Path, index: str, values: np.ndarray) -> None:
    write_image(
        archive,
        f"COPERNICUS/S1_GRD/{index}",
        {"VV": values},
        origin=(WEST, NORTH),
        version=datetime(2024, 1, 1, tzinfo=UTC),
        properties={"system:time_start": 1704067200000, "instrumentMode": "IW"},
    )


SCENE = np.random.default_rng(3).normal(-10, 2, (HEIGHT, WIDTH)).astype("float32")
SCENE[:256, :256] = np.nan


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    archive = tmp_path_factory.mktemp("archive")
    write_scene(archive, "S1", SCENE)
    with (
        StorageService(tmp_path_factory.mktemp("storage")) as cloud,
        client_of(cloud.url) as client,
        EarthEngineService(archive, cloud.url) as service,
    ):
        client.create_bucket(BUCKET)
        service.connect()
        yield Desk(archive, service, client, cloud.url)
        ee.Reset()


@pytest.fixture
def scene(desk: Desk) -> ee.Image:
    return ee.Image("COPERNICUS/S1_GRD/S1").select("VV").toFloat()


# --- files -------------------------------------------------------------------------------------------------------------


def test_shards_are_named_by_pixel_offsets_and_equal_the_one_file_export(desk: Desk, scene: ee.Image) -> None:
    image = scene.addBands(scene.multiply(2).rename("twice")).unmask(-9999, False)
    assert desk.finish(image, "one")["metadata"]["state"] == "SUCCEEDED"
    assert desk.names("one") == ["one.tif"]
    operation = desk.finish(image, "many/run", fileDimensions=[256, 512], formatOptions={"noData": -9999})
    assert operation["metadata"]["state"] == "SUCCEEDED", operation
    offsets = [(row, col) for row in (0, 512) for col in (0, 256, 512)]
    assert desk.names("many/") == [f"many/run-{row:010d}-{col:010d}.tif" for row, col in offsets]
    with desk.opened("one.tif") as whole:
        pixels, origin = whole.read(), whole.transform
        np.testing.assert_array_equal(pixels[0], np.nan_to_num(SCENE, nan=-9999))
    for row, col in offsets:
        with desk.opened(f"many/run-{row:010d}-{col:010d}.tif") as shard:
            assert shard.shape == (min(512, HEIGHT - row), min(256, WIDTH - col))
            assert (shard.transform.c, shard.transform.f) == (origin.c + 10 * col, origin.f - 10 * row)
            assert shard.descriptions == ("VV", "twice")
            np.testing.assert_array_equal(shard.read(), pixels[:, row : row + 512, col : col + 256])


def test_empty_files_are_left_out_only_when_asked(desk: Desk, scene: ee.Image) -> None:
    desk.finish(scene, "all", fileDimensions=256)
    desk.finish(scene, "some", fileDimensions=256, skipEmptyTiles=True)
    assert len(desk.names("all-")) == 9
    assert [name.removeprefix("all") for name in desk.names("all-")][1:] == [
        name.removeprefix("some") for name in desk.names("some-")
    ]


def test_a_grid_in_the_request_is_exact(desk: Desk, scene: ee.Image) -> None:
    destination = {"bucket": BUCKET, "filenamePrefix": "grid"}
    transform = {"scaleX": 10, "shearX": 0, "translateX": WEST + 3000, "shearY": 0, "scaleY": -10, "translateY": NORTH}
    grid = {"dimensions": {"width": 50, "height": 40}, "affineTransform": transform, "crsCode": CRS}
    options = {"fileFormat": "GEO_TIFF", "cloudStorageDestination": destination}
    body = {"expression": scene, "description": "grid", "fileExportOptions": options, "grid": grid}
    assert wait_for(ee.data.exportImage("id-grid", body)["name"])["metadata"]["state"] == "SUCCEEDED"
    with desk.opened("grid.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), SCENE[:40, 300:350])


def test_memory_is_bounded(desk: Desk, scene: ee.Image) -> None:
    before = desk.service.resident_mb()
    image = scene.unmask(0, False).add(ee.Image(1)).toFloat()
    operation = wait_for(desk.start(image, "large", dimensions="4000x4000", fileDimensions=2048))
    assert operation["metadata"]["state"] == "SUCCEEDED", operation
    assert len(desk.names("large-")) == 4
    # one float32 band of the whole image alone would be 64 MB, and the graph has several
    assert desk.service.resident_mb() - before < 150


# --- failures -----------------------------------------------------------------------------------------------------------


def failure(operation: dict[str, Any]) -> str:
    assert operation["metadata"]["state"] == "FAILED"
    assert operation["done"]
    return operation["error"]["message"]


def test_too_many_pixels_fail(desk: Desk, scene: ee.Image) -> None:
    message = failure(desk.finish(scene, "pixels", maxPixels=1000))
    assert message.startswith(f"Export too large: specified {WIDTH * HEIGHT} pixels (max: 1000).")
    assert desk.names("pixels") == []


def test_mixed_band_types_fail(desk: Desk, scene: ee.Image) -> None:
    message = failure(desk.finish(scene.addBands(ee.Image(1)), "types"))
    assert message == "Exported bands must have compatible data types; found inconsistent types: Float32 and Byte."
    # without a cast the radar band is a double, as in the real service
    raw = ee.Image("COPERNICUS/S1_GRD/S1").select("VV").addBands(scene.rename("cast"))
    assert "Float64 and Float32" in failure(desk.finish(raw, "doubles"))


def test_a_missing_bucket_fails(desk: Desk, scene: ee.Image) -> None:
    message = failure(desk.finish(scene, "nowhere", bucket="no-such-bucket"))
    assert message == "Cloud Storage bucket 'no-such-bucket' does not exist."


def test_a_missing_scene_is_refused_at_once(desk: Desk) -> None:
    started = desk.service.state()["exports_started"]
    with pytest.raises(ee.EEException, match="'COPERNICUS/S1_GRD/NONE' not found"):
        desk.start(ee.Image("COPERNICUS/S1_GRD/NONE"), "scene")
    assert desk.service.state()["exports_started"] == started


def test_a_nodata_value_must_fit_the_type(desk: Desk, scene: ee.Image) -> None:
    operation = desk.finish(scene.toByte(), "fit", formatOptions={"noData": -9999})
    assert failure(operation) == "The noData value -9999.0 does not fit into bands of type uint8."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "Unknown name \"colour\" at 'export_image_request'"),
        ({"fileExportOptions": {"fileFormat": "GEO_TIFF", "sheets": 1}}, 'Unknown name "sheets"'),
        ({"assetExportOptions": {}}, "does not support the field 'assetExportOptions'"),
        ({"maxPixels": {"value": "many"}}, "Invalid value at 'maxPixels'"),
        ({"requestId": "a_b"}, "Invalid requestId 'a_b'"),
        ({"expression": {"result": "1", "values": {}}}, "node '1' is referenced and not there"),
    ],
)
def test_a_wrong_request_is_refused_by_name(desk: Desk, scene: ee.Image, change: dict[str, Any], message: str) -> None:
    body = desk.config(scene, "refused")
    body["expression"] = ee.serializer.encode(body["expression"], for_cloud_api=True)
    reply = desk.post(body | change)
    assert reply.status_code == 400
    assert message in reply.json()["error"]["message"]


def test_a_shard_must_hold_whole_tiles(desk: Desk, scene: ee.Image) -> None:
    with pytest.raises(ee.EEException, match="multiple of shardSize"):
        desk.start(scene, "odd", fileDimensions=300)


# --- tasks --------------------------------------------------------------------------------------------------------------


def test_the_same_request_id_never_makes_a_second_task(desk: Desk, scene: ee.Image) -> None:
    config = desk.config(scene, "once")
    started = desk.service.state()["exports_started"]
    first = ee.data.exportImage("the-only-one", config)
    assert first["metadata"]["state"] == "PENDING"
    wait_for(first["name"])
    again = ee.data.exportImage("the-only-one", config)
    assert again["name"] == first["name"]
    assert again["metadata"]["state"] == "SUCCEEDED"
    with pytest.raises(ee.EEException, match="A different Operation was already started with the given request_id"):
        ee.data.exportImage("the-only-one", desk.config(scene, "another"))
    assert desk.service.state()["exports_started"] == started + 1
    (blob,) = desk.client.list_blobs(BUCKET, prefix="once")
    assert blob.metageneration == 1


def test_an_operation_tells_its_story(desk: Desk, scene: ee.Image) -> None:
    operation = desk.finish(scene, "story/run", description="story of a run")
    metadata = operation["metadata"]
    assert metadata["type"] == "EXPORT_IMAGE"
    assert metadata["description"] == "story of a run"
    assert metadata["createTime"] <= metadata["startTime"] <= metadata["endTime"]
    assert metadata["progress"] == 1
    assert metadata["destinationUris"] == [f"https://console.developers.google.com/storage/browser/{BUCKET}/story"]
    assert operation["name"] in [listed["name"] for listed in ee.data.listOperations()]
    with pytest.raises(ee.EEException, match="not found"):
        ee.data.getOperation(f"projects/{PROJECT}/operations/NONE")


def test_a_running_and_a_waiting_task_can_be_cancelled(desk: Desk, scene: ee.Image) -> None:
    desk.service.set_faults({"on": "export", "description": "^slow", "action": "delay", "seconds": 300, "times": 2})
    running = [desk.start(scene, f"slow-{number}") for number in range(2)]
    until(lambda: desk.service.state()["running"] == 2)
    waiting = desk.start(scene, "waiting")
    assert desk.service.state()["pending"] == 1
    for name in (waiting, *running):
        ee.data.cancelOperation(name)
    for name in (waiting, *running):
        operation = wait_for(name, 60)
        assert operation["metadata"]["state"] == "CANCELLED"
        assert operation["error"]["code"] == 1
    assert desk.names("slow") == desk.names("waiting") == []


def until(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_scene_that_comes_while_a_task_waits_changes_nothing(desk: Desk) -> None:
    one = ee.ImageCollection.fromImages([ee.Image("COPERNICUS/S1_GRD/S1")]).select("VV").median().toFloat()
    desk.service.set_faults({"on": "export", "description": "^late$", "action": "delay", "seconds": 0.5})
    name = desk.start(one, "late")
    write_scene(desk.archive, "S2", SCENE + 50)
    assert ee.ImageCollection("COPERNICUS/S1_GRD").size().getInfo() == 2
    assert wait_for(name)["metadata"]["state"] == "SUCCEEDED"
    with desk.opened("late.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), np.nan_to_num(SCENE, nan=0))


def test_faults_fail_lose_and_refuse(desk: Desk, scene: ee.Image) -> None:
    desk.service.set_faults(
        {"on": "export", "description": "^broken$", "action": "fail", "message": "Computation timed out."},
        {"on": "export", "description": "^lost$", "action": "lose"},
        {"on": "export", "description": "^refused$", "action": "queue_full", "times": 1},
    )
    assert failure(desk.finish(scene, "broken")) == "Computation timed out."
    with pytest.raises(ee.EEException, match="not found"):
        ee.data.getOperation(desk.start(scene, "lost"))
    body = desk.config(scene, "refused")
    body["expression"] = ee.serializer.encode(body["expression"], for_cloud_api=True)
    refused = desk.post(body)
    assert refused.status_code == 429
    assert refused.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert "Too many tasks already in the queue" in refused.json()["error"]["message"]
    assert desk.post(body).status_code == 200
    reply = requests.post(f"{desk.service.url}/_local/faults", json=[{"on": "export", "action": "explode"}], timeout=10)
    assert reply.status_code == 400
    desk.service.set_faults()


def test_tasks_survive_the_death_of_the_service(desk: Desk, scene: ee.Image, tmp_path: Path) -> None:
    ended, cut = desk.config(scene, "ended"), desk.config(scene, "cut")
    try:
        with EarthEngineService(desk.archive, desk.storage_url, state=tmp_path) as first:
            first.connect()
            done = wait_for(ee.data.exportImage("ended-1", ended)["name"])
            first.set_faults({"on": "export", "description": "^cut$", "action": "delay", "seconds": 30})
            running = ee.data.exportImage("cut-1", cut)["name"]
            first.kill()
        with EarthEngineService(desk.archive, desk.storage_url, state=tmp_path) as second:
            second.connect()
            assert ee.data.getOperation(done["name"]) == done
            assert wait_for(running)["metadata"]["state"] == "SUCCEEDED"
            assert ee.data.exportImage("cut-1", cut)["name"] == running
            assert second.state()["exports_started"] == 2
    finally:
        desk.service.connect()
    assert desk.names("cut") == ["cut.tif"]
