"""Which share of each 320 m block of the lattice lies in an area: what products cut at the area's rim are reckoned from.

A rectangle wholly inside or outside is settled by one question, any other is halved both ways down to single blocks. So the time
grows with the area's rim, not with the number of blocks.
"""

from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from quakeslide.domain.lattice import STRIDE_PX, Lattice, Rectangle, box_on_ground, to_crs


@lru_cache(maxsize=8)
def projected(area: BaseGeometry, crs: str) -> BaseGeometry:
    """Return a lon/lat area in a map CRS, parts that meet at the antimeridian joined.

    Several threads may hold it, so nobody may prepare it: a prepared geometry is for one thread.
    """
    joined: BaseGeometry = shapely.union_all([to_crs(area, crs)])
    return joined


def block_shares(area: BaseGeometry, lattice: Lattice, rectangle: Rectangle) -> NDArray[np.float32]:
    """Return float32 [height / 32, width / 32], the share of each block's area that lies in the area.

    Args:
        area: polygon in lon/lat degrees.
        lattice: the blocks' grid.
        rectangle: of the lattice, whose blocks are meant.
    """
    shares = np.zeros((rectangle.height // STRIDE_PX, rectangle.width // STRIDE_PX), np.float32)
    ground: BaseGeometry = shapely.from_wkb(shapely.to_wkb(projected(area, lattice.crs)))  # a copy for this thread
    shapely.prepare(ground)
    block_area = (STRIDE_PX * lattice.pixel) ** 2
    pending = [(0, 0, *shares.shape)]
    while pending:
        row, col, rows, cols = pending.pop()
        place = rectangle.row + row * STRIDE_PX, rectangle.col + col * STRIDE_PX
        box = box_on_ground(lattice, *place, rows * STRIDE_PX, cols * STRIDE_PX)
        here = np.s_[row : row + rows, col : col + cols]
        if shapely.contains_properly(ground, box):
            shares[here] = 1
        elif rows == cols == 1:
            shares[here] = min(1.0, shapely.intersection(box, ground).area / block_area)
        elif shapely.intersects(ground, box):
            tall, wide = max(1, rows // 2), max(1, cols // 2)
            quarters = [(0, 0, tall, wide), (0, wide, tall, cols - wide), (tall, 0, rows - tall, wide)]
            quarters.append((tall, wide, rows - tall, cols - wide))
            pending += [(row + r, col + c, h, w) for r, c, h, w in quarters if h and w]
    return shares


def windows_touching(shares: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return bool [R, C] from shares [R + 1, C + 1]: windows of which some part lies in the area."""
    is_in = shares > 0
    touching: NDArray[np.bool_] = is_in[:-1, :-1] | is_in[:-1, 1:] | is_in[1:, :-1] | is_in[1:, 1:]
    return touching
