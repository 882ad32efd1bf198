"""The grain of 10 m images: looks, and how far neighbours go together, of recorded Sentinel-1 beside the simulated.

Both are taken where ground is most nearly alike, in the tenth of all windows that vary least: elsewhere fields and slopes count, too, and
the recorded images are lowland and hills, the simulated ones mountains. Choosing those windows, and taking off their mean, makes looks
higher and correlations lower than those of speckle itself; of both sides alike.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from scipy import ndimage

from training.simulator.events import Event
from training.simulator.geometry import OrbitPass
from training.simulator.scene import Scene

WINDOW_PX = 7
SMOOTHEST_PERCENT = 10
LAGS_PX = (1, 2)
LEAST_PX = 4 * WINDOW_PX


@dataclass(frozen=True, slots=True, kw_only=True)
class Grain:
    """What speckle and resolution make of an image.

    Attributes:
        looks: squared mean by variance of linear power in a window, which a tenth of all windows exceed.
        correlation: in windows smoother than that, of power divided by its mean over the window, with the pixel LAGS_PX further;
            mean of both axes.
    """

    looks: float
    correlation: tuple[float, ...]


def grain(image_db: NDArray[np.float32]) -> Grain:
    """Return the grain of an image [H, W] in dB.

    Raises:
        ValueError: it has pixels without a value, or is too small.
    """
    if min(image_db.shape) < LEAST_PX or not np.isfinite(image_db).all():
        raise ValueError(f"an image of {image_db.shape} px: wanted are at least {LEAST_PX} a side, each with a value")
    power = np.power(10, image_db.astype(np.float64) / 10)
    inside = slice(WINDOW_PX // 2, -(WINDOW_PX // 2))  # windows that lie within the image
    mean, mean_square = (ndimage.uniform_filter(v, WINDOW_PX)[inside, inside] for v in (power, power**2))
    looks = mean**2 / (mean_square - mean**2)
    least = float(np.percentile(looks, 100 - SMOOTHEST_PERCENT))
    ratio, smooth = power[inside, inside] / mean, looks >= least
    sides = ((ratio, smooth), (ratio.T, smooth.T))
    return Grain(looks=least, correlation=tuple(float(np.mean([_along(*s, lag) for s in sides])) for lag in LAGS_PX))


def _along(ratio: NDArray[np.float64], smooth: NDArray[np.bool_], lag: int) -> float:
    both = smooth[lag:] & smooth[:-lag]
    return float(np.corrcoef(ratio[lag:][both], ratio[:-lag][both])[0, 1])


def recorded_grains(folder: Path) -> list[Grain]:
    """Return the grain of every image, *.tif in dB, of a folder.

    Raises:
        ValueError: there is none, or one has pixels without a value.
    """
    paths = sorted(folder.glob("*.tif"))
    if not paths:
        raise ValueError(f"{folder}: no *.tif there")
    return [_grain_of(path) for path in paths]


def _grain_of(path: Path) -> Grain:
    with rasterio.open(path) as source:
        image_db = source.read(1)
    try:
        return grain(image_db)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def simulated_grains(event: Event, orbit_pass: OrbitPass, *, seed: int, size_px: int = 512) -> list[Grain]:
    """Return the grains of one simulated date before the earthquake, VV and VH."""
    scene = Scene(event, seed=seed, shape=(size_px, size_px))
    return [grain(scene.acquire(orbit_pass, -10.0, polarisation)) for polarisation in ("VV", "VH")]
