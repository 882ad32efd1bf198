"""How a right-looking radar sees terrain: look direction, incidence, layover and shadow.

Active layover and shadow by the criterion of Vollrath, Mullissa, Reiche 2020, Remote Sens. 12(11):1867. Local incidence is the angle
between the surface normal and the vector to the sensor; the exporter's formula is theirs and differs on oblique slopes, by 1 degree at 30
degrees of slope and by 5 at 45 (`tests/contract/test_terrain.py`).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.simulator.terrain import PIXEL_M, Field, Terrain

OrbitPass = Literal["ASCENDING", "DESCENDING"]

INCLINATION_DEG = 98.18
GROUND_SPEED_KM_S = 6.85  # of the sub-satellite point, 693 km above the ground
EQUATOR_SPEED_KM_S = 0.465  # of the turning Earth under it
INCIDENCE_GRADIENT_DEG_KM = 0.065  # 29.1 to 46 degrees over the 250 km swath


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One pass over one terrain; arrays [H, W].

    Attributes:
        look_deg: azimuth in which the radar looks, away from the sensor.
        incidence_deg: from the ellipsoid, float32: Earth Engine's `angle` band.
        range_slope_deg: slope along the look direction, positive where it faces the sensor, float32.
        local_incidence_deg: between the surface normal and the vector to the sensor, float32.
        layover, shadow: bool.
    """

    look_deg: float
    incidence_deg: Field
    range_slope_deg: Field
    local_incidence_deg: Field
    layover: NDArray[np.bool_]
    shadow: NDArray[np.bool_]

    @property
    def is_distorted(self) -> NDArray[np.bool_]:
        """True where nothing can be judged: layover or shadow."""
        return self.layover | self.shadow


def look_azimuth(orbit_pass: OrbitPass, latitude_deg: float) -> float:
    """Return the azimuth, degrees clockwise from north, in which Sentinel-1 looks: about 78 ascending, 282 descending.

    Below the satellite, which flies over a turning Earth. The scene lies some 500 km to the side, where meridians have another direction:
    there the true azimuth is nearer to due east or west, by 2 to 4 degrees at 30 to 43 degrees of latitude, by 1 at 18.
    """
    sine = np.cos(np.radians(INCLINATION_DEG)) / np.cos(np.radians(latitude_deg))
    if abs(sine) > 1:
        raise ValueError(f"Sentinel-1 does not pass over latitude {latitude_deg}")
    inertial = np.arcsin(sine)
    east = GROUND_SPEED_KM_S * np.sin(inertial) - EQUATOR_SPEED_KM_S * np.cos(np.radians(latitude_deg))
    heading = np.degrees(np.arctan2(east, GROUND_SPEED_KM_S * np.cos(inertial)))
    if orbit_pass == "DESCENDING":
        heading = 180 - heading
    return float((heading + 90) % 360)


def view(terrain: Terrain, orbit_pass: OrbitPass, *, latitude_deg: float, centre_incidence_deg: float) -> View:
    """Return the geometry of one pass; the incidence grows along the look direction, as in every swath."""
    rows, columns = terrain.height_m.shape
    look = look_azimuth(orbit_pass, latitude_deg)
    to_east, to_north = np.float32(np.sin(np.radians(look))), np.float32(np.cos(np.radians(look)))
    east_km = (np.arange(columns, dtype=np.float32) - (columns - 1) / 2)[None] * np.float32(PIXEL_M / 1000)
    north_km = ((rows - 1) / 2 - np.arange(rows, dtype=np.float32))[:, None] * np.float32(PIXEL_M / 1000)
    range_km = east_km * to_east + north_km * to_north
    incidence_deg = (centre_incidence_deg + INCIDENCE_GRADIENT_DEG_KM * range_km).astype(np.float32)
    incidence = np.radians(incidence_deg)
    rise = terrain.rise_east * to_east + terrain.rise_north * to_north
    upward = 1 / np.sqrt(1 + terrain.rise_east**2 + terrain.rise_north**2)
    cosine = upward * (np.cos(incidence) + rise * np.sin(incidence))
    range_slope = np.degrees(np.arctan(rise))
    return View(
        look_deg=look,
        incidence_deg=incidence_deg,
        range_slope_deg=range_slope,
        local_incidence_deg=np.degrees(np.arccos(np.clip(cosine, -1, 1))),
        layover=range_slope >= incidence_deg,
        shadow=range_slope <= incidence_deg - 90,
    )


def relief_gain_db(geometry: View, share: float) -> Field:
    """Return what turns flattened gamma0 into the sigma0 of a product that is not flattened, dB, float32 [H, W].

    The volume model of Vollrath 2020: slopes that face the sensor are brighter. Only `share` of what slopes do is taken;
    flat ground keeps the cosine of its incidence.
    """
    grazing = 90 - geometry.incidence_deg
    ratio = np.tan(np.radians(np.clip(grazing + geometry.range_slope_deg, 6, 86))) / np.tan(np.radians(grazing))
    slope_db = np.clip(10 * np.log10(ratio), -9, 9)
    return (10 * np.log10(np.cos(np.radians(geometry.incidence_deg))) + share * slope_db).astype(np.float32)
