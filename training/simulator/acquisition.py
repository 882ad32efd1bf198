"""Backscatter of one pass, one polarisation, one day: sigma0 in dB as Earth Engine's S1_GRD holds it.

Terrain leaves its mark as in Vollrath 2020 (volume model); the sign of the change on a slide depends on the local incidence
(Handwerger et al. 2022, Lindsay et al. 2023); speckle is gamma distributed by Wilson and Hilferty's cube of a normal.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from training.simulator import cover as land
from training.simulator.cover import Cover, Rain
from training.simulator.events import Event
from training.simulator.geometry import View, relief_gain_db
from training.simulator.landslides import Landslides
from training.simulator.terrain import Field, smooth_field

Polarisation = Literal["VV", "VH"]

LOOKS = 7.0  # effective number of looks at 10 m, after the product's own resampling
# neighbours correlate by 0.73, next ones by 0.29: `compare` (grain.py) sets what comes out beside recorded images
SPECKLE_KERNEL = np.exp(-(np.arange(3, dtype=np.float32) ** 2) / (2 * np.float32(0.9) ** 2))
NOISE_FLOOR = np.float32(10 ** (-25.0 / 10))  # linear power
SHADOW_DB = np.float32(-13.0)  # what little is scattered into it
MISREGISTRATION_PX = 0.2  # standard deviation per axis between passes
RESOLUTION_KERNEL = np.array([0.56, 0.22], np.float32)  # a 20 m resolution cell on the 10 m grid
# by cover kind: forest, grass, farm, river; gamma0, dB
BRIGHTNESS_DB = {"VV": (-7.0, -9.2, -9.6, -12.4), "VH": (-13.0, -16.4, -16.8, -20.4)}
# of what slopes do in the volume model: chosen so that the contrast of scenes fits (`realism`), not measured
RELIEF_SHARE = 0.65
# one standard deviation of wetness; fitted to how much recorded quiet ground changes over 210 m (`realism`), a winter of passes every
# six days among it: beside those every twelve days alone it is a quarter too much
MOISTURE_DB = (1.5, 2.1, 2.3, 2.3)
SATURATED_DB = np.float32(4.5)  # soaked ground gets no brighter
CANOPY_SD = 0.4  # natural logarithm: how differently VH follows the same wetness from day to day
SEASON_DB = (0.5, 1.2, 2.4, 0.8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What one pass sees of a scene in one polarisation when nothing but the day varies; float32 [H, W].

    Attributes:
        before_db: sigma0 before the earthquake, without weather, season and speckle, before a resolution cell mixes it.
        change_db: what the landslides add to it.
    """

    before_db: Field
    change_db: Field


@dataclass(frozen=True, slots=True, kw_only=True)
class Overpass:
    """What the polarisations of one pass on one day have in common.

    Attributes:
        wetness: of every pixel, float32 [H, W], see `Rain.wetness`.
        wind_db: of whatever grows there, float32 [H, W]; of bare ground and water, too.
        river_db: of the water, float32 [H, W]; holds on rivers.
        shift_px: misregistration, rows and columns.
    """

    wetness: Field
    wind_db: Field
    river_db: Field
    shift_px: tuple[float, float]


def overpass(event: Event, cover: Cover, rain: Rain, *, day: float, rng: np.random.Generator) -> Overpass:
    """Draw what one pass meets on a day counted from the earthquake; `rng` of this pass and day alone, so that no call order matters."""
    shape = cover.kind.shape
    # a shower wets the whole scene, but not every slope alike
    wetness = np.float32(rain.wetness(day)) * cover.wettability + smooth_field(rng, shape, 96) * np.float32(0.25)
    return Overpass(
        wetness=wetness,
        wind_db=smooth_field(rng, shape, 12) * np.float32(0.12),  # drops on leaves: no two passes see the same canopy
        river_db=smooth_field(rng, shape, 16) * np.float32(1.3 * event.river),
        shift_px=(float(rng.normal(0, MISREGISTRATION_PX)), float(rng.normal(0, MISREGISTRATION_PX))),
    )


def illuminate(cover: Cover, slides: Landslides, geometry: View, polarisation: Polarisation) -> Ground:
    """Return the mean backscatter of a scene before the earthquake and the change by its slides."""
    vegetated = np.array(BRIGHTNESS_DB[polarisation], np.float32)[cover.kind] + cover.texture_db
    before_db = vegetated + relief_gain_db(geometry, RELIEF_SHARE)
    before_db[geometry.shadow] += SHADOW_DB
    change_db = _slide_change_db(vegetated, cover, slides, geometry, polarisation)
    return Ground(before_db=before_db.astype(np.float32), change_db=change_db)


def _slide_change_db(
    vegetated: Field, cover: Cover, slides: Landslides, geometry: View, polarisation: Polarisation
) -> Field:
    """Bare, rough ground replaces vegetation: brighter on slopes that face the sensor, darker on those that look away."""
    change = np.zeros_like(vegetated)
    there = np.nonzero(slides.label)
    if not len(there[0]):
        return change
    number, local = slides.label[there], geometry.local_incidence_deg[there]
    deposit = slides.downslope[there] > 0.2  # the lower part is rougher and wetter
    bare = -5.4 - 0.17 * (local - 20) + slides.roughness_db[number] + np.where(deposit, 0.9, -0.4)
    bare += cover.texture_db[there]
    if polarisation == "VH":
        bare += np.where(deposit, 0.6, 0.0) - 9.0
    bare -= 10 * np.log10(np.maximum(np.cos(np.radians(local)), 0.05))  # sigma0 -> gamma0, as `vegetated`
    share = slides.stripped[number]
    mixed = share * 10 ** (bare / 10) + (1 - share) * 10 ** (vegetated[there] / 10)
    seen = np.where(geometry.shadow[there], 0.0, np.where(geometry.layover[there], 0.5, 1.0))
    change[there] = (10 * np.log10(mixed) - vegetated[there]) * seen
    return change


def acquire(
    event: Event,
    cover: Cover,
    ground: Ground,
    weather: Overpass,
    *,
    day: float,
    polarisation: Polarisation,
    rng: np.random.Generator,
) -> Field:
    """Return sigma0, dB, float32 [H, W], of one day; days after 0 see the landslides.

    All that lies within a resolution cell mixes in power: ground, slides, weather, fields, rivers, cuts.

    Args:
        event: how strong the changes are that have nothing to do with slides.
        cover: what grows where.
        ground: of this pass and polarisation.
        weather: of this pass and day.
        day: counted from the earthquake.
        polarisation: VV or VH; VH follows the same wetness, by a factor of median 1 that differs from day to day.
        rng: of this pass, day and polarisation alone, so that no call order matters.
    """
    moisture_db = (event.moisture * np.array(MOISTURE_DB, np.float32)).astype(np.float32)
    if polarisation == "VH":
        moisture_db *= np.float32(np.exp(rng.normal(0, CANOPY_SD)))
    phase = 2 * np.pi * (day / 365 + event.season_phase)
    season_db = event.season * np.sin(phase) * np.array(SEASON_DB, np.float32) * (1.0 if polarisation == "VV" else 1.1)
    wet_db = SATURATED_DB * np.tanh(moisture_db[cover.kind] * weather.wetness / SATURATED_DB)

    sigma0_db = ground.before_db + season_db.astype(np.float32)[cover.kind] + wet_db + weather.wind_db
    if day > 0:
        sigma0_db += ground.change_db
    _plough(sigma0_db, cover, day)
    river = cover.kind == land.RIVER
    sigma0_db[river] += weather.river_db[river] + (cover.sediment_db[river] if day > 0 else 0)
    _cut(sigma0_db, cover, day, polarisation)
    power = _blur(np.power(10, sigma0_db / 10, dtype=np.float32), RESOLUTION_KERNEL)
    power = ndimage.shift(power, weather.shift_px, order=1, mode="nearest")
    return 10 * np.log10(power + NOISE_FLOOR) + speckle_db(rng, power.shape)


def _plough(sigma0_db: Field, cover: Cover, day: float) -> None:
    done = np.where(day > cover.plough_day, cover.plough_db, np.float32(0))
    sigma0_db[cover.kind == land.FARM] += done[cover.parcel]


def _cut(sigma0_db: Field, cover: Cover, day: float, polarisation: Polarisation) -> None:
    for cut in cover.cuts:
        if day > cut.day:
            kinds = cover.kind[cut.rows, cut.columns]
            sigma0_db[cut.rows, cut.columns] += np.where(
                kinds <= land.GRASS, np.float32(cut.change_db * (1.0 if polarisation == "VH" else 0.7)), np.float32(0)
            )


def speckle_db(rng: np.random.Generator, shape: tuple[int, int], looks: float = LOOKS) -> Field:
    """Return multiplicative speckle of unit mean power, in dB, float32 [H, W]; neighbours are correlated."""
    kernel = SPECKLE_KERNEL / np.sqrt(SPECKLE_KERNEL[0] ** 2 + 2 * np.sum(SPECKLE_KERNEL[1:] ** 2))
    normal = _blur(rng.standard_normal(shape, dtype=np.float32), kernel)
    root = np.float32(1 - 1 / (9 * looks)) + normal * np.float32(1 / (3 * np.sqrt(looks)))
    return np.float32(30) * np.log10(np.maximum(root, np.float32(0.15)))


def _blur(field: Field, kernel: Field) -> Field:
    """Convolve rows and columns with a symmetric kernel, given from its middle outwards; edges are mirrored."""
    reach = len(kernel) - 1
    for axis in (0, 1):
        padded = np.pad(field, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], mode="reflect")
        moved = padded if axis == 0 else padded.T
        length = field.shape[axis]
        total = moved[reach : reach + length] * kernel[0]
        for step, weight in enumerate(kernel[1:], start=1):
            before, after = (moved[reach + sign * step : reach + sign * step + length] for sign in (-1, 1))
            total += (before + after) * weight
        field = total if axis == 0 else total.T
    return field
