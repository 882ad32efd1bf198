"""Non-maximum suppression: of windows that overlap, only the best stays.

Overlap is `overlap_fraction`, intersection by own area, limit 0.1 (Nava et al. 2026, 3.6, and the published notebook). All windows
are equal in size, so it does not matter whose area is meant. Best first by score, ties by lowest index. Every method here goes once
through the windows in their order and looks only at what lies within one window of each, so time grows with their number.
"""

import numpy as np
from numpy.typing import NDArray

from quakeslide.domain.lattice import WINDOW_PX

OVERLAP_MAX = 0.1  # a box overlapping a kept one by more than this share of its own area goes
SIGN = np.uint32(0x8000_0000)


def suppress_on_lattice(windows: NDArray[np.int_], scores: NDArray[np.float32]) -> NDArray[np.int_]:
    """Suppress lattice windows exactly, in linear time after sorting.

    Windows one step apart share a half, diagonal ones a quarter of their area; windows two steps apart only touch. So a kept window
    removes its eight neighbours and nothing else. One byte a place of the lattice says what is removed; a loop over plain bytes is
    faster than NumPy here, since each step depends on the one before.

    Args:
        windows: int [n, 2], (row, col) window indices, all different.
        scores: float32 [n], no NaN.

    Returns:
        int [m], indices into `windows` of the kept ones, best first, ties by lowest index.
    """
    if not len(windows):
        return np.empty(0, np.int_)
    first = windows.min(axis=0)
    rows, cols = (int(size) for size in windows.max(axis=0) - first + 1)
    width = cols + 2  # a rim of one, so that neighbours need no test of bounds
    order = best_first(scores)
    places = (windows[order, 0] - first[0] + 1) * width + (windows[order, 1] - first[1] + 1)
    removed = bytearray((rows + 2) * width)
    above, below = width + 1, width - 1
    kept = []
    for turn, here in enumerate(places.tolist()):
        if removed[here]:
            continue
        kept.append(turn)
        removed[here - above] = removed[here - width] = removed[here - below] = removed[here - 1] = 1
        removed[here + above] = removed[here + width] = removed[here + below] = removed[here + 1] = 1
    return order[kept]


def suppress_boxes(corners: NDArray[np.int_], scores: NDArray[np.float32]) -> NDArray[np.int_]:
    """Suppress windows at any pixel offset, such as those flush with the edge of a foreign raster.

    Args:
        corners: int [n, 2], (row, col) pixel offsets of the windows' top-left corners.
        scores: float32 [n], no NaN.

    Returns:
        int [m], indices of the kept ones, best first, ties by lowest index.
    """
    return _keep(corners, best_first(scores), WINDOW_PX)


def suppress_as_published(corners: NDArray[np.int_]) -> NDArray[np.int_]:
    """Suppress as the published notebook does: without scores, the box with the lowest bottom edge wins.

    PARITY: box sides are counted with one pixel more than they have, on both sides of the division; of boxes with the same bottom
    edge the last listed wins. (The notebook's sort leaves the order of equal ones open; a stable sort is taken here.)

    Args:
        corners: int [n, 2], (row, col) pixel offsets of the windows' top-left corners.

    Returns:
        int [m], indices of the kept ones, in the order in which they were chosen.
    """
    return _keep(corners, np.argsort(corners[:, 0], kind="stable")[::-1], WINDOW_PX + 1)


def _keep(corners: NDArray[np.int_], order: NDArray[np.int_], side: int) -> NDArray[np.int_]:
    """Keep, in the given order, each box that shares no more with any kept one than the limit.

    Kept boxes lie in bins as wide as a box, so what overlaps a box lies in its own bin or one of the eight around.
    """
    limit = OVERLAP_MAX * side**2
    bins: dict[int, list[tuple[int, int]]] = {}
    across = (
        int(corners[:, 1].max(initial=0)) // side + 3
    )  # bins in a row, so that neighbours never wrap round to another row
    around = [down * across + right for down in (0, -1, 1) for right in (0, -1, 1)]
    kept = []
    for index, (row, col) in zip(order.tolist(), corners[order].tolist(), strict=True):
        here = row // side * across + col // side + 1
        for step in around:
            if any(_shared(row - r, col - c, side) > limit for r, c in bins.get(here + step, ())):
                break
        else:
            kept.append(index)
            bins.setdefault(here, []).append((row, col))
    return np.array(kept, np.int_)


def _shared(down: int, right: int, side: int) -> int:
    """Return how many pixels two boxes share that lie so far apart."""
    return max(side - abs(down), 0) * max(side - abs(right), 0)


def best_first(scores: NDArray[np.float32]) -> NDArray[np.int_]:
    """Return the order of falling score, ties by lowest index.

    A float's bits, flipped so that they rise as it falls, above the index: one sort of whole numbers, several times as fast as a
    stable sort of the scores.

    Args:
        scores: float32 [n], no NaN.
    """
    bits = (scores.astype(np.float32) + np.float32(0)).view(np.uint32)  # + 0: no -0.0, which has other bits than 0.0
    rising = np.where(bits & SIGN, ~bits, bits | SIGN)
    keys = (~rising).astype(np.uint64) << np.uint64(32) | np.arange(len(scores), dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64(0xFFFF_FFFF)).astype(np.int_)
