"""What grows on the slopes, and what changes it without any earthquake: fields, clear-cuts, rivers, rain, seasons."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.simulator.events import Event
from training.simulator.terrain import Field, Terrain, fractal

FOREST, GRASS, FARM, RIVER = range(4)
SHOWER_EVERY_DAYS = 4.0
SHOWER_SHAPE = 0.35  # of the gamma distribution of amounts, mean 1: most showers are small, a few are storms
DRYING_DAYS = 7.0
WETTABILITY_SD = 1.2  # natural logarithm, from slope to slope
STRENGTH_SD = 0.5  # natural logarithm, from scene to scene


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearCut:
    """A rectangle that is felled, or grows back, on a day counted from the earthquake."""

    rows: slice
    columns: slice
    day: float
    change_db: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The cover of one scene.

    Attributes:
        kind: uint8 [H, W], FOREST, GRASS, FARM or RIVER.
        texture_db: float32 [H, W], what stays the same from pass to pass.
        wettability: float32 [H, W], how strongly a place follows the wetness of the scene, mean about 1.
        sediment_db: float32 [H, W], where the river left gravel after the earthquake.
        cuts: clear-cuts.
        parcel: int32 [n], the field of every FARM pixel, in the order of `kind == FARM`.
        plough_day, plough_db: float32 [parcels].
    """

    kind: NDArray[np.uint8]
    texture_db: Field
    wettability: Field
    sediment_db: Field
    cuts: tuple[ClearCut, ...]
    parcel: NDArray[np.int32]
    plough_day: Field
    plough_db: Field


def plant(rng: np.random.Generator, terrain: Terrain, event: Event) -> Cover:
    """Return the cover of a terrain."""
    shape = terrain.slope_deg.shape
    patches = fractal(rng, shape, 3.0)
    kind = (patches > np.quantile(patches, event.forest / (event.forest + event.grass))).astype(np.uint8)
    fields = fractal(rng, shape, 3.0)
    kind[(terrain.slope_deg < 9) & (fields < np.quantile(fields, min(1.0, 3 * event.farm)))] = FARM
    above_valley = terrain.height_m - ndimage.uniform_filter(terrain.height_m, 61)
    valley = (above_valley < np.quantile(above_valley, 0.05)) & (terrain.slope_deg < 14)
    kind[ndimage.binary_opening(valley)] = RIVER

    rows, columns = np.nonzero(kind == FARM)
    across = shape[1] // 16 + 1
    parcel = (rows // 12 * across + columns // 16).astype(np.int32)
    parcels = (shape[0] // 12 + 1) * across
    fine = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), 1.2)
    broad = fractal(rng, shape, 2.4, shortest_m=300, longest_m=8000)
    sediment = fractal(rng, shape, 2.4, shortest_m=300, longest_m=8000)
    cuts = _clear_cuts(rng, shape, event.logging)
    plough_day, plough_db = rng.uniform(-365, 60, parcels), rng.normal(0, 2.6, parcels)
    wettability = np.exp(
        WETTABILITY_SD * fractal(rng, shape, 2.8, shortest_m=60, longest_m=1500) - WETTABILITY_SD**2 / 2
    )
    return Cover(
        kind=kind,
        texture_db=np.float32(0.56) * broad + np.float32(1.2) * fine,
        wettability=wettability.astype(np.float32),
        sediment_db=sediment * np.float32(2.2 * event.river),
        cuts=cuts,
        parcel=parcel,
        plough_day=plough_day.astype(np.float32),
        plough_db=plough_db.astype(np.float32),
    )


def _clear_cuts(rng: np.random.Generator, shape: tuple[int, int], per_km2: float) -> tuple[ClearCut, ...]:
    cuts = []
    for _ in range(rng.poisson(per_km2 * shape[0] * shape[1] * 1e-4)):
        height, width = rng.integers(6, 26, 2)
        top, left = rng.integers(0, shape[0] - height), rng.integers(0, shape[1] - width)
        cuts.append(
            ClearCut(
                rows=slice(int(top), int(top + height)),
                columns=slice(int(left), int(left + width)),
                day=float(rng.uniform(-365, 30)),
                change_db=float(rng.choice([-1, -1, 1]) * rng.uniform(0.8, 2.6)),
            )
        )
    return tuple(cuts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rain:
    """Showers of a year; the ground dries in about a week, so that passes near in time resemble each other.

    Attributes:
        day: of each shower, counted from the earthquake.
        amount: of each shower.
        strength: how strongly the ground of this scene takes up and shows water.
    """

    day: NDArray[np.float64]
    amount: NDArray[np.float64]
    strength: float

    def wetness(self, day: float) -> float:
        """Return how wet the ground is: mean 0, standard deviation about `strength`, with a long tail upwards."""
        age = day - self.day
        wet = float(np.sum(np.where(age >= 0, self.amount * np.exp(-np.clip(age, 0, None) / DRYING_DAYS), 0)))
        # shot noise (Campbell 1909): mean rate x drying time, variance rate x mean square of the amounts x drying time / 2
        mean = DRYING_DAYS / SHOWER_EVERY_DAYS
        return self.strength * (wet - mean) / (mean * (1 + 1 / SHOWER_SHAPE) / 2) ** 0.5


def weather(rng: np.random.Generator) -> Rain:
    """Return the showers from a year before the earthquake to 80 days after it."""
    showers = rng.poisson(480 / SHOWER_EVERY_DAYS)
    amount = rng.gamma(SHOWER_SHAPE, 1 / SHOWER_SHAPE, showers)
    day = rng.uniform(-400, 80, showers)
    return Rain(day=day, amount=amount, strength=float(np.exp(rng.normal(0, STRENGTH_SD))))
