"""Reading pixels of one grid on another: nearest neighbour, or bilinear where the image was told to resample.

There are no pyramids: a coarser output reads the nearest native pixel. A read that would span very many native pixels is
cut into quarters first, so memory stays bounded.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from infra.local.earth_engine.grid import Grid, Projection
from infra.local.earth_engine.values import Array, Block, Raster

ReadWindow = Callable[[int, int, int, int], Raster]
"""(col, row, width, height) of native pixels to their raster."""

LARGEST_WINDOW = 2048 * 2048  # native pixels held at once
MODES = ("nearest", "bilinear")


def pixel_coordinates(block: Block, projection: Projection) -> tuple[Array, Array]:
    """Where the block's pixel centres lie in a projection's pixel coordinates, broadcastable to the block's shape."""
    x, y = block.centres(projection.crs)
    t = ~projection.transform
    if t.b == 0 and t.d == 0:
        return t.a * x + t.c, t.e * y + t.f
    return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f


def sample(u: Array, v: Array, read: ReadWindow, mode: str, size: tuple[int, int] | None) -> Raster:
    """Values at pixel coordinates.

    Args:
        u: column coordinates, broadcastable with v to [height, width]; non-finite ones are outside.
        v: row coordinates.
        read: gives native pixels.
        mode: `nearest` or `bilinear`. A bilinear value needs all neighbours that weigh in, so bilinear shrinks a mask.
        size: (width, height) of the native raster, None for one without end.
    """
    shape = np.broadcast_shapes(u.shape, v.shape)
    if mode == "bilinear":
        u, v = u - 0.5, v - 0.5
    # a centre that falls on an edge up to rounding belongs to the pixel that begins there
    col, row = np.floor(u + 1e-7), np.floor(v + 1e-7)
    reach = 1 if mode == "bilinear" else 0
    finite_c, finite_r = col[np.isfinite(col)], row[np.isfinite(row)]
    empty = Raster(np.zeros(shape), np.zeros(shape, dtype=bool))
    if finite_c.size == 0 or finite_r.size == 0:
        return empty
    c0, c1 = int(finite_c.min()), int(finite_c.max()) + reach + 1
    r0, r1 = int(finite_r.min()), int(finite_r.max()) + reach + 1
    if size is not None:
        c0, c1, r0, r1 = max(c0, 0), min(c1, size[0]), max(r0, 0), min(r1, size[1])
    if c0 >= c1 or r0 >= r1:
        return empty
    if (c1 - c0) * (r1 - r0) > LARGEST_WINDOW and max(shape) > 1:
        offset = 0.5 if mode == "bilinear" else 0.0
        return _by_quarters(u + offset, v + offset, read, mode, size, shape)
    native = read(c0, r0, c1 - c0, r1 - r0)
    if mode == "nearest":
        return _gather(native, col - c0, row - r0)
    return _bilinear(native, u - c0, v - r0, col - c0, row - r0)


def _gather(native: Raster, col: Array, row: Array) -> Raster:
    height, width = native.values.shape
    if (row.shape, col.shape) == ((height, 1), (1, width)) and _counts_up(row[:, 0]) and _counts_up(col[0]):
        return native
    known = (col >= 0) & (col < width) & (row >= 0) & (row < height)
    c = np.where((col >= 0) & (col < width), col, 0).astype(np.intp)
    r = np.where((row >= 0) & (row < height), row, 0).astype(np.intp)
    return Raster(native.values[r, c], native.valid[r, c] & known)


def _counts_up(index: Array) -> bool:
    # the indices of one axis are evenly spaced, so the ends decide
    return bool(index[0] == 0 and index[-1] == len(index) - 1)


def _bilinear(native: Raster, u: Array, v: Array, col: Array, row: Array) -> Raster:
    fu, fv = np.clip(u - col, 0.0, 1.0), np.clip(v - row, 0.0, 1.0)
    shape = np.broadcast_shapes(fu.shape, fv.shape)
    values, valid = np.zeros(shape), np.ones(shape, dtype=bool)
    for dc, wc in ((0, 1 - fu), (1, fu)):
        for dr, wr in ((0, 1 - fv), (1, fv)):
            weight = wc * wr
            corner = _gather(native, col + dc, row + dr)
            counts = weight > 1e-6
            valid &= corner.valid | ~counts
            values += np.where(counts & corner.valid, weight * corner.values, 0.0)
    return Raster(values, valid)


def _by_quarters(
    u: Array, v: Array, read: ReadWindow, mode: str, size: tuple[int, int] | None, shape: tuple[int, ...]
) -> Raster:
    u, v = np.broadcast_to(u, shape), np.broadcast_to(v, shape)
    values, valid = np.zeros(shape), np.zeros(shape, dtype=bool)
    half_r, half_c = max(shape[0] // 2, 1), max(shape[1] // 2, 1)
    for rows in (slice(0, half_r), slice(half_r, None)):
        for cols in (slice(0, half_c), slice(half_c, None)):
            part_u, part_v = u[rows, cols], v[rows, cols]
            if part_u.size:
                part = sample(part_u, part_v, read, mode, size)
                values[rows, cols], valid[rows, cols] = part.values, part.valid
    return Raster(values, valid)


def native_reader(block: Block, projection: Projection, compute: Callable[[Block], Raster]) -> ReadWindow:
    """Read a computed band on its own projection's pixels, each window evaluated once per block."""

    def read(col: int, row: int, width: int, height: int) -> Raster:
        origin = Grid(projection, 1, 1)
        return compute(block.child(origin.window(col, row, width, height)))

    return read


def all_true(shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """A mask that hides nothing."""
    return np.broadcast_to(np.bool_(True), shape)
