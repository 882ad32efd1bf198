"""The notified GeoJSON: RFC 7946, honest, the same bytes twice."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, box, shape

from quakeslide import __version__
from quakeslide.domain import land as land_module
from quakeslide.domain.cautions import CAUTIONS
from quakeslide.domain.judgement import Blind, Unscored
from quakeslide.domain.lattice import Lattice, rectangle_for
from quakeslide.domain.report import block_reasons, detections_geojson, dumps, seen_fraction_of_aoi, window_area_m2
from quakeslide.domain.rfc7946 import lonlat_polygons
from quakeslide.domain.sentinel1 import Polarisation
from quakeslide.domain.terrain import Backscatter, Terrain
from tests import fakes_products as made


def is_counter_clockwise(geometry):
    """Shoelace, written out: the reference uses no product module."""
    for polygon in getattr(geometry, "geoms", [geometry]):
        xy = np.asarray(polygon.exterior.coords)
        x, y = xy[:, 0], xy[:, 1]
        if np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) <= 0:
            return False
    return True


def check_rfc7946(document):
    assert document["type"] == "FeatureCollection"
    assert "crs" not in document or isinstance(document["crs"], str)
    for feature in document["features"]:
        geometry = shape(feature["geometry"])
        assert geometry.is_valid
        assert not geometry.is_empty
        assert is_counter_clockwise(geometry)
        west, south, east, north = geometry.bounds
        assert west >= -180
        assert east <= 180
        assert -90 <= south < north <= 90
        for polygon in getattr(geometry, "geoms", [geometry]):
            assert polygon.bounds[2] - polygon.bounds[0] < 90
        xy = shapely.get_coordinates(geometry)
        np.testing.assert_array_equal(xy, np.round(xy, 7))


def test_each_detection_is_its_window_on_the_lattice():
    judgement = made.example()
    document = detections_geojson(judgement)
    check_rfc7946(document)
    assert len(document["features"]) == len(judgement.detections) > 3
    lattice = judgement.composite.lattice
    for rank, feature in enumerate(document["features"], start=1):
        p = feature["properties"]
        assert p["rank"] == rank
        back = made.from_lonlat(shape(feature["geometry"]), lattice.crs).bounds
        west = lattice.origin_x + p["window_col"] * 320
        north = lattice.origin_y - p["window_row"] * 320
        np.testing.assert_allclose(back, (west, north - 640, west + 640, north), atol=0.05)
    scores = [feature["properties"]["score"] for feature in document["features"]]
    assert scores == sorted(scores, reverse=True)


def test_a_detection_claims_no_area_and_says_what_it_rests_on():
    p = detections_geojson(made.example())["features"][0]["properties"]
    assert p["window_area_m2"] == 409_600
    assert not [name for name in p if "area" in name and name != "window_area_m2"]
    assert p["diff_vv_db"] == pytest.approx(2.4)
    assert p["diff_vh_db"] is None
    assert (p["track"], p["pass"], p["stage"], p["finality"]) == ("A069", "ASCENDING", "60-12", "provisional")


def test_probability_stands_only_with_a_calibrated_card():
    composite = made.composite_of()
    cells = made.cells_of(composite)
    calibrated = detections_geojson(made.judge(composite, cells))
    raw = detections_geojson(made.judge(composite, cells, replace(made.CARD, platt=None)))
    for feature in calibrated["features"]:
        p = feature["properties"]
        logit = np.log(p["score"] / (1 - p["score"]))
        assert p["probability"] == pytest.approx(1 / (1 + np.exp(-(0.8 * logit - 0.5))), abs=1e-3)
    assert all("probability" not in feature["properties"] for feature in raw["features"])


def test_the_collection_names_model_scenes_and_notices():
    document = detections_geojson(made.example())
    assert document["model"]["sha256"] == "ab" * 32
    assert document["model"]["precision"] == "float32"
    assert document["scenes"]["post"] == ["COPERNICUS/S1_GRD/POST1"]
    assert document["data_notice"] == "SIMULATED radar scenes"
    assert "not fit for operations" in document["model_notice"]
    assert document["quakeslide_version"] == __version__
    assert document["stack_mismatch"] is False
    assert document["pixel_geometry_mismatch"] is False
    assert document["weak_pre"] is True
    assert document["model_choice"]["reason"] == "made for this composite"


@pytest.mark.parametrize(
    ("judgement", "outcome"),
    [
        (made.example(), "detections"),
        (made.quiet(), "processed, none found"),
        (made.blind(), "could not look"),
    ],
)
def test_nothing_found_and_nothing_seen_are_different_results(judgement, outcome):
    document = detections_geojson(judgement)
    assert document["outcome"] == outcome
    assert (len(document["features"]) > 0) == (outcome == "detections")


def test_a_model_of_another_stage_and_pixel_is_said():
    composite = made.composite_of()
    card = replace(made.CARD, name="vv_vh_ascending_60_24", pixel_geometry="epsg4326_10m")
    document = detections_geojson(made.judge(composite, made.cells_of(composite), card))
    assert document["stack_mismatch"] is True
    assert document["pixel_geometry_mismatch"] is True


@pytest.mark.parametrize("trained_on", list(Backscatter))
@pytest.mark.parametrize("exported", list(Backscatter))
def test_a_model_of_another_backscatter_is_said(trained_on, exported):
    composite = replace(made.composite_of(), terrain=Terrain(backscatter=exported, mask_buffer_m=30))
    card = replace(made.CARD, backscatter=trained_on)
    document = detections_geojson(made.judge(composite, made.cells_of(composite), card))
    assert (document["backscatter"], document["mask_buffer_m"]) == (exported, 30)
    assert document["backscatter_mismatch"] is (trained_on != exported)


def test_cautions_follow_what_the_composite_shows():
    composite = made.composite_of()
    cells = made.cells_of(composite, slides=0)
    scores = cells.scores.copy()
    slope, blind, water, snow = (np.zeros_like(cells.blind_fraction) for _ in range(4))
    vegetation = np.full_like(scores, -17.0)
    slope += 24
    places = [(20, col) for col in range(8, 30, 3)]
    for place in places:
        scores[place] = 0.9
    blind[places[0]] = 0.5
    slope[places[1]] = 2.0
    water[places[2]] = 0.2
    snow[places[3]] = 0.7
    vegetation[places[4]] = -27.0
    valid = cells.valid_fraction.copy()
    valid[places[5]] = 0.8
    cells = replace(cells, scores=scores, slope_deg=slope, blind_fraction=blind, valid_fraction=valid)
    cells = replace(cells, water_fraction=water, snow_fraction=snow, pre_vh_db=vegetation)
    said = {
        f["properties"]["window_col"] - composite.rectangle.col // 32: f["properties"]["cautions"]
        for f in detections_geojson(made.judge(composite, cells))["features"]
    }
    expected = [
        "foreshortened_or_partly_blind",
        "flat",
        "near_water",
        "snow_possible",
        "arid_possible",
        "missing_pixels",
    ]
    inland = [word for col in (26, 29) for word in said[col]]
    assert set(inland) <= {"near_water"}  # the coast of Noto may run through these
    assert [said[col][0] for col in (8, 11, 14, 17, 20, 23)] == expected


def test_the_coast_is_near_water():
    composite = made.composite_of(box(136.9, 37.0, 137.5, 37.5))
    cells = made.cells_of(composite, slides=0)
    cells = replace(cells, scores=np.full_like(cells.scores, 0.9), unscored=np.zeros_like(cells.unscored))
    document = detections_geojson(made.judge(composite, cells))
    wet = {"near_water" in f["properties"]["cautions"] for f in document["features"]}
    assert wet == {True, False}
    (land,) = shapely.from_wkb([gzip.decompress(Path(land_module.__file__).with_name("land.wkb.gz").read_bytes())])
    land = shapely.union_all(shapely.clip_by_rect(shapely.get_parts(land), 136, 36, 138, 38))
    for feature in document["features"]:
        inside = land.contains(shape(feature["geometry"]))
        assert ("near_water" in feature["properties"]["cautions"]) is not inside


@pytest.mark.parametrize(("polarisation", "judged"), [(Polarisation.VV, False), (Polarisation.VV_VH, True)])
def test_every_caution_is_judged_or_said_not_to_be(polarisation, judged):
    composite = replace(made.composite_of(), polarisation=polarisation)
    document = detections_geojson(made.judge(composite, made.cells_of(composite)))
    assert ("arid_possible" in document["cautions_judged"]) is judged
    assert ("arid_possible" in document["cautions_not_judged"]) is not judged
    assert set(document["cautions_judged"]) | set(document["cautions_not_judged"]) >= set(CAUTIONS)
    assert {"near_water", "snow_possible", "flat"} <= set(document["cautions_judged"])
    assert any("smaller than a window" in what for what in document["cautions_not_judged"])


def test_a_map_across_the_antimeridian_is_cut_there():
    judgement = made.across_the_antimeridian()
    check_rfc7946(detections_geojson(judgement))
    # zone 60 ends at 180 degrees: a box over the line becomes two
    lattice = judgement.composite.lattice
    line = made.from_lonlat(Point(180.0, -17.0), lattice.crs)
    (cut,) = lonlat_polygons([box(line.x - 320, line.y - 320, line.x + 320, line.y + 320)], lattice.crs)
    assert cut.geom_type == "MultiPolygon"
    assert is_counter_clockwise(cut)
    assert sorted(round(part.bounds[i]) for part in cut.geoms for i in (0, 2)) == [-180, -180, 180, 180]


def test_seen_fraction_is_the_judged_share_of_the_area():
    composite = made.composite_of(box(137.1, 37.4, 137.2, 37.5))
    cells = made.cells_of(composite, slides=0)
    all_seen = replace(cells, blocks=np.zeros_like(cells.blocks), unscored=np.zeros_like(cells.unscored))
    assert seen_fraction_of_aoi(made.judge(composite, all_seen)) == pytest.approx(1.0)
    blocks = np.zeros_like(cells.blocks)
    blocks[:, : blocks.shape[1] // 2] = Blind.LAYOVER
    half = seen_fraction_of_aoi(made.judge(composite, replace(all_seen, blocks=blocks)))
    assert half == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("why", "reason"),
    [(Unscored.MISSING, Blind.NO_DATA), (Unscored.FLAT, Blind.FLAT), (Unscored.OUTSIDE, Blind.NO_DATA)],
)
def test_good_pixels_without_a_scored_window_are_blind_and_say_why(why, reason):
    composite = made.composite_of()
    cells = made.cells_of(composite)
    unscored = np.zeros_like(cells.unscored)
    unscored[4:6, 4:6] = why
    judgement = made.judge(composite, replace(cells, unscored=unscored, blocks=np.zeros_like(cells.blocks)))
    reasons = block_reasons(judgement)
    assert np.argwhere(reasons != Blind.SEEN).tolist() == [[5, 5]]
    assert reasons[5, 5] == reason


def test_windows_left_out_are_counted_by_reason():
    composite = made.composite_of()
    cells = made.cells_of(composite)
    unscored = cells.unscored.copy()
    unscored[10:12, 10:13] = Unscored.FLAT
    judgement = made.judge(
        composite, replace(cells, unscored=unscored, scores=np.where(unscored, np.nan, cells.scores))
    )
    counts = detections_geojson(judgement)["counts"]
    assert counts["windows_flat"] == 6
    left = counts["windows_flat"] + counts["windows_with_too_few_pixels"]
    assert counts["windows_scored"] + left == counts["windows_in_aoi"]


def test_a_window_on_a_lattice_in_degrees_has_its_true_area():
    step = 10 / 111_319.49
    lattice = Lattice(crs="EPSG:4326", origin_x=137.0, origin_y=60.1, pixel=step)
    rectangle = rectangle_for(box(137.1, 59.95, 137.2, 60.05), lattice)
    assert window_area_m2(lattice, rectangle) == pytest.approx(640 * 640 * np.cos(np.radians(60)), rel=0.01)


def test_the_same_judgement_gives_the_same_bytes():
    first, second = (dumps(detections_geojson(made.example())) for _ in range(2))
    assert first == second
    assert b"NaN" not in first
    json.loads(first, parse_constant=pytest.fail)


def test_not_a_number_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        dumps({"score": float("nan")})


@settings(max_examples=25, deadline=None)
@given(
    lon=st.floats(-179.9, 179.9), lat=st.floats(-75, 78), seed=st.integers(0, 10_000), slides=st.integers(0, 20)
)  # fmt: skip
def test_any_judgement_gives_valid_geojson(lon, lat, seed, slides):
    judgement = made.example(box(lon - 0.05, lat - 0.03, lon + 0.05, lat + 0.03), seed=seed, slides=slides)
    document = json.loads(dumps(detections_geojson(judgement)), parse_constant=pytest.fail)
    check_rfc7946(document)
    assert 0 <= document["seen_fraction_of_aoi"] <= 1
