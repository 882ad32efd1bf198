"""Non-maximum suppression: of windows that overlap, only the best stays.

Overlap is `overlap_fraction`, intersection by own area, limit 0.1 (Nava et al. 2026, 3.6, and the published notebook). All windows
are equal in size, so it does not matter whose area is meant. Best first by score, ties by lowest index.
"""

import numpy as np
from numpy.typing import NDArray

from quakeslide.domain.lattice import WINDOW_PX

OVERLAP_MAX = 0.1  # a box overlapping a kept one by more than this share of its own area goes


def suppress_on_lattice(windows: NDArray[np.int_], scores: NDArray[np.float32]) -> NDArray[np.int_]:
    """Suppress lattice windows exactly, in linear time after sorting.

    Windows one step apart share a half, diagonal ones a quarter of their area; windows two steps apart only touch. So a kept window
    removes its eight neighbours and nothing else.

    Args:
        windows: int [n, 2], (row, col) window indices, all different.
        scores: float32 [n].

    Returns:
        int [m], indices into `windows` of the kept ones, best first, ties by lowest index.
    """
    if not len(windows):
        return np.empty(0, np.int_)
    first = windows.min(axis=0)
    rows, cols = windows.max(axis=0) - first + 1
    is_removed = np.zeros((rows + 2, cols + 2), np.bool_)  # a rim of one, so that neighbours need no test of bounds
    kept = []
    for index in best_first(scores):
        row, col = windows[index] - first
        if not is_removed[row + 1, col + 1]:
            is_removed[row : row + 3, col : col + 3] = True
            kept.append(index)
    return np.array(kept, np.int_)


def suppress_boxes(corners: NDArray[np.int_], scores: NDArray[np.float32]) -> NDArray[np.int_]:
    """Suppress windows at any pixel offset, such as those flush with the edge of a foreign raster.

    Args:
        corners: int [n, 2], (row, col) pixel offsets of the windows' top-left corners.
        scores: float32 [n].

    Returns:
        int [m], indices of the kept ones, best first, ties by lowest index.
    """
    kept: list[int] = []
    for index in best_first(scores):
        apart = np.abs(corners[kept] - corners[index])
        shared = np.clip(WINDOW_PX - apart, 0, None).prod(axis=1) if kept else np.empty(0)
        if not (shared > OVERLAP_MAX * WINDOW_PX**2).any():
            kept.append(int(index))
    return np.array(kept, np.int_)


def suppress_as_published(corners: NDArray[np.int_]) -> NDArray[np.int_]:
    """Suppress as the published notebook does: without scores, the box with the lowest bottom edge wins.

    PARITY: box sides are counted with one pixel more than they have, on both sides of the division; of boxes with the same bottom
    edge the last listed wins.

    Args:
        corners: int [n, 2], (row, col) pixel offsets of the windows' top-left corners.

    Returns:
        int [m], indices of the kept ones, in the order in which they were chosen.
    """
    left = np.argsort(corners[:, 0], kind="stable")
    kept = []
    while len(left):
        index, left = left[-1], left[:-1]
        kept.append(index)
        sides = np.clip(WINDOW_PX - np.abs(corners[left] - corners[index]) + 1, 0, None)
        left = left[sides.prod(axis=1) <= OVERLAP_MAX * (WINDOW_PX + 1) ** 2]
    return np.array(kept, np.int_)


def best_first(scores: NDArray[np.float32]) -> NDArray[np.int_]:
    """Return the order of falling score, ties by lowest index."""
    return np.argsort(-scores, kind="stable")
