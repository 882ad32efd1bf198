"""The products as the programs that open them see them: GDAL, Chromium."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from rio_cogeo.cogeo import cog_validate
from shapely.geometry import box, shape
from shapely.ops import unary_union

from quakeslide.adapters.renderer import ProductRenderer
from quakeslide.adapters.renderer.score_raster import score_raster
from quakeslide.domain.report import detections_geojson, dumps
from tests import fakes_products as made

JUDGEMENTS = [made.example, made.quiet, made.blind, made.across_the_antimeridian]


@pytest.fixture(params=JUDGEMENTS, scope="module")
def judgement(request):
    return request.param()


@pytest.fixture(scope="module")
def files(judgement):
    return ProductRenderer().support(judgement)


def test_all_files_are_there_and_the_same_twice(judgement, files):
    assert set(files) == {"score.tif", "blind.geojson", "affected.geojson", "quicklook.png", "item.json"}
    assert files == ProductRenderer().support(judgement)


def test_score_is_a_cloud_optimised_geotiff_on_the_windows_middles(judgement, files):
    lattice, rectangle = judgement.composite.lattice, judgement.composite.rectangle
    with rasterio.Env(), MemoryFile(files["score.tif"].data) as memory, memory.open() as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.crs == lattice.crs
        assert np.isnan(raster.nodata)
        assert "SIMULATED" in raster.tags()["NOTICE"]
        assert raster.tags()["RUN_ID"] == judgement.run_id
        scores = raster.read(1)
        assert scores.shape == judgement.in_aoi.shape
        assert raster.res == (320.0, 320.0)
        # the middle of pixel (r, c) is the middle of window (r, c)
        x, y = raster.xy(3, 5)
    assert x == lattice.origin_x + (rectangle.col + 5 * 32 + 32) * 10
    assert y == lattice.origin_y - (rectangle.row + 3 * 32 + 32) * 10
    judged = judgement.in_aoi & np.isfinite(judgement.cells.scores)
    np.testing.assert_array_equal(np.isfinite(scores), judged)
    np.testing.assert_array_equal(scores[judged], judgement.cells.scores[judged])


def check_with_rio_cogeo(data, path):
    path.write_bytes(data)
    is_valid, errors, warnings = cog_validate(path, strict=True)
    assert (is_valid, errors, warnings) == (True, [], [])


def test_score_passes_the_cog_validator(files, tmp_path):
    check_with_rio_cogeo(files["score.tif"].data, tmp_path / "score.tif")


def test_the_cog_validator_refuses_a_plain_geotiff(tmp_path):
    path = tmp_path / "plain.tif"
    profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "height": 2000, "width": 2000}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile) as file:
            file.write(np.zeros((1, 2000, 2000), np.float32))
        assert not cog_validate(path, strict=True, quiet=True)[0]


def test_a_large_score_raster_is_tiled_with_overviews(tmp_path):
    judgement = made.example(box(137.0, 36.0, 139.4, 38.0), slides=5)
    data = score_raster(judgement)
    check_with_rio_cogeo(data, tmp_path / "large.tif")
    with rasterio.Env(), MemoryFile(data) as memory, memory.open() as raster:
        assert raster.profile["tiled"]
        assert raster.overviews(1)


def ground(document, lattice):
    return [made.from_lonlat(shape(feature["geometry"]), lattice.crs) for feature in document["features"]]


def test_blind_and_affected_are_valid_and_hold_no_nan(files):
    for name in ("blind.geojson", "affected.geojson", "item.json"):
        document = json.loads(files[name].data, parse_constant=pytest.fail)
        for feature in document.get("features", []):
            assert shape(feature["geometry"]).is_valid
    blind = json.loads(files["blind.geojson"].data)
    reasons = [feature["properties"]["reason"] for feature in blind["features"]]
    assert len(reasons) == len(set(reasons))


def test_blind_area_and_seen_area_make_up_the_area(judgement, files):
    blind = json.loads(files["blind.geojson"].data)
    lattice = judgement.composite.lattice
    aoi = made.from_lonlat(judgement.composite.aoi, lattice.crs)
    hidden = sum(area.area for area in ground(blind, lattice))
    assert hidden / aoi.area + blind["seen_fraction_of_aoi"] == pytest.approx(1, abs=1e-3)


def test_affected_is_the_union_of_candidate_windows(judgement, files):
    affected = json.loads(files["affected.geojson"].data)
    lattice, rectangle = judgement.composite.lattice, judgement.composite.rectangle
    corners = [
        (lattice.origin_x + (rectangle.col + col * 32) * 10, lattice.origin_y - (rectangle.row + row * 32) * 10)
        for row, col in judgement.candidates.tolist()
    ]
    union = unary_union([box(x, y - 640, x + 640, y) for x, y in corners])
    parts = ground(affected, lattice)
    assert sum(part.area for part in parts) == pytest.approx(union.area, rel=1e-5)
    counted = [feature["properties"]["candidates"] for feature in affected["features"]]
    assert sum(counted) == len(judgement.candidates)
    assert counted == sorted(counted, reverse=True)
    for part, feature in zip(parts, affected["features"], strict=True):
        p = feature["properties"]
        assert p["area_km2"] == pytest.approx(part.area / 1e6, abs=2e-3)
        assert p["candidates_per_km2"] == pytest.approx(p["candidates"] / p["area_km2"], rel=0.01)


def test_gdal_reads_the_geojson(judgement, files, tmp_path):
    import geopandas

    (tmp_path / "d.geojson").write_bytes(dumps(detections_geojson(judgement)))
    (tmp_path / "b.geojson").write_bytes(files["blind.geojson"].data)
    detections = geopandas.read_file(tmp_path / "d.geojson")
    assert len(detections) == len(judgement.detections)
    assert geopandas.read_file(tmp_path / "b.geojson").crs == "EPSG:4326"


def test_geopandas_is_imported_only_where_areas_are_made():
    script = (
        "import sys, quakeslide.adapters.renderer, quakeslide.usecases.rescan, quakeslide.cli.main;"
        "assert 'geopandas' not in sys.modules, 'imported too early';"
        "from tests import fakes_products as made; from quakeslide.adapters.renderer.areas import affected_geojson;"
        "affected_geojson(made.example()); assert 'geopandas' in sys.modules"
    )
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(root / "functions"), str(root)))}
    subprocess.run([sys.executable, "-c", script], cwd=root, env=environment, check=True, timeout=120)


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the page's script is not run")
def test_the_page_draws_itself_in_a_browser(tmp_path):
    judgement = made.example()
    renderer = ProductRenderer()
    support = renderer.support(judgement)
    layer = {
        "name": "A069 60-12 provisional",
        "detections": detections_geojson(judgement),
        "blind": json.loads(support["blind.geojson"].data),
        "affected": json.loads(support["affected.geojson"].data),
        "quicklook": support["quicklook.png"].data,
    }
    page = tmp_path / "index.html"
    page.write_bytes(renderer.page("Noto", [layer], {}, "SIMULATED"))
    options = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync"
    command = [str(CHROMIUM), *options.split(), "--disable-component-update", f"--user-data-dir={tmp_path / 'profile'}"]
    shown = subprocess.run(
        [*command, "--enable-logging=stderr", "--dump-dom", f"{page.as_uri()}#best"],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in shown.stderr
    assert shown.stdout.count("<text") >= len(judgement.detections)
    assert "No. 1: slopes may have failed here" in shown.stdout
    assert " km</span>" in shown.stdout
