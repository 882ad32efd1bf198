"""Arithmetic on pixels, band by band.

Computed in float64 and rounded to the result's type. A pixel is valid where all inputs are. Division by zero gives 0; any
other result that is not finite (log of a negative number, ...) is masked, for Earth Engine has no NaN.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from infra.local.earth_engine.catalogue import algorithm
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.grid import WORLD
from infra.local.earth_engine.pixel_types import BOOLEAN, DOUBLE, FLOAT, PixelType
from infra.local.earth_engine.values import Array, Band, Block, Image, Raster, intersection

Operation = Callable[..., Array]
Typing = Callable[..., PixelType]


def pixelwise(operation: Operation, kind: PixelType, bands: list[Band]) -> Band:
    """A band computed from the same pixel of other bands."""

    def compute(block: Block) -> Raster:
        rasters = [block.read(band) for band in bands]
        valid = rasters[0].valid
        for raster in rasters[1:]:
            valid = valid & raster.valid
        with np.errstate(all="ignore"):
            values = np.asarray(operation(*(raster.values.astype("float64", copy=False) for raster in rasters)))
        finite = np.isfinite(values)
        return Raster(np.where(finite, values, 0), valid & finite)

    projection = next((band.projection for band in bands if band.projection != WORLD), WORLD)
    return Band(kind, projection, intersection(band.footprint for band in bands), compute)


def pair(first: Image, second: Image, name: str) -> dict[str, tuple[Band, Band]]:
    """Match bands by order; a single band goes with each of the other image.

    Raises:
        EarthEngineError: the numbers of bands do not match.
    """
    a, b = list(first.bands.values()), list(second.bands.values())
    if not a or not b:
        raise EarthEngineError(f"{name}: an image has no bands.")
    if len(a) != len(b) and 1 not in (len(a), len(b)):
        raise EarthEngineError(
            f"{name}: Image.{name.rpartition('.')[2]}: the images have {len(a)} and {len(b)} bands;"
            " the numbers must match or one image must have a single band."
        )
    size = max(len(a), len(b))
    names = list(first.bands if len(a) == size else second.bands)
    a, b = (a * size if len(a) == 1 else a), (b * size if len(b) == 1 else b)
    return dict(zip(names, zip(a, b, strict=True), strict=True))


def _ranges(operation: Operation) -> Typing:
    def typing(a: PixelType, b: PixelType) -> PixelType:
        merged = a.union(b)
        if merged.precision != "int":
            return merged
        corners = [float(operation(np.float64(x), np.float64(y))) for x in (a.low, a.high) for y in (b.low, b.high)]
        return PixelType("int", min(corners), max(corners))

    return typing


def _real(a: PixelType, *rest: PixelType) -> PixelType:
    merged = a
    for kind in rest:
        merged = merged.union(kind)
    return DOUBLE if merged.precision == "int" else merged


def _quotient(a: PixelType, b: PixelType) -> PixelType:
    return FLOAT if a.precision == b.precision == "int" else a.union(b)


def _divide(a: Array, b: Array) -> Array:
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b != 0)


def _modulo(a: Array, b: Array) -> Array:
    return np.where(b != 0, np.fmod(a, np.where(b != 0, b, 1)), 0)


BINARY: dict[str, tuple[Operation, Typing]] = {
    "add": (np.add, _ranges(np.add)),
    "subtract": (np.subtract, _ranges(np.subtract)),
    "multiply": (np.multiply, _ranges(np.multiply)),
    "divide": (_divide, _quotient),
    "mod": (_modulo, _real),
    "min": (np.minimum, _ranges(np.minimum)),
    "max": (np.maximum, _ranges(np.maximum)),
    "pow": (np.power, _real),
    # the left side is x, the right side y (the other way round than everywhere else): the examples of
    # https://developers.google.com/earth-engine/apidocs/ee-number-atan2 say ee.Number(0).atan2(1) = pi / 2
    "atan2": (lambda x, y: np.arctan2(y, x), lambda a, b: FLOAT),
    "hypot": (np.hypot, _real),
    "and": (lambda a, b: (a != 0) & (b != 0), lambda a, b: BOOLEAN),
    "or": (lambda a, b: (a != 0) | (b != 0), lambda a, b: BOOLEAN),
    "lt": (np.less, lambda a, b: BOOLEAN),
    "lte": (np.less_equal, lambda a, b: BOOLEAN),
    "gt": (np.greater, lambda a, b: BOOLEAN),
    "gte": (np.greater_equal, lambda a, b: BOOLEAN),
    "eq": (np.equal, lambda a, b: BOOLEAN),
    "neq": (np.not_equal, lambda a, b: BOOLEAN),
}

UNARY: dict[str, tuple[Operation, Typing]] = {
    "not": (lambda a: a == 0, lambda a: BOOLEAN),
    "abs": (np.abs, lambda a: PixelType("int", 0, max(abs(a.low), abs(a.high))) if a.precision == "int" else a),
    "sin": (np.sin, _real),
    "cos": (np.cos, _real),
    "tan": (np.tan, _real),
    "asin": (np.arcsin, _real),
    "acos": (np.arccos, _real),
    "atan": (np.arctan, _real),
    "sqrt": (np.sqrt, _real),
    "log": (np.log, _real),
    "log10": (np.log10, _real),
    "exp": (np.exp, _real),
    "floor": (np.floor, lambda a: a),
    "ceil": (np.ceil, lambda a: a),
    # half rounds away from zero, as Java's rounding of positive numbers; NumPy's rounds to even
    "round": (lambda a: np.trunc(a + np.copysign(0.5, a)), lambda a: a),
    "signum": (np.sign, lambda a: PixelType("int", -1, 1) if a.precision == "int" else a),
}

CASTS = {
    "Byte": ("int", 0, 2**8 - 1),
    "Uint8": ("int", 0, 2**8 - 1),
    "Int8": ("int", -(2**7), 2**7 - 1),
    "Uint16": ("int", 0, 2**16 - 1),
    "Int16": ("int", -(2**15), 2**15 - 1),
    "Short": ("int", -(2**15), 2**15 - 1),
    "Uint32": ("int", 0, 2**32 - 1),
    "Int32": ("int", -(2**31), 2**31 - 1),
    "Int": ("int", -(2**31), 2**31 - 1),
    "Float": ("float", None, None),
    "Double": ("double", None, None),
}


def _binary(name: str, operation: Operation, typing: Typing) -> Callable[[Image, Image], Image]:
    def apply(image1: Image, image2: Image) -> Image:
        pairs = pair(image1, image2, f"Image.{name}")
        bands = {key: pixelwise(operation, typing(a.type, b.type), [a, b]) for key, (a, b) in pairs.items()}
        return image1.with_bands(bands)

    return apply


def _unary(operation: Operation, typing: Typing) -> Callable[[Image], Image]:
    def apply(value: Image) -> Image:
        return value.with_bands(
            {name: pixelwise(operation, typing(band.type), [band]) for name, band in value.bands.items()}
        )

    return apply


def _cast(precision: str, low: float | None, high: float | None) -> Callable[[Image], Image]:
    def convert(a: Array) -> Array:
        # integers are clamped and cut, not wrapped
        return a if low is None else np.trunc(np.clip(a, low, high))

    return _unary(convert, lambda a: PixelType(precision, low, high))


for _name, (_operation, _typing) in BINARY.items():
    algorithm(f"Image.{_name}")(_binary(_name, _operation, _typing))
for _name, (_operation, _typing) in UNARY.items():
    algorithm(f"Image.{_name}")(_unary(_operation, _typing))
for _name, _arguments in CASTS.items():
    algorithm(f"Image.to{_name}", f"Image.{_name.lower()}")(_cast(*_arguments))


@algorithm("Image.clamp")
def _clamp(input: Image, low: float, high: float) -> Image:
    return _unary(lambda a: np.clip(a, low, high), lambda a: a)(input)


def scalar(name: str) -> Callable[..., Any]:
    """The same operation on numbers; the result stays an integer if its type is one."""
    operation = (BINARY.get(name) or UNARY[name])[0]

    def apply(*numbers: float) -> float | int:
        with np.errstate(all="ignore"):
            value = float(operation(*(np.asarray(number, dtype="float64") for number in numbers)))
        if not np.isfinite(value):
            raise EarthEngineError(f"Number.{name}: the result of {numbers} is not finite.")
        return int(value) if value.is_integer() and all(isinstance(n, int) for n in numbers) else value

    return apply
