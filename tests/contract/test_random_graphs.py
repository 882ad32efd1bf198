"""Random graphs over what the local Earth Engine supports, against NumPy written from the API reference; no code is shared."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ee
import numpy as np
import pytest
from affine import Affine

from infra.local.clock import Clock
from infra.local.earth_engine.archive import Archive
from infra.local.earth_engine.graph import Expression
from infra.local.earth_engine.grid import Grid, Projection
from infra.local.earth_engine.values import Block
from tests.contract.earth_engine_service import CRS, EarthEngineService, write_image

SIDE, COUNT, DEPTH, GRAPHS = 12, 5, 5, 80
CORNER = (500000.0, 4150000.0)
Array = np.ndarray


@dataclass(frozen=True)
class Pixels:
    """An image of the client beside what it must hold: float64 values and where they are valid."""

    image: Any
    values: Array
    valid: Array


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("archive")
    for number, values in enumerate(scenes()):
        write_image(
            folder, f"COPERNICUS/S1_GRD/r{number}", {"VV": values}, origin=CORNER, version=datetime(2024, 1, 1, tzinfo=UTC),
            properties={"system:time_start": 0},
        )  # fmt: skip
    return Archive(folder, Clock(None))


@pytest.fixture(scope="module", autouse=True)
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with EarthEngineService(tmp_path_factory.mktemp("empty"), "http://127.0.0.1:9") as service:
        service.connect()
        yield


def scenes() -> list[Array]:
    """Return small numbers, zeros and gaps among them."""
    random = np.random.default_rng(3)
    made = [
        random.integers(-4, 5, (SIDE, SIDE)).astype("float32") + random.choice([0, 0.25], (SIDE, SIDE))
        for _ in range(COUNT)
    ]
    for values in made:
        values[random.random((SIDE, SIDE)) < 0.2] = np.nan
    return made


def leaf(random: np.random.Generator) -> Pixels:
    if random.random() < 0.25:
        number = float(random.integers(-3, 4)) + float(random.choice([0, 0.5]))
        everywhere = np.ones((SIDE, SIDE), bool)
        return Pixels(ee.Image.constant(number).toDouble(), np.full((SIDE, SIDE), number), everywhere)
    number = int(random.integers(COUNT))
    values = scenes()[number].astype("float64")
    valid = np.isfinite(values)
    return Pixels(ee.Image(f"COPERNICUS/S1_GRD/r{number}").toDouble(), np.where(valid, values, 0), valid)


def divided(a: Array, b: Array) -> Array:
    return np.where(b == 0, 0.0, a / np.where(b == 0, 1, b))


BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": divided,
    "max": np.maximum,
    "min": np.minimum,
    "gt": np.greater,
    "gte": np.greater_equal,
    "lt": np.less,
    "lte": np.less_equal,
    "eq": np.equal,
    "neq": np.not_equal,
    "And": lambda a, b: (a != 0) & (b != 0),
    "Or": lambda a, b: (a != 0) | (b != 0),
}
UNARY: dict[str, Callable[[Array], Array]] = {
    "abs": np.abs, "sin": np.sin, "cos": np.cos, "atan": np.arctan, "Not": lambda a: a == 0, "floor": np.floor, "ceil": np.ceil,
    "sqrt": np.sqrt, "acos": np.arccos, "tan": np.tan,
}  # fmt: skip


def nan_reduced(name: str, stack: Array) -> Array:
    """Reduce [n, H, W], NaN left out."""
    with np.errstate(all="ignore"):
        ordered = np.sort(stack, axis=0)
        count = np.isfinite(stack).sum(axis=0)
        low = np.take_along_axis(ordered, np.maximum(count - 1, 0)[None] // 2, 0)[0]
        high = np.take_along_axis(ordered, np.minimum(count // 2, len(stack) - 1)[None], 0)[0]
        return {
            "median": (low + high) / 2,
            "mean": np.where(count > 0, np.nansum(stack, axis=0) / np.maximum(count, 1), np.nan),
            "sum": np.where(count > 0, np.nansum(stack, axis=0), np.nan),
            "min": ordered[0],
            "max": np.take_along_axis(ordered, np.maximum(count - 1, 0)[None], 0)[0],
        }[name]


def grown(random: np.random.Generator, depth: int) -> Pixels:
    """Return a random graph."""
    if depth == 0 or random.random() < 0.1:
        return leaf(random)
    kind = random.choice(["binary", "binary", "unary", "mask", "unmask", "where", "reduce", "mosaic"])
    one = grown(random, depth - 1)
    if kind == "unary":
        name = str(random.choice(list(UNARY)))
        with np.errstate(all="ignore"):
            values = UNARY[name](one.values).astype("float64")
        fits = np.isfinite(values)  # what is no number is masked
        return Pixels(getattr(one.image, name)().toDouble(), np.where(fits, values, 0), one.valid & fits)
    if kind == "unmask":
        number = float(random.integers(-2, 3))
        filled = np.where(one.valid, one.values, number)
        return Pixels(one.image.unmask(number, False), filled, np.ones_like(one.valid))
    other = grown(random, depth - 1)
    both = one.valid & other.valid
    if kind == "binary":
        name = str(random.choice(list(BINARY)))
        with np.errstate(all="ignore"):
            values = BINARY[name](one.values, other.values).astype("float64")
        return Pixels(getattr(one.image, name)(other.image).toDouble(), np.where(both, values, 0), both)
    if kind == "mask":
        return Pixels(one.image.updateMask(other.image), one.values, both & (other.values != 0))
    third = grown(random, depth - 1)
    if kind == "where":  # replaced where the test holds and the value is there
        takes = other.valid & (other.values != 0) & third.valid & one.valid
        return Pixels(one.image.where(other.image, third.image), np.where(takes, third.values, one.values), one.valid)
    stack = [one, other, third]
    collection = ee.ImageCollection.fromImages([part.image.rename("x") for part in stack])
    if kind == "mosaic":  # the last on top
        values, valid = np.zeros_like(one.values), np.zeros_like(one.valid)
        for part in stack:
            values, valid = np.where(part.valid, part.values, values), valid | part.valid
        return Pixels(collection.mosaic().toDouble(), values, valid)
    name = str(random.choice(["median", "mean", "sum", "min", "max"]))
    values = nan_reduced(name, np.stack([np.where(part.valid, part.values, np.nan) for part in stack]))
    valid = np.isfinite(values)
    return Pixels(getattr(collection, name)().toDouble(), np.where(valid, values, 0), valid)


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_random_graph_equals_numpy(archive: Archive, seed: int) -> None:
    expected = grown(np.random.default_rng(seed), DEPTH)
    graph = ee.serializer.encode(expected.image.rename("x"), for_cloud_api=True)
    image = Expression(graph).evaluate(archive)
    block = Block(Grid(Projection(CRS, Affine(10, 0, CORNER[0], 0, -10, CORNER[1])), SIDE, SIDE))
    found = block.read(image.bands["x"])
    np.testing.assert_array_equal(found.valid, expected.valid)
    np.testing.assert_allclose(found.values[found.valid], expected.values[found.valid], rtol=1e-9, atol=1e-9)
