"""A population of coseismic landslides: where they break out, how large they are, and the ground that they leave."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.simulator.cover import FARM, RIVER, Cover
from training.simulator.events import Event
from training.simulator.terrain import PIXEL_M, Field, Terrain, fractal


@dataclass(frozen=True, slots=True, kw_only=True)
class Landslides:
    """Every slide of a scene.

    Attributes:
        label: int32 [H, W], 0 = stable ground, else the number of the slide; every slide is one connected piece.
        downslope: float32 [H, W], -1 at the crown, 1 at the toe.
        stripped: float32 [n + 1], share of the vegetation that each slide removes; 0 for stable ground.
        roughness_db: float32 [n + 1].
    """

    label: NDArray[np.int32]
    downslope: Field
    stripped: Field
    roughness_db: Field

    def areas_m2(self) -> NDArray[np.floating]:
        """Return the area of every slide, index 0 being the stable ground."""
        return np.bincount(self.label.ravel(), minlength=len(self.stripped)) * PIXEL_M**2


def trigger(rng: np.random.Generator, terrain: Terrain, cover: Cover, event: Event) -> Landslides:
    """Return the landslides of an earthquake.

    Steep ground fails more often, as a logistic function of slope, and so does ground that shakes more. Areas follow the inverse
    gamma distribution of Malamud et al. 2004, Earth Surf. Process. Landforms 29.
    """
    shape = terrain.slope_deg.shape
    failing = np.exp(1.6 * fractal(rng, shape, 4.5, shortest_m=500, longest_m=2e4))
    failing /= 1 + np.exp(-(terrain.slope_deg - 28) / 3)
    failing[(cover.kind == FARM) | (cover.kind == RIVER)] = 0
    if event.focus_km is not None:
        failing *= _focus(shape, event.focus_km)
    count = int(rng.poisson(event.slides_per_km2 * failing.size * PIXEL_M**2 / 1e6))
    cumulative = np.cumsum(failing.ravel(), dtype=np.float64)
    rows, columns = np.divmod(np.searchsorted(cumulative, rng.random(count) * cumulative[-1]), shape[1])
    areas = event.area_mode_m2 * event.area_exponent / rng.gamma(event.area_exponent - 1, 1.0, count)
    slides = Landslides(
        label=np.zeros(shape, np.int32),
        downslope=np.zeros(shape, np.float32),
        stripped=np.append(0, rng.uniform(*event.stripped, count)).astype(np.float32),
        roughness_db=np.append(0, rng.normal(0, 1.2, count)).astype(np.float32),
    )
    areas = np.minimum(areas, event.area_max_m2)
    elongations, wobbles = rng.uniform(2, 5, count), rng.uniform(0, 2 * np.pi, count)
    for i in range(count):
        crown = int(rows[i]), int(columns[i])
        azimuth = float(np.radians(terrain.aspect_deg[crown]))
        _carve(slides, i + 1, crown, float(areas[i]), azimuth, float(elongations[i]), float(wobbles[i]))
    return slides


def _focus(shape: tuple[int, int], focus_km: float) -> Field:
    row_km, column_km = ((np.arange(n) - n / 2) * PIXEL_M / 1000 for n in shape)
    return np.exp(-((row_km[:, None] ** 2 + column_km[None] ** 2) / focus_km**2)).astype(np.float32)


def _carve(
    slides: Landslides,
    number: int,
    crown: tuple[int, int],
    area_m2: float,
    azimuth: float,
    elongation: float,
    wobble: float,
) -> None:
    """Draw a wavy ellipse that runs downhill from its crown, on ground that no earlier slide has taken."""
    half_width = np.sqrt(area_m2 / PIXEL_M**2 / np.pi / elongation)
    half_length = half_width * elongation
    reach = int(1.3 * half_length) + 2
    row = crown[0] - np.cos(azimuth) * 0.7 * half_length
    column = crown[1] + np.sin(azimuth) * 0.7 * half_length
    top, bottom = np.clip([int(row) - reach, int(row) + reach + 1], 0, slides.label.shape[0])
    left, right = np.clip([int(column) - reach, int(column) + reach + 1], 0, slides.label.shape[1])
    if bottom <= top or right <= left:
        return
    south, east = np.arange(top, bottom)[:, None] - row, np.arange(left, right)[None] - column
    along = (east * np.sin(azimuth) - south * np.cos(azimuth)) / max(half_length, 0.6)
    across = (east * np.cos(azimuth) + south * np.sin(azimuth)) / max(half_width, 0.6)
    there = np.hypot(along, across / (1 + 0.25 * np.sin(3 * along + wobble))) < 1
    label = slides.label[top:bottom, left:right]
    pieces, n_pieces = ndimage.label(there & (label == 0))
    if n_pieces == 0:
        return
    kept = pieces == 1 + int(np.argmax(ndimage.sum_labels(there, pieces, range(1, n_pieces + 1))))
    label[kept] = number
    slides.downslope[top:bottom, left:right][kept] = along[kept]
