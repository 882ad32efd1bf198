"""The local Earth Engine evaluates the unmodified client's expressions: values, masks, projections, filters.

Expected values are computed with NumPy from the arrays the archive was written from.
"""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ee
import ee.batch
import ee.data
import numpy as np
import pyproj
import pytest
import rasterio
import requests
from google.cloud import storage
from rasterio.io import MemoryFile

from tests.contract.earth_engine_service import CRS, PROJECT, EarthEngineService, wait_for, write_image
from tests.contract.replayed_clock import turn
from tests.contract.storage_service import StorageService, client_of

BUCKET = "quakeslide-local-composites"
COLLECTION = "COPERNICUS/S1_GRD"
WEST, NORTH, WIDTH, HEIGHT = 500_000, 4_000_000, 110, 90
EAST_RISE, NORTH_RISE = 0.3, 0.2  # of the tilted plane, metres per metre
SLOPE = math.degrees(math.atan(math.hypot(EAST_RISE, NORTH_RISE)))
ASPECT = math.degrees(math.atan2(-EAST_RISE, -NORTH_RISE)) % 360


def millis(day: int, month: int = 1) -> int:
    return int(datetime(2024, month, day, 9, tzinfo=UTC).timestamp() * 1000)


class World:
    """The archive, the two services over it, and the arrays the archive was made from."""

    def __init__(self, folder: Path, service: EarthEngineService, client: storage.Client, clock: Path) -> None:
        self.archive, self.service, self.client, self.clock = folder, service, client, clock
        self.vv: dict[str, np.ndarray] = {}

    def export(self, image: ee.Image, name: str, *, size: tuple[int, int] = (WIDTH, HEIGHT), **options: Any) -> Any:
        """Export an image on the scenes' grid and wait; returns the operation."""
        task = ee.batch.Export.image.toCloudStorage(
            image,
            options.pop("description", name),
            BUCKET,
            name,
            crs=options.pop("crs", CRS),
            crsTransform=options.pop("transform", [10, 0, WEST, 0, -10, NORTH]),
            dimensions=f"{size[0]}x{size[1]}",
            **options,
        )
        return wait_for(ee.data.exportImage(f"request-{name}", task.config)["name"])

    def names(self, prefix: str) -> list[str]:
        return sorted(blob.name for blob in self.client.list_blobs(BUCKET, prefix=prefix))

    @contextmanager
    def opened(self, name: str) -> Iterator[Any]:
        data = self.client.bucket(BUCKET).blob(name).download_as_bytes()
        with MemoryFile(data) as memory, memory.open() as dataset:
            yield dataset

    def pixels(self, image: ee.Image, name: str, **options: Any) -> np.ndarray:
        """Export an image in one file; returns its bands [bands, height, width]."""
        operation = self.export(image, name, **options)
        assert operation["metadata"]["state"] == "SUCCEEDED", operation
        with self.opened(f"{name}.tif") as dataset:
            return dataset.read()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("archive")
    clock = tmp_path_factory.mktemp("clock") / "now"
    clock.write_text("2024-02-01T00:00:00+00:00")
    rng = np.random.default_rng(7)
    with (
        StorageService(tmp_path_factory.mktemp("storage")) as cloud,
        client_of(cloud.url) as client,
        EarthEngineService(folder, cloud.url, clock=clock) as service,
    ):
        client.create_bucket(BUCKET)
        made = World(folder, service, client, clock)
        scenes = [("A1", 1, "ASCENDING", 69), ("A2", 7, "ASCENDING", 69), ("A3", 13, "ASCENDING", 69)]
        scenes += [("A4", 19, "ASCENDING", 69), ("D1", 3, "DESCENDING", 46), ("V1", 5, "ASCENDING", 171)]
        for index, day, orbit_pass, track in scenes:
            vv = rng.normal(-10, 2, (HEIGHT, WIDTH)).astype("float32")
            vv[rng.random(vv.shape) < 0.3] = np.nan
            made.vv[index] = vv
            polarisations = ["VV"] if index == "V1" else ["VV", "VH"]
            bands = {name: vv - 6 * number for number, name in enumerate(polarisations)}
            angle = 38 + np.add.outer(np.arange(HEIGHT) * 0.02, np.arange(WIDTH) * 0.03)
            write_image(
                folder,
                f"{COLLECTION}/{index}",
                {**bands, "angle": angle},
                origin=(WEST, NORTH),
                version=datetime(2024, 1, day, 12, tzinfo=UTC),
                properties={
                    "system:time_start": millis(day),
                    "orbitProperties_pass": orbit_pass,
                    "relativeOrbitNumber_start": track,
                    "transmitterReceiverPolarisation": polarisations,
                    "instrumentMode": "IW",
                },
            )
        far = {"VV": np.full((5, 5), -9.0)}
        properties = {"system:time_start": millis(2), "orbitProperties_pass": "ASCENDING", "instrumentMode": "EW"}
        origin = (WEST + 50_000, NORTH)
        write_image(
            folder,
            f"{COLLECTION}/FAR",
            far,
            origin=origin,
            version=datetime(2024, 1, 2, 12, tzinfo=UTC),
            properties=properties,
        )
        write_plane(folder)
        service.connect()
        yield made
        ee.Reset()


def write_plane(folder: Path) -> None:
    """A DEM that is a plane in the scenes' CRS, stored at one arc second like GLO-30."""
    second = 1 / 3600
    to_degrees = pyproj.Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(WEST, NORTH)
    west, north = math.floor(lon / second) * second - 5 * second, math.ceil(lat / second) * second + 5 * second
    cols, rows = np.meshgrid(np.arange(60) + 0.5, np.arange(50) + 0.5)
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", CRS, always_xy=True)
    x, y = to_metres.transform(west + cols * second, north - rows * second)
    z = 1000 + EAST_RISE * (x - WEST) + NORTH_RISE * (y - NORTH)
    write_image(
        folder,
        "COPERNICUS/DEM/GLO30/N36",
        {"DEM": z},
        origin=(west, north),
        pixel=second,
        crs="EPSG:4326",
        version=datetime(2021, 1, 1, tzinfo=UTC),
        properties={},
    )


def scenes(*indices: str) -> ee.ImageCollection:
    return ee.ImageCollection.fromImages([ee.Image(f"{COLLECTION}/{index}") for index in indices])


def indices_of(collection: ee.ImageCollection) -> list[str]:
    return collection.aggregate_array("system:index").sort().getInfo()


def nan_median(arrays: list[np.ndarray]) -> np.ndarray:
    """Median of the valid pixels by plain sorting, one pixel at a time; NaN where there is none."""
    out = np.full(arrays[0].shape, np.nan)
    for place in np.ndindex(out.shape):
        valid = sorted(float(array[place]) for array in arrays if not math.isnan(array[place]))
        if valid:
            middle = len(valid) // 2
            out[place] = valid[middle] if len(valid) % 2 else (valid[middle - 1] + valid[middle]) / 2
    return out


# --- collections and filters ------------------------------------------------------------------------------------------


def test_filters_find_the_right_scenes(world: World) -> None:
    everything = ee.ImageCollection(COLLECTION)
    here = ee.Geometry.Point(ee_lonlat(300, -300))
    assert indices_of(everything) == ["A1", "A2", "A3", "A4", "D1", "FAR", "V1"]
    assert indices_of(everything.filterBounds(here)) == ["A1", "A2", "A3", "A4", "D1", "V1"]
    assert indices_of(everything.filter(ee.Filter.eq("orbitProperties_pass", "DESCENDING"))) == ["D1"]
    assert indices_of(everything.filter(ee.Filter.neq("instrumentMode", "IW"))) == ["FAR"]
    assert indices_of(everything.filter(ee.Filter.listContains("transmitterReceiverPolarisation", "VH"))) == [
        "A1",
        "A2",
        "A3",
        "A4",
        "D1",
    ]
    assert indices_of(everything.filter(ee.Filter.inList("system:index", ["A2", "V1", "none"]))) == ["A2", "V1"]
    assert indices_of(everything.filterDate("2024-01-05T09:00:00", "2024-01-13T09:00:00")) == ["A2", "V1"]
    assert indices_of(everything.filterDate(millis(5), millis(13) + 1)) == ["A2", "A3", "V1"]
    either = ee.Filter.Or(ee.Filter.eq("relativeOrbitNumber_start", 46), ee.Filter.gt("system:time_start", millis(13)))
    assert indices_of(everything.filter(either)) == ["A4", "D1"]
    neither = ee.Filter.And(ee.Filter.lt("relativeOrbitNumber_start", 100), either.Not())
    assert indices_of(everything.filter(neither)) == ["A1", "A2", "A3"]


def ee_lonlat(dx: float, dy: float) -> list[float]:
    to_degrees = pyproj.Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    return list(to_degrees.transform(WEST + dx, NORTH + dy))


def test_a_missing_property_matches_no_comparison_but_the_negations_of_the_client(world: World) -> None:
    everything = ee.ImageCollection(COLLECTION)
    assert "FAR" not in indices_of(everything.filter(ee.Filter.lt("relativeOrbitNumber_start", 1000)))
    assert "FAR" not in indices_of(everything.filter(ee.Filter.eq("relativeOrbitNumber_start", 69)))
    # the client sends neq as not(equals) and gte as not(lessThan)
    assert "FAR" in indices_of(everything.filter(ee.Filter.neq("relativeOrbitNumber_start", 69)))
    assert "FAR" in indices_of(everything.filter(ee.Filter.gte("relativeOrbitNumber_start", 1000)))


def test_lists_of_a_collection(world: World) -> None:
    ascending = ee.ImageCollection(COLLECTION).filter(ee.Filter.eq("relativeOrbitNumber_start", 69))
    assert ascending.size().getInfo() == 4
    assert ascending.sort("system:time_start", False).first().get("system:index").getInfo() == "A4"
    tracks = ee.ImageCollection(COLLECTION).aggregate_array("relativeOrbitNumber_start").distinct().sort()
    assert tracks.getInfo() == [46, 69, 171]
    assert tracks.map(lambda track: ee.Number(track).add(1)).getInfo() == [47, 70, 172]
    days = ascending.map(lambda image: image.set("day", image.date().format("YYYY-MM-dd"))).aggregate_array("day")
    assert days.getInfo() == ["2024-01-01", "2024-01-07", "2024-01-13", "2024-01-19"]
    assert ascending.toList(2, 1).map(lambda image: ee.Image(image).get("system:index")).getInfo() == ["A2", "A3"]


def test_image_info_is_that_of_the_real_service(world: World) -> None:
    info = ee.Image(f"{COLLECTION}/A1").getInfo()
    assert info["id"] == f"{COLLECTION}/A1"
    assert info["version"] == int(datetime(2024, 1, 1, 12, tzinfo=UTC).timestamp() * 1e6)
    assert [band["id"] for band in info["bands"]] == ["VV", "VH", "angle"]
    assert info["bands"][0] == {
        "id": "VV",
        "data_type": {"type": "PixelType", "precision": "double"},
        "dimensions": [WIDTH, HEIGHT],
        "crs": CRS,
        "crs_transform": [10, 0, WEST, 0, -10, NORTH],
    }
    assert ee.data.getAsset(f"{COLLECTION}/A1")["properties"]["instrumentMode"] == "IW"


def test_an_image_exists_only_once_it_is_ingested(world: World) -> None:
    turn(world.clock, datetime.fromisoformat("2024-01-13T11:59:59+00:00"))
    try:
        assert indices_of(ee.ImageCollection(COLLECTION)) == ["A1", "A2", "D1", "FAR", "V1"]
        with pytest.raises(ee.EEException, match="A3' not found"):
            ee.Image(f"{COLLECTION}/A3").getInfo()
        turn(world.clock, datetime.fromisoformat("2024-01-13T12:00:00+00:00"))
        assert "A3" in indices_of(ee.ImageCollection(COLLECTION))
    finally:
        turn(world.clock, datetime.fromisoformat("2024-02-01T00:00:00+00:00"))


def test_a_catalogue_collection_without_images_is_empty_and_an_unknown_one_is_refused(world: World) -> None:
    (world.archive / "COPERNICUS/DEM/GLO30").rename(world.archive / "hidden")
    try:
        assert ee.ImageCollection("COPERNICUS/DEM/GLO30").size().getInfo() == 0
    finally:
        (world.archive / "hidden").rename(world.archive / "COPERNICUS/DEM/GLO30")
    with pytest.raises(ee.EEException, match="'COPERNICUS/S9' not found"):
        ee.ImageCollection("COPERNICUS/S9").size().getInfo()
    with pytest.raises(ee.EEException, match="not found"):
        ee.data.getAsset(f"{COLLECTION}/NONE")


# --- pixels ------------------------------------------------------------------------------------------------------------


def test_median_and_difference_equal_numpy(world: World) -> None:
    before, after = ("A1", "A2", "A3"), ("A4", "D1")
    post, pre = scenes(*after).select("VV").median(), scenes(*before).select("VV").median()
    image = ee.Image.cat([post.rename("postVV"), post.subtract(pre).rename("diffVV")]).toFloat()
    image = image.addBands(scenes(*before).select("VV").count().rename("nPre").toFloat())
    found = world.pixels(image.unmask(-9999, False), "median", formatOptions={"noData": -9999})
    expected_post = nan_median([world.vv[index] for index in after])
    expected_pre = nan_median([world.vv[index] for index in before])
    for band, expected in zip(found, (expected_post, expected_post - expected_pre), strict=False):
        np.testing.assert_allclose(band, np.where(np.isnan(expected), -9999, expected), atol=1e-5)
    counts = sum((~np.isnan(world.vv[index])).astype(int) for index in before)
    np.testing.assert_array_equal(found[2], counts)
    with world.opened("median.tif") as dataset:
        assert dataset.descriptions == ("postVV", "diffVV", "nPre")
        assert dataset.nodata == -9999
        assert dataset.crs.to_epsg() == 32654
        assert tuple(dataset.transform)[:6] == (10, 0, WEST, 0, -10, NORTH)
        assert dataset.dtypes == ("float32",) * 3
        assert dataset.compression == rasterio.enums.Compression.deflate
        assert dataset.block_shapes[0] == (256, 256)


def test_mosaic_has_the_last_on_top_and_statistics_ignore_masked_pixels(world: World) -> None:
    three = scenes("A1", "A2", "A3").select("VV")
    parts = [three.mosaic(), three.mean(), three.min(), three.max()]
    found = world.pixels(ee.Image.cat([part.toFloat().unmask(-9999, False) for part in parts]), "statistics")
    stack = np.stack([world.vv[index] for index in ("A1", "A2", "A3")]).astype("float64")
    top = stack[0].copy()
    for layer in stack[1:]:
        top = np.where(np.isnan(layer), top, layer)
    seen = ~np.isnan(stack).all(axis=0)
    count = np.maximum((~np.isnan(stack)).sum(axis=0), 1)
    low, high = np.where(np.isnan(stack), np.inf, stack), np.where(np.isnan(stack), -np.inf, stack)
    expected = [top, np.nansum(stack, axis=0) / count, low.min(axis=0), high.max(axis=0)]
    for band, values in zip(found, expected, strict=True):
        np.testing.assert_allclose(band, np.where(seen, values, -9999), atol=1e-5)


def test_masked_pixels_export_as_zero_unless_unmasked(world: World) -> None:
    vv, image = world.vv["A1"], ee.Image(f"{COLLECTION}/A1").select("VV").toFloat()
    size = (WIDTH + 20, HEIGHT)
    outside = np.full((HEIGHT, 20), np.nan, dtype="float32")
    wide = np.hstack([vv, outside])
    nodata = {"noData": -9999}
    np.testing.assert_array_equal(
        world.pixels(image, "masked", size=size, formatOptions=nodata)[0], np.nan_to_num(wide, nan=0)
    )
    np.testing.assert_array_equal(
        world.pixels(image.unmask(-9999, False), "unmasked", size=size)[0], np.nan_to_num(wide, nan=-9999)
    )
    # the footprint stays that of the scene by default: beyond it the pixels remain masked
    footprint = np.hstack([np.nan_to_num(vv, nan=-9999), np.zeros((HEIGHT, 20))])
    np.testing.assert_array_equal(world.pixels(image.unmask(-9999), "footprint", size=size)[0], footprint)


def test_arithmetic_equals_numpy(world: World) -> None:
    image = ee.Image(f"{COLLECTION}/A1").select("VV")
    x = world.vv["A1"].astype("float64")
    filled = np.nan_to_num(x, nan=0)
    cases = {
        "zero_division": (image.divide(0), np.zeros_like(x)),
        "power": (ee.Image(10).pow(image.divide(10)), 10 ** (filled / 10)),
        "trigonometry": (image.sin().add(image.cos().multiply(2)), np.sin(filled) + 2 * np.cos(filled)),
        "arc": (image.divide(100).acos().subtract(image.atan()), np.arccos(filled / 100) - np.arctan(filled)),
        "compare": (image.gte(-10).And(image.lt(-8)), (filled >= -10) & (filled < -8)),
        "where": (image.where(image.lt(-11), 5), np.where(filled < -11, 5, filled)),
        "rounded": (image.round().abs().max(9), np.maximum(np.abs(np.trunc(filled - 0.5)), 9)),
        "angle": (ee.Image(0).atan2(image), np.where(filled < 0, -np.pi / 2, np.pi / 2)),
    }
    bands = [value.rename(name).toFloat() for name, (value, _) in cases.items()]
    found = world.pixels(ee.Image.cat(bands), "arithmetic")
    for band, (name, (_, expected)) in zip(found, cases.items(), strict=True):
        np.testing.assert_allclose(band, np.where(np.isnan(x), 0, expected), atol=1e-5, err_msg=name)


def test_bands_match_by_order_and_a_single_band_goes_with_all(world: World) -> None:
    both = ee.Image(f"{COLLECTION}/A1").select(["VV", "VH"])
    assert both.subtract(ee.Image([1, 2])).bandNames().getInfo() == ["VV", "VH"]
    found = world.pixels(both.subtract(ee.Image([1, 2])).add(both.select(0)).toFloat(), "order")
    vv = np.nan_to_num(world.vv["A1"], nan=np.nan).astype("float64")
    expected = np.stack([2 * vv - 1, 2 * vv - 8])
    np.testing.assert_allclose(found, np.nan_to_num(expected, nan=0), atol=1e-5)
    with pytest.raises(ee.EEException, match="must match"):
        both.add(ee.Image([1, 2, 3])).bandNames().getInfo()
    with pytest.raises(ee.EEException, match="'HH' did not match any bands"):
        both.select("HH").bandNames().getInfo()


def test_number_atan2_takes_x_first(world: World) -> None:
    assert ee.Number(0).atan2(1).getInfo() == pytest.approx(math.pi / 2)
    assert ee.Number(-1).atan2(0).getInfo() == pytest.approx(math.pi)


def test_clip_and_update_mask_hide_pixels(world: World) -> None:
    ring = [ee_lonlat(dx, dy) for dx, dy in ((200, -100), (600, -100), (600, -500), (200, -500))]
    image = ee.Image(1).toFloat()
    inside = world.pixels(image.clip(ee.Geometry.Polygon([ring], None, False)), "clipped")[0]
    expected = np.zeros((HEIGHT, WIDTH))
    expected[10:50, 20:60] = 1
    np.testing.assert_array_equal(inside, expected)
    vv = ee.Image(f"{COLLECTION}/A1").select("VV")
    kept = world.pixels(image.updateMask(vv.lt(-10)).unmask(7, False), "updated")[0]
    np.testing.assert_array_equal(kept, np.where(world.vv["A1"] < -10, 1, 7))


# --- projections and terrain --------------------------------------------------------------------------------------------


def plane(*, smooth: bool) -> ee.Image:
    dem = ee.ImageCollection("COPERNICUS/DEM/GLO30").select("DEM")
    mosaic = dem.mosaic().setDefaultProjection(dem.first().projection())
    return mosaic.resample("bilinear") if smooth else mosaic


def test_bilinear_dem_keeps_the_slope_of_a_plane_and_nearest_does_not(world: World) -> None:
    smooth = world.pixels(ee.Terrain.slope(plane(smooth=True)), "slope", size=(80, 70))[0]
    assert np.abs(smooth - SLOPE).max() < 0.1
    aspect = world.pixels(ee.Terrain.aspect(plane(smooth=True)), "aspect", size=(80, 70))[0]
    assert np.abs(aspect - ASPECT).max() < 0.5
    steps = world.pixels(ee.Terrain.slope(plane(smooth=False)), "steps", size=(80, 70))[0]
    assert steps.min() == 0
    assert steps.max() > SLOPE + 5


def test_slope_in_degrees_uses_true_metres(world: World) -> None:
    lon, lat = ee_lonlat(300, -300)
    step = 10 / 111319.49079327358
    found = world.pixels(
        ee.Terrain.slope(plane(smooth=True)),
        "degrees",
        crs="EPSG:4326",
        transform=[step, 0, lon, 0, -step, lat],
        size=(40, 30),
    )[0]
    assert np.abs(found - SLOPE).max() < 0.15


def test_a_mosaic_forgets_its_projection(world: World) -> None:
    mosaic = ee.ImageCollection("COPERNICUS/DEM/GLO30").mosaic()
    assert mosaic.projection().getInfo() == {
        "type": "Projection",
        "crs": "EPSG:4326",
        "transform": [1, 0, 0, 0, 1, 0],
    }
    # bilinear between degree cells: their centres lie outside the little DEM, so nothing is left
    assert not world.pixels(mosaic.resample("bilinear").toFloat(), "world").any()


def test_nearest_is_the_default_and_reproject_fixes_the_pixels(world: World) -> None:
    vv = np.nan_to_num(world.vv["A1"], nan=0)
    image = ee.Image(f"{COLLECTION}/A1").select("VV").toFloat()
    shifted = [10, 0, WEST + 4, 0, -10, NORTH - 4]
    np.testing.assert_array_equal(world.pixels(image, "shifted", transform=shifted, size=(100, 80))[0], vv[:80, :100])
    coarse = image.reproject(CRS, [30, 0, WEST, 0, -30, NORTH])
    expected = np.kron(vv[1::3, 1::3], np.ones((3, 3)))[:90, :108]
    np.testing.assert_array_equal(world.pixels(coarse, "coarse", size=(108, 90))[0], expected)


def test_region_and_scale_snap_to_whole_pixels(world: World) -> None:
    region = ee.Geometry.Rectangle([WEST + 103, NORTH - 297, WEST + 396, NORTH - 104], CRS, False)
    image = ee.Image(f"{COLLECTION}/A1").select("VV").toFloat()
    task = ee.batch.Export.image.toCloudStorage(image, "scaled", BUCKET, "scaled", crs=CRS, scale=10, region=region)
    operation = wait_for(ee.data.exportImage("request-scaled", task.config)["name"])
    assert operation["metadata"]["state"] == "SUCCEEDED", operation
    with world.opened("scaled.tif") as dataset:
        assert tuple(dataset.transform)[:6] == (10, 0, WEST + 100, 0, -10, NORTH - 100)
        np.testing.assert_array_equal(dataset.read(1), np.nan_to_num(world.vv["A1"][10:30, 10:40], nan=0))


def test_circular_mean_of_the_look_direction(world: World) -> None:
    aspect = ee.Terrain.aspect(ee.Image(f"{COLLECTION}/A1").select("angle")).multiply(math.pi / 180)
    parts = ee.Image.cat([aspect.sin().rename("sin"), aspect.cos().rename("cos")])
    region = ee.Geometry.Rectangle([WEST, NORTH - 900, WEST + 1100, NORTH], CRS, False)
    mean = parts.reduceRegion(ee.Reducer.mean(), region, 100)
    angle = ee.Number(mean.get("cos")).atan2(ee.Number(mean.get("sin"))).multiply(180 / math.pi)
    # the angle grows by 0.03 a pixel to the east and by 0.02 to the south, so it falls towards the north-west
    assert angle.getInfo() % 360 == pytest.approx(math.degrees(math.atan2(-0.03, 0.02)) % 360, abs=0.2)
    with pytest.raises(ee.EEException, match=r"Too many pixels in the region\. Found 9900"):
        parts.reduceRegion(ee.Reducer.mean(), region, 10, maxPixels=100).getInfo()


# --- strictness --------------------------------------------------------------------------------------------------------


def compute(world: World, node: dict[str, Any]) -> requests.Response:
    body = {"expression": {"result": "0", "values": {"0": node}}}
    return requests.post(f"{world.service.url}/v1/projects/{PROJECT}/value:compute", data=json.dumps(body), timeout=10)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("Image.loda", {}, "No such algorithm: 'Image.loda'."),
        ("Image.constant", {"value": {"constantValue": 1}, "colour": {"constantValue": 2}}, "argument 'colour'"),
        ("Image.constant", {}, "required argument (value)"),
        ("Image.random", {}, "local Earth Engine does not support Image.random"),
        ("List.sort", {"list": {"constantValue": [1]}, "keys": {"constantValue": [2]}}, "argument 'keys' of List.sort"),
        ("Image.abs", {"value": {"constantValue": "text"}}, "Image.abs, argument 'value': Invalid type."),
    ],
)
def test_what_is_not_there_is_refused_by_name(world: World, name: str, arguments: dict[str, Any], message: str) -> None:
    reply = compute(world, {"functionInvocationValue": {"functionName": name, "arguments": arguments}})
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert error["code"] == 400
    assert error["status"] == "INVALID_ARGUMENT"
    assert message in error["message"]


def test_nan_is_refused_by_name(world: World) -> None:
    with pytest.raises(ee.EEException, match=r"nan is not legal JSON. Near: .*value"):
        ee.Image.constant(float("nan")).bandNames().getInfo()


def test_an_unknown_route_is_refused_by_name(world: World) -> None:
    reply = requests.post(f"{world.service.url}/v1/projects/{PROJECT}/table:export", json={}, timeout=10)
    assert reply.status_code == 404
    assert "/table:export" in reply.json()["error"]["message"]


def test_the_environment_of_the_tests_is_untouched() -> None:
    assert "STORAGE_EMULATOR_HOST" not in os.environ
