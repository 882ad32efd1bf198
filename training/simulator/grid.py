"""The map grid of an archive: a UTM zone, 10 m pixels, and what its corners are in longitude and latitude."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import shapes
from rasterio.transform import Affine
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from training.simulator.terrain import PIXEL_M

G = TypeVar("G", bound=BaseGeometry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A north-up grid of 10 m pixels.

    Attributes:
        epsg: of the UTM zone.
        west_m, north_m: outer corner of pixel (0, 0).
        shape: rows, columns.
    """

    epsg: int
    west_m: float
    north_m: float
    shape: tuple[int, int]

    @property
    def transform(self) -> Affine:
        """From (column, row) to (easting, northing)."""
        return Affine(PIXEL_M, 0, self.west_m, 0, -PIXEL_M, self.north_m)

    def rows(self, first: int, stop: int) -> "Grid":
        """Return the part of the grid between two rows."""
        return Grid(
            epsg=self.epsg,
            west_m=self.west_m,
            north_m=self.north_m - first * PIXEL_M,
            shape=(stop - first, self.shape[1]),
        )

    def to_lonlat(self) -> Transformer:
        """Return the transformer from grid metres to longitude and latitude."""
        return Transformer.from_crs(self.epsg, 4326, always_xy=True)

    def footprint(self) -> shapely.Polygon:
        """Return the outline, longitude and latitude, counter-clockwise."""
        rows, columns = self.shape
        box = shapely.box(self.west_m, self.north_m - rows * PIXEL_M, self.west_m + columns * PIXEL_M, self.north_m)
        return orient(to_lonlat(shapely.segmentize(box, 5000), self.to_lonlat()))


def read_aoi(path: Path) -> BaseGeometry:
    """Return the area of a GeoJSON file: a geometry, a feature or a collection of features.

    Raises:
        ValueError: it holds no polygon.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    features = document.get("features", [document])
    area = shapely.union_all([shape(f.get("geometry") or f) for f in features])
    if area.is_empty or area.area == 0:
        raise ValueError(f"{path}: holds no polygon")
    return area


def grid_around(aoi: BaseGeometry, *, margin_m: float = 1500.0, size_px: int | None = None) -> Grid:
    """Return a grid that covers an area and a margin, or a square of `size_px` around its middle.

    Raises:
        ValueError: `size_px` is too small for the area.
    """
    centre = aoi.envelope.centroid
    epsg = (32600 if centre.y >= 0 else 32700) + math.floor((centre.x + 180) / 6) % 60 + 1
    forward = Transformer.from_crs(4326, epsg, always_xy=True)
    west, south, east, north = to_lonlat(shapely.segmentize(aoi, 0.01), forward).bounds
    if size_px is None:
        west, south, east, north = west - margin_m, south - margin_m, east + margin_m, north + margin_m
    else:
        half = size_px * PIXEL_M / 2
        if max(east - west, north - south) > 2 * half:
            raise ValueError(
                f"{size_px} px do not cover the area of {(east - west) / 1000:.1f} x {(north - south) / 1000:.1f} km"
            )
        column_m, row_m = round((west + east) / 2, -1), round((south + north) / 2, -1)
        west, south, east, north = column_m - half, row_m - half, column_m + half, row_m + half
    west, north = math.floor(west / PIXEL_M) * PIXEL_M, math.ceil(north / PIXEL_M) * PIXEL_M
    rows, columns = math.ceil((north - south) / PIXEL_M), math.ceil((east - west) / PIXEL_M)
    return Grid(epsg=epsg, west_m=west, north_m=north, shape=(rows, columns))


def to_lonlat(geometry: G, transformer: Transformer) -> G:
    """Return a geometry with every vertex transformed."""

    def move(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer.transform(xy[:, 0], xy[:, 1]))

    return shapely.transform(geometry, move)


def outlines(label: NDArray[np.int32], grid: Grid) -> dict[int, shapely.Polygon]:
    """Return the outline of every labelled piece in longitude and latitude, exterior rings counter-clockwise."""
    transformer, found = grid.to_lonlat(), {}
    for geometry, number in shapes(label, mask=label > 0, connectivity=4, transform=grid.transform):
        found[int(number)] = orient(to_lonlat(_polygon(geometry), transformer))
    return dict(sorted(found.items()))


def geojson_ring(polygon: shapely.Polygon) -> dict[str, object]:
    """Return the exterior as Earth Engine writes a footprint."""
    return {"type": "LinearRing", "coordinates": [[round(x, 9), round(y, 9)] for x, y in polygon.exterior.coords]}


def feature(polygon: shapely.Polygon, properties: dict[str, object]) -> dict[str, object]:
    """Return a GeoJSON feature; 7 decimals are a centimetre."""
    rounded = orient(shapely.set_precision(polygon, 1e-7))
    return {"type": "Feature", "geometry": mapping(rounded), "properties": properties}


def _polygon(geometry: dict[str, Any]) -> shapely.Polygon:
    exterior, *holes = geometry["coordinates"]
    return shapely.Polygon(exterior, holes)
