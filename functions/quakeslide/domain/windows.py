"""Windows: the 64 x 64 px places of a raster that a model scores, and which of them are judged.

Lattice windows sit at multiples of the 32 px stride. A foreign raster whose sides are no multiple of 32 gets a last row and column of
windows flush with its edge; the published notebook's `range(0, H - 64, 32)` drops them, and drops the last lattice row as well.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from quakeslide.domain.judgement import Unscored
from quakeslide.domain.lattice import STRIDE_PX, WINDOW_PX, Lattice, Rectangle, to_crs

VALID_FRACTION_MIN = (
    0.75  # a window with fewer pixels is not scored but counted as blind (design decision of this project)
)
# Ground gentler than this is not judged. The USGS leaves out slopes under 2 degrees from its landslide estimates (usgs/groundfailure,
# configuration of the model of Nowicki Jessee et al. 2018, `slopemin`).
LEAST_SLOPE_DEG = 2.0
# So large a share of a window's pixels must be at least so steep, or of unknown slope: one field's edge in the DEM is no slope.
STEEP_SHARE_MIN = 0.01
THRESHOLD = 0.6  # Nava et al. 2026, 3.6: a window scoring above 0.6 is a candidate; a model card may say otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A part of a raster that is cut into lattice windows of its own.

    Attributes:
        row, col: pixel offset of its top-left corner in the raster.
        height, width: in px, multiples of 32 and at least 64.
    """

    row: int
    col: int
    height: int
    width: int


def flush_strips(height: int, width: int) -> list[Strip]:
    """Cut a raster of any size into parts made of whole windows, so that every pixel lies in one of them.

    Args:
        height: of the raster in px, at least 64.
        width: likewise.

    Returns:
        The main part from the raster's corner, then, where a side is no multiple of 32, a strip 64 px high along the bottom edge,
        one 64 px wide along the right edge, and the 64 px corner where both are needed.

    Raises:
        ValueError: the raster is smaller than one window.
    """
    if height < WINDOW_PX or width < WINDOW_PX:
        raise ValueError(f"{height} x {width} px is smaller than one window of {WINDOW_PX} x {WINDOW_PX} px")
    tall, wide = height // STRIDE_PX * STRIDE_PX, width // STRIDE_PX * STRIDE_PX
    bottom, right = height - WINDOW_PX, width - WINDOW_PX
    strips = [Strip(row=0, col=0, height=tall, width=wide)]
    if tall < height:
        strips.append(Strip(row=bottom, col=0, height=WINDOW_PX, width=wide))
    if wide < width:
        strips.append(Strip(row=0, col=right, height=tall, width=WINDOW_PX))
    if tall < height and wide < width:
        strips.append(Strip(row=bottom, col=right, height=WINDOW_PX, width=WINDOW_PX))
    return strips


def lattice_shape(height: int, width: int) -> tuple[int, int]:
    """Return the number of lattice windows (rows, cols) wholly inside a raster, 0 where it is smaller than a window."""
    return max(0, (height - WINDOW_PX) // STRIDE_PX + 1), max(0, (width - WINDOW_PX) // STRIDE_PX + 1)


def offsets(strip: Strip) -> NDArray[np.int_]:
    """Return int [n, 2], the (row, col) pixel offsets in the raster of a strip's windows, by row then column."""
    rows, cols = lattice_shape(strip.height, strip.width)
    row, col = np.mgrid[:rows, :cols]
    return np.stack([strip.row + row.ravel() * STRIDE_PX, strip.col + col.ravel() * STRIDE_PX], axis=1)


def why_unscored(
    valid_fraction: NDArray[np.float32], steep_fraction: NDArray[np.float32], touching: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Return uint8 [R, C], an `Unscored` per window; each follows from the window's own pixels and the area alone.

    Args:
        valid_fraction: [R, C], share of pixels not missing.
        steep_fraction: [R, C], share of pixels at least as steep as the least slope, or of unknown slope.
        touching: [R, C], whether some part of the window lies in the area of interest.
    """
    reasons = np.full(valid_fraction.shape, Unscored.SCORED, np.uint8)
    reasons[steep_fraction < STEEP_SHARE_MIN] = Unscored.FLAT
    reasons[valid_fraction < VALID_FRACTION_MIN] = Unscored.MISSING
    reasons[~touching] = Unscored.OUTSIDE
    return reasons


def centres_in(aoi: BaseGeometry, lattice: Lattice, rectangle: Rectangle) -> NDArray[np.bool_]:
    """Say which windows of a rectangle belong to an area: those whose centre lies in it or on its rim.

    Args:
        aoi: polygon in lon/lat degrees.
        lattice: the windows' grid.
        rectangle: of the lattice, whose windows are meant.

    Returns:
        bool [rows, cols] of lattice windows.
    """
    rows, cols = rectangle.window_shape
    half = WINDOW_PX / 2
    x = lattice.origin_x + (rectangle.col + half + STRIDE_PX * np.arange(cols)) * lattice.pixel
    y = lattice.origin_y - (rectangle.row + half + STRIDE_PX * np.arange(rows)) * lattice.pixel
    area = to_crs(aoi, lattice.crs)
    shapely.prepare(area)
    return np.asarray(shapely.intersects_xy(area, *np.meshgrid(x, y)), np.bool_)


def candidates(scores: NDArray[np.float32], in_aoi: NDArray[np.bool_], threshold: float) -> NDArray[np.int_]:
    """Return int [n, 2], (row, col) of the judged windows in the area scoring above the threshold, by row then column.

    The threshold is compared in float32, as the scores are stored.
    """
    with np.errstate(invalid="ignore"):
        is_candidate: NDArray[np.bool_] = (scores > np.float32(threshold)) & in_aoi
    return np.argwhere(is_candidate)
