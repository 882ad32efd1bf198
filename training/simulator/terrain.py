"""Fractal mountains on a 10 m grid; rows run from north to south, columns from west to east."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

PIXEL_M = 10.0

Field = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terrain:
    """A height model and its derivatives, each float32 [H, W].

    Attributes:
        height_m: metres above the sea.
        rise_east, rise_north: slope components, metres per metre.
        slope_deg: steepest slope.
        aspect_deg: azimuth of the downhill direction, clockwise from north.
    """

    height_m: Field
    rise_east: Field
    rise_north: Field
    slope_deg: Field
    aspect_deg: Field


def fractal(
    rng: np.random.Generator,
    shape: tuple[int, int],
    exponent: float,
    *,
    shortest_m: float = 60.0,
    longest_m: float = 6000.0,
) -> Field:
    """Return a Gaussian random field, float32 [H, W], zero mean and unit standard deviation.

    Args:
        rng: source of the phases.
        shape: rows and columns.
        exponent: power falls with wavenumber to this power; 3-4 looks like mountains.
        shortest_m: wavelengths below are damped, so that a 30 m height model still holds the field.
        longest_m: wavelengths above are damped.
    """
    full = tuple(fft.next_fast_len(n, real=True) for n in shape)
    k = np.hypot(np.fft.fftfreq(full[0], PIXEL_M)[:, None], np.fft.rfftfreq(full[1], PIXEL_M)[None]).astype(np.float32)
    k[0, 0] = 1.0
    amplitude = k ** (-exponent / 2) * np.exp(-((k * shortest_m) ** 2)) * (1 - np.exp(-((k * longest_m) ** 2)))
    amplitude[0, 0] = 0.0
    spectrum = fft.rfft2(rng.standard_normal(full, dtype=np.float32)) * amplitude.astype(np.float32)
    field = fft.irfft2(spectrum, s=full)[: shape[0], : shape[1]]
    return ((field - field.mean()) / field.std()).astype(np.float32)


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], spacing_px: int) -> Field:
    """Return white noise on a coarse grid, interpolated by a cubic B-spline; float32 [H, W], unit standard deviation.

    Two small matrix products, far cheaper than a filter on the full grid: one is drawn for every acquisition.
    """
    rows, columns = (_spline_matrix(n, spacing_px) for n in shape)
    coarse = rng.standard_normal((rows.shape[1], columns.shape[1]), dtype=np.float32)
    root_mean_square = 0.479  # of the spline's weights over both axes, averaged over a cell
    return np.asarray(rows @ coarse @ columns.T / np.float32(root_mean_square), np.float32)


def _spline_matrix(length: int, spacing_px: int) -> Field:
    knots = length // spacing_px + 4
    position = np.arange(length)[:, None] / spacing_px + 1
    distance = np.abs(position - np.arange(knots)[None])
    weight = np.where(distance < 1, 2 / 3 - distance**2 + distance**3 / 2, np.clip(2 - distance, 0, None) ** 3 / 6)
    return weight.astype(np.float32)


def describe(height_m: Field) -> Terrain:
    """Return the terrain of a height model on the 10 m grid."""
    south, east = (np.asarray(part, np.float32) for part in np.gradient(height_m, np.float32(PIXEL_M)))
    return Terrain(
        height_m=height_m,
        rise_east=east,
        rise_north=-south,
        slope_deg=np.degrees(np.arctan(np.hypot(east, south))),
        aspect_deg=np.degrees(np.arctan2(-east, south)) % np.float32(360),
    )


def mountains(rng: np.random.Generator, shape: tuple[int, int], *, relief_m: float, exponent: float) -> Terrain:
    """Return ridged fractal mountains; `relief_m` scales heights and so slopes."""
    rolling = fractal(rng, shape, exponent)
    ridged = 1 - np.abs(fractal(rng, shape, exponent, shortest_m=90)) / np.float32(0.8)
    height = np.float32(relief_m) * (np.float32(0.6) * rolling + np.float32(0.9) * ridged)
    return describe(height - height.min() + np.float32(40))
