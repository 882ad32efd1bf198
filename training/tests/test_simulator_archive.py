"""The archive that the local Earth Engine reads: complete metadata, two slices a data-take, honest truth."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from shapely.geometry import box, mapping, shape

from training.simulator.__main__ import main
from training.simulator.data_takes import OVERLAP_PX, absolute_orbit
from training.simulator.events import ARCHIVED
from training.simulator.grid import grid_around, read_aoi

AOI = {
    "type": "Polygon",
    "coordinates": [[[136.85, 37.29], [136.884, 37.29], [136.884, 37.317], [136.85, 37.317], [136.85, 37.29]]],
}
HEIGHT_MODEL = Path("tests/data/height_model/cop30_eastern_turkey_left.tif")
ORIGIN = datetime(2024, 1, 1, 7, 10, 9, 476000, tzinfo=UTC)
NEEDED = {
    "system:index", "system:time_start", "system:time_end", "system:footprint", "orbitProperties_pass",
    "relativeOrbitNumber_start", "relativeOrbitNumber_stop", "orbitNumber_start", "instrumentMode",
    "transmitterReceiverPolarisation", "platform_number", "sliceNumber", "resolution", "resolution_meters", "productType",
}  # fmt: skip


def write(folder, *extra, area=AOI):
    aoi = folder / "aoi.geojson"
    aoi.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": area}))
    arguments = ["archive", "--event", "e2e", "--aoi", str(aoi), "--out", str(folder / "archive"), *extra]
    return CliRunner().invoke(main, arguments), folder / "archive"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    result, folder = write(tmp_path_factory.mktemp("written"))
    assert result.exit_code == 0, result.output
    assert "SIMULATED" in result.output
    return folder


@pytest.fixture(scope="module")
def images(archive):
    return [json.loads(path.read_text()) for path in sorted((archive / "COPERNICUS/S1_GRD").glob("*.json"))]


def start(image):
    return datetime.fromtimestamp(image["properties"]["system:time_start"] / 1000, UTC)


def read(archive, image, band):
    file = {b["id"]: b["file"] for b in image["bands"]}[band]
    with rasterio.open(archive / "COPERNICUS/S1_GRD" / file) as raster:
        return raster.read(1), raster.transform, raster


def test_metadata_are_complete(images):
    for image in images:
        assert set(image["properties"]) >= NEEDED
        assert image["id"] == "COPERNICUS/S1_GRD/" + image["properties"]["system:index"]
        assert [band["id"] for band in image["bands"]] == ["VV", "VH", "angle"]
        latency = timedelta(microseconds=image["version"]) - (start(image) - datetime(1970, 1, 1, tzinfo=UTC))
        assert timedelta(hours=14) <= latency <= timedelta(hours=30)
        number, relative = (image["properties"][k] for k in ("orbitNumber_start", "relativeOrbitNumber_start"))
        assert (number - 73) % 175 + 1 == relative
        assert shape({**image["properties"]["system:footprint"]}).is_ring


def test_known_orbit_number():
    assert absolute_orbit(175, datetime(2019, 12, 2, 16, 34, 55, tzinfo=UTC)) == 30172


def test_every_data_take_has_two_slices_in_the_order_of_flight(images):
    takes = {}
    for image in images:
        takes.setdefault(image["properties"]["orbitNumber_start"], []).append(image)
    for first, second in (sorted(take, key=start) for take in takes.values()):
        assert start(second) - start(first) == timedelta(seconds=25)
        assert second["properties"]["sliceNumber"] == first["properties"]["sliceNumber"] + 1
        middles = [shape(i["properties"]["system:footprint"]).centroid.y for i in (first, second)]
        assert (middles[0] < middles[1]) == (first["properties"]["orbitProperties_pass"] == "ASCENDING")


def test_slices_agree_where_they_overlap(archive, images):
    take = [i for i in images if i["properties"]["orbitNumber_start"] == images[0]["properties"]["orbitNumber_start"]]
    north, south = sorted(take, key=lambda i: -shape(i["properties"]["system:footprint"]).centroid.y)
    upper, _, raster = read(archive, north, "VV")
    lower, transform, _ = read(archive, south, "VV")
    first = round((raster.transform.f - transform.f) / 10)
    assert len(upper) - first == 2 * OVERLAP_PX
    np.testing.assert_array_equal(upper[first:], lower[: 2 * OVERLAP_PX])


def test_passes_lie_where_the_paper_windows_need_them(images):
    days = {}
    for image in images:
        after = (start(image) - ORIGIN) / timedelta(days=1)
        days.setdefault(image["properties"]["orbitProperties_pass"], set()).add(round(after, 1))
    assert (
        len([d for d in days["ASCENDING"] if -60 < d < 0]) == len([d for d in days["DESCENDING"] if -60 < d < 0]) == 5
    )
    assert [d for d in sorted(days["ASCENDING"]) if d > 0] == pytest.approx([3.1, 15.1])
    assert [d for d in sorted(days["DESCENDING"]) if d > 0] == pytest.approx([8.6])
    assert min(min(d) for d in days.values()) < -78


def test_rasters_are_float32_decibels_on_a_ten_metre_grid(archive, images):
    for band, low, high in (("VV", -16, -4), ("VH", -24, -8), ("angle", 30, 46)):
        values, transform, raster = read(archive, images[0], band)
        assert values.dtype == np.float32
        assert low < np.median(values) < high
        assert (transform.a, transform.e) == (10, -10)
        assert raster.crs.to_epsg() == 32653
        assert np.isnan(raster.nodata)


def test_angle_grows_along_the_look_direction(archive, images):
    for image in (images[0], images[-1]):
        angle, _, _ = read(archive, image, "angle")
        ascending = image["properties"]["orbitProperties_pass"] == "ASCENDING"
        assert (np.diff(angle, axis=1).mean() > 0) == ascending


def test_height_model_covers_the_area_in_one_arc_second(archive):
    path = next((archive / "COPERNICUS/DEM/GLO30").glob("*.json"))
    document = json.loads(path.read_text())
    with rasterio.open(path.parent / document["bands"][0]["file"]) as raster:
        assert raster.crs.to_epsg() == 4326
        assert raster.transform.a == pytest.approx(1 / 3600)
        seen = raster.read(1, window=raster.window(*shape(AOI).bounds))
    assert np.isfinite(seen).all()
    assert seen.std() > 20


def test_truth_is_valid_and_counter_clockwise(archive):
    everything = json.loads((archive / "truth_all.geojson").read_text())["features"]
    judged = json.loads((archive / "truth.geojson").read_text())["features"]
    about = json.loads((archive / "scene.json").read_text())
    assert (len(everything), len(judged)) == (about["slides"], about["truth_slides"])
    assert 0 < len(judged) < len(everything)
    for feature in everything:
        polygon = shape(feature["geometry"])
        assert polygon.geom_type == "Polygon"
        assert polygon.is_valid
        assert polygon.exterior.is_ccw
        assert all(not ring.is_ccw for ring in polygon.interiors)
    for feature in judged:
        assert feature["properties"]["area_m2"] >= 20480
        assert shape(feature["geometry"]).intersects(shape(AOI))


def test_scene_says_that_it_is_simulated(archive):
    about = json.loads((archive / "scene.json").read_text())
    assert "SIMULATED" in about["notice"]
    assert (about["seed"], about["event"], about["origin"]) == (0, "e2e", "2024-01-01T07:10:09.476000Z")


def test_same_seed_gives_the_same_bytes(tmp_path, archive):
    _, again = write(tmp_path, "--post-days", "16")
    files = sorted(path.relative_to(archive) for path in archive.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((archive / f).read_bytes() == (again / f).read_bytes() for f in files)


def test_an_archive_lies_on_the_ground_of_a_height_model(tmp_path):
    middle = box(42.974, 40.499, 42.976, 40.501)
    result, folder = write(tmp_path, "--size-px", "128", "--height-model", str(HEIGHT_MODEL), area=mapping(middle))
    assert result.exit_code == 0, result.output
    assert "over real terrain" in result.output
    (file,) = (folder / "COPERNICUS/DEM/GLO30").glob("*.tif")
    with rasterio.open(HEIGHT_MODEL) as real, rasterio.open(file) as written:
        for lon, lat in ((42.974, 40.5), (42.975, 40.501), (42.976, 40.499)):
            (expected,), (found,) = (next(raster.sample([(lon, lat)])) for raster in (real, written))
            assert found == pytest.approx(expected, abs=15)  # resampled twice, to 10 m and back to an arc second
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    refused, _ = write(elsewhere, "--height-model", str(HEIGHT_MODEL))
    assert refused.exit_code == 1
    assert "misses a part of the scene" in refused.output


def test_folder_in_use_is_refused(tmp_path):
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "old").touch()
    result, _ = write(tmp_path)
    assert result.exit_code == 1
    assert "not empty" in result.output


def test_square_smaller_than_the_area_is_refused(tmp_path):
    result, _ = write(tmp_path, "--size-px", "200")
    assert result.exit_code == 1
    assert "do not cover" in result.output


def test_area_without_polygon_is_refused(tmp_path):
    (tmp_path / "aoi.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(ValueError, match="no polygon"):
        read_aoi(tmp_path / "aoi.geojson")


def test_grid_leaves_a_margin(tmp_path):
    (tmp_path / "aoi.geojson").write_text(json.dumps(AOI))
    area = read_aoi(tmp_path / "aoi.geojson")
    grid = grid_around(area)
    assert grid.epsg == 32653
    assert min(grid.shape) >= 300 + 2 * 150
    assert grid.footprint().contains(area)
    assert grid_around(area, size_px=512).shape == (512, 512)


def test_first_passes_of_the_demo_come_days_apart():
    first = [t.first_post - a.origin for a in ARCHIVED.values() for t in a.tracks]
    assert {round(f / timedelta(days=1)) for f in first} == {3, 9}
