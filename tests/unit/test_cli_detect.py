import json

import numpy as np
import pytest
import rasterio
import rasterio.warp
from click.testing import CliRunner
from rasterio.transform import Affine

from quakeslide import __version__
from quakeslide.cli.judge_file import judge_file, parts_of
from quakeslide.cli.main import main
from quakeslide.cli.raster import RasterPixels, open_raster
from quakeslide.cli.write_products import all_detections, write_products
from quakeslide.documents.manifest import write_manifest
from quakeslide.domain.report import dumps
from quakeslide.domain.sentinel1 import Polarisation, Track
from quakeslide.errors import UnreadableInput
from quakeslide.usecases.detect_cells import detect_cells
from tests.fakes_detector import LATTICE, MeanChangeModel, World, card_of, composite_of, image_of

NAME = "vv_vh_ascending_60_12"
UTM = Affine(10, 0, LATTICE.origin_x, 0, -10, LATTICE.origin_y)
DEGREES = Affine(8.983152841195215e-5, 0, 137.0, 0, -8.983152841195215e-5, 37.5)


def write(path, pixels, *, names=None, crs="EPSG:32653", transform=UTM, nodata=None, dtype="float32"):
    """Write float32 [h, w, bands] as a GeoTIFF."""
    height, width, count = pixels.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": dtype, "nodata": nodata}
    with rasterio.open(path, "w", **profile, crs=crs, transform=transform) as file:
        file.write(np.moveaxis(pixels, -1, 0).astype(dtype))
        if names:
            file.descriptions = names
    return path


def four_bands(height=200, width=230):
    composite = composite_of(544, 608)
    return np.nan_to_num(image_of(composite)[200 : 200 + height, 200 : 200 + width, :4])


def judge(path, *, published=False, **options):
    raster = open_raster(path)
    given = {"name": NAME, "track": None, "post_start": None, "aoi": None, "manifest": None} | options
    parts = parts_of(raster, **given)
    model = MeanChangeModel(versions={NAME: 1})
    judged = judge_file(raster, parts, card_of(NAME), model, is_published_nms=published, on_windows=lambda _: None)
    return parts, judged


def test_our_composite_gives_exactly_the_pipelines_detections(tmp_path):
    composite = composite_of(shard_px=2048)
    world = World()
    world.plan(composite)
    detect_cells(world.write(next(composite.shards()), composite), world.detector)
    (name,) = [name for name in world.results.objects if name.startswith("detections/")]
    expected = json.loads(world.results.objects[name].data)
    pixels = np.where(np.isnan(image_of(composite)), -9999, image_of(composite))
    path = write(tmp_path / "composite.tif", pixels, names=composite.bands, nodata=-9999)
    parts, judged = judge(path, manifest=composite)
    found = json.loads(dumps(all_detections(parts, judged)))
    assert found["features"]
    assert _without_finality(found) == _without_finality(expected)


def _without_finality(document):
    """A file has no marker beside it; everything else must be the pipeline's."""
    for feature in document["features"]:
        del feature["properties"]["finality"]
    return {key: value for key, value in document.items() if key != "finality"}


def test_notebook_file_is_taken_as_the_notebooks_write_it(tmp_path):
    pixels = four_bands()
    pixels[:80, :70] = 0
    raster = open_raster(write(tmp_path / "a.tif", pixels, crs="EPSG:4326", transform=DEGREES))
    assert raster.polarisation is Polarisation.VV_VH
    assert list(raster.indexes) == ["postVV", "postVH", "diffVV", "diffVH"]
    assert any("no names" in text for text in raster.assumptions)
    assert any("0 in every band are missing" in text for text in raster.assumptions)
    (part, *_) = parts_of(raster, name=NAME, track=None, post_start=None, aoi=None, manifest=None)
    with RasterPixels(raster) as file:
        read = file.read(part.composite, {}, (0, 0, 96, 96), ("diffVV", "slope", "nPost"))
    assert np.isnan(read[:80, :70, 0]).all()
    assert np.isnan(read[..., 1]).all()
    assert (read[..., 2] == 1).all()


def test_single_zero_is_a_value(tmp_path):
    pixels = four_bands()
    pixels[5, 5, 2] = 0
    raster = open_raster(write(tmp_path / "a.tif", pixels))
    assert not raster.is_zero_missing
    (part, *_) = parts_of(raster, name=NAME, track=None, post_start=None, aoi=None, manifest=None)
    with RasterPixels(raster) as file:
        assert file.read(part.composite, {}, (0, 0, 64, 64), ("diffVV",))[5, 5, 0] == 0


def test_flush_windows_reach_the_last_pixel(tmp_path):
    pixels = four_bands(200, 230)
    pixels[..., 2] = -5
    pixels[150:, 180:, 2] = 9  # only windows flush with the lower right corner see mostly this
    parts, judged = judge(write(tmp_path / "a.tif", pixels))
    assert [part.strip.row for part in parts] == [0, 136, 0, 136]
    document = all_detections(parts, judged)
    best = document["features"][0]["properties"]
    assert (best["pixel_row"], best["pixel_col"]) == (136, 166)
    assert best["rank"] == 1
    corners = np.array(
        [position for feature in document["features"] for position in feature["geometry"]["coordinates"][0]]
    )
    x, y = rasterio.warp.transform("EPSG:32653", "EPSG:4326", [UTM.c + 2300], [UTM.f - 2000])
    assert corners[:, 0].max() == pytest.approx(x[0], abs=2e-4)
    assert corners[:, 1].min() == pytest.approx(y[0], abs=2e-4)
    assert document["counts"]["windows_in_aoi"] == sum(one.in_aoi.size for one in judged)


def test_published_suppression_keeps_the_lowest(tmp_path):
    pixels = four_bands(128, 64)
    pixels[..., 2] = 5
    pixels[:64, :, 2] = 9
    path = write(tmp_path / "a.tif", pixels)
    _, (by_score,) = judge(path)
    _, (published,) = judge(path, published=True)
    assert by_score.detections.tolist() == [[0, 0], [2, 0]]
    assert published.detections.tolist() == [[2, 0], [0, 0]]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"crs": None}, "has no CRS"),
        ({"pixels": np.full((1, 500, 4), -3.0)}, "1 x 500 px .*smaller than one window"),
        ({"pixels": np.full((100, 63, 4), -3.0)}, "100 x 63 px"),
        ({"pixels": np.full((100, 100, 3), -3.0)}, "3 bands named"),
        ({"names": ("VV", "VH", "a", "b")}, r"4 bands named \['VV', 'VH', 'a', 'b'\]; wanted are postVV"),
        ({"pixels": np.full((100, 100, 4), 0.05)}, "no value of postVV is negative .*linear power"),
        ({"pixels": np.full((100, 100, 4), np.nan)}, "no pixel with data"),
        ({"dtype": "int16", "pixels": np.full((100, 100, 4), -3)}, "data type is .*int16"),
        ({"transform": Affine(30, 0, 0, 0, -30, 0)}, "pixels of 30 m"),
        ({"transform": Affine(10, 0, 0, 0, -20, 0)}, "square pixels"),
        ({"transform": Affine(10, 1, 0, 1, -10, 0)}, "not north-up"),
        ({"transform": Affine(10, 0, 0, 0, 10, 0)}, "not north-up"),
    ],
)
def test_unusable_file_is_refused_by_name_with_exit_code_2(tmp_path, change, text):
    path = write(tmp_path / "bad.tif", **({"pixels": four_bands()} | change))
    with pytest.raises(UnreadableInput, match=f"bad.tif.*{text}"):
        open_raster(path)
    result = CliRunner().invoke(main, ["detect", str(path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "bad.tif" in result.output
    assert [item.name for item in tmp_path.iterdir()] == ["bad.tif"]


def test_file_that_is_no_geotiff_is_refused(tmp_path):
    (tmp_path / "bad.tif").write_text("hello")
    result = CliRunner().invoke(main, ["detect", str(tmp_path / "bad.tif")])
    assert result.exit_code == 2
    assert "no readable GeoTIFF" in result.output


def test_manifest_of_another_size_is_refused(tmp_path):
    path = write(tmp_path / "a.tif", four_bands())
    manifest = tmp_path / "m.json"
    manifest.write_bytes(write_manifest(composite_of()))
    result = CliRunner().invoke(main, ["detect", str(path), "--manifest", str(manifest)])
    assert result.exit_code == 2
    assert "200 x 230 px in EPSG:32653" in result.output
    manifest.write_text("{}")
    assert CliRunner().invoke(main, ["detect", str(path), "--manifest", str(manifest)]).exit_code == 2


def test_products_appear_whole_and_replace_only_their_own(tmp_path):
    parts, judged = judge(write(tmp_path / "a.tif", four_bands(128, 128)), track=Track.parse("A069"))
    to = tmp_path / "deep" / "out"
    for _ in range(2):
        write_products(parts, judged, to)
    expected = {"detections.geojson", "score.tif", "blind.geojson", "affected.geojson", "quicklook.png", "index.html"}
    assert {item.name for item in to.iterdir()} == expected
    assert [item.name for item in to.parent.iterdir()] == ["out"]
    assert b"../../detections/" not in (to / "index.html").read_bytes()
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("keep")
    with pytest.raises(UnreadableInput, match="holds other files"):
        write_products(parts, judged, other)
    assert [item.name for item in other.iterdir()] == ["mine.txt"]


def test_unknown_track_and_time_are_said_on_every_product(tmp_path):
    parts, judged = judge(write(tmp_path / "a.tif", four_bands(128, 128)))
    document = all_detections(parts, judged)
    assert document["track"] == "unknown"
    assert "does not say the track and the time" in document["data_notice"]
    write_products(parts, judged, tmp_path / "out")
    assert b"A001" not in (tmp_path / "out" / "index.html").read_bytes()


@pytest.mark.parametrize("arguments", [["--help"], ["detect", "--help"], ["trigger", "--help"], ["follow", "--help"]])
def test_help_shows_examples(arguments):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert "Examples:" in result.output


def test_version_and_exit_codes_are_told():
    assert CliRunner().invoke(main, ["--version"]).output.strip() == f"quakeslide, version {__version__}"
    help_text = CliRunner().invoke(main, ["--help"]).output
    for code in ("0  done", "1  failed", "2  wrong use", "3  nothing found"):
        assert code in help_text
