"""Promotion of a value to the type an algorithm declares, as the server does it: 5 becomes a constant image, and so on."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import shapely.geometry
from affine import Affine

from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.grid import WORLD, Projection, canonical
from infra.local.earth_engine.values import (
    Collection,
    Date,
    DateRange,
    Feature,
    Filter,
    Geometry,
    Image,
    Reducer,
    constant_band,
)


def type_name(value: Any) -> str:
    """Earth Engine's name of a value's type."""
    names = {dict: "Dictionary", list: "List", str: "String", bool: "Boolean", int: "Integer", float: "Float"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def is_number(value: Any) -> bool:
    """True for a number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def constant_image(value: Any) -> Image:
    """An image of one number, or of one band per number of a list."""
    if is_number(value) or isinstance(value, bool):
        band = constant_band(float(value))
        return Image(lambda: {"constant": band})
    if isinstance(value, list) and value and all(is_number(item) for item in value):
        bands = {f"constant_{index}": constant_band(float(item)) for index, item in enumerate(value)}
        return Image(lambda: bands)
    raise EarthEngineError(f"Image.constant: a number or a list of numbers is needed; got {type_name(value)}.")


def millis_of(value: Any) -> float:
    """Milliseconds of a date given as such, as a number or as an ISO 8601 string (UTC unless it says otherwise)."""
    if isinstance(value, Date):
        return value.millis
    if is_number(value):
        return float(value)
    if isinstance(value, str):
        try:
            instant = datetime.fromisoformat(value)
        except ValueError as error:
            raise EarthEngineError(f"Date: Invalid date string {value!r}.") from error
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp() * 1000
    raise EarthEngineError(f"Date: a number or a string is needed; got {type_name(value)}.")


def geometry_of(value: Any) -> Geometry | None:
    """The geometry of a feature, an image (its footprint) or a geometry; None if it has none or is unbounded."""
    if isinstance(value, Geometry):
        return value
    if isinstance(value, Feature):
        return value.geometry
    if isinstance(value, Image):
        footprint = value.properties.get("system:footprint")
        if isinstance(footprint, dict):
            kind, coordinates = footprint["type"], footprint["coordinates"]
            if kind == "LinearRing":
                kind, coordinates = "Polygon", [coordinates]
            return Geometry(shapely.geometry.shape({"type": kind, "coordinates": coordinates}))
        if isinstance(footprint, Geometry):
            return footprint
        bound = next((band.footprint for band in value.bands.values()), None)
        return Geometry(bound) if bound is not None else None
    return None


def projection_of(value: Any) -> Projection | None:
    """A projection from itself, a CRS code or an image."""
    if isinstance(value, Projection):
        return value
    if isinstance(value, str):
        return Projection(canonical(value), Affine.identity())
    if isinstance(value, Image):
        return value.first_band("Image.projection").projection
    return None


def _image(value: Any) -> Image | None:
    if isinstance(value, Image):
        return value
    return constant_image(value) if is_number(value) or isinstance(value, bool | list) else None


def _collection(value: Any) -> Collection | None:
    if isinstance(value, Collection):
        return value
    if isinstance(value, list):
        return Collection(value)
    return Collection([value]) if isinstance(value, Image | Feature) else None


def _element(value: Any) -> Any:
    if isinstance(value, Image | Feature | Collection):
        return value
    return Feature(value, {}) if isinstance(value, Geometry) else None


def _integer(value: Any) -> int | None:
    return int(value) if is_number(value) and float(value).is_integer() else None


def _date_range(value: Any) -> DateRange | None:
    if isinstance(value, list) and len(value) == 2:
        return DateRange(millis_of(value[0]), millis_of(value[1]))
    return value if isinstance(value, DateRange) else None


def _instance(*types: type) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, types) else None


PROMOTIONS: dict[str, Callable[[Any], Any]] = {
    "Image": _image,
    "ImageCollection": _collection,
    "FeatureCollection": _collection,
    "Element": _element,
    "Feature": lambda value: Feature(value, {}) if isinstance(value, Geometry) else _instance(Feature, Image)(value),
    "Geometry": geometry_of,
    "Projection": projection_of,
    "Date": lambda value: Date(millis_of(value)),
    "DateRange": _date_range,
    "Integer": _integer,
    "Long": _integer,
    "Float": lambda value: float(value) if is_number(value) else None,
    "Number": lambda value: value if is_number(value) else None,
    "Boolean": lambda value: bool(value) if isinstance(value, bool) or is_number(value) else None,
    "String": _instance(str),
    "List": lambda value: value if isinstance(value, list) else None,
    "Dictionary": _instance(dict),
    "Filter": _instance(Filter),
    "Reducer": _instance(Reducer),
    "Algorithm": lambda value: value if callable(value) else None,
    "ErrorMargin": lambda value: value,
    "Object": lambda value: value,
    "<any>": lambda value: value,
}


def promote(value: Any, declared: str, where: str) -> Any:
    """The value as the declared type.

    Args:
        value: any value of a graph.
        declared: type as the algorithms file spells it, `Image<unknown bands>`, `List<String>`, ...
        where: algorithm and argument, for the error.

    Raises:
        EarthEngineError: it cannot be one.
    """
    outer, _, inner = declared.partition("<") if not declared.startswith("<") else (declared, "", "")
    if outer not in PROMOTIONS:
        raise EarthEngineError(f"local Earth Engine does not support arguments of type {declared} ({where})")
    if outer == "List" and isinstance(value, str):
        value = [value]
    # False, 0 and [] are values; only None says that the promotion failed
    promoted = PROMOTIONS[outer](value)
    if promoted is None and value is not None:
        raise EarthEngineError(
            f"{where}: Invalid type.\nExpected type: {declared}.\nActual type: {type_name(value)}.\n"
            f"Actual value: {str(value)[:80]}"
        )
    if outer == "List" and inner.rstrip(">") not in ("Object", ""):
        return [promote(item, inner[:-1], where) for item in promoted]
    return promoted


def lonlat(value: Any) -> Any:
    """An element's shape in lon/lat degrees, None if unbounded."""
    geometry = geometry_of(value)
    return None if geometry is None else geometry.to(WORLD.crs)
