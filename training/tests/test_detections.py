"""Boxes against landslides whose areas are known, and the scan against the network window by window."""

import json

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from click.testing import CliRunner

from training.evaluation.detections import MapScores, match, scan
from training.evaluation.map_scores import detections_command, simulated_maps
from training.export import save_weights
from training.tests.numpy_network import random_model

BANDS = ("postVV", "postVH", "diffVV", "diffVH")


def test_boxes_and_landslides_are_matched_by_area():
    boxes = [shapely.box(0, 0, 640, 640), shapely.box(2000, 0, 2640, 640), shapely.box(5000, 0, 5640, 640)]
    landslides = [
        shapely.box(100, 100, 300, 300),  # 40 000 m2, all in the first box: it is right, this is found
        shapely.box(540, 0, 740, 200),  # half of it in the first box: found
        shapely.box(2600, 0, 3000, 100),  # 4 000 m2 in the second box, under 5 %: neither
        shapely.box(9000, 0, 9100, 100),  # out of every box
    ]
    found = match(boxes, landslides, not_scored=7).as_dict()
    assert (found["boxes"], found["right_boxes"], found["landslides"], found["found"]) == (3, 1, 4, 2)
    assert (found["large_landslides"], found["large_found"], found["not_scored"]) == (3, 2, 7)
    assert (found["precision"], found["recall"], found["f1"]) == (0.3333, 0.5, 0.4)
    assert found["recall_of_area"] == pytest.approx((40_000 + 20_000) / (40_000 + 40_000 + 40_000 + 10_000), abs=1e-4)


def test_overlapping_landslides_are_not_counted_twice_in_a_box():
    piece = shapely.box(0, 0, 640, 20)  # 3.1 % of the box; two copies of it would pass 5 %
    assert match([shapely.box(0, 0, 640, 640)], [piece, piece]).right_boxes == 0


def test_nothing_detected_or_nothing_there_is_no_number():
    assert match([], [shapely.box(0, 0, 10, 10)]).as_dict()["precision"] is None
    assert match([shapely.box(0, 0, 640, 640)], []).as_dict()["recall"] is None
    assert MapScores().as_dict()["f1"] is None
    total = match([], [shapely.box(0, 0, 10, 10)]) + match([shapely.box(0, 0, 640, 640)], [])
    assert (total.boxes, total.landslides) == (1, 1)


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


@pytest.fixture
def model(tmp_path):
    card = {
        "name": "vv_vh_ascending_60_12", "version": 1, "variant": "published", "filters": 2, "bands": list(BANDS),
        "standardisation": None, "fill_db": dict.fromkeys(BANDS, 0.0), "threshold": 0.6,
    }  # fmt: skip
    save_weights(random_model(seed=3, filters=2), tmp_path / "model", card)
    return tmp_path / "model"


def test_simulated_landslides_keep_their_number_and_area():
    (one,) = simulated_maps("hokkaido", "ASCENDING", (60, 12), range(1), 256)
    assert one.image.shape == (256, 256, 4)
    assert all(polygon.is_valid and polygon.area >= 100 for polygon in one.landslides)
    assert shapely.union_all(one.landslides).area == pytest.approx(sum(p.area for p in one.landslides))


def test_composite_and_inventory_from_disk(tmp_path, model):
    transform = Affine(10, 0, 500_000, 0, -10, 4_000_000)
    with rasterio.open(
        tmp_path / "c.tif", "w", driver="GTiff", width=128, height=96, count=4, dtype="float32", crs="EPSG:32653",
        transform=transform, nodata=-9999.0,
    ) as file:  # fmt: skip
        file.write(np.random.default_rng(0).normal(0, 2, (4, 96, 128)).astype(np.float32))
        file.descriptions = BANDS
    slide = shapely.box(500_100, 3_999_500, 500_500, 3_999_900)
    frame = geopandas.GeoDataFrame(geometry=[slide, shapely.box(0, 0, 9, 9)], crs="EPSG:32653").to_crs("EPSG:4326")
    frame.to_file(tmp_path / "i.gpkg")
    arguments = [
        str(model),
        "--composite",
        str(tmp_path / "c.tif"),
        "--inventory",
        str(tmp_path / "i.gpkg"),
        "--threshold",
        "0",
    ]
    result = CliRunner().invoke(detections_command, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["all"]
    assert (found["landslides"], found["landslide_m2"]) == (1, pytest.approx(160_000, rel=0.01))
    assert found["boxes"] == 2
    assert CliRunner().invoke(detections_command, [str(model)]).exit_code == 2


def test_simulated_event_prints_nothing_but_json(model):
    arguments = [str(model), "--event", "practice", "--seeds", "1", "--scene-px", "192"]
    result = CliRunner().invoke(detections_command, arguments)
    assert result.exit_code == 0, result.output
    assert list(json.loads(result.stdout)["maps"]) == ["practice/0"]
