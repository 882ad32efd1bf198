"""Distance to the nearest pixel that is not zero, on the grid that is being computed; masked pixels count as zero.

The neighbourhood is read as the farthest distance along a row or a column (whether it is that or a side is not documented); where
nothing lies within it there is no value. Exact: the squared distance is found along columns first, then along rows.
"""

import numpy as np

from infra.local.earth_engine.catalogue import algorithm
from infra.local.earth_engine.errors import unsupported
from infra.local.earth_engine.pixel_types import DOUBLE
from infra.local.earth_engine.values import Array, Band, Block, Image, Raster

LARGEST = 1024  # px: a block is read with a margin that wide


def squared_distance(is_set: Array, reach: int) -> Array:
    """Squared distance in pixels to the nearest set pixel, infinite beyond the reach.

    Args:
        is_set: bool [height + 2 reach, width + 2 reach].
        reach: margin on every side.

    Returns:
        float64 [height, width].
    """
    height, width = (side - 2 * reach for side in is_set.shape)
    down = np.full((height, is_set.shape[1]), np.inf)
    for offset in range(-reach, reach + 1):
        rows = is_set[reach + offset : reach + offset + height]
        down = np.minimum(down, np.where(rows, float(offset * offset), np.inf))
    nearest = np.full((height, width), np.inf)
    for offset in range(-reach, reach + 1):
        nearest = np.minimum(nearest, down[:, reach + offset : reach + offset + width] + offset * offset)
    return nearest


def _distance(band: Band, reach: int) -> Band:
    def compute(block: Block) -> Raster:
        height, width = block.shape
        padded = block.child(block.grid.window(-reach, -reach, width + 2 * reach, height + 2 * reach)).read(band)
        nearest = squared_distance(padded.valid & (padded.values != 0), reach)
        known = np.isfinite(nearest)
        return Raster(np.where(known, nearest, 0), known)

    return Band(DOUBLE, band.projection, None, compute)


@algorithm("Image.fastDistanceTransform")
def _fast_distance_transform(image: Image, neighborhood: int, units: str, metric: str) -> Image:
    if metric != "squared_euclidean" or units != "pixels":
        raise unsupported(f"metric '{metric}' in {units} of Image.fastDistanceTransform")
    if not 0 < neighborhood <= LARGEST:
        raise unsupported(f"a neighborhood of {neighborhood} pixels in Image.fastDistanceTransform")
    return image.with_bands({"distance": _distance(image.first_band("Image.fastDistanceTransform"), neighborhood)})
