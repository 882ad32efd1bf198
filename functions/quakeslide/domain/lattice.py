"""The pixel lattice of an earthquake: one grid for all tracks, stages and later growth.

Windows sit at multiples of the 32 px stride, so a window has the same index in every raster cut from the lattice, and detections
of different tracks are matched by index. Pixel order is (row, col), row growing southwards; boxes are half-open.
"""

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

WINDOW_PX = 64  # Nava et al. 2026, 3.6: patches of 64 x 64 px
STRIDE_PX = 32  # Nava et al. 2026, 3.6: half a window
PIXEL_M = 10.0  # Sentinel-1 GRD on Earth Engine
CUT_STEP_PX = 8  # corners of the cut are rounded by this much, outwards, to keep it short
LEAST_SAVING = 0.95
MARGIN_PX = 64  # windows at the AOI's rim see what lies just outside


@dataclass(frozen=True, slots=True, kw_only=True)
class Lattice:
    """A north-up grid of square pixels without bounds.

    Attributes:
        crs: such as `EPSG:32653`.
        origin_x: map x of the left edge of column 0, in the CRS's unit.
        origin_y: map y of the top edge of row 0.
        pixel: side of a pixel in the CRS's unit.
    """

    crs: str
    origin_x: float
    origin_y: float
    pixel: float = PIXEL_M


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Rectangle:
    """A half-open box of lattice pixels: rows [row, row + height), columns [col, col + width).

    All four are multiples of 32, height and width at least 64.
    """

    row: int
    col: int
    height: int
    width: int

    def __post_init__(self) -> None:
        odd = [value for value in (self.row, self.col, self.height, self.width) if value % STRIDE_PX]
        if odd or self.height < WINDOW_PX or self.width < WINDOW_PX:
            raise ValueError(
                f"{self} must sit on multiples of {STRIDE_PX} px and measure at least {WINDOW_PX} px a side"
            )

    @property
    def window_shape(self) -> tuple[int, int]:
        """Number of windows (rows, cols) that lie wholly inside."""
        return (self.height - WINDOW_PX) // STRIDE_PX + 1, (self.width - WINDOW_PX) // STRIDE_PX + 1


def utm_zone(lon: float, lat: float) -> str:
    """Return the EPSG code of the plain UTM zone (6 degrees wide, no Norway or Svalbard exceptions) at a place."""
    zone = int((lon + 180.0) % 360.0 // 6.0) + 1
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


def unwrapped(geometry: BaseGeometry) -> BaseGeometry:
    """Return a lon/lat geometry in one piece where the antimeridian cuts it: its western longitudes become 180 to 360 degrees."""
    west, _, east, _ = geometry.bounds
    if east - west <= 180.0:
        return geometry

    def shift(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack([points[:, 0] % 360.0, points[:, 1]])

    moved: BaseGeometry = shapely.transform(geometry, shift)
    return moved


def to_crs(geometry: BaseGeometry, crs: str) -> BaseGeometry:
    """Project a lon/lat geometry (degrees, WGS 84) into `crs`."""
    return _through(Transformer.from_crs("EPSG:4326", crs, always_xy=True), geometry)


def to_lonlat(geometry: BaseGeometry, crs: str) -> BaseGeometry:
    """Bring a geometry in `crs` back to lon/lat degrees, WGS 84."""
    return _through(Transformer.from_crs(crs, "EPSG:4326", always_xy=True), geometry)


def _through(transformer: Transformer, geometry: BaseGeometry) -> BaseGeometry:
    def project(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transformer.transform(points[:, 0], points[:, 1]))

    projected: BaseGeometry = shapely.transform(geometry, project)
    return projected


def lattice_for(aoi: BaseGeometry) -> Lattice:
    """Choose the lattice of an event: UTM zone of the AOI's centroid, 10 m, origin snapped to 320 m north-west of the AOI.

    Args:
        aoi: polygon in lon/lat degrees.
    """
    centre = unwrapped(aoi).centroid
    crs = utm_zone(centre.x, centre.y)
    west, _, _, north = to_crs(aoi, crs).bounds
    snap = STRIDE_PX * PIXEL_M
    return Lattice(crs=crs, origin_x=math.floor(west / snap) * snap, origin_y=math.ceil(north / snap) * snap)


def rectangle_for(aoi: BaseGeometry, lattice: Lattice) -> Rectangle:
    """Return the smallest rectangle of the lattice that holds the AOI and 64 px around it."""
    west, south, east, north = to_crs(aoi, lattice.crs).bounds
    first_row = math.floor((lattice.origin_y - north) / lattice.pixel) - MARGIN_PX
    first_col = math.floor((west - lattice.origin_x) / lattice.pixel) - MARGIN_PX
    last_row = math.ceil((lattice.origin_y - south) / lattice.pixel) + MARGIN_PX
    last_col = math.ceil((east - lattice.origin_x) / lattice.pixel) + MARGIN_PX
    row, col = first_row // STRIDE_PX * STRIDE_PX, first_col // STRIDE_PX * STRIDE_PX
    return Rectangle(
        row=row,
        col=col,
        height=-(-(last_row - row) // STRIDE_PX) * STRIDE_PX,
        width=-(-(last_col - col) // STRIDE_PX) * STRIDE_PX,
    )


def cut_for(area: BaseGeometry, lattice: Lattice, rectangle: Rectangle) -> BaseGeometry | None:
    """Return the outline of what is worth exporting: the area and 64 px around it, in the lattice's CRS.

    An area shaped by shaking fills perhaps half of its rectangle; what lies outside costs computing and is judged by nobody. None
    where the cut would save less than a twentieth.

    Args:
        area: polygon in lon/lat degrees.
        lattice: of the event.
        rectangle: that holds the area and its margin.
    """
    step = CUT_STEP_PX * lattice.pixel
    wide = to_crs(area, lattice.crs).buffer(MARGIN_PX * lattice.pixel + step, quad_segs=16)
    outline: BaseGeometry = shapely.simplify(wide, step)  # moves no edge by more than a step: the margin stays
    whole = box_on_ground(lattice, rectangle.row, rectangle.col, rectangle.height, rectangle.width)
    worth = shapely.intersection(outline, whole)
    return None if worth.area > LEAST_SAVING * whole.area else outline


def affine_of(lattice: Lattice, rectangle: Rectangle) -> tuple[float, float, float, float, float, float]:
    """Return (a, b, c, d, e, f) with x = a * col + b * row + c and y = d * col + e * row + f, from the rectangle's corner."""
    x = lattice.origin_x + rectangle.col * lattice.pixel
    y = lattice.origin_y - rectangle.row * lattice.pixel
    return lattice.pixel, 0.0, x, 0.0, -lattice.pixel, y


def box_on_ground(lattice: Lattice, row: int, col: int, height: int, width: int) -> BaseGeometry:
    """Return a box of lattice pixels as a polygon in the lattice's CRS."""
    x = lattice.origin_x + col * lattice.pixel
    y = lattice.origin_y - row * lattice.pixel
    return shapely.box(x, y - height * lattice.pixel, x + width * lattice.pixel, y)
