"""What radar saw of a cell: how much of each window, and why not the rest.

Layover and shadow come from the band `geometry` (Vollrath, Mullissa, Reiche 2020); where it is unknown the ground counts as seen.
Every number is made from one window's or block's own pixels, gathered in the same order, so that it does not depend on the cell.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from quakeslide.domain.composite import LAYOVER, SHADOW
from quakeslide.domain.evidence import describe_windows
from quakeslide.domain.judgement import THUMB_PX, Blind, CellScores, Float32
from quakeslide.domain.lattice import STRIDE_PX, WINDOW_PX

Bands = Mapping[str, Float32]


def see(
    bands: Bands, scores: Float32, unscored: NDArray[np.uint8], valid_fraction: Float32, threshold: float
) -> CellScores:
    """Describe a cell whose windows were scored.

    Args:
        bands: float32 [H, W] by band name, missing as NaN; H and W multiples of 32. `postVV` and `diffVV` must be there; a band that
            is not there is unknown everywhere.
        scores: float32 [H / 32 - 1, W / 32 - 1], NaN where a window was not scored.
        unscored: uint8, likewise, why not.
        valid_fraction: float32, likewise, share of pixels not missing.
        threshold: windows scoring above it are candidates and are described further.
    """
    shape = bands["postVV"].shape
    has_data = np.ones(shape, np.bool_)
    for name in bands:
        if name.startswith(("post", "diff")):
            has_data &= ~np.isnan(bands[name])
    geometry = bands.get("geometry", np.full(shape, np.nan, np.float32))
    is_hidden = (geometry == LAYOVER) | (geometry == SHADOW)
    with np.errstate(invalid="ignore"):
        candidates = np.argwhere(scores > np.float32(threshold))
    return CellScores(
        scores=scores,
        unscored=unscored,
        valid_fraction=valid_fraction,
        blind_fraction=share_of_windows(is_hidden),
        blocks=blind_blocks(bands, has_data, geometry),
        thumb_post_vv_db=thumbnail(bands["postVV"]),
        **describe_windows(bands, has_data & ~is_hidden, candidates),
    )


def looks_linear(post_db: Float32) -> bool:
    """Say whether a post-event band holds linear power instead of dB: no place on Earth has a window of sigma0 above 0 dB throughout.

    Args:
        post_db: float32, any shape, missing as NaN; says nothing where fewer pixels than a window's are there.
    """
    known = post_db[~np.isnan(post_db)]
    return known.size >= WINDOW_PX**2 and bool((known >= 0).all())


def blind_blocks(bands: Bands, has_data: NDArray[np.bool_], geometry: Float32) -> NDArray[np.uint8]:
    """Return uint8 [H / 32, W / 32]: a block is blind where more than half of its pixels cannot be judged, for the commonest reason.

    Missing pixels are NO_PASS where no data-take lies on one side of the earthquake, else NO_DATA; pixels that were passed over are
    blind in layover and shadow, where terrain-flattened backscatter is missing.
    """
    reason = np.where(has_data, Blind.SEEN, Blind.NO_DATA).astype(np.uint8)
    for count in ("nPre", "nPost"):
        if count in bands:
            reason[~has_data & ~(bands[count] > 0)] = Blind.NO_PASS
    is_passed = reason != Blind.NO_PASS
    reason[is_passed & (geometry == LAYOVER)] = Blind.LAYOVER
    reason[is_passed & (geometry == SHADOW)] = Blind.SHADOW
    cut = tiles(reason, STRIDE_PX)
    counts = np.stack([np.count_nonzero(cut == blind, axis=2) for blind in Blind])
    commonest = counts[1:].argmax(axis=0) + 1
    too_many = counts[1:].sum(axis=0) * 2 > STRIDE_PX**2
    return np.where(too_many, commonest, Blind.SEEN).astype(np.uint8)


def tiles(pixels: NDArray[np.generic], side: int) -> NDArray[np.generic]:
    """Cut [H, W] into contiguous [H / side, W / side, side * side]."""
    height, width = pixels.shape
    cut = pixels.reshape(height // side, side, width // side, side).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(cut).reshape(height // side, width // side, side * side)


def over_windows(pixels: NDArray[np.generic]) -> NDArray[np.float64]:
    """Sum [H, W] over each lattice window, by way of its four 32 px blocks; float64 [H / 32 - 1, W / 32 - 1]."""
    blocks = tiles(pixels, STRIDE_PX).sum(axis=2, dtype=np.float64)
    total: NDArray[np.float64] = blocks[:-1, :-1] + blocks[:-1, 1:] + blocks[1:, :-1] + blocks[1:, 1:]
    return total


def share_of_windows(pixels: NDArray[np.bool_]) -> Float32:
    """Return the share of each lattice window's pixels that are set, float32 [H / 32 - 1, W / 32 - 1]."""
    return (over_windows(pixels) / WINDOW_PX**2).astype(np.float32)


def thumbnail(band: Float32) -> Float32:
    """Return the means of 8 x 8 px, float32 [H / 8, W / 8], NaN where all are missing."""
    if np.isnan(band).all():
        return np.full((band.shape[0] // THUMB_PX, band.shape[1] // THUMB_PX), np.nan, np.float32)
    cut = tiles(band, THUMB_PX)
    is_known = ~np.isnan(cut)
    total, count = np.where(is_known, cut, 0.0).sum(axis=2, dtype=np.float64), is_known.sum(axis=2)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
