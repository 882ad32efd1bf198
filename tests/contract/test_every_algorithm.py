"""Every algorithm of the local Earth Engine gives the value that the API reference's sentence says, worked out in plain Python.

What other tests hold against NumPy pixel by pixel is listed with the test; an algorithm in neither is refused.
"""

import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ee
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import Transformer

from infra.local.clock import Clock
from infra.local.earth_engine.algorithms import LOADERS
from infra.local.earth_engine.archive import Archive
from infra.local.earth_engine.catalogue import IMPLEMENTATIONS
from infra.local.earth_engine.graph import Expression
from infra.local.earth_engine.grid import Grid, Projection
from infra.local.earth_engine.values import Block, Image
from tests.contract.earth_engine_service import CRS, EarthEngineService, write_image

WEST, NORTH = 500000.0, 4150000.0
VALUES = np.array([[4.0, 1.0, 9.0], [2.0, np.nan, 2.5], [7.0, -3.0, 0.0]], "float32")
KNOWN = VALUES[np.isfinite(VALUES)].astype("float64")
ELSEWHERE = {
    "test_earth_engine.py": """
        AggregateFeatureCollection.array Collection.filter Collection.first Collection.limit Collection.map Collection.size
        Collection.toList
        Date.format DateRange Feature Filter.and Filter.dateRangeContains Filter.equals Filter.greaterThan Filter.intersects Filter.lessThan
        Filter.listContains Filter.not Filter.or GeometryConstructors.Point GeometryConstructors.Polygon GeometryConstructors.Rectangle
        Image.addBands Image.atan2 Image.bandNames Image.clip Image.clipToBoundsAndScale Image.constant Image.date Image.projection
        Image.reduceRegion Image.rename Image.reproject Image.resample Image.round Image.select Image.setDefaultProjection Image.updateMask
        Image.unmask Image.where ImageCollection.fromImages ImageCollection.mosaic List.distinct List.map List.sort Number.add Number.atan2
        Number.multiply Projection Reducer.mean Terrain.aspect Terrain.slope Element.get Element.set Dictionary.get reduce.count
        reduce.median reduce.mean reduce.min reduce.max Image.pow Image.load ImageCollection.load""",
    "test_random_graphs.py": "reduce.sum",
    "test_terrain.py": "Image.fastDistanceTransform Image.cat",
}  # fmt: skip
UNARY: dict[str, Callable[[float], float]] = {
    "not": lambda a: float(a == 0), "abs": abs, "sin": math.sin, "cos": math.cos, "tan": math.tan, "asin": math.asin, "acos": math.acos,
    "atan": math.atan, "sqrt": math.sqrt, "log": math.log, "log10": math.log10, "exp": math.exp, "floor": math.floor, "ceil": math.ceil,
    "signum": lambda a: math.copysign(1.0, a), "round": lambda a: float(round(a)),
}  # fmt: skip
BINARY: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b, "divide": lambda a, b: a / b,
    "mod": math.fmod, "min": min, "max": max, "pow": lambda a, b: a**b, "hypot": math.hypot,
    "and": lambda a, b: float(bool(a) and bool(b)), "or": lambda a, b: float(bool(a) or bool(b)), "lt": lambda a, b: float(a < b),
    "lte": lambda a, b: float(a <= b), "gt": lambda a, b: float(a > b), "gte": lambda a, b: float(a >= b), "eq": lambda a, b: float(a == b),
    "neq": lambda a, b: float(a != b),
}  # fmt: skip
RANGES = {
    "byte": (0, 255), "uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767), "short": (-32768, 32767),
    "uint32": (0, 2**32 - 1), "int32": (-(2**31), 2**31 - 1), "int": (-(2**31), 2**31 - 1),
}  # fmt: skip
REDUCERS: dict[str, float] = {
    "sum": KNOWN.sum(), "count": KNOWN.size, "min": KNOWN.min(), "max": KNOWN.max(), "median": float(np.median(KNOWN)),
    "stdDev": KNOWN.std(), "first": KNOWN[0], "mean": KNOWN.mean(),
}  # fmt: skip
REALS, WHOLES = ("float", "toFloat", "double", "toDouble"), ("int", "toInt", "long", "toLong")


@pytest.fixture(scope="module", autouse=True)
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with EarthEngineService(tmp_path_factory.mktemp("empty"), "http://127.0.0.1:9") as service:
        service.connect()
        yield


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("archive")
    for name, orbit in (("a", 5), ("b", 7), ("c", 7)):
        properties = {"system:time_start": 0, "orbit": orbit, "word": f"s1{name}"}
        write_image(folder, f"COPERNICUS/S1_GRD/{name}", {"VV": VALUES}, origin=(WEST, NORTH), version=datetime(2024, 1, 1, tzinfo=UTC), properties=properties)  # fmt: skip # noqa: E501
    return Archive(folder, Clock(None))


def called(name: str, *arguments: Any) -> Any:
    """Return an expression that calls one algorithm by its name."""
    return ee.ApiFunction.call_(name, *arguments)


def value(archive: Archive, expression: Any) -> Any:
    return Expression(ee.serializer.encode(expression, for_cloud_api=True)).evaluate(archive)


def pixel(archive: Archive, expression: Any) -> float | None:
    """Return the one value of an image of constants, None where it is masked."""
    image = value(archive, expression)
    assert isinstance(image, Image)
    (band,) = image.bands.values()
    raster = Block(Grid(Projection(CRS, Affine(10, 0, WEST, 0, -10, NORTH)), 1, 1)).read(band)
    return float(raster.values[0, 0]) if raster.valid[0, 0] else None


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("number", [0.3, 0.75])
def test_functions_of_one_number(archive: Archive, name: str, number: float) -> None:
    assert value(archive, called(f"Number.{name}", number)) == pytest.approx(UNARY[name](number))
    assert pixel(archive, called(f"Image.{name}", ee.Image.constant(number))) == pytest.approx(UNARY[name](number))


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize(("left", "right"), [(7.5, 2.0), (-7.5, 2.0), (2.0, 2.0), (0.0, 3.0)])
def test_functions_of_two_numbers(archive: Archive, name: str, left: float, right: float) -> None:
    expected = BINARY[name](left, right)
    assert value(archive, called(f"Number.{name}", left, right)) == pytest.approx(expected)
    found = pixel(archive, called(f"Image.{name}", ee.Image.constant(left), ee.Image.constant(right)))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("number", [200.7, -3.9, 70000.9, -5e9, 5e9])
def test_casts_clamp_and_cut(archive: Archive, name: str, number: float) -> None:
    low, high = RANGES[name]
    expected = math.trunc(min(max(number, low), high))
    for spelling in (name, f"to{name.capitalize()}"):
        assert pixel(archive, called(f"Image.{spelling}", ee.Image.constant(number))) == expected


@pytest.mark.parametrize("name", REALS)
def test_casts_to_real_numbers_keep_them(archive: Archive, name: str) -> None:
    assert pixel(archive, called(f"Image.{name}", ee.Image.constant(200.75))) == 200.75
    assert value(archive, called(f"Number.{name}", 7)) == 7.0


@pytest.mark.parametrize("name", WHOLES)
def test_numbers_are_cut_to_whole_ones(archive: Archive, name: str) -> None:
    assert value(archive, called(f"Number.{name}", -3.9)) == -3


def scene(name: str = "a") -> Any:
    return ee.Image(f"COPERNICUS/S1_GRD/{name}")


def scenes() -> Any:
    return ee.ImageCollection("COPERNICUS/S1_GRD")


def region() -> Any:
    return ee.Geometry.Rectangle([WEST, NORTH - 30, WEST + 30, NORTH], CRS, False)


@pytest.mark.parametrize("name", REDUCERS)
def test_reducers_over_a_region(archive: Archive, name: str) -> None:
    found = value(archive, scene().reduceRegion(called(f"Reducer.{name}"), region(), 10, CRS))
    assert found["VV"] == pytest.approx(REDUCERS[name], rel=1e-6)


def test_masks_and_clamps(archive: Archive) -> None:
    assert pixel(archive, called("Image.clamp", ee.Image.constant(5), 0, 3)) == 3
    hidden = called("Image.selfMask", ee.Image.constant(0))
    assert pixel(archive, hidden) is None
    assert pixel(archive, called("Image.mask", hidden)) == 0
    assert pixel(archive, called("Image.mask", ee.Image.constant(0))) == 1
    assert pixel(archive, called("Image.metadata", scene(), "orbit")) == 5


SQUARE, TRIANGLE = [0.0, 0.0, 2.0, 1.0], [[0, 0], [2, 0], [1, 1]]
STRING, LIST, DICTIONARY = "landslide", [3, 1, 2], {"b": 2, "a": 1}
PLAIN: dict[str, tuple[Callable[[], Any], Any]] = {
    "Collection.merge": (lambda: called("Collection.merge", scenes(), scenes()).size(), 6),
    "ImageCollection.merge": (lambda: called("ImageCollection.merge", scenes(), scenes().limit(1)).size(), 4),
    "Collection.distinct": (lambda: called("Collection.distinct", scenes(), ["orbit"]).size(), 2),
    "Collection": (lambda: called("Collection", [ee.Feature(None, {"x": 1}), ee.Feature(None, {"x": 4})]).aggregate_array("x"), [1, 4]),
    "AggregateFeatureCollection.first": (lambda: called("AggregateFeatureCollection.first", scenes(), "orbit"), 5),
    "AggregateFeatureCollection.count": (lambda: called("AggregateFeatureCollection.count", scenes(), "orbit"), 3),
    "AggregateFeatureCollection.count_distinct": (lambda: called("AggregateFeatureCollection.count_distinct", scenes(), "orbit"), 2),
    "AggregateFeatureCollection.max": (lambda: called("AggregateFeatureCollection.max", scenes(), "orbit"), 7),
    "AggregateFeatureCollection.min": (lambda: called("AggregateFeatureCollection.min", scenes(), "orbit"), 5),
    "Image.id": (lambda: called("Image.id", scene("b")), "b"),
    "Element.setMulti": (lambda: called("Element.setMulti", scene(), {"x": 1}).get("x"), 1),
    "Element.getNumber": (lambda: called("Element.getNumber", scene(), "orbit"), 5),
    "Element.getString": (lambda: called("Element.getString", scene(), "word"), "s1a"),
    "Element.propertyNames": (
        lambda: called("Element.propertyNames", scene()),
        ["orbit", "system:footprint", "system:index", "system:time_start", "word"],
    ),
    "Element.toDictionary": (lambda: called("Element.toDictionary", scene(), ["orbit"]), {"orbit": 5}),
    "Element.copyProperties": (lambda: called("Element.copyProperties", ee.Feature(None, {}), scene("b")).get("orbit"), 7),
    "Image.copyProperties": (lambda: called("Image.copyProperties", scene("b"), scene("a"), ["orbit"]).get("orbit"), 5),
    "Geometry.area": (lambda: called("Geometry.area", ee.Geometry.BBox(0, 0, 1, 1)), pytest.approx(12308778361.5, rel=1e-6)),
    "Geometry.intersects": (lambda: called("Geometry.intersects", ee.Geometry.BBox(0, 0, 1, 1), ee.Geometry.BBox(0.5, 0, 3, 1)), True),
    "Projection.nominalScale": (lambda: called("Projection.nominalScale", ee.Projection("EPSG:4326")), pytest.approx(111319.4908)),
    "Projection.atScale": (lambda: called("Projection.atScale", ee.Projection(CRS), 30).nominalScale(), 30),
    "Projection.crs": (lambda: called("Projection.crs", ee.Projection(CRS)), CRS),
    "String": (lambda: called("String", STRING), STRING),
    "String.cat": (lambda: called("String.cat", STRING, "s"), "landslides"),
    "Date.millis": (lambda: called("Date.millis", called("Date", "2024-01-01T00:00:01")), 1704067201000),
    "Date.advance": (lambda: called("Date.advance", ee.Date("2024-01-01"), 2, "day").millis(), 1704240000000),
    "List.reverse": (lambda: called("List.reverse", LIST), [2, 1, 3]),
    "List.get": (lambda: called("List.get", LIST, 1), 1),
    "List.getNumber": (lambda: called("List.getNumber", LIST, 0), 3),
    "List.size": (lambda: called("List.size", LIST), 3),
    "List.length": (lambda: called("List.length", LIST), 3),
    "List.contains": (lambda: called("List.contains", LIST, 4), False),
    "List.flatten": (lambda: called("List.flatten", [[1, 2], [3]]), [1, 2, 3]),
    "List.cat": (lambda: called("List.cat", LIST, [9]), [3, 1, 2, 9]),
    "Dictionary": (lambda: called("Dictionary", DICTIONARY), {"a": 1, "b": 2}),
    "Dictionary.getNumber": (lambda: called("Dictionary.getNumber", DICTIONARY, "b"), 2),
    "Dictionary.keys": (lambda: called("Dictionary.keys", DICTIONARY), ["a", "b"]),
    "Dictionary.values": (lambda: called("Dictionary.values", DICTIONARY), [1, 2]),
    "Dictionary.fromLists": (lambda: called("Dictionary.fromLists", ["x", "y"], [1, 2]), {"x": 1, "y": 2}),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_value_is_as_worked_out(archive: Archive, name: str) -> None:
    expression, expected = PLAIN[name]
    assert value(archive, expression()) == expected


SHAPES: dict[str, tuple[Callable[[], Any], Any]] = {
    "GeometryConstructors.BBox": (lambda: called("GeometryConstructors.BBox", *SQUARE), shapely.box(*SQUARE)),
    "GeometryConstructors.LinearRing": (lambda: called("GeometryConstructors.LinearRing", TRIANGLE), shapely.LinearRing(TRIANGLE)),
    "GeometryConstructors.MultiPolygon": (
        lambda: called("GeometryConstructors.MultiPolygon", [[[[0, 0], [1, 0], [1, 1]]], [[[5, 5], [6, 5], [6, 6]]]]),
        shapely.MultiPolygon([shapely.Polygon([(0, 0), (1, 0), (1, 1)]), shapely.Polygon([(5, 5), (6, 5), (6, 6)])]),
    ),
    "Geometry.bounds": (lambda: called("Geometry.bounds", ee.Geometry.Polygon([TRIANGLE], None, False)), shapely.box(0, 0, 2, 1)),
    "Geometry.intersection": (
        lambda: called("Geometry.intersection", ee.Geometry.BBox(0, 0, 1, 1), ee.Geometry.BBox(0.5, 0, 3, 1)), shapely.box(0.5, 0, 1, 1),
    ),
    "Feature.geometry": (lambda: called("Feature.geometry", ee.Feature(ee.Geometry.BBox(*SQUARE))), shapely.box(*SQUARE)),
    "Element.geometry": (lambda: called("Element.geometry", ee.Feature(ee.Geometry.BBox(*SQUARE))), shapely.box(*SQUARE)),
    "Collection.geometry": (
        lambda: called("Collection.geometry", ee.FeatureCollection([ee.Feature(ee.Geometry.BBox(*SQUARE))])), shapely.box(*SQUARE),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_shape_is_as_worked_out(archive: Archive, name: str) -> None:
    expression, expected = SHAPES[name]
    assert value(archive, expression()).shape.equals(expected)


def test_image_lies_where_its_pixels_are(archive: Archive) -> None:
    (lon, lat) = value(archive, called("Image.geometry", scene())).shape.centroid.coords[0]
    to_lonlat = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
    assert (lon, lat) == pytest.approx(to_lonlat.transform(WEST + 15, NORTH - 15), abs=1e-6)


FILTERS: dict[str, tuple[tuple[Any, ...], str]] = {
    "eq": (("orbit", 7), "bc"), "neq": (("orbit", 7), "a"), "notEquals": (("orbit", 7), "a"), "gt": (("orbit", 5), "bc"),
    "gte": (("orbit", 5), "abc"), "greaterThanOrEquals": (("orbit", 6), "bc"), "lt": (("orbit", 7), "a"), "lte": (("orbit", 5), "a"),
    "lessThanOrEquals": (("orbit", 7), "abc"), "inList": (("orbit", [5, 6]), "a"), "stringStartsWith": (("word", "s1c"), "c"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILTERS)
def test_filter_keeps_what_it_says(archive: Archive, name: str) -> None:
    (field, right), kept = FILTERS[name]
    chosen = scenes().filter(called(f"Filter.{name}", field, right)).aggregate_array("system:index")
    assert "".join(value(archive, chosen)) == kept


def test_filters_without_comparison(archive: Archive) -> None:
    assert value(archive, scenes().filter(called("Filter.always")).size()) == 3
    assert value(archive, scenes().filter(called("Filter.notNull", ["orbit", "missing"])).size()) == 0
    assert value(archive, scenes().filter(called("Filter.notNull", ["orbit"])).size()) == 3


def test_every_algorithm_is_checked_here_or_there() -> None:
    there = {name for names in ELSEWHERE.values() for name in names.split()}
    tables = {
        "Number": (*UNARY, *BINARY, *REALS, *WHOLES),
        "Image": (*UNARY, *BINARY, *REALS, *RANGES, *(f"to{name.capitalize()}" for name in RANGES)),
        "Filter": FILTERS,
        "Reducer": REDUCERS,
    }
    here = {f"{kind}.{name}" for kind, names in tables.items() for name in names}
    here |= set(re.findall(r'called\(\s*"([\w.]+)"', Path(__file__).read_text(encoding="utf-8")))
    known = here | there
    assert sorted(set(IMPLEMENTATIONS) - known) == []
    assert sorted(there - set(IMPLEMENTATIONS) - set(LOADERS)) == []
