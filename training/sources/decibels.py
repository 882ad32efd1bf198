"""Whether pixels can be meant as sigma0 in dB: linear power, scaled values and exchanged bands look otherwise.

Nothing is known of the ground, so limits are wide. They are held against medians, which neither a town nor a shadow moves.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.patches.store import UnusableDataset

POST_DB = (-40.0, -2.0)
"""The median of a post band lies between: calm water in VH is near -30, towns in VV near -5."""
DIFF_DB = (-5.0, 5.0)
"""The same of a diff band: whole scenes shift by up to 4 dB when snow melts or fields flood."""
FARTHEST_DB = 100.0
"""No backscatter and no change reaches it; -9999 that nobody declared as missing does."""
MOST_ZERO = 0.001
"""Share of pixels that may be exactly 0 in all bands: none is, by chance; fills that nobody declared as missing are."""
_BINS = 10  # for a dB


class Decibels:
    """Counts the values of each band of one file, so that medians of any number of pixels (to 0.1 dB) take no memory.

    Args:
        name: of the file, for messages.
        bands: names of the channels.
    """

    def __init__(self, name: str, bands: Sequence[str]) -> None:
        self._name, self._bands = name, tuple(bands)
        self._counts = np.zeros((len(self._bands), round(2 * FARTHEST_DB * _BINS) + 1), np.int64)
        self._pixels = self._zero = 0

    def add(self, pixels: NDArray[np.float32], *, every: int = 1) -> None:
        """Count pixels [..., C], of which NaN are missing.

        Args:
            pixels: all are looked at.
            every: of an image [H, W, C], count only every so many rows and columns.

        Raises:
            UnusableDataset: one is neither missing nor backscatter.
        """
        for number, band in enumerate(self._bands):
            values = pixels[..., number]
            if (beyond := np.abs(values) > FARTHEST_DB).any():
                raise UnusableDataset(
                    f"{self._name}: {values[beyond][0]:.5g} in {band} is no sigma0 in dB. If it stands for missing pixels, declare it as "
                    "nodata of the file, or write NaN"
                )
            counted = values[::every, ::every] if every > 1 else values
            places = np.rint((counted[~np.isnan(counted)] + FARTHEST_DB) * _BINS).astype(np.int64)
            self._counts[number] += np.bincount(places, minlength=self._counts.shape[1])
        self._pixels += pixels.size // len(self._bands)
        self._zero += int((pixels == 0).all(axis=-1).sum())

    def join(self, other: "Decibels") -> None:
        """Add what another file of the same bands holds."""
        self._counts += other._counts
        self._pixels, self._zero = self._pixels + other._pixels, self._zero + other._zero

    def median(self, band: str) -> float | None:
        """Return the median of a band, None without any value."""
        summed = np.cumsum(self._counts[self._bands.index(band)])
        if not summed[-1]:
            return None
        return float(np.searchsorted(summed, summed[-1] / 2)) / _BINS - FARTHEST_DB

    def refuse_no_values(self) -> None:
        """Refuse what holds nothing.

        Raises:
            UnusableDataset: a band has not one value.
        """
        for band in self._bands:
            if self.median(band) is None:
                raise UnusableDataset(f"{self._name}: not one pixel of {band} has a value")

    def refuse_fill(self) -> None:
        """Refuse pixels that somebody filled with zeros: 0 dB is a value, and such ground would be learnt.

        Raises:
            UnusableDataset: more than MOST_ZERO of them are exactly 0 in all bands.
        """
        if self._zero > MOST_ZERO * self._pixels:
            raise UnusableDataset(
                f"{self._name}: {self._zero / self._pixels:.1%} of its pixels are exactly 0 in all bands, which 0 dB of ground never is. "
                "If they stand for missing pixels, declare 0 as nodata of the file (gdal_edit.py -a_nodata 0), or write NaN"
            )

    def refuse_other_units(self, kind: str) -> None:
        """Refuse bands that cannot be in dB, or are others than their names say.

        Args:
            kind: `post` or `diff`, which bands to look at.

        Raises:
            UnusableDataset: a median is out of its limits.
        """
        low, high = POST_DB if kind == "post" else DIFF_DB
        for band in self._bands:
            median = self.median(band)
            if band.startswith(kind) and median is not None and not low <= median <= high:
                raise UnusableDataset(
                    f"{self._name}: the median of {band} is {median:.3g}: not sigma0 in dB, where it lies between {low:g} and {high:g}. "
                    "Take 10 log10 of linear power, undo any scaling, or say in the configuration which band is which"
                )
