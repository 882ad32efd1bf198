"""Where there is land: Natural Earth's 1:10 m land polygons (public domain), cut once by `infra/cut_land_mask.py`.

Good to about 1 km; what is smaller than 1 km2 is not in it. The mask is cut into tiles of 10 degrees and read at the first use.
"""

import gzip
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

KM_PER_DEGREE = 111.195  # of arc on a sphere of 6371 km
SEARCH_STEPS_KM = (30.0, 300.0, 3000.0)
MASK = Path(__file__).with_name("land.wkb.gz")


@cache
def _tree() -> shapely.STRtree:
    return shapely.STRtree(shapely.get_parts(shapely.from_wkb(gzip.decompress(MASK.read_bytes()))))


def on_land(area: BaseGeometry) -> BaseGeometry:
    """Return the part of a lon/lat area (longitudes within 180 degrees) that is land; empty where there is none."""
    tree = _tree()
    tiles = tree.geometries[np.sort(tree.query(area, predicate="intersects"))]
    parts = shapely.union_all(shapely.intersection(tiles, area), grid_size=1e-6)
    flat = [part for part in getattr(parts, "geoms", [parts]) if part.geom_type == "Polygon" and not part.is_empty]
    return flat[0] if len(flat) == 1 else shapely.MultiPolygon(flat)


def wholly_on_land(areas: Sequence[BaseGeometry]) -> NDArray[np.bool_]:
    """Return bool [n]: lon/lat areas that no coast runs through and that are not sea."""
    given = np.array(areas, dtype=object)
    is_land = np.zeros(len(given), np.bool_)
    is_land[_tree().query(given, predicate="covered_by")[0]] = True
    for place in np.flatnonzero(~is_land):  # on the coast, or on the seam of two tiles of land
        is_land[place] = on_land(given[place]).area > (1 - 1e-6) * given[place].area
    return is_land


def distance_to_land_km(lon: float, lat: float) -> float:
    """Return how far a place is from land in km: 0 on land, infinite over 3000 km.

    Taken on a plane about the place that is true to scale there; good to 1 % within 300 km.
    """
    return min(_nearest_km(lon + turn, lat) for turn in (-360.0, 0.0, 360.0))


def _nearest_km(lon: float, lat: float) -> float:
    tree = _tree()
    shrink = max(np.cos(np.radians(lat)), 0.01)
    for reach_km in SEARCH_STEPS_KM:
        tall = reach_km / KM_PER_DEGREE
        wide = min(tall / shrink, 180.0)
        if lon + wide < -180 or lon - wide > 180:
            continue
        near = shapely.box(lon - wide, lat - tall, lon + wide, lat + tall)
        tiles = tree.geometries[tree.query(near, predicate="intersects")]
        if not tiles.size:
            continue
        flat = shapely.transform(tiles, lambda xy: (xy - (lon, lat)) * (shrink, 1.0))
        nearest_km = float(shapely.distance(flat, shapely.Point(0, 0)).min()) * KM_PER_DEGREE
        if nearest_km <= reach_km:
            return nearest_km
    return float("inf")
