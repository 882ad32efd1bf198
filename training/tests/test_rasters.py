"""Composites and inventories on disk: cells of one grid, the filtered inventory, labels, and clear refusals."""

import json
from datetime import date

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from shapely.geometry import Point, Polygon, box, mapping

from training.__main__ import main
from training.dataset import Dataset
from training.patches.labels import Label
from training.patches.store import BANDS, UnusableDataset
from training.sources.event_list import paper_events
from training.sources.inventory import Inventory
from training.sources.raster_checks import one_grid
from training.sources.rasters_on_disk import build

CRS = "EPSG:32654"
WEST, NORTH = 640.0 * 1000 - 320, 640.0 * 7400 + 320  # half a cell beyond the grid's corner (1000, -7400)
NAMES = (*BANDS, "geometry")


def write_raster(path, bands, *, names=NAMES, crs=CRS, west=WEST, north=NORTH, pixel=10.0, nodata=-9999.0):
    height, width = bands.shape[1:]
    profile = {"driver": "GTiff", "dtype": "float32", "count": len(bands), "nodata": nodata, "crs": crs}
    with rasterio.open(
        path, "w", height=height, width=width, transform=Affine(pixel, 0, west, 0, -pixel, north), **profile
    ) as file:
        file.write(bands.astype("float32"))
        file.descriptions = names
    return path


def ground(rows=4, columns=4):
    """Bands of a raster that begins half a cell before the grid and holds `rows` x `columns` whole cells of it."""
    shape = (64 * rows + 40, 64 * columns + 40)
    noise = np.random.default_rng(0).normal(0, 0.3, (5, *shape))
    bands = noise + np.array([-10, -17, 0, 0, 0])[:, None, None]
    bands[4] = 0
    return bands


def cell_box(row, column, share=1.0):
    """A landslide that covers a share of a cell from its western edge on."""
    west, north = 640.0 * (1000 + column), 640.0 * 7400 - 640 * row
    return box(west, north - 640, west + 640 * share, north)


def write_inventory(path, shapes, crs=CRS):
    geopandas.GeoDataFrame(geometry=list(shapes), crs=crs).to_file(path)
    return path


def configuration(folder, **changes):
    event = {"inventory": "slides.gpkg", "composites": [{"track": "A069", "files": ["a.tif"]}], **changes}
    path = folder / "config.json"
    path.write_text(json.dumps({"pre_days": 60, "post_days": 12, "events": {"hokkaido": event}}))
    return path


@pytest.fixture
def folder(tmp_path):
    """Five kinds of cells: landslide, below 5 %, in layover, half in shadow, none."""
    bands = ground()
    top = 32
    bands[4, top : top + 64, top + 128 : top + 192] = 1  # cell (0, 2) in layover
    bands[4, top : top + 64, top + 192 : top + 192 + 4] = 2  # part of cell (0, 3) in shadow
    write_raster(tmp_path / "a.tif", bands)
    slides = [cell_box(0, 0, 0.25), cell_box(0, 1, 2 / 64), cell_box(0, 2), cell_box(0, 3, 8 / 64)]
    write_inventory(tmp_path / "slides.gpkg", slides)
    return tmp_path


def rows_by_cell(folder, orbit_pass="ASCENDING", bands=BANDS):
    return {(int(r["row"]), int(r["column"])): r for r in Dataset(folder).rows(orbit_pass, bands)}


def test_patches_are_labelled_by_the_filtered_inventory(folder):
    list(build(configuration(folder), folder / "set"))
    rows = rows_by_cell(folder / "set")
    kinds = {cell: Label(rows[cell]["label"]).name for cell in rows}
    first = [kinds[-7400, 1000 + column] for column in range(4)]
    assert first == ["LANDSLIDE", "SUBTHRESHOLD", "DISTORTED", "LANDSLIDE"]
    assert set(kinds[row, column] for row, column in kinds if row > -7400) == {"BACKGROUND"}
    assert len(rows) == 16
    half = rows[-7400, 1003]
    assert (half["original"], half["landslide"], half["distorted"]) == (8 / 64, 4 / 64, 4 / 64)
    assert rows[-7400, 1002]["landslide"] == 0
    assert {str(row["track"]) for row in rows.values()} == {"A069"}


def test_patches_hold_the_pixels_of_their_cell(folder):
    list(build(configuration(folder), folder / "set"))
    dataset = Dataset(folder / "set")
    rows = dataset.rows("ASCENDING")
    with rasterio.open(folder / "a.tif") as file:
        expected = file.read([1, 2, 3, 4])[:, 32 + 64 : 32 + 128, 32 + 128 : 32 + 192]
    number = np.nonzero((rows["row"] == -7399) & (rows["column"] == 1002))[0][0]
    stored = np.load(folder / "set" / "ascending-00000.npy")[number]
    np.testing.assert_allclose(stored, np.moveaxis(expected, 0, -1), atol=0.01)


def test_cells_are_the_same_whatever_the_extent_track_or_pass(folder):
    """A raster that begins elsewhere, two pixels of the grid further on, shares the cells that both hold."""
    write_raster(folder / "d.tif", ground(5, 3), west=WEST - 640, north=NORTH + 2 * 640 - 100)
    composites = [{"track": "A069", "files": ["a.tif"]}, {"track": "D012", "files": ["d.tif"]}]
    list(build(configuration(folder, composites=composites), folder / "set"))
    ascending, descending = rows_by_cell(folder / "set"), rows_by_cell(folder / "set", "DESCENDING")
    shared = set(ascending) & set(descending)
    assert len(shared) >= 4
    for cell in shared:
        assert ascending[cell]["original"] == descending[cell]["original"]


def test_tiles_of_one_composite_are_read_one_after_another(folder):
    bands = ground(2, 4)
    write_raster(folder / "south.tif", bands, north=NORTH - 4 * 640)
    composites = [{"track": "A069", "files": ["a.tif", "south.tif"]}]
    list(build(configuration(folder, composites=composites), folder / "set"))
    rows = rows_by_cell(folder / "set")
    assert {row for row, _ in rows} == set(range(-7400, -7394))


def tiles_of(folder, bands, cuts, *, names=("nw", "ne", "sw", "se"), overlap=0):
    """Write the four tiles of bands that meet at a pixel (row, column); return their names."""
    row, column = cuts
    rows, columns = (slice(0, row + overlap), slice(row, None)), (slice(0, column + overlap), slice(column, None))
    for name, (r, c) in zip(names, [(r, c) for r in rows for c in columns], strict=True):
        write_raster(folder / f"{name}.tif", bands[:, r, c], west=WEST + 10 * c.start, north=NORTH - 10 * r.start)
    return [f"{name}.tif" for name in names]


def contents(folder):
    rows = Dataset(folder).rows("ASCENDING")
    return rows, np.load(folder / "ascending-00000.npy")


@pytest.mark.parametrize("overlap", [0, 16])
def test_cells_on_the_seams_of_tiles_are_those_of_one_file(folder, overlap):
    """Earth Engine's tiles begin where the export does, half a cell beside the grid: every seam runs through cells."""
    with rasterio.open(folder / "a.tif") as file:
        files = tiles_of(folder, file.read(), (128, 128), overlap=overlap)
    composites = [{"track": "A069", "files": files}]
    list(build(configuration(folder, composites=composites), folder / "set"))
    list(build(configuration(folder), folder / "whole"))
    for ours, whole in zip(contents(folder / "set"), contents(folder / "whole"), strict=True):
        np.testing.assert_array_equal(ours, whole)
    assert len(contents(folder / "set")[0]) == 16


@pytest.mark.parametrize("files", [["holed.tif", "east.tif"], ["east.tif", "holed.tif"]])
def test_a_tile_fills_in_what_another_lacks_whichever_comes_first(folder, files):
    bands = ground()
    holed = bands.copy()
    holed[:, :, 100:] = -9999
    write_raster(folder / "holed.tif", holed)
    write_raster(folder / "east.tif", bands[:, :, 90:], west=WEST + 900)
    composites = [{"track": "A069", "files": files}]
    list(build(configuration(folder, composites=composites), folder / "set"))
    rows, patches = contents(folder / "set")
    assert len(rows) == 16
    assert np.isfinite(patches).all()


def test_what_is_left_out_for_want_of_pixels_is_told(folder):
    bands = ground()
    bands[0, 32 + 64 : 32 + 64 + 20, 96:160] = np.nan  # a third of cell (1, 1)
    bands[0, 32 + 128 : 32 + 192, 96:224] = -9999  # all of cells (2, 1) and (2, 2)
    write_raster(folder / "a.tif", bands)
    told = []
    list(build(configuration(folder), folder / "set", told.append))
    assert told == [
        "hokkaido A069: 13 cells (3 landslide, 9 background, 1 below 5 %); "
        "1 left out, of whose pixels fewer than 75% are there; 2 without any"
    ]


@pytest.mark.parametrize("polarisation", ["vv", "vv_vh"])
def test_an_event_has_vh_where_table_1_has_it_whatever_its_composite_holds(folder, polarisation):
    names = {event.name: event.event_id for event in paper_events() if event.polarisation == polarisation}
    for event in (min(names), names[max(names)]):  # by name, and by ComCat id
        path = configuration(folder)
        path.write_text(path.read_text().replace('"hokkaido"', f'"{event}"'))
        told = []
        list(build(path, folder / event, told.append))
        (shard,) = Dataset(folder / event).shards("ASCENDING", ("postVV",))
        assert shard["bands"] == list(BANDS if polarisation == "vv_vh" else ("postVV", "diffVV"))
        assert ("VH is left aside" in told[0]) == (polarisation == "vv")


def test_a_composite_without_vh_of_an_event_that_has_it_is_told(folder):
    write_raster(folder / "a.tif", ground()[[0, 2, 4]], names=("postVV", "diffVV", "geometry"))
    told = []
    list(build(configuration(folder), folder / "set", told.append))
    assert "no VH, which Table 1 has" in told[0]


@pytest.mark.parametrize(("crs", "expected"), [(CRS, "utm_10m"), ("EPSG:4326", "epsg4326_10m")])
def test_a_set_says_what_pixels_it_has(folder, crs, expected):
    if crs != CRS:
        write_raster(folder / "a.tif", ground(), crs=crs, west=142.0, north=42.5, pixel=1e-4)
        write_inventory(folder / "slides.gpkg", [box(142.01, 42.48, 142.012, 42.49)], crs=crs)
    list(build(configuration(folder), folder / "set"))
    assert Dataset(folder / "set").source["pixel_geometry"] == expected


def test_pixels_in_metres_and_in_degrees_make_no_set_together(folder):
    write_raster(folder / "degrees.tif", ground(1, 1), crs="EPSG:4326", west=142.0, north=42.5, pixel=1e-4)
    path = configuration(folder)
    document = json.loads(path.read_text())
    document["events"]["papua"] = {
        "inventory": "slides.gpkg",
        "composites": [{"track": "A001", "files": ["degrees.tif"]}],
    }
    path.write_text(json.dumps(document))
    with pytest.raises(UnusableDataset, match=r"utm_10m \(hokkaido\) and epsg4326_10m \(papua\)"):
        list(build(path, folder / "set"))


def unmeant(bands):
    """The bands of a composite as they come when somebody forgot something, by what it was."""
    power, swapped, undeclared, empty = (bands.copy() for _ in range(4))
    power[:2] = 10 ** (bands[:2] / 10)
    swapped[[0, 2]] = bands[[2, 0]]
    undeclared[:4, :, :40] = -32768
    empty[1] = np.nan
    return {"power": power, "swapped": swapped, "undeclared": undeclared, "empty": empty}


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        ("power", "a.tif: the median of postVV is 0.1: not sigma0 in dB"),
        ("swapped", "a.tif: the median of postVV is -?0: not sigma0 in dB"),
        ("undeclared", "a.tif: -32768 in postVV is no sigma0 in dB.*nodata"),
        ("empty", "a.tif: not one pixel of postVV has a value"),
    ],
)
def test_composites_that_are_not_in_decibels_are_refused_by_band(folder, fault, match):
    write_raster(folder / "a.tif", unmeant(ground())[fault])
    with pytest.raises(UnusableDataset, match=match):
        list(build(configuration(folder), folder / "set"))
    assert not (folder / "set" / "set.json").exists()


def test_one_tile_in_other_units_is_found_among_the_others(folder):
    files = tiles_of(folder, ground(), (128, 128))
    power = 10 ** (ground()[:, 128:, 128:] / 10)
    write_raster(folder / "se.tif", power, west=WEST + 1280, north=NORTH - 1280)
    composites = [{"track": "A069", "files": files}]
    with pytest.raises(UnusableDataset, match=r"se\.tif: the median of postVV"):
        list(build(configuration(folder, composites=composites), folder / "set"))


def test_a_tile_on_a_sea_that_the_wind_stirred_is_no_fault(folder):
    bands = ground()
    bands[2:4, 128:, 128:] += 9
    composites = [{"track": "A069", "files": tiles_of(folder, bands, (128, 128))}]
    list(build(configuration(folder, composites=composites), folder / "set"))
    assert len(rows_by_cell(folder / "set")) == 16


def test_missing_pixels_are_nan_and_cells_with_many_are_left_out(folder):
    bands = ground()
    bands[0, 32 + 64 : 32 + 64 + 8, 32:96] = -9999  # an eighth of cell (1, 0)
    bands[2, 32 + 64 : 32 + 64 + 20, 96:160] = np.nan  # a third of cell (1, 1)
    write_raster(folder / "a.tif", bands)
    list(build(configuration(folder), folder / "set"))
    rows = rows_by_cell(folder / "set")
    assert (-7399, 1001) not in rows
    assert rows[-7399, 1000]["valid"] == 7 / 8
    dataset = Dataset(folder / "set")
    number = [tuple(r) for r in dataset.rows("ASCENDING")[["row", "column"]].tolist()].index((-7399, 1000))
    stored = np.load(folder / "set" / "ascending-00000.npy")[number]
    assert np.isnan(stored[:8]).all()
    assert np.isfinite(stored[8:]).all()


def test_a_slide_that_the_radar_missed_is_not_in_sight(folder):
    """It lies in the part of a cell beyond the swath: of the inventory, but nothing that could be learnt."""
    bands = ground()
    bands[:4, 32 + 64 : 32 + 128, 32 : 32 + 12] = -9999
    write_raster(folder / "a.tif", bands)
    write_inventory(folder / "slides.gpkg", [cell_box(1, 0, 10 / 64), cell_box(1, 1, 10 / 64)])
    list(build(configuration(folder), folder / "set"))
    missed, seen = (rows_by_cell(folder / "set")[-7399, column] for column in (1000, 1001))
    assert (missed["label"], seen["label"]) == (Label.DISTORTED, Label.LANDSLIDE)
    assert (missed["original"], missed["landslide"]) == (10 / 64, 0)


def test_where_layover_and_shadow_are_unknown_is_told(folder):
    bands = ground()
    bands[4, :, 32:96] = 3
    write_raster(folder / "a.tif", bands)
    told = []
    list(build(configuration(folder), folder / "set", told.append))
    assert "layover and shadow are not known of 25.0% of the pixels, which count as seen" in told[0]
    told.clear()
    write_raster(folder / "a.tif", ground())
    list(build(configuration(folder), folder / "known", told.append))
    assert "not known" not in told[0]


@pytest.mark.parametrize(("value", "said"), [(3, "all of band geometry is unknown"), (7, "a.tif: 7 in band geometry")])
def test_geometry_that_says_nothing_is_refused_unless_every_pixel_is_meant_to_be_seen(folder, value, said):
    bands = ground()
    bands[4] = value
    write_raster(folder / "a.tif", bands)
    with pytest.raises(UnusableDataset, match=f'{said}.*"geometry": "none"'):
        list(build(configuration(folder), folder / "set"))
    composites = [{"track": "A069", "files": ["a.tif"], "geometry": "none"}]
    list(build(configuration(folder, composites=composites), folder / "seen"))


def test_cells_outside_the_mapped_area_are_left_out(folder):
    mapped = box(640 * 1001, 640 * 7396, 640 * 1003, 640 * 7400)
    write_inventory(folder / "mapped.geojson", [mapped])
    list(build(configuration(folder, mapped_area="mapped.geojson"), folder / "set"))
    assert {column for _, column in rows_by_cell(folder / "set")} == {1001, 1002}


@pytest.mark.parametrize("suffix", ["shp", "geojson", "gpkg", "fgb"])
def test_inventories_of_any_format_and_crs_give_the_same_labels(folder, suffix):
    slides = geopandas.read_file(folder / "slides.gpkg").to_crs("EPSG:4326")
    slides.to_file(folder / f"other.{suffix}")
    list(build(configuration(folder, inventory=f"other.{suffix}"), folder / "set"))
    list(build(configuration(folder), folder / "expected"))
    assert [r["label"] for r in rows_by_cell(folder / "set").values()] == [
        r["label"] for r in rows_by_cell(folder / "expected").values()
    ]


def test_single_polarisation_makes_a_set_of_two_bands(folder):
    names = ("postVV", "diffVV", "geometry")
    write_raster(folder / "a.tif", ground()[[0, 2, 4]], names=names)
    list(build(configuration(folder), folder / "set"))
    with pytest.raises(UnusableDataset, match="postVH"):
        Dataset(folder / "set").select("train", "ASCENDING", BANDS)
    assert len(rows_by_cell(folder / "set", bands=("postVV", "diffVV"))) == 16


def test_without_geometry_every_pixel_is_seen_but_only_when_said(folder):
    write_raster(folder / "a.tif", ground()[:4], names=BANDS)
    with pytest.raises(UnusableDataset, match="geometry"):
        list(build(configuration(folder), folder / "set"))
    composites = [{"track": "A069", "files": ["a.tif"], "geometry": "none"}]
    list(build(configuration(folder, composites=composites), folder / "set"))
    assert rows_by_cell(folder / "set")[-7400, 1002]["label"] == Label.LANDSLIDE


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"inventory": "nowhere.gpkg"}, "nowhere.gpkg is not there"),
        ({"composites": []}, r"composites: \[\] should be non-empty"),
        ({"composites": [{"track": "069", "files": ["a.tif"]}]}, "'069' does not match"),
        ({"colour": "red"}, "colour"),
        ({"composites": [{"track": "A069", "files": ["a.tif"], "bands": {"postVV": 9}}]}, "5 bands.*postVV"),
        ({"inventory": "points.gpkg"}, "Point"),
        ({"inventory": "text.gpkg"}, "no inventory that can be read"),
        ({"composites": [{"track": "A069", "files": ["text.gpkg"]}]}, "no raster that can be read"),
        ({"composites": [{"track": "A069", "files": ["a.tif", "zone55.tif"]}]}, "need one CRS"),
        ({"composites": [{"track": "A069", "files": ["haiti.tif"]}]}, "name it 'haiti'"),
        ({"inventory": "zone53.gpkg"}, "nothing of it lies on the composites.*CRS"),
        ({"inventory": "metres.geojson"}, "CRS, WGS 84, is probably not the true one"),
        ({"mapped_area": "zone53.gpkg"}, "nothing of it lies on the composites"),
        ({"composites": [{"track": "A069", "files": ["a.tif", "coarse.tif"]}]}, "pixels of 30 m"),
        ({"composites": [{"track": "A069", "files": ["degrees.tif"]}]}, "pixels of 111 m"),
        (
            {"composites": [{"track": "A069", "files": ["a.tif", "nine.tif"]}]},
            "nine.tif has pixels of 9, .*a.tif of 10",
        ),
        (
            {"composites": [{"track": "A069", "files": ["d4.tif"]}, {"track": "D012", "files": ["d5.tif"]}]},
            "pixels of 9e-05, .* of 0.0001",
        ),
        ({"composites": [{"track": "A069", "files": ["a.tif", "shifted.tif"]}]}, "shifted.tif.*between those of"),
        ({"composites": [{"track": "A069", "files": ["a.tif", "vv.tif"]}]}, "vv.tif has postVV, diffVV, but"),
        ({"composites": [{"track": "A069", "files": ["a.tif", "a.tif"]}]}, "a.tif is listed twice for hokkaido"),
        ({"composites": [{"track": "A069", "files": ["a.tif"], "bands": {"PostVH": 2}}]}, "'PostVH' is not one of"),
        (
            {"composites": [{"track": "A069", "files": ["zeros.tif"]}]},
            "% of its pixels are exactly 0 in all bands.*nodata",
        ),
        ({"composites": [{"track": "A069", "files": ["nameless.tif"]}]}, "no band postVV, diffVV.*numbers may stand"),
        ({"inventory": "line.gpkg"}, "not one of its polygons has an area"),
        ({"inventory": "table.csv"}, "a table without shapes"),
        (
            {"composites": [{"track": "A069", "files": ["a.tif"]}, {"track": "A069", "files": ["south.tif"]}]},
            r"cell \(-7398, 1000\) of hokkaido, ASCENDING A069, is there twice; all files of one track",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(folder, change, match):
    write_inventory(folder / "points.gpkg", [Point(WEST, NORTH)])
    write_inventory(folder / "line.gpkg", [Polygon([(WEST, NORTH), (WEST + 500, NORTH), (WEST + 900, NORTH)])])
    (folder / "table.csv").write_text("id,area\n1,2\n")
    filled = ground()
    filled[:4, :, :99] = 0  # the edge of a swath, as some programs write it
    write_raster(folder / "zeros.tif", filled)
    write_raster(folder / "nameless.tif", ground(), names=(None,) * 5)
    (folder / "text.gpkg").write_text("no geopackage")
    write_raster(folder / "zone55.tif", ground(1, 1), crs="EPSG:32655")
    write_inventory(folder / "zone53.gpkg", [cell_box(0, 0)], crs="EPSG:32653")
    metres = {"type": "Feature", "properties": {}, "geometry": mapping(cell_box(0, 0))}  # GeoJSON is in degrees
    (folder / "metres.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [metres]}))
    write_raster(folder / "coarse.tif", ground(1, 1), pixel=30.0)
    write_raster(folder / "degrees.tif", ground(1, 1), crs="EPSG:4326", west=142.0, north=42.5, pixel=1e-3)
    write_raster(folder / "nine.tif", ground(1, 1), pixel=9.0)
    write_raster(folder / "d4.tif", ground(1, 1), crs="EPSG:4326", west=142.0, north=42.5, pixel=1e-4)
    write_raster(folder / "d5.tif", ground(1, 1), crs="EPSG:4326", west=142.0, north=42.5, pixel=9e-5)
    write_raster(folder / "shifted.tif", ground(1, 1), west=WEST + 3)
    write_raster(folder / "vv.tif", ground(1, 1)[[0, 2, 4]], names=("postVV", "diffVV", "geometry"))
    write_raster(folder / "south.tif", ground(1, 1), north=NORTH - 1280)
    haiti = next(event for event in paper_events() if event.name == "haiti")
    write_raster(folder / "haiti.tif", ground(1, 1), crs="EPSG:4326", west=haiti.lon, north=haiti.lat, pixel=1e-4)
    with pytest.raises(UnusableDataset, match=match):
        list(build(configuration(folder, **change), folder / "set"))
    assert not (folder / "set" / "set.json").exists()


def test_spikes_of_polygons_are_no_landslides(tmp_path):
    """Digitised outlines run out to a point and back; drawn, such a line would be a slide of its own."""
    west, north = WEST + 1000, NORTH - 1000
    corners = [(0, 0), (300, 0), (2300, -150), (300, 0), (300, -300), (0, -300)]
    spiky = Polygon([(west + x, north + y) for x, y in corners])
    inventory = Inventory(write_inventory(tmp_path / "i.gpkg", [spiky]), CRS)
    assert inventory.drawn(Affine(10, 0, WEST, 0, -10, NORTH), (600, 600)).sum() == 30 * 30


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_configurations_are_read_with_a_mark_and_refused_in_other_encodings(folder, encoding):
    path = configuration(folder)
    path.write_text(
        path.read_text().replace("slides", "slides" if encoding == "utf-8-sig" else "slidés"), encoding=encoding
    )
    result = CliRunner().invoke(main, ["cut", "--config", str(path), "--out", str(folder / "set")])
    if encoding == "utf-8-sig":
        assert result.exit_code == 0, result.output
    else:
        assert "config.json is no JSON in UTF-8" in result.output


def test_windows_that_no_model_has_are_refused_before_the_work(folder):
    path = configuration(folder)
    path.write_text(path.read_text().replace('"pre_days": 60', '"pre_days": 30'))
    result = CliRunner().invoke(main, ["cut", "--config", str(path), "--out", str(folder / "set")])
    assert result.exit_code == 1
    assert "no model has the windows 30-12; there are 365-12" in result.output


def test_command_says_what_is_wrong(tmp_path):
    result = CliRunner().invoke(main, ["cut", "--config", str(tmp_path / "none.json")])
    assert result.exit_code == 1
    assert "there is no such file" in result.output


TABLE_1 = {
    "gorkha": (7.8, "2015-04-25", 24_915, "vv"),
    "kaikoura": (7.8, "2016-11-14", 14_233, "vv"),
    "capellades": (5.3, "2016-12-01", 51, "vv"),
    "milin": (6.9, "2017-11-18", 939, "vv_vh"),
    "papua": (7.5, "2018-02-26", 11_607, "vv_vh"),
    "lombok": (6.9, "2018-08-05", 12_688, "vv_vh"),
    "hokkaido": (6.6, "2018-09-06", 7837, "vv_vh"),
    "mesetas": (6.0, "2019-12-24", 837, "vv_vh"),
    "haiti": (7.2, "2021-08-14", 4887, "vv_vh"),
    "luding": (6.6, "2022-09-05", 5336, "vv_vh"),
    "sumatra": (6.1, "2022-02-25", 171, "vv_vh"),
}
"""Magnitude, date (of Lombok only the month), landslides, polarisations, as printed."""


def test_the_eleven_events_are_those_of_table_1():
    assert {e.name: (e.magnitude, e.landslides, e.polarisation) for e in paper_events()} == {
        name: (magnitude, landslides, polarisation)
        for name, (magnitude, _, landslides, polarisation) in TABLE_1.items()
    }
    for event in paper_events():
        days = (date.fromisoformat(TABLE_1[event.name][1]) - event.pre_end.date()).days
        assert days in (0, 1)  # most dates of the table are local, in the east a day later
    assert sum(landslides for _, _, landslides, _ in TABLE_1.values()) == 83_501  # the paper's text says about 73 000
    dual = [name for name, row in TABLE_1.items() if row[3] == "vv_vh" and name not in ("sumatra", "haiti")]
    assert sum(TABLE_1[name][2] for name in dual) == 39_244


def test_images_after_are_those_after_the_last_shock_or_storm():
    """Lombok's last shock, of magnitude 6.9, and Haiti's storm, from which the caption of figure 4 counts."""
    later = {e.name: e.post_start.isoformat()[:10] for e in paper_events() if e.post_start != e.pre_end}
    assert later == {"lombok": "2018-08-19", "haiti": "2021-08-17"}
    assert all(e.post_start >= e.pre_end and e.pre_end.tzinfo for e in paper_events())


def test_landslides_lie_where_they_are_whichever_tile_comes_first(folder):
    with rasterio.open(folder / "a.tif") as file:
        files = tiles_of(folder, file.read(), (128, 128))
    list(build(configuration(folder, composites=[{"track": "A069", "files": files[::-1]}]), folder / "set"))
    list(build(configuration(folder), folder / "whole"))
    for ours, whole in zip(contents(folder / "set"), contents(folder / "whole"), strict=True):
        np.testing.assert_array_equal(ours, whole)


@pytest.mark.parametrize("geometry", [0, 1])
def test_a_pixel_and_its_geometry_are_of_the_first_tile_that_has_a_value(folder, geometry):
    bands = ground()
    bands[4] = geometry
    write_raster(folder / "a.tif", bands)
    bands[:4, 96:160] = -9999  # a row of cells
    bands[4] = 1 - geometry
    for name in ("b.tif", "c.tif"):
        write_raster(folder / name, bands)
    composites = [{"track": "A069", "files": ["a.tif", "b.tif", "c.tif"]}]
    list(build(configuration(folder, composites=composites), folder / "set"))
    assert [row["distorted"] for row in rows_by_cell(folder / "set").values()] == [geometry] * 16


def test_a_cell_with_just_enough_pixels_is_kept(folder):
    bands = ground()
    bands[0, 96:112, 32:96] = np.nan  # a quarter of cell (1, 0)
    write_raster(folder / "a.tif", bands)
    list(build(configuration(folder), folder / "set"))
    assert rows_by_cell(folder / "set")[-7399, 1000]["valid"] == 0.75


def test_the_cells_of_the_mapped_area_are_those_inside(folder):
    write_inventory(folder / "mapped.geojson", [cell_box(1, 1).union(cell_box(1, 2))])
    list(build(configuration(folder, mapped_area="mapped.geojson"), folder / "set"))
    assert set(rows_by_cell(folder / "set")) == {(-7399, 1001), (-7399, 1002)}


def test_finer_pixels_are_refused(folder):
    write_raster(folder / "fine.tif", ground(1, 1), pixel=5.0)
    with pytest.raises(UnusableDataset, match="pixels of 5 m"):
        one_grid("hokkaido", [folder / "fine.tif"], paper_events())


def test_a_pixel_failed_where_its_centre_did(folder):
    write_inventory(folder / "slides.gpkg", [cell_box(0, 0, 10.4 / 64), cell_box(0, 1, 10.6 / 64)])
    list(build(configuration(folder), folder / "set"))
    rows = rows_by_cell(folder / "set")
    assert [rows[-7400, column]["original"] for column in (1000, 1001)] == [10 / 64, 11 / 64]


def test_ground_far_from_the_unseen_earthquakes_may_share_their_latitude_or_longitude(folder):
    haiti = next(event for event in paper_events() if event.name == "haiti")
    for n, (east, north) in enumerate(((40, 0), (0, 40))):
        place = {"west": haiti.lon + east, "north": haiti.lat + north}
        path = write_raster(folder / f"{n}.tif", ground(1, 1), crs="EPSG:4326", pixel=1e-4, **place)
        assert one_grid("hokkaido", [path], paper_events()).pixel_geometry == "epsg4326_10m"
