"""Layover, shadow, local incidence and terrain-flattened gamma0, written from Vollrath, Mullissa, Reiche 2020 alone.

Imports nothing of the product and nothing of the local Earth Engine: a shared mistake must not agree with itself. Directions are
degrees clockwise from grid north; rows run south, columns east.
"""

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
SEEN, LAYOVER, SHADOW, UNKNOWN = 0, 1, 2, 3


def bilinear(values: Array, corner: tuple[float, float], cell: float, x: Array, y: Array) -> Array:
    """Read a north-up raster between its cell centres; NaN where one that weighs in is missing or outside.

    What is read keeps the type of the band: GLO30's heights and Sentinel-1's angle are float32.

    Args:
        values: [rows, cols], NaN where missing.
        corner: map coordinates of its upper left corner.
        cell: side of a cell in metres.
        x, y: where, [H, W].
    """
    col, row = (x - corner[0]) / cell - 0.5, (corner[1] - y) / cell - 0.5
    left, top = np.floor(col + 1e-9).astype(int), np.floor(row + 1e-9).astype(int)
    total = np.zeros(x.shape)
    for down in (0, 1):
        for right in (0, 1):
            weight = np.abs(1 - right - (col - left)) * np.abs(1 - down - (row - top))
            r, c = top + down, left + right
            inside = (r >= 0) & (r < values.shape[0]) & (c >= 0) & (c < values.shape[1])
            corner_values = np.where(inside, values[np.clip(r, 0, None) % len(values), np.clip(c, 0, None) % values.shape[1]], np.nan)  # fmt: skip # noqa: E501
            total += np.where(weight > 1e-6, weight * corner_values, 0.0)
    return total.astype("float32").astype("float64")


def slope_and_aspect(height: Array, pixel: float) -> tuple[Array, Array]:
    """Return slope and downhill direction in degrees from the four neighbours, each one pixel smaller on every side.

    Earth Engine's Terrain gives float32.
    """
    to_east = (height[1:-1, 2:] - height[1:-1, :-2]) / (2 * pixel)
    to_north = (height[:-2, 1:-1] - height[2:, 1:-1]) / (2 * pixel)
    slope = np.degrees(np.arctan(np.sqrt(to_east**2 + to_north**2)))
    downhill = np.degrees(np.arctan2(-to_east, -to_north)) % 360
    return slope.astype("float32"), downhill.astype("float32")


@dataclass(frozen=True)
class Ground:
    """Angles of the ground as the radar meets it, radians; theta_i, alpha_r and alpha_az of the paper.

    Attributes:
        incidence: on the ellipsoid.
        towards: steepness towards the sensor.
        along: steepness along the flight.
    """

    incidence: Array
    towards: Array
    along: Array

    @property
    def is_known(self) -> Array:
        return np.isfinite(self.incidence) & np.isfinite(self.towards)

    def geometry(self, reach_px: float = 0.0) -> Array:
        """Return 0 to 3; within reach of layover (then of shadow) a pixel counts as such."""
        with np.errstate(invalid="ignore"):
            layover = self.towards >= self.incidence
            shadow = self.towards <= self.incidence - np.pi / 2
        layover, shadow = near(layover, reach_px), near(shadow, reach_px)
        return np.where(~self.is_known, UNKNOWN, np.where(layover, LAYOVER, np.where(shadow, SHADOW, SEEN)))

    def local_incidence(self) -> Array:
        """Local incidence as the paper has it, degrees."""
        return np.degrees(np.arccos(np.cos(self.along) * np.cos(self.incidence - self.towards)))

    def incidence_on_the_normal(self) -> Array:
        """Angle between the look and the slope's normal, degrees, from the vectors themselves."""
        # towards the sensor, along the flight, up
        look = np.stack([np.sin(self.incidence), np.zeros_like(self.incidence), np.cos(self.incidence)])
        normal = np.stack([np.tan(self.towards), np.tan(self.along), np.ones_like(self.towards)])
        return np.degrees(np.arccos((look * normal).sum(axis=0) / np.linalg.norm(normal, axis=0)))

    def flattened(self, sigma0_db: Array, model: str, reach_px: float = 0.0) -> Array:
        """Return terrain-flattened gamma0 in dB by the model `volume` or `surface`, NaN where the ground is not plainly seen."""
        gamma0 = 10 ** (sigma0_db / 10) / np.cos(self.incidence)
        grazing = np.pi / 2 - self.incidence
        with np.errstate(invalid="ignore", divide="ignore"):
            if model == "volume":
                gamma0 = gamma0 * np.tan(grazing) / np.tan(grazing + self.towards)
            else:
                gamma0 = gamma0 * np.cos(self.along) * np.cos(grazing + self.towards) / np.cos(grazing)
            return np.where(self.geometry(reach_px) == SEEN, 10 * np.log10(gamma0), np.nan)


def ground(angle_deg: Array, slope_deg: Array, downhill_deg: Array, sensor_deg: float) -> Ground:
    """Return the angles where the sensor lies in the direction `sensor_deg` from the ground."""
    turned = np.radians(sensor_deg - downhill_deg.astype("float64"))
    steepness = np.tan(np.radians(slope_deg.astype("float64")))
    return Ground(np.radians(angle_deg), np.arctan(steepness * np.cos(turned)), np.arctan(steepness * np.sin(turned)))


def near(mask: Array, reach_px: float) -> Array:
    """Return the pixels within reach of one that is set, found by trying every shift."""
    found, steps = mask.copy(), int(np.ceil(reach_px))
    height, width = mask.shape
    for down in range(-steps, steps + 1):
        for right in range(-steps, steps + 1):
            if down * down + right * right <= reach_px * reach_px:
                rows, cols = slice(max(down, 0), height + min(down, 0)), slice(max(right, 0), width + min(right, 0))
                from_rows = slice(max(-down, 0), height + min(-down, 0))
                from_cols = slice(max(-right, 0), width + min(-right, 0))
                found[rows, cols] |= mask[from_rows, from_cols]
    return found
