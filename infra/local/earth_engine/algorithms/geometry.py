"""Geometries: constructors and simple questions. Edges are straight in the given projection (never great circles)."""

from typing import Any

import shapely
import shapely.geometry
from pyproj import Geod
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry

from infra.local.earth_engine.catalogue import algorithm
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.grid import WORLD, Projection
from infra.local.earth_engine.promotion import geometry_of, lonlat
from infra.local.earth_engine.values import Collection, Feature, Geometry, Image


def _shape(kind: str, coordinates: Any) -> BaseGeometry:
    try:
        return shapely.geometry.shape({"type": kind, "coordinates": coordinates})
    except (GEOSException, ValueError, TypeError, IndexError) as error:
        raise EarthEngineError(f"GeometryConstructors.{kind}: invalid coordinates: {error}") from error


def _placed(shape: BaseGeometry, crs: Projection | None) -> Geometry:
    return Geometry(shape, crs if crs is not None else WORLD)


@algorithm("GeometryConstructors.Point")
def _point(coordinates: list[float], crs: Projection | None) -> Geometry:
    return _placed(_shape("Point", coordinates), crs)


@algorithm("GeometryConstructors.Polygon")
def _polygon(
    coordinates: list[Any], crs: Projection | None, geodesic: bool | None, maxError: Any, evenOdd: bool
) -> Geometry:
    return _placed(shapely.make_valid(_shape("Polygon", [_closed(ring) for ring in coordinates])), crs)


@algorithm("GeometryConstructors.MultiPolygon")
def _multi_polygon(
    coordinates: list[Any], crs: Projection | None, geodesic: bool | None, maxError: Any, evenOdd: bool
) -> Geometry:
    polygons = [[_closed(ring) for ring in polygon] for polygon in coordinates]
    return _placed(shapely.make_valid(_shape("MultiPolygon", polygons)), crs)


@algorithm("GeometryConstructors.LinearRing")
def _linear_ring(coordinates: list[Any], crs: Projection | None, geodesic: bool | None, maxError: Any) -> Geometry:
    return _placed(shapely.geometry.LinearRing(_closed(coordinates)), crs)


def _closed(ring: list[Any]) -> list[Any]:
    return ring if ring and ring[0] == ring[-1] else [*ring, *ring[:1]]


@algorithm("GeometryConstructors.Rectangle")
def _rectangle(coordinates: list[Any], crs: Projection | None, geodesic: bool | None, evenOdd: bool) -> Geometry:
    flat = coordinates
    if len(coordinates) == 2:
        flat = [*coordinates[0], *coordinates[1]]
    if len(flat) != 4 or not all(isinstance(value, int | float) for value in flat):
        raise EarthEngineError(f"GeometryConstructors.Rectangle: four numbers are needed; got {coordinates!r}.")
    return _placed(
        shapely.box(min(flat[0], flat[2]), min(flat[1], flat[3]), max(flat[0], flat[2]), max(flat[1], flat[3])), crs
    )


@algorithm("GeometryConstructors.BBox")
def _bbox(west: float, south: float, east: float, north: float) -> Geometry:
    return _placed(shapely.box(west, south, east, north), None)


@algorithm("Feature")
def _feature(geometry: Geometry | None, metadata: dict[str, Any] | None) -> Feature:
    return Feature(geometry, metadata or {})


@algorithm("Image.geometry", "Element.geometry", "Feature.geometry")
def _element_geometry(feature: Any, maxError: Any) -> Geometry | None:
    return geometry_of(feature)


@algorithm("Collection.geometry")
def _collection_geometry(collection: Collection, maxError: Any) -> Geometry:
    return Geometry(shapely.union_all([shape for shape in map(lonlat, collection.items) if shape is not None]))


@algorithm("Geometry.bounds")
def _bounds(geometry: Geometry, maxError: Any) -> Geometry:
    return Geometry(shapely.box(*geometry.to(WORLD.crs).bounds))


@algorithm("Geometry.area")
def _area(geometry: Geometry, maxError: Any) -> float:
    return abs(Geod(ellps="WGS84").geometry_area_perimeter(geometry.to(WORLD.crs))[0])


@algorithm("Geometry.intersects")
def _intersects(left: Geometry, right: Geometry, maxError: Any) -> bool:
    return bool(left.to(WORLD.crs).intersects(right.to(WORLD.crs)))


@algorithm("Geometry.intersection")
def _intersection(left: Geometry, right: Geometry, maxError: Any) -> Geometry:
    return Geometry(left.to(WORLD.crs).intersection(right.to(WORLD.crs)))


def geojson(geometry: Geometry) -> dict[str, Any]:
    """The geometry as the client receives it, lon/lat."""
    return {**shapely.geometry.mapping(geometry.to(WORLD.crs)), "geodesic": False}


def footprint_of(image: Image) -> dict[str, Any] | None:
    """An image's outline as GeoJSON, None if unbounded."""
    geometry = geometry_of(image)
    return None if geometry is None else geojson(geometry)
