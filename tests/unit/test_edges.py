"""Foreign rasters whose sides are no multiple of 32: every product holds the windows flush with the edge, and every pixel has its word."""

import json

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from shapely.geometry import box, shape

from quakeslide.adapters.renderer import ProductRenderer
from quakeslide.adapters.renderer.areas import affected_geojson, blind_geojson
from quakeslide.cli.judge_file import judge_file, parts_of
from quakeslide.cli.raster import open_raster
from quakeslide.cli.write_products import all_detections
from quakeslide.domain.windows import offsets
from tests import fakes_products as made
from tests.fakes_detector import LATTICE, MeanChangeModel, card_of

NAME = "vv_vh_ascending_60_12"
NAMES = ("postVV", "postVH", "diffVV", "diffVH", "slope")


def judged(folder, pixels):
    """Judge float32 [h, w, 5] as a file in UTM."""
    height, width, count = pixels.shape
    path = folder / "a.tif"
    profile = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": "float32", "nodata": -9999}
    grid = Affine(10, 0, LATTICE.origin_x, 0, -10, LATTICE.origin_y)
    with rasterio.open(path, "w", **profile, crs=LATTICE.crs, transform=grid) as file:
        file.write(np.moveaxis(np.where(np.isnan(pixels), -9999, pixels), -1, 0))
        file.descriptions = NAMES
    raster = open_raster(path)
    parts = parts_of(raster, name=NAME, track=None, post_start=None, aoi=None, manifest=None)
    model = MeanChangeModel(versions={NAME: 1})
    found = judge_file(raster, parts, card_of(NAME), model, is_published_nms=False, on_windows=lambda _: None)
    return parts, found


def pixels_of(height, width, seed):
    """Noise on slopes, with a slide or two, missing and flat places in blocks of 20 px."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(-12, 2, (height, width, 5)).astype(np.float32)
    pixels[..., 2:4] += 12
    pixels[..., 4] = 25
    coarse = rng.random((height // 20 + 1, width // 20 + 1))
    kind = np.kron(coarse, np.ones((20, 20)))[:height, :width]
    pixels[kind > 0.85, 2] += 9
    pixels[kind < 0.2, :4] = np.nan
    pixels[(kind > 0.3) & (kind < 0.6), 4] = 0
    pixels[height // 2 :, : width // 2, 4] = 0
    return pixels


def on_ground(feature):
    """A lon/lat feature in px of the file: (col, row), row growing southwards."""
    planar = made.from_lonlat(shape(feature["geometry"]), LATTICE.crs)
    return shapely.transform(planar, lambda xy: (xy - (LATTICE.origin_x, LATTICE.origin_y)) / (10, -10))


@settings(max_examples=12, deadline=None)
@given(height=st.integers(64, 260), width=st.integers(64, 260), seed=st.integers(0, 1000))
def test_every_pixel_lies_in_a_scored_window_or_is_said_to_be_blind(tmp_path_factory, height, width, seed):
    parts, found = judged(tmp_path_factory.mktemp("edges"), pixels_of(height, width, seed))
    scored = [
        box(col, row, col + 64, row + 64)
        for part, one in zip(parts, found, strict=True)
        for (row, col), score in zip(offsets(part.strip).tolist(), one.cells.scores.ravel(), strict=True)
        if np.isfinite(score)
    ]
    blind = [on_ground(feature) for feature in blind_geojson(found[0], found[1:])["features"]]
    said = shapely.union_all([*scored, *(area.buffer(0.01) for area in blind)])
    assert box(0, 0, width, height).difference(said).area < 0.01
    # a reason is given once: no place is blind twice
    assert sum(area.area for area in blind) == pytest.approx(shapely.union_all(blind).area, abs=0.5)


def test_areas_hold_the_strips_too(tmp_path):
    pixels = pixels_of(200, 230, 1)
    pixels[..., 2], pixels[..., :2], pixels[..., 3], pixels[..., 4] = -5, -12, 0, 25
    pixels[150:, 180:, 2] = 9  # only windows flush with the lower right corner see mostly this
    parts, found = judged(tmp_path, pixels)
    document = affected_geojson(found[0], found[1:])
    (area,) = [on_ground(feature) for feature in document["features"]]
    assert area.bounds[2:] == pytest.approx((230, 200), abs=0.01)
    corners = [
        (part.strip.row + 32 * row, part.strip.col + 32 * col)
        for part, one in zip(parts, found, strict=True)
        for row, col in one.candidates.tolist()
    ]
    union = shapely.union_all([box(col, row, col + 64, row + 64) for row, col in corners])
    assert area.symmetric_difference(union).area < 0.5
    assert document["features"][0]["properties"]["candidates"] == len(corners)


def test_each_strip_has_a_raster_of_its_own_on_its_windows_middles(tmp_path):
    parts, found = judged(tmp_path, pixels_of(200, 230, 3))
    names = [part.name for part in parts]
    assert names == ["main", "bottom", "right", "corner"]
    files = ProductRenderer().support(found[0], dict(zip(names[1:], found[1:], strict=True)))
    for part, one in zip(parts, found, strict=True):
        name = "score.tif" if part.name == "main" else f"score-{part.name}.tif"
        with rasterio.Env(), MemoryFile(files[name].data) as memory, memory.open() as raster:
            x, y = raster.xy(0, 0)
            assert (x - LATTICE.origin_x) / 10 == pytest.approx(part.strip.col + 32)
            assert (LATTICE.origin_y - y) / 10 == pytest.approx(part.strip.row + 32)
            np.testing.assert_array_equal(raster.read(1), np.where(one.in_aoi, one.cells.scores, np.nan))


def test_counts_are_those_of_all_parts(tmp_path):
    parts, found = judged(tmp_path, pixels_of(200, 230, 5))
    counts = all_detections(parts, found)["counts"]
    every = counts["windows_scored"] + counts["windows_flat"] + counts["windows_with_too_few_pixels"]
    assert every == counts["windows_in_aoi"] == sum(one.in_aoi.size for one in found)
    assert counts["windows_flat"] > 0
    assert counts["detections"] == sum(len(one.detections) for one in found)
    json.dumps(counts, allow_nan=False)
