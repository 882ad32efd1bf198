"""What a threshold can do: the share of a patch where the smoothed change is large. A network has to be compared with it.

The idea of Handwerger et al. 2022 (NHESS 22, 753-773), density of pixels whose backscatter changed beyond a threshold, on the patches of
the network: band, smoothing and both thresholds are fitted to the training part, where they took a percentile of each scene. What all of
a scene has in common, such as rain, is taken off first, as their percentile does. Pixels without a value have not changed.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.dataset import BANDS, Sample

SMOOTHING_PX = (1.0, 2.0, 3.0)
CHANGES_DB = tuple(np.arange(0.6, 6.2, 0.2).round(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A patch is a landslide if more than `density` of it changes by more than `change_db` after a Gaussian of `smoothing_px`.

    Attributes:
        band: diffVV or diffVH, less the median of the scene.
    """

    band: str
    smoothing_px: float
    change_db: float
    density: float

    def predict(self, sample: Sample) -> NDArray[np.float64]:
        """Return the score of every patch of a sample, scaled so that 0.5 is the decision."""
        channel = sample.bands.index(BANDS.index(self.band))
        shifts = scene_shifts(sample, channel)
        changes = (_centred(sample, places, channel, shifts) for places in _in_parts(sample))
        share = np.concatenate([self._share(change) for change in changes])
        return np.divide(share, share + self.density, out=np.zeros_like(share), where=share > 0)

    def _share(self, change: NDArray[np.float32]) -> NDArray[np.float64]:
        return (np.abs(_smooth(change, self.smoothing_px)) > self.change_db).mean(axis=(1, 2))

    def as_dict(self) -> dict[str, object]:
        """Return what a model card says of it."""
        return asdict(self)


def fit_baseline(sample: Sample, *, at_most: int = 2000) -> Baseline:
    """Return the baseline with the best F1 on (an even choice of) a training sample."""
    places = np.unique(np.linspace(0, len(sample) - 1, min(at_most, len(sample))).astype(np.int64))
    label = sample.label[places] == 1
    changes = [name for name in ("diffVV", "diffVH") if BANDS.index(name) in sample.bands]
    centred = {}
    for name in changes:
        channel = sample.bands.index(BANDS.index(name))
        centred[name] = _centred(sample, places, channel, scene_shifts(sample, channel))
    best, best_f1 = None, -1.0
    for band, smoothing in product(changes, SMOOTHING_PX):
        change = np.abs(_smooth(centred[band], smoothing))
        for threshold in CHANGES_DB:
            density, f1 = _best_density((change > threshold).mean(axis=(1, 2)), label)
            if f1 > best_f1:
                best_f1 = f1
                best = Baseline(band=band, smoothing_px=smoothing, change_db=float(threshold), density=density)
    if best is None:
        raise ValueError("the sample has no change band: the baseline needs diffVV or diffVH")
    return best


def scene_shifts(sample: Sample, channel: int) -> NDArray[np.float32]:
    """Return, for every patch of a sample, by how much its scene as a whole changed, dB: the median of its patches' medians.

    Pixels without a value do not count; a scene without any has not changed.
    """
    medians = np.concatenate([_median(sample.raw(places)[:, ::4, ::4, channel]) for places in _in_parts(sample)])
    _, scene = np.unique(sample.scene, return_inverse=True)
    by_scene = _median([medians[scene == number] for number in range(scene.max(initial=-1) + 1)])
    return np.nan_to_num(by_scene[scene]).astype(np.float32)


def _median(groups: Iterable[NDArray[np.floating]]) -> NDArray[np.float64]:
    """Return the median of each group without its NaN; NaN where nothing is left."""
    left = (group[~np.isnan(group)] for group in groups)
    return np.array([np.median(values) if len(values) else np.nan for values in left])


def _in_parts(sample: Sample, size: int = 512) -> list[NDArray[np.int64]]:
    return np.array_split(np.arange(len(sample)), range(size, len(sample), size))


def _centred(
    sample: Sample, places: NDArray[np.int64], channel: int, shifts: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the change of some patches less their scenes' shifts, dB, float32 [n, 64, 64]; 0 where it has no value."""
    return np.nan_to_num(sample.raw(places)[..., channel] - shifts[places, None, None])


def _smooth(change: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return ndimage.gaussian_filter(change, (0, sigma, sigma))


def _best_density(share: NDArray[np.float64], label: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the density that parts landslides from background with the best F1, and that F1; above it counts as landslide."""
    order = np.argsort(-share, kind="stable")
    hits, claims = np.cumsum(label[order]), np.arange(1, len(label) + 1)
    f1 = 2 * hits / (claims + label.sum())
    last_of_equals = np.append(np.diff(share[order]) != 0, True)
    place = int(np.argmax(np.where(last_of_equals, f1, -1)))
    below = share[order][place + 1] if place + 1 < len(share) else 0.0
    return float((share[order][place] + below) / 2), float(f1[place])
