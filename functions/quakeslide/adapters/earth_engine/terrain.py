"""What terrain does to radar: layover, shadow, local incidence, and terrain-flattened backscatter.

All after Vollrath, Mullissa, Reiche 2020, Remote Sens. 12(11):1867, with the signs checked: a slope that faces the sensor has a
positive alpha_r.
"""

import math
from dataclasses import dataclass
from typing import Any

import ee
import shapely

from quakeslide.adapters.earth_engine.archive import planar, within_the_globe
from quakeslide.domain.composite import LAYOVER, SEEN, SHADOW, UNKNOWN, Composite
from quakeslide.domain.lattice import box_on_ground, to_lonlat, unwrapped
from quakeslide.domain.terrain import Backscatter

GLO30 = "COPERNICUS/DEM/GLO30"  # reaches beyond 60 N and 56 S, where SRTM stops
EDGE_M = 10_000.0  # an edge straight on the map is curved in lon/lat: it is followed in steps of 10 km
RIM_DEG = 0.01  # a slope needs its neighbours, which may lie on the next tile of the height model
DEGREE = math.pi / 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Slopes:
    """Images of the angles between the ground and the radar's look, radians but for `slope`.

    Attributes:
        theta: incidence angle on the ellipsoid (theta_i).
        slope: of the ground, degrees.
        alpha_range: steepness towards the sensor, positive where the ground faces it (alpha_r).
        alpha_azimuth: steepness along the flight (alpha_az).
    """

    theta: Any
    slope: Any
    alpha_range: Any
    alpha_azimuth: Any


def heights(composite: Composite) -> Any:
    """Return the height model over the composite in metres.

    Mosaicking drops the projection and so the meaning of bilinear: without it 30 m cells read on a 10 m grid are steps, whose edges
    have triple slopes and look like layover.
    """
    tiles = height_tiles(composite)
    projection = ee.Image(tiles.first()).projection()
    return tiles.mosaic().setDefaultProjection(projection).resample("bilinear")


def height_tiles(composite: Composite) -> Any:
    """Return the tiles of the height model that the composite needs."""
    return ee.ImageCollection(GLO30).select("DEM").filterBounds(region(composite, RIM_DEG))


def region(composite: Composite, rim_deg: float = 0.0) -> Any:
    """Return the composite's rectangle as a geometry, widened by a rim in degrees."""
    r = composite.rectangle
    box = box_on_ground(composite.lattice, r.row, r.col, r.height, r.width)
    outline = unwrapped(to_lonlat(shapely.segmentize(box, EDGE_M), composite.lattice.crs))
    return planar(within_the_globe(outline.envelope.buffer(rim_deg, join_style="mitre")))


def look_direction(composite: Composite, angle: Any, scale_m: float) -> Any:
    """Return a dictionary of the means of `north` and `east`, the components of the direction towards the sensor.

    The incidence angle grows away from the sensor, so its downhill direction points to it. Components, not angles, are averaged:
    the mean of 359 and 1 degrees is 0, not 180. Where the angle does not change its aspect says nothing.
    """
    aspect = ee.Terrain.aspect(angle).multiply(DEGREE).updateMask(ee.Terrain.slope(angle).gt(0))
    parts = aspect.cos().rename("north").addBands(aspect.sin().rename("east"))
    return parts.reduceRegion(
        reducer=ee.Reducer.mean(),
        geometry=region(composite),
        scale=scale_m,
        crs=composite.lattice.crs,
        maxPixels=10**9,
    )


def slopes(angle: Any, height: Any, look_azimuth_deg: float) -> Slopes:
    """Return the angles between ground and look.

    Args:
        angle: incidence angle on the ellipsoid, degrees.
        height: metres.
        look_azimuth_deg: direction from the ground to the sensor (phi_i).
    """
    slope = ee.Terrain.slope(height)
    steepness = slope.multiply(DEGREE).tan()
    relative = ee.Terrain.aspect(height).multiply(-1).add(look_azimuth_deg).multiply(DEGREE)  # phi_r = phi_i - phi_s
    return Slopes(
        theta=angle.multiply(DEGREE),
        slope=slope,
        alpha_range=steepness.multiply(relative.cos()).atan(),
        alpha_azimuth=steepness.multiply(relative.sin()).atan(),
    )


def terrain_bands(seen: Slopes, composite: Composite) -> list[Any]:
    """Return `geometry`, `slope` and `localIncidence` (degrees).

    PARITY: the paper's local incidence is exact on slopes that face the sensor or lie along its flight; on slopes oblique to both it is
    larger than the angle to the normal, by 1.1 degrees on a slope of 30 and 5.2 on one of 45, turned by 45.
    """
    geometry = hidden(seen, composite).unmask(UNKNOWN, False)
    incidence = seen.alpha_azimuth.cos().multiply(seen.theta.subtract(seen.alpha_range).cos()).acos().divide(DEGREE)
    return [geometry.rename("geometry"), seen.slope.rename("slope"), incidence.rename("localIncidence")]


def hidden(seen: Slopes, composite: Composite) -> Any:
    """Return where layover and shadow are, widened by the composite's buffer, as values of `geometry`; masked where it is unknown."""
    is_layover = seen.alpha_range.gte(seen.theta)
    is_shadow = seen.alpha_range.lte(seen.theta.subtract(math.pi / 2))
    if composite.terrain.mask_buffer_m:
        known = is_layover.mask()
        is_layover = widened(is_layover, composite)
        is_shadow = widened(is_shadow, composite).And(is_layover.Not()).updateMask(known)
    return is_layover.multiply(LAYOVER).add(is_shadow.multiply(SHADOW))


def widened(mask: Any, composite: Composite) -> Any:
    """Return a mask with every pixel whose centre lies within the buffer of one of its own."""
    reach_px = composite.terrain.mask_buffer_m / composite.lattice.pixel
    # Not documented: whether masked pixels count as zero, and whether the neighbourhood is a radius or a side. Here they are made
    # zero, and the neighbourhood is large enough either way.
    squared = mask.unmask(0, False).fastDistanceTransform(2 * math.ceil(reach_px) + 1)
    return squared.lte(reach_px**2).unmask(0, False)


def correction(seen: Slopes, composite: Composite) -> Any:
    """Return what to subtract from sigma0 in dB to get terrain-flattened gamma0; masked in layover and shadow, where no model holds.

    Sigma0 over the cosine of theta is gamma0 on the ellipsoid; the models divide it by what the slope adds to the volume or the
    surface that scatters (equations of the paper's 2.2, as its authors' code has them).
    """
    upright = seen.theta.multiply(-1).add(math.pi / 2)
    if composite.terrain.backscatter is Backscatter.GAMMA0_VOLUME:
        factor = upright.add(seen.alpha_range).tan().divide(upright.tan())
    else:
        factor = upright.cos().divide(seen.alpha_azimuth.cos().multiply(upright.add(seen.alpha_range).cos()))
    decibels = seen.theta.cos().multiply(factor).log10().multiply(10)
    return decibels.updateMask(hidden(seen, composite).eq(SEEN))
