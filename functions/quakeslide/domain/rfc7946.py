"""GeoJSON as RFC 7946 wants it: WGS 84 longitude and latitude, exteriors counter-clockwise, cut at the antimeridian, no NaN."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import antimeridian
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

DECIMALS = 7  # of a degree: 1 cm


def lonlat_polygons(geometries: Iterable[BaseGeometry], crs: str) -> list[BaseGeometry]:
    """Bring polygons of a map CRS to lon/lat, ready for `geometry_member`.

    Args:
        geometries: polygons or multipolygons, valid, not empty.
        crs: theirs, such as `EPSG:32653`.

    Returns:
        Exteriors counter-clockwise, cut at the antimeridian, coordinates rounded to 1 cm.
    """
    projected = np.array([_oriented(geometry) for geometry in geometries], dtype=object)
    if projected.size == 0:
        return []
    transformer = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)

    def project(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        lon, lat = transformer.transform(xy[:, 0], xy[:, 1])
        return np.column_stack([lon, lat])

    return [_rounded(_cut(geometry)) for geometry in shapely.transform(projected, project)]


def _oriented(geometry: BaseGeometry) -> BaseGeometry:
    """Turn exteriors counter-clockwise while still in the map CRS, where no ring jumps by 360 degrees."""
    if isinstance(geometry, MultiPolygon):
        return MultiPolygon([shapely.geometry.polygon.orient(part) for part in geometry.geoms])
    if isinstance(geometry, Polygon):
        return shapely.geometry.polygon.orient(geometry)
    raise ValueError(f"{geometry.geom_type} is neither Polygon nor MultiPolygon")


def _cut(geometry: BaseGeometry) -> BaseGeometry:
    """Split at the antimeridian whatever jumps across it or lies beyond it."""
    west, _, east, _ = geometry.bounds
    if west >= -180 and east <= 180 and east - west < 180:
        return geometry
    cut: BaseGeometry = shapely.geometry.shape(antimeridian.fix_shape(geometry))
    return cut


def _rounded(geometry: BaseGeometry) -> BaseGeometry:
    rounded: BaseGeometry = shapely.transform(geometry, lambda xy: np.round(xy, DECIMALS) + 0.0)  # + 0.0: no -0.0
    return rounded


def bbox_of(geometry: BaseGeometry) -> list[float]:
    """Return the bounding box [west, south, east, north]; west > east where it crosses the antimeridian (RFC 7946, 5.2)."""
    return [round(value, DECIMALS) for value in antimeridian.bbox(geometry)]


def feature(geometry: BaseGeometry, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Feature of a lon/lat geometry."""
    return {"type": "Feature", "geometry": shapely.geometry.mapping(geometry), "properties": dict(properties)}


def collection(features: Sequence[Mapping[str, Any]], members: Mapping[str, Any]) -> dict[str, Any]:
    """Return a FeatureCollection with foreign members (RFC 7946, 6.1)."""
    return {"type": "FeatureCollection", **members, "features": list(features)}


def number(value: Any, decimals: int = 4) -> float | None:
    """Return a number rounded for people, None (JSON null) where it is not finite."""
    return round(float(value), decimals) if math.isfinite(value) else None


def dumps(document: Mapping[str, Any]) -> bytes:
    """Return the document as UTF-8 JSON, the same bytes for the same document.

    Raises:
        ValueError: a number is NaN or infinite.
    """
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
