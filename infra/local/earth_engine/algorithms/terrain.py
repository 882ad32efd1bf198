"""Slope and aspect from the four neighbours of a pixel, on the grid that is being computed.

As in Earth Engine the gradient is taken between the pixels of the output (or of an enclosing `reproject`), so what a
nearest-neighbour DEM does to it shows. Without a neighbour there is no value. Angles are in degrees: slope from the
horizontal, aspect the downhill direction clockwise from the grid's north.
"""

from collections.abc import Callable

import numpy as np

from infra.local.earth_engine.catalogue import algorithm
from infra.local.earth_engine.pixel_types import FLOAT
from infra.local.earth_engine.values import Array, Band, Block, Image, Raster


def gradient(block: Block, elevation: Band) -> tuple[Array, Array, Array]:
    """Rise per metre to the east and to the north of the grid, and where it is known; each [height, width]."""
    height, width = block.shape
    padded = block.child(block.grid.window(-1, -1, width + 2, height + 2)).read(elevation)
    z, known = padded.values.astype("float64"), padded.valid
    dx, dy = block.grid.pixel_size_metres()
    t = block.grid.projection.transform
    # columns run east where a > 0, rows run south where e < 0
    east = (z[1:-1, 2:] - z[1:-1, :-2]) / (2 * dx) * np.sign(t.a)
    north = (z[2:, 1:-1] - z[:-2, 1:-1]) / (2 * dy) * np.sign(t.e)
    valid = known[1:-1, 1:-1] & known[1:-1, 2:] & known[1:-1, :-2] & known[2:, 1:-1] & known[:-2, 1:-1]
    return east, north, valid


def _slope(east: Array, north: Array) -> Array:
    return np.degrees(np.arctan(np.hypot(east, north)))


def _aspect(east: Array, north: Array) -> Array:
    # 0 - x, not -x: flat ground must not turn into the angle of a negative zero
    return np.degrees(np.arctan2(0 - east, 0 - north)) % 360


def _terrain(elevation: Band, formula: Callable[[Array, Array], Array]) -> Band:
    def compute(block: Block) -> Raster:
        east, north, valid = gradient(block, elevation)
        return Raster(np.where(valid, formula(east, north), 0), valid)

    return Band(FLOAT, elevation.projection, elevation.footprint, compute)


@algorithm("Terrain.slope")
def _terrain_slope(input: Image) -> Image:
    return input.with_bands({"slope": _terrain(input.first_band("Terrain.slope"), _slope)})


@algorithm("Terrain.aspect")
def _terrain_aspect(input: Image) -> Image:
    return input.with_bands({"aspect": _terrain(input.first_band("Terrain.aspect"), _aspect)})
