"""A composite as an Earth Engine expression, built from explicit scene ids: what is ingested later changes nothing.

Medians of sigma0 in dB per track, post minus pre (Nava et al. 2026), terrain-flattened where the composite asks for it; layover,
shadow and local incidence beside them (`terrain`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ee
import shapely

from quakeslide.adapters.earth_engine.archive import planar, within_the_globe
from quakeslide.adapters.earth_engine.terrain import EDGE_M, Slopes, correction, heights, slopes, terrain_bands
from quakeslide.domain.composite import MISSING, UNKNOWN, Composite
from quakeslide.domain.lattice import affine_of, cut_for, to_lonlat, unwrapped
from quakeslide.domain.sentinel1 import Polarisation
from quakeslide.errors import ExportFailed

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

    Raises:
        ExportFailed: terrain-flattened bands are asked for, and angle or heights are unknown.
    """
    names = BANDS[composite.polarisation]
    pre, post = median(stacks.pre, names), median(stacks.post, names)
    seen = None if look_azimuth_deg is None else slopes(incidence_angle(stacks), heights(composite), look_azimuth_deg)
    if composite.terrain.is_flattened:
        pre, post = flattened(composite, [pre, post], seen)
    difference = post.subtract(pre)
    bands = [post.select(name).rename(f"post{name}") for name in names]
    bands += [difference.select(name).rename(f"diff{name}") for name in names]
    if seen is None:
        nothing = ee.Image.constant(MISSING)
        bands += [
            ee.Image.constant(UNKNOWN).rename("geometry"),
            nothing.rename("slope"),
            nothing.rename("localIncidence"),
        ]
    else:
        bands += terrain_bands(seen, composite)
    bands += [passes(stacks.pre).rename("nPre"), passes(stacks.post).rename("nPost")]
    # one type for all bands, and 0 dB must never mean "missing": masked pixels would be exported as 0
    inside = worth_exporting(composite)
    kept = [band.toFloat() if inside is None else band.toFloat().updateMask(inside) for band in bands]
    return ee.Image.cat([band.unmask(MISSING, False) for band in kept]).select(list(composite.bands))


def flattened(composite: Composite, medians: Sequence[Any], seen: Slopes | None) -> list[Any]:
    """Return medians of sigma0 as terrain-flattened gamma0, in dB.

    The correction hangs on the ground and the track alone, and a median of dB moves with it: applied to the median it is the same as
    applied to each pass, but for the tenth of a millidegree by which the angle differs between passes of a track.
    """
    if seen is None:
        raise ExportFailed(f"{composite.path}: {composite.terrain.backscatter} needs the band angle and heights")
    decibels = correction(seen, composite)
    return [stack.subtract(decibels) for stack in medians]


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
