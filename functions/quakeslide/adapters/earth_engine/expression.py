"""A composite as an Earth Engine expression, built from explicit scene ids: what is ingested later changes nothing.

Medians of sigma0 in dB per track, post minus pre (Nava et al. 2026). Layover, shadow and local incidence after Vollrath, Mullissa,
Reiche 2020, Remote Sens. 12(11):1867, with the signs checked: a slope that faces the sensor has a positive alpha_r.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ee
import shapely

from quakeslide.adapters.earth_engine.archive import planar, within_the_globe
from quakeslide.domain.composite import LAYOVER, MISSING, SHADOW, UNKNOWN, Composite
from quakeslide.domain.lattice import affine_of, box_on_ground, cut_for, to_lonlat, unwrapped
from quakeslide.domain.sentinel1 import Polarisation

GLO30 = "COPERNICUS/DEM/GLO30"  # reaches beyond 60 N and 56 S, where SRTM stops
EDGE_M = 10_000.0  # an edge straight on the map is curved in lon/lat: it is followed in steps of 10 km
RIM_DEG = 0.01  # a slope needs its neighbours, which may lie on the next tile of the height model
BANDS = {Polarisation.VV: ("VV",), Polarisation.VV_VH: ("VV", "VH")}
Take = Sequence[str]  # scene ids of one data-take


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacks:
    """The data-takes of a composite.

    Attributes:
        pre, post: data-takes in time order, each the ids of its slices in time order.
    """

    pre: Sequence[Take]
    post: Sequence[Take]


def composite_image(composite: Composite, stacks: Stacks, look_azimuth_deg: float | None) -> Any:
    """Return the image of all bands, Float32, missing as -9999.

    Args:
        composite: what to make; its grid is applied by the export.
        stacks: its scenes by data-take.
        look_azimuth_deg: direction from the ground to the sensor, clockwise from grid north; None where angle or heights are unknown.
    """
    names = BANDS[composite.polarisation]
    pre, post = median(stacks.pre, names), median(stacks.post, names)
    difference = post.subtract(pre)
    bands = [post.select(name).rename(f"post{name}") for name in names]
    bands += [difference.select(name).rename(f"diff{name}") for name in names]
    if look_azimuth_deg is None:
        nothing = ee.Image.constant(MISSING)
        bands += [
            ee.Image.constant(UNKNOWN).rename("geometry"),
            nothing.rename("slope"),
            nothing.rename("localIncidence"),
        ]
    else:
        bands += terrain_bands(incidence_angle(stacks), heights(composite), look_azimuth_deg)
    bands += [passes(stacks.pre).rename("nPre"), passes(stacks.post).rename("nPost")]
    # one type for all bands, and 0 dB must never mean "missing": masked pixels would be exported as 0
    inside = worth_exporting(composite)
    kept = [band.toFloat() if inside is None else band.toFloat().updateMask(inside) for band in bands]
    return ee.Image.cat([band.unmask(MISSING, False) for band in kept]).select(list(composite.bands))


def worth_exporting(composite: Composite) -> Any:
    """Return an image that is there within 64 px of the area only, or None where that is about the whole rectangle."""
    outline = cut_for(composite.aoi, composite.lattice, composite.rectangle)
    if outline is None:
        return None
    lonlat = unwrapped(to_lonlat(shapely.segmentize(outline, EDGE_M), composite.lattice.crs))
    return ee.Image.constant(1).clip(planar(within_the_globe(lonlat)))


def median(takes: Sequence[Take], names: Sequence[str]) -> Any:
    """Return the per-pixel median of the data-takes, in dB."""
    return ee.ImageCollection.fromImages([mosaic(take, names) for take in takes]).median()


def mosaic(take: Take, names: Sequence[str]) -> Any:
    """Return the slices of one data-take as one image: where they overlap it is the same look, to be counted once."""
    return ee.ImageCollection.fromImages([ee.Image(scene).select(list(names)) for scene in take]).mosaic()


def passes(takes: Sequence[Take]) -> Any:
    """Return how many data-takes saw each pixel, 0 where none did."""
    return ee.ImageCollection.fromImages([mosaic(take, ("VV",)) for take in takes]).count().unmask(0, False)


def incidence_angle(stacks: Stacks) -> Any:
    """Return the incidence angle in degrees; the first post-event data-take on top, the others where it does not reach.

    The band is a coarse grid: read without interpolation it is a staircase.
    """
    takes = [*stacks.pre, *reversed(stacks.post)]
    scenes = [scene for take in takes for scene in take]
    return ee.ImageCollection.fromImages([ee.Image(s).select("angle").resample("bilinear") for s in scenes]).mosaic()


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


def look_direction(composite: Composite, stacks: Stacks, scale_m: float) -> Any:
    """Return a dictionary of the means of `north` and `east`, the components of the direction towards the sensor.

    The incidence angle grows away from the sensor, so its downhill direction points to it. Components, not angles, are averaged:
    the mean of 359 and 1 degrees is 0, not 180. Where the angle does not change its aspect says nothing.
    """
    angle = incidence_angle(stacks)
    aspect = ee.Terrain.aspect(angle).multiply(math.pi / 180).updateMask(ee.Terrain.slope(angle).gt(0))
    parts = aspect.cos().rename("north").addBands(aspect.sin().rename("east"))
    return parts.reduceRegion(
        reducer=ee.Reducer.mean(),
        geometry=region(composite),
        scale=scale_m,
        crs=composite.lattice.crs,
        maxPixels=10**9,
    )


def terrain_bands(angle: Any, height: Any, look_azimuth_deg: float) -> list[Any]:
    """Return `geometry`, `slope` and `localIncidence` (degrees).

    Args:
        angle: incidence angle on the ellipsoid, degrees (theta_i).
        height: metres.
        look_azimuth_deg: direction from the ground to the sensor (phi_i).
    """
    degree = math.pi / 180
    theta = angle.multiply(degree)
    slope = ee.Terrain.slope(height)
    steepness = slope.multiply(degree).tan()
    relative = ee.Terrain.aspect(height).multiply(-1).add(look_azimuth_deg).multiply(degree)  # phi_r = phi_i - phi_s
    alpha_range = steepness.multiply(relative.cos()).atan()
    alpha_azimuth = steepness.multiply(relative.sin()).atan()
    is_layover = alpha_range.gte(theta)
    is_shadow = alpha_range.lte(theta.subtract(math.pi / 2))
    geometry = is_layover.multiply(LAYOVER).add(is_shadow.multiply(SHADOW)).unmask(UNKNOWN, False)
    incidence = alpha_azimuth.cos().multiply(theta.subtract(alpha_range).cos()).acos().divide(degree)
    return [geometry.rename("geometry"), slope.rename("slope"), incidence.rename("localIncidence")]


def grid(composite: Composite) -> dict[str, Any]:
    """Return the composite's pixels as the REST API's PixelGrid."""
    a, b, c, d, e, f = affine_of(composite.lattice, composite.rectangle)
    return {
        "crsCode": composite.lattice.crs,
        "dimensions": {"width": composite.rectangle.width, "height": composite.rectangle.height},
        "affineTransform": {
            "scaleX": a, "shearX": b, "translateX": c, "shearY": d, "scaleY": e, "translateY": f,
        },
    }  # fmt: skip
