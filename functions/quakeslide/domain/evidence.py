"""What the pixels of a candidate say beside its score: how much changed, how steep it is, and what else could look like that.

Water, snow and bare ground are told from means over 80 m, where speckle no longer decides. The rules are coarse on purpose: they
raise a caution for people (see `cautions`), and decide nothing.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from quakeslide.domain.judgement import THUMB_PX, Float32
from quakeslide.domain.lattice import STRIDE_PX, WINDOW_PX

# Calm water mirrors the radar away: in VV it is darker than nearly all land (Twele et al. 2016, Int. J. Remote Sens. 37(13), find
# water below -15 to -20 dB). Wind makes it brighter, and it is missed. Smooth dry sand and runways are as dark.
WATER_VV_DB = -20.0
WATER_SLOPE_DEG = 5.0  # water is level; dark slopes are radar shadow
# Wet snow lowers C-band backscatter by 3 dB or more (Nagler and Rott 2000, IEEE TGRS 38(2); Nagler et al. 2016, Remote Sens. 8(4),
# 348); where it lay before and is gone, the ground is as much brighter. Dry snow changes too little to be seen.
SNOW_DB = 3.0
AT_ONCE = 256  # windows gathered at a time: 4 MB a band


def describe_windows(
    bands: Mapping[str, Float32], is_seen: NDArray[np.bool_], windows: NDArray[np.int_]
) -> dict[str, Float32]:
    """Return the fields of `CellScores` that are known of candidates only.

    Args:
        bands: float32 [H, W] by name, missing as NaN; a band that is not there is unknown.
        is_seen: bool [H, W], pixels with data outside layover and shadow.
        windows: int [n, 2], (row, col) of the windows to describe.

    Returns:
        float32 [H / 32 - 1, W / 32 - 1] by field, NaN at all other windows. Each number is made from the window's own pixels in
        their own order, so that it does not depend on the cell.
    """
    rows, cols = is_seen.shape[0] // STRIDE_PX - 1, is_seen.shape[1] // STRIDE_PX - 1
    fields = {name: np.full((rows, cols), np.nan, np.float32) for name in _FIELDS}
    for first in range(0, len(windows), AT_ONCE):
        row, col = windows[first : first + AT_ONCE].T
        seen = _gather(is_seen, row, col)
        pixels = {name: _gather(bands[name], row, col) for name in _BANDS if name in bands}
        for name, make in _FIELDS.items():
            fields[name][row, col] = make(pixels, seen)
    return fields


def _gather(band: NDArray[np.generic], row: NDArray[np.int_], col: NDArray[np.int_]) -> NDArray[np.generic]:
    """Return [n, 64, 64], the pixels of each window."""
    return np.lib.stride_tricks.sliding_window_view(band, (WINDOW_PX, WINDOW_PX))[row * STRIDE_PX, col * STRIDE_PX]


def _mean(values: NDArray[np.generic], known: NDArray[np.bool_], axes: tuple[int, ...]) -> NDArray[np.float64]:
    """Return means of the known values, NaN where none is."""
    total, count = np.where(known, values, 0.0).sum(axis=axes, dtype=np.float64), known.sum(axis=axes)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _thumbs(pixels: Mapping[str, Float32], name: str, seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return [n, 8, 8], means of a band over the seen pixels of each 80 m; NaN throughout where there is no such band."""
    side = WINDOW_PX // THUMB_PX
    if name not in pixels:
        return np.full((len(seen), side, side), np.nan)
    cut = (len(seen), side, THUMB_PX, side, THUMB_PX)
    values = pixels[name].reshape(cut)
    return _mean(values, seen.reshape(cut) & ~np.isnan(values), (2, 4))


def _mean_of(name: str, pixels: Mapping[str, Float32], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean of a band over each window's seen pixels."""
    if name not in pixels:
        return np.full(len(seen), np.nan)
    return _mean(pixels[name], seen & ~np.isnan(pixels[name]), (1, 2))


def _median_of(name: str, pixels: Mapping[str, Float32], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the median of a band over each window, seen or not."""
    found = np.full(len(seen), np.nan)
    if name in pixels:
        for place, window in enumerate(pixels[name]):
            known = window[~np.isnan(window)]
            found[place] = np.median(known) if known.size else np.nan
    return found


def _water(pixels: Mapping[str, Float32], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each window's seen ground that is dark and level; where slopes are unknown, dark is enough."""
    vv, slope = _thumbs(pixels, "postVV", seen), _thumbs(pixels, "slope", seen)
    is_water = (vv < WATER_VV_DB) & ~(slope >= WATER_SLOPE_DEG)
    return _mean(is_water, ~np.isnan(vv), (1, 2))


def _snow(pixels: Mapping[str, Float32], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of each window's seen ground that got darker as under wet snow, or brighter as without, the greater one.

    In every polarisation there is.
    """
    changes = [_thumbs(pixels, name, seen) for name in ("diffVV", "diffVH") if name in pixels]
    known = ~np.isnan(changes[0])
    wetter = np.logical_and.reduce([change <= -SNOW_DB for change in changes])
    gone = np.logical_and.reduce([change >= SNOW_DB for change in changes])
    return np.fmax(_mean(wetter, known, (1, 2)), _mean(gone, known, (1, 2)))


def _pre_vh(pixels: Mapping[str, Float32], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean VH before the earthquake: post minus the difference."""
    return _mean_of("postVH", pixels, seen) - _mean_of("diffVH", pixels, seen)


_BANDS = ("postVV", "postVH", "diffVV", "diffVH", "slope", "localIncidence")
_FIELDS = {
    "diff_vv_db": lambda pixels, seen: _mean_of("diffVV", pixels, seen),
    "diff_vh_db": lambda pixels, seen: _mean_of("diffVH", pixels, seen),
    "slope_deg": lambda pixels, seen: _median_of("slope", pixels, seen),
    "incidence_deg": lambda pixels, seen: _median_of("localIncidence", pixels, seen),
    "water_fraction": _water,
    "snow_fraction": _snow,
    "pre_vh_db": _pre_vh,
}
