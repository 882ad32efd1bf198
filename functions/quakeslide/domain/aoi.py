"""The area of interest: where shaking could trigger landslides.

From a ShakeMap grid where there is one: MMI VI and more, the intensity from which earthquake-induced landslides become common
(Keefer 1984, Geol. Soc. Am. Bull. 95, 406-421, gives VI as the usual least intensity). Else a radius about the epicentre as the ARIA
project's trigger has it: (M - 5) / 2 * 150 km. Both are cut to land: there are no landslides to be seen under the sea.
"""

from dataclasses import dataclass

import antimeridian
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from shapely.geometry.base import BaseGeometry

from quakeslide.domain.land import on_land

GEOD = Geod(ellps="WGS84")
LEAST_MMI = 6.0
GREATEST_MMI = 12.0  # XII, where the scale ends (Wood and Neumann 1931, Bull. Seism. Soc. Am. 21, 277-283)
MAX_AREA_KM2 = 60_000.0  # two Sentinel-1 frames; a larger area is cut to its strongest shaking
MIN_RADIUS_KM = 25.0
CIRCLE_POINTS = 72
MMI_STEP = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class ShakeGrid:
    """Shaking on a regular lon/lat grid.

    Attributes:
        version: of the ShakeMap.
        west, north: centre of the first pixel, degrees.
        step_lon, step_lat: spacing, degrees, both positive.
        mmi: float32 [rows, cols], modified Mercalli intensity, row 0 in the north; NaN where it is not known.

    Raises:
        ValueError: no grid, not on the globe, or an intensity that there is not, such as an infinite one.
    """

    version: str
    west: float
    north: float
    step_lon: float
    step_lat: float
    mmi: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.mmi.ndim != 2 or 0 in self.mmi.shape or not (self.step_lon > 0 and self.step_lat > 0):
            raise ValueError(
                f"a shaking grid of shape {self.mmi.shape}, steps {self.step_lon}, {self.step_lat} is no grid"
            )
        south = self.north - (self.mmi.shape[0] - 1) * self.step_lat
        east = self.west + (self.mmi.shape[1] - 1) * self.step_lon
        if not (-90 <= south <= self.north <= 90 and -360 <= self.west <= east <= 360 and east - self.west <= 180):
            raise ValueError(f"a shaking grid over {self.west}..{east}, {south}..{self.north} is not on the globe")
        known = self.mmi[~np.isnan(self.mmi)]
        if not (np.abs(known) <= GREATEST_MMI).all():
            raise ValueError(
                f"a shaking grid with intensities {known.min()}..{known.max()}; the scale ends at {GREATEST_MMI}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What USGS's later products say of an earthquake.

    Attributes:
        shaking: the preferred ShakeMap's grid; None where there is none that can be used.
        landslide_alert: colour of the ground-failure product's landslide alert, empty where none; it ranks and never decides.
    """

    shaking: ShakeGrid | None = None
    landslide_alert: str = ""


def area_km2(area: BaseGeometry) -> float:
    """Return the geodesic area of a lon/lat polygon in km2."""
    return float(abs(GEOD.geometry_area_perimeter(shapely.orient_polygons(area))[0]) / 1e6)


def area_from_shaking(grid: ShakeGrid) -> tuple[BaseGeometry, float] | None:
    """Return the land shaken at MMI VI and more, with the threshold used; None where no land was.

    Where that is more than MAX_AREA_KM2, the threshold rises by steps of 0.1 until the strongest shaking fits.
    """
    strongest = float(np.nanmax(grid.mmi)) if np.isfinite(grid.mmi).any() else 0.0
    steps = int(np.floor((strongest - LEAST_MMI) / MMI_STEP + 1e-6))
    if steps < 0:
        return None
    low, high = 0, steps  # the area shrinks as the threshold rises: search for the first that fits
    while low < high:
        middle = (low + high) // 2
        if area_km2(land_shaken(grid, LEAST_MMI + middle * MMI_STEP)) <= MAX_AREA_KM2:
            high = middle
        else:
            low = middle + 1
    threshold = round(LEAST_MMI + low * MMI_STEP, 1)
    area = land_shaken(grid, threshold)
    return None if area.is_empty or area_km2(area) > MAX_AREA_KM2 else (area, threshold)


def land_shaken(grid: ShakeGrid, mmi: float) -> BaseGeometry:
    """Return the land shaken at an intensity and more; empty where none was."""
    return on_land(_polygon_over(grid, round(mmi, 6)))


def land_about(lon: float, lat: float, magnitude: float) -> tuple[BaseGeometry, float]:
    """Return the land within the radius that the magnitude gives, and the radius in km; empty where there is none."""
    area, radius_km = area_from_radius(lon, lat, magnitude)
    return on_land(area), radius_km


def _polygon_over(grid: ShakeGrid, threshold: float) -> BaseGeometry:
    """Return the pixels at or over a threshold as one polygon: runs along each row, dissolved, staircase smoothed."""
    over = np.nan_to_num(grid.mmi, nan=-1.0) >= threshold
    padded = np.pad(over, ((0, 0), (1, 1)))
    if not over.any():
        return shapely.Polygon()
    change = np.diff(padded.astype(np.int8), axis=1)
    rows, starts = np.nonzero(change == 1)
    _, ends = np.nonzero(change == -1)
    west = grid.west + (starts - 0.5) * grid.step_lon
    east = grid.west + (ends - 0.5) * grid.step_lon
    north = grid.north - (rows - 0.5) * grid.step_lat
    boxes = shapely.box(west, north - grid.step_lat, east, north)
    smooth = shapely.simplify(shapely.union_all(boxes), max(grid.step_lon, grid.step_lat) / 2)
    return on_the_globe(shapely.make_valid(smooth))


def area_from_radius(lon: float, lat: float, magnitude: float) -> tuple[BaseGeometry, float]:
    """Return a circle about the epicentre and its radius in km."""
    radius_km = max(MIN_RADIUS_KM, (magnitude - 5.0) / 2.0 * 150.0)
    radius_km = min(radius_km, (MAX_AREA_KM2 / np.pi) ** 0.5)
    azimuths = np.linspace(360.0, 0.0, CIRCLE_POINTS, endpoint=False)
    lons, lats, _ = GEOD.fwd(
        np.full(CIRCLE_POINTS, lon), np.full(CIRCLE_POINTS, lat), azimuths, np.full(CIRCLE_POINTS, radius_km * 1000)
    )
    unwrapped = lon + (np.asarray(lons) - lon + 180.0) % 360.0 - 180.0
    return on_the_globe(shapely.Polygon(np.column_stack([unwrapped, lats]))), radius_km


def on_the_globe(area: BaseGeometry) -> BaseGeometry:
    """Split an area that reaches over the antimeridian, so that all its longitudes are within 180 degrees."""
    west, _, east, _ = area.bounds
    if west >= -180 and east <= 180:
        return area
    parts = getattr(area, "geoms", [area])
    fixed = [
        antimeridian.fix_polygon(part, great_circle=False, fix_winding=True)
        for part in parts
        if part.geom_type == "Polygon"
    ]
    whole: BaseGeometry = shapely.union_all(fixed)
    return whole
