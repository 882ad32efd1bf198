"""On which slopes landslides lie: densities of slope and aspect over scar pixels (Figure 7).

Aspect is an angle: 359 and 1 degrees are neighbours, so its kernel is a normal distribution wrapped around the circle, where the
paper's figure ends at 0 and 360. Slope cannot be negative: its kernel is reflected at 0. The bandwidths are fixed, the same for all
curves of a figure: rules that shrink them with the number of samples count neighbouring pixels as if each were evidence of its own.
"""

import numpy as np
from numpy.typing import NDArray

SLOPE_BANDWIDTH_DEG = 2.0
ASPECT_BANDWIDTH_DEG = 10.0
BIN_DEG = 1.0
_TURNS = 3  # a wrapped kernel of 10 degrees is below 1e-200 beyond


def slope_density(slope_deg: NDArray[np.floating], at_deg: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the density of slopes, per degree, at some slopes.

    Args:
        slope_deg: [n], 0 to 90; binned to 1 degree.
        at_deg: [m], where to evaluate.

    Raises:
        ValueError: no sample.
    """
    centres, weights = _binned(slope_deg, 90.0)
    both = np.concatenate([centres, -centres])
    kernel = _normal(at_deg[:, None] - both, SLOPE_BANDWIDTH_DEG)
    return kernel @ np.concatenate([weights, weights])


def aspect_density(aspect_deg: NDArray[np.floating], at_deg: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the circular density of aspects, per degree, at some aspects; it is the same at 0 and at 360.

    Args:
        aspect_deg: [n], degrees clockwise from north; binned to 1 degree.
        at_deg: [m], where to evaluate.

    Raises:
        ValueError: no sample.
    """
    centres, weights = _binned(np.mod(aspect_deg, 360.0), 360.0)
    apart = at_deg[:, None] - centres
    kernel = sum(_normal(apart + 360.0 * turn, ASPECT_BANDWIDTH_DEG) for turn in range(-_TURNS, _TURNS + 1))
    return np.asarray(kernel @ weights)


def circular_mean_deg(aspect_deg: NDArray[np.floating]) -> float:
    """Return the mean direction, 0 to 360 degrees clockwise from north."""
    angle = np.radians(np.asarray(aspect_deg, np.float64))
    return float(np.degrees(np.arctan2(np.sin(angle).mean(), np.cos(angle).mean())) % 360)


def _binned(values: NDArray[np.floating], end: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not len(values):
        raise ValueError("a density needs at least one pixel")
    counts, edges = np.histogram(values, bins=round(end / BIN_DEG), range=(0.0, end))
    return (edges[:-1] + edges[1:]) / 2, counts / counts.sum()


def _normal(distance: NDArray[np.floating], bandwidth: float) -> NDArray[np.float64]:
    return np.exp(-0.5 * (distance / bandwidth) ** 2) / (bandwidth * np.sqrt(2 * np.pi))
