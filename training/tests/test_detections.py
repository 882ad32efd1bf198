"""Boxes against landslides whose areas are known, and the scan against the network window by window."""

import json

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from click.testing import CliRunner

from training.evaluation.detections import MapScores, match, scan, without
from training.evaluation.detections_command import boxes_on_map, detections_command
from training.evaluation.maps import Map, UnusableMap, map_from_disk, maps_for, simulated_maps
from training.model_folder import save_weights
from training.model_name import ModelName
from training.simulator.events import EVENTS
from training.simulator.scene import Scene
from training.tests.numpy_network import random_model

BANDS = ("postVV", "postVH", "diffVV", "diffVH")
WINDOW_M2 = 640.0**2


def test_boxes_and_landslides_are_matched_by_area():
    boxes = [shapely.box(0, 0, 640, 640), shapely.box(2000, 0, 2640, 640), shapely.box(5000, 0, 5640, 640)]
    landslides = [
        shapely.box(100, 100, 300, 300),  # 40 000 m2, all in the first box: it is right, this is found
        shapely.box(540, 0, 740, 200),  # half of it in the first box: found
        shapely.box(2600, 0, 3000, 100),  # 4 000 m2 in the second box, under 5 %: neither
        shapely.box(9000, 0, 9100, 100),  # out of every box
    ]
    found = match(boxes, landslides, window_m2=WINDOW_M2, not_scored=7).as_dict()
    assert (found["boxes"], found["right_boxes"], found["landslides"], found["found"]) == (3, 1, 4, 2)
    assert (found["large_landslides"], found["large_found"], found["not_scored"]) == (3, 2, 7)
    assert (found["precision"], found["recall"], found["f1"]) == (0.3333, 0.5, 0.4)
    assert found["recall_of_area"] == pytest.approx((40_000 + 20_000) / (40_000 + 40_000 + 40_000 + 10_000), abs=1e-4)


def test_overlapping_landslides_are_not_counted_twice_in_a_box():
    piece = shapely.box(0, 0, 640, 20)  # 3.1 % of the box; two copies of it would pass 5 %
    assert match([shapely.box(0, 0, 640, 640)], [piece, piece], window_m2=WINDOW_M2).right_boxes == 0


def test_nothing_detected_or_nothing_there_is_no_number():
    missed = match([], [shapely.box(0, 0, 10, 10)], window_m2=WINDOW_M2)
    false = match([shapely.box(0, 0, 640, 640)], [], window_m2=WINDOW_M2)
    assert missed.as_dict()["precision"] is None
    assert false.as_dict()["recall"] is None
    assert MapScores().as_dict()["f1"] is None
    assert ((missed + false).boxes, (missed + false).landslides) == (1, 1)


def test_large_landslides_are_told_by_the_size_of_a_window_even_where_nothing_is_detected():
    slide = [shapely.box(0, 0, 100, 190)]  # 19 000 m2: under 5 % of 640 m x 640 m, over 5 % of 576 m x 576 m
    assert match([], slide, window_m2=WINDOW_M2).large_landslides == 0
    of_9_m = Map(name="", image=np.zeros((64, 64, 4)), transform=Affine.scale(9, -9), landslides=slide)
    assert of_9_m.window_m2 == pytest.approx(576**2)
    assert match([], slide, window_m2=of_9_m.window_m2).large_landslides == 1


def test_scan_scores_each_window_as_the_network_does():
    model = random_model(seed=3, filters=2)
    image = np.random.default_rng(0).normal(0, 2, (130, 160, 4)).astype(np.float32)
    image[:64, :20, 1] = np.nan  # 31 % of the first window: not scored
    found = scan(model, image, [1.0, 2.0, 3.0, 4.0])
    corners = {tuple(c) for c in found.corners.tolist()}
    assert corners == {(r, c) for r in (0, 32, 64, 66) for c in (0, 32, 64, 96)} - {(0, 0)}
    assert found.not_scored == 1
    for (row, column), score in zip(found.corners, found.scores, strict=True):
        window = image[row : row + 64, column : column + 64].copy()
        window[np.isnan(window).any(axis=-1)] = [1.0, 2.0, 3.0, 4.0]
        assert score == pytest.approx(float(model(window[None])[0, 0]), abs=1e-6)


def test_kept_boxes_are_the_best_of_those_that_overlap():
    model = random_model(seed=3, filters=2)
    found = scan(model, np.random.default_rng(1).normal(0, 2, (256, 256, 4)).astype(np.float32), [0.0] * 4)
    kept = found.kept(float(np.median(found.scores)))
    best = found.corners[found.scores.argmax()]
    assert (kept[0] == best).all()
    for i, a in enumerate(kept):
        assert all((np.abs(a - b) >= 60).any() for b in kept[i + 1 :])


def test_pixels_out_of_sight_are_taken_off_landslides():
    mask = np.zeros((10, 10), bool)
    mask[:, :2] = mask[9, 9] = True
    half, whole, gone = shapely.box(0, -20, 40, 0), shapely.box(50, -50, 70, -30), shapely.box(0, -50, 20, -40)
    left = without([half, whole, gone], mask, Affine.scale(10, -10))
    assert [polygon.area for polygon in left] == [400, 400, 0]
    assert left[0].equals(shapely.box(20, -20, 40, 0))


@pytest.fixture
def make_model(tmp_path):
    def _make_model(**more):
        card = {
            "name": "vv_vh_ascending_60_12", "version": 1, "variant": "published", "filters": 2, "bands": list(BANDS),
            "standardisation": None, "fill_db": dict.fromkeys(BANDS, 0.0), "threshold": 0.6, **more,
        }  # fmt: skip
        save_weights(random_model(seed=3, filters=2), tmp_path / "model", card)
        return tmp_path / "model"

    return _make_model


@pytest.fixture
def model(make_model):
    return make_model()


def write_composite(path, *, crs="EPSG:32653", side=10, geometry=None):
    """96 x 128 px of noise; its corner at 500 000, 4 000 000."""
    names = BANDS if geometry is None else (*BANDS, "geometry")
    with rasterio.open(
        path, "w", driver="GTiff", width=128, height=96, count=len(names), dtype="float32", crs=crs,
        transform=Affine(side, 0, 500_000, 0, -side, 4_000_000), nodata=-9999.0,
    ) as file:  # fmt: skip
        levels = np.array([-10, -16, 0, 0])[:, None, None]
        file.write((levels + np.random.default_rng(0).normal(0, 2, (4, 96, 128))).astype(np.float32), [1, 2, 3, 4])
        if geometry is not None:
            file.write(geometry.astype(np.float32), 5)
        file.descriptions = names
    return path


@pytest.fixture
def inventory(tmp_path):
    """One landslide of 160 000 m2 on the composite, and one elsewhere."""
    slide = shapely.box(500_100, 3_999_500, 500_500, 3_999_900)
    frame = geopandas.GeoDataFrame(geometry=[slide, shapely.box(0, 0, 9, 9)], crs="EPSG:32653").to_crs("EPSG:4326")
    frame.to_file(tmp_path / "i.gpkg")
    return tmp_path / "i.gpkg"


def detect(model, composite, inventory):
    options = ["--composite", str(composite), "--inventory", str(inventory), "--threshold", "0"]
    result = CliRunner().invoke(detections_command, [str(model), *options])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout), result.stderr


def test_simulated_landslides_keep_their_number_and_area():
    (one,) = simulated_maps("hokkaido", ModelName.parse("vv_vh_ascending_60_12"), range(1), 256)
    assert one.image.shape == (256, 256, 4)
    assert all(polygon.is_valid and polygon.area >= 100 for polygon in one.landslides)
    assert shapely.union_all(one.landslides).area == pytest.approx(sum(p.area for p in one.landslides))


def test_composite_and_inventory_from_disk(tmp_path, model, inventory):
    found, told = detect(model, write_composite(tmp_path / "c.tif"), inventory)
    assert (found["all"]["landslides"], found["all"]["landslide_m2"]) == (1, pytest.approx(160_000, rel=0.01))
    assert found["all"]["boxes"] == 2
    assert found["maps"]["c.tif"]["without_layover_and_shadow"] is False
    assert "no band `geometry`" in told
    assert CliRunner().invoke(detections_command, [str(model)]).exit_code == 2


@pytest.mark.parametrize(
    ("shapes", "complaint"),
    [
        ([shapely.Point(500_200, 3_999_800)], "areas are needed"),
        ([shapely.Polygon()], "holds no landslide"),
        ([shapely.box(0, 0, 9, 9)], "nothing of it lies on the composites"),
    ],
)
def test_inventories_against_which_no_box_could_be_right_are_refused(tmp_path, model, shapes, complaint):
    geopandas.GeoDataFrame(geometry=shapes, crs="EPSG:32653").to_file(tmp_path / "odd.gpkg")
    options = ["--composite", str(write_composite(tmp_path / "c.tif")), "--inventory", str(tmp_path / "odd.gpkg")]
    result = CliRunner().invoke(detections_command, [str(model), *options])
    assert result.exit_code == 1
    assert complaint in result.output


def test_layover_and_shadow_are_taken_off_the_inventory(tmp_path, model, inventory):
    geometry = np.zeros((96, 128))
    geometry[10:50, 10:20], geometry[10:50, 20:25], geometry[10:50, 25:30] = 1, 2, 3  # unknown, 3, stays
    found, told = detect(model, write_composite(tmp_path / "c.tif", geometry=geometry), inventory)
    assert found["all"]["landslide_m2"] == pytest.approx(160_000 * 25 / 40, rel=0.01)
    assert found["maps"]["c.tif"]["without_layover_and_shadow"] is True
    assert told == ""


def test_a_landslide_that_was_not_measured_is_none_that_can_be_missed(tmp_path, model, inventory):
    geometry = np.zeros((96, 128))
    composite = write_composite(tmp_path / "c.tif", geometry=geometry)
    with rasterio.open(composite, "r+") as file:
        band = file.read(3)
        band[10:50, 10:30] = -9999  # half of the landslide, beyond the swath
        file.write(band, 3)
    found, _ = detect(model, composite, inventory)
    assert found["all"]["landslide_m2"] == pytest.approx(160_000 / 2, rel=0.01)


def test_pixels_other_than_those_the_model_learnt_from_are_said(tmp_path, make_model, inventory):
    composite = write_composite(tmp_path / "c.tif", geometry=np.zeros((96, 128)))
    found, told = detect(make_model(pixel_geometry="epsg4326_10m"), composite, inventory)
    assert found["pixel_geometry"] == {"model": "epsg4326_10m", "maps": "utm_10m"}
    assert found["pixel_geometry_mismatch"] is True
    assert "pixels epsg4326_10m" in told
    found, told = detect(make_model(pixel_geometry="utm_10m"), composite, inventory)
    assert found["pixel_geometry_mismatch"] is False
    assert told == ""


@pytest.mark.parametrize(
    ("crs", "side", "complaint"),
    [
        ("EPSG:32653", 30, "pixels of 30 m"),
        ("EPSG:2264", 32.8, "no metres"),  # feet
        ("EPSG:4326", 9e-5, "no metres"),
    ],
)
def test_composites_of_other_pixels_are_refused(tmp_path, crs, side, complaint):
    with pytest.raises(UnusableMap, match=complaint):
        map_from_disk(write_composite(tmp_path / "c.tif", crs=crs, side=side), None, BANDS)


def test_composites_that_are_no_decibels_are_refused(tmp_path, model, inventory):
    composite = write_composite(tmp_path / "c.tif")
    with rasterio.open(composite, "r+") as file:
        file.write(10 ** (file.read(1) / 10), 1)
    result = CliRunner().invoke(
        detections_command, [str(model), "--composite", str(composite), "--inventory", str(inventory)]
    )
    assert result.exit_code == 1
    assert "the median of postVV is" in result.output


def test_events_that_the_model_learnt_from_are_refused(make_model):
    learnt = make_model(training={"events": ["hokkaido", "practice"]})
    result = CliRunner().invoke(detections_command, [str(learnt), "--event", "hokkaido"])
    assert result.exit_code == 1
    assert all(word in result.stderr for word in ("hokkaido", "sumatra", "haiti"))


def test_simulated_event_prints_nothing_but_json(model):
    arguments = [str(model), "--event", "practice", "--seeds", "1", "--scene-px", "192"]
    result = CliRunner().invoke(detections_command, arguments)
    assert result.exit_code == 0, result.output
    assert list(json.loads(result.stdout)["maps"]) == ["practice/0"]


def test_boxes_lie_where_their_windows_do():
    (box,) = boxes_on_map(np.array([[32, 96]]), Affine(10, 0, 500_000, 0, -10, 4_000_000))
    assert box.bounds == (500_960, 3_999_040, 501_600, 3_999_680)


def test_simulated_maps_are_what_the_card_says_that_the_model_sees():
    card = {"name": "vv_descending_60_12", "bands": ["postVV", "diffVV"]}
    *_, last = maps_for(card, "hokkaido", 3, 192)
    scene = Scene(EVENTS["hokkaido"], seed=2, shape=(192, 192))
    image = scene.composite("DESCENDING", pre_days=60, post_days=12)
    np.testing.assert_array_equal(last.image, image[..., [0, 2]])
    seen = scene.is_slide() & ~scene.view("DESCENDING").is_distorted
    assert seen.sum() < scene.is_slide().sum()
    assert sum(polygon.area for polygon in last.landslides) == pytest.approx(100 * seen.sum())


def test_limits_are_those_of_the_detector():
    image = np.zeros((64, 64, 2), np.float32)
    image[:16] = np.nan
    found = scan(lambda batch, training: np.full((len(batch), 1), 0.6, np.float32), image, [0.0, 0.0])
    assert found.scores.tolist() == [np.float32(0.6)]  # 75 % of the pixels are enough
    assert (len(found.kept(0.59)), len(found.kept(0.6))) == (1, 0)
    window = shapely.box(0, 0, 640, 640)
    assert [match([window], [shapely.box(0, 0, 640, high)], window_m2=WINDOW_M2).right_boxes for high in (32, 33)] == [
        0,
        1,
    ]
