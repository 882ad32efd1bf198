"""Instants and areas as they stand in JSON, in messages as in stored documents."""

from datetime import UTC, datetime
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

MAX_VERTICES = 100_000


def instant(text: Any) -> datetime:
    """Read an RFC 3339 instant as aware UTC.

    Raises:
        ValueError: no instant, or one without a UTC offset.
    """
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no instant; write 2024-01-01T07:10:09Z")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset; write 2024-01-01T07:10:09Z")
    return moment.astimezone(UTC)


def area(geojson: Any) -> BaseGeometry:
    """Read a polygon or multipolygon in lon/lat degrees, as geometry, Feature or a FeatureCollection of one; heights are left out.

    Raises:
        ValueError: another geometry, invalid, empty, too large or off the globe.
    """
    if isinstance(geojson, dict) and geojson.get("type") == "FeatureCollection" and len(geojson["features"]) == 1:
        geojson = geojson["features"][0]
    if isinstance(geojson, dict) and geojson.get("type") == "Feature":
        geojson = geojson["geometry"]
    if not isinstance(geojson, dict) or geojson.get("type") not in ("Polygon", "MultiPolygon"):
        raise ValueError("an area must be a GeoJSON Polygon or MultiPolygon in lon/lat degrees")
    try:
        geometry = shapely.force_2d(shape(geojson))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, ShapelyError) as error:
        raise ValueError(f"the area's coordinates are no polygon's ({error})") from error
    if geometry.is_empty or not geometry.is_valid:
        raise ValueError("the area's polygon is empty or crosses itself")
    west, south, east, north = geometry.bounds
    if not (-360 <= west < east <= 360 and -90 <= south < north <= 90):
        raise ValueError(f"the area's bounds {geometry.bounds} are not lon/lat degrees")
    if shapely.get_num_coordinates(geometry) > MAX_VERTICES:
        raise ValueError(f"the area has more than {MAX_VERTICES} vertices")
    return geometry
