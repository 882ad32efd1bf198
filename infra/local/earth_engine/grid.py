"""Projections and pixel grids.

A projection is a CRS with an affine transform from pixel to CRS coordinates, as in Earth Engine; a grid is a projection
with a size. Pixel (row, col) has its centre at (col + 0.5, row + 0.5) in pixel coordinates.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyproj
from affine import Affine
from pyproj.exceptions import CRSError

from infra.local.earth_engine.errors import EarthEngineError

Coordinates = npt.NDArray[np.float64]
METRES_PER_DEGREE = 111319.49079327358  # Earth Engine's nominal scale of a degree: WGS 84 equator / 360
WGS84_A, WGS84_E2 = 6378137.0, 6.69437999014e-3


@lru_cache(maxsize=256)
def crs_of(code: str) -> pyproj.CRS:
    """Parse a CRS code or WKT.

    Raises:
        EarthEngineError: it is none.
    """
    try:
        return pyproj.CRS.from_user_input(code)
    except CRSError as error:
        raise EarthEngineError(f"The CRS of a map projection could not be parsed: {code!r}") from error


@lru_cache(maxsize=256)
def canonical(code: str) -> str:
    """The one spelling of a CRS used for comparison: `EPSG:n` where there is one, else WKT."""
    crs = crs_of(code)
    epsg = crs.to_epsg()
    return f"EPSG:{epsg}" if epsg else crs.to_wkt()


@lru_cache(maxsize=256)
def transformer(source: str, target: str) -> pyproj.Transformer:
    """Coordinate transformation, always in (x, y) = (lon, lat) order; safe to share between threads."""
    return pyproj.Transformer.from_crs(crs_of(source), crs_of(target), always_xy=True)


@dataclass(frozen=True, slots=True)
class Projection:
    """A CRS and the affine transform of its pixels.

    Attributes:
        crs: canonical code.
        transform: pixel (x, y) to CRS coordinates.
    """

    crs: str
    transform: Affine

    @property
    def is_geographic(self) -> bool:
        """True for degrees."""
        return crs_of(self.crs).is_geographic

    @property
    def metres_per_unit(self) -> float:
        """Metres of one CRS unit; for degrees Earth Engine's nominal value at the equator."""
        if self.is_geographic:
            return METRES_PER_DEGREE
        return float(crs_of(self.crs).axis_info[0].unit_conversion_factor)

    @property
    def nominal_scale(self) -> float:
        """Side of a pixel in metres, as `Projection.nominalScale`."""
        return math.sqrt(abs(self.transform.determinant)) * self.metres_per_unit

    def at_scale(self, metres: float) -> "Projection":
        """The same CRS and origin with square north-up pixels of this size (`Projection.atScale`).

        Raises:
            EarthEngineError: the size is not positive.
        """
        if metres <= 0:
            raise EarthEngineError(f"Projection: the scale must be positive; got {metres}")
        size = metres / self.metres_per_unit
        t = self.transform
        return Projection(self.crs, Affine(size, 0.0, t.c, 0.0, -size, t.f))


WORLD = Projection("EPSG:4326", Affine(1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
"""Default projection of a constant or of anything composited: WGS 84 at one degree."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A rectangle of pixels: the projection has its origin at the rectangle's upper left corner."""

    projection: Projection
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    def window(self, col: int, row: int, width: int, height: int) -> "Grid":
        """The grid of a part; offsets may be negative (a margin)."""
        p = self.projection
        return Grid(Projection(p.crs, p.transform @ Affine.translation(col, row)), width, height)

    def centres(self) -> tuple[Coordinates, Coordinates]:
        """CRS coordinates of the pixel centres: x, y, broadcastable to [height, width]."""
        t = self.projection.transform
        cols, rows = np.arange(self.width)[None, :] + 0.5, np.arange(self.height)[:, None] + 0.5
        if t.b == 0 and t.d == 0:
            return t.c + t.a * cols, t.f + t.e * rows
        return t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f

    def aligned_to(self, projection: Projection) -> bool:
        """True if every pixel is exactly a pixel of that projection."""
        if self.projection.crs != projection.crs:
            return False
        m = ~projection.transform @ self.projection.transform
        shift = max(abs(m.c - round(m.c)), abs(m.f - round(m.f)))
        turn = max(abs(m.a - 1), abs(m.e - 1), abs(m.b), abs(m.d))
        return shift < 1e-4 and turn * max(self.width, self.height) < 1e-4

    def pixel_size_metres(self) -> tuple[Coordinates, Coordinates]:
        """Width and height of the pixels in metres, each [height, 1]; for degrees they depend on the latitude."""
        t = self.projection.transform
        dx, dy = math.hypot(t.a, t.d), math.hypot(t.b, t.e)
        if not self.projection.is_geographic:
            unit = self.projection.metres_per_unit
            return np.full((self.height, 1), dx * unit), np.full((self.height, 1), dy * unit)
        latitude = np.radians(t.f + t.d * self.width / 2 + t.e * (np.arange(self.height)[:, None] + 0.5))
        # radii of curvature of the ellipsoid: prime vertical (east-west) and meridian (north-south)
        w = np.sqrt(1 - WGS84_E2 * np.sin(latitude) ** 2)
        east, north = WGS84_A / w * np.cos(latitude), WGS84_A * (1 - WGS84_E2) / w**3
        return np.radians(dx) * east, np.radians(dy) * north
