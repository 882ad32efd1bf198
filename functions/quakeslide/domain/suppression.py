"""Non-maximum suppression: of windows that overlap, only the best stays.

Overlap is `overlap_fraction`, intersection by own area, limit 0.1 (Nava et al. 2026, 3.6, and the published notebook). All windows
are equal in size, so it does not matter whose area is meant. Best first by score, ties by lowest index. Every method here looks only
at what lies within one window of each, so time grows with their number.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quakeslide.domain.lattice import STRIDE_PX, WINDOW_PX

OVERLAP_MAX = 0.1  # a box overlapping a kept one by more than this share of its own area goes
SIGN = np.uint32(0x8000_0000)
# What follows sets speed and memory, never the result. A place costs a round about 6 ns, a window costs the loop about 200 ns.
LATTICE_MAX = 2**20  # places of a lattice held as a table, one byte each, whatever is on it: 32 000 px square
SPARSE = 64  # places a window from which a larger lattice is held in bins
CROWDED = 16  # places a window up to which rounds are made; they need 14 bytes a place
WORTHWHILE = 1 / 32  # share of the places: a round that settles fewer windows is the last


def suppress_on_lattice(windows: NDArray[np.int_], scores: NDArray[np.float32]) -> NDArray[np.int_]:
    """Suppress lattice windows exactly, in linear time after sorting.

    Windows one step apart share a half, diagonal ones a quarter of their area; windows two steps apart only touch. So a kept window
    removes its eight neighbours and nothing else. Where windows are many, whole rounds settle most of them at once; what is left (all
    of a ramp, where each window waits for the next) is settled one by one, best first, in a loop over plain bytes, which is faster
    than NumPy where each step depends on the one before.

    Args:
        windows: int [n, 2], (row, col) window indices, all different.
        scores: float32 [n], no NaN.

    Returns:
        int [m], indices into `windows` of the kept ones, best first, ties by lowest index.
    """
    if not len(windows):
        return np.empty(0, np.int_)
    rows, cols = (index - index.min() + 1 for index in windows.T)
    height, width = int(rows.max()) + 2, int(cols.max()) + 2  # a rim of one, so that neighbours need no test of bounds
    if height * width > max(LATTICE_MAX, SPARSE * len(windows)):
        return suppress_boxes(np.stack([rows, cols], axis=1) * STRIDE_PX, scores)
    order = best_first(scores)
    places = rows * width + cols
    kept = np.zeros(len(order), np.bool_)  # by turn, which is the position in the order
    turns = np.arange(len(order), dtype=np.int32)
    if height * width <= CROWDED * len(order):
        lattice = np.full((height, width), len(order), np.int32)
        by_window = np.empty_like(turns)
        by_window[order] = turns
        lattice.ravel()[places] = by_window
        turns = _settle_in_rounds(lattice, kept)
    removed = bytearray(height * width)
    above, below = width + 1, width - 1
    best = []
    for turn, here in zip(turns.tolist(), places[order[turns]].tolist(), strict=True):
        if removed[here]:
            continue
        best.append(turn)
        removed[here - above] = removed[here - width] = removed[here - below] = removed[here - 1] = 1
        removed[here + above] = removed[here + width] = removed[here + below] = removed[here + 1] = 1
    kept[best] = True
    return order[kept]


def _settle_in_rounds(lattice: NDArray[np.int32], kept: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Keep each window whose turn comes before its neighbours', remove these, and again, while many are settled by it.

    Going through all windows in their order would keep the same: none of its neighbours can remove such a window first.

    Args:
        lattice: int32 [height, width], each window's turn, `len(kept)` where there is none and on a rim of one; changed.
        kept: bool by turn; set for those that are kept.

    Returns:
        int32, rising turns of the windows that are not settled; no kept one is their neighbour.
    """
    none = len(kept)
    inside = lattice[1:-1, 1:-1]
    left = settled = none
    while settled > WORTHWHILE * lattice.size:
        first = np.zeros(lattice.shape, np.bool_)
        first[1:-1, 1:-1] = (inside == _around(np.minimum, lattice)) & (inside < none)
        kept[lattice[first]] = True
        np.copyto(inside, none, where=_around(np.logical_or, first))
        before, left = left, int(np.count_nonzero(inside < none))
        settled = before - left
    return np.sort(inside[inside < none])


def _around(pick: np.ufunc, lattice: NDArray[Any]) -> NDArray[Any]:
    """Return what `pick` makes of each place and its eight neighbours, for all places but the rim."""
    across: NDArray[Any] = pick(lattice[:, :-2], lattice[:, 1:-1])
    pick(across, lattice[:, 2:], out=across)
    both: NDArray[Any] = pick(across[:-2], across[1:-1])
    pick(both, across[2:], out=both)
    return both


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
