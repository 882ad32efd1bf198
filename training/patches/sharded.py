"""Patches of many shards as one array that is never in memory as a whole."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.patches.labels import PATCH_PX
from training.patches.store import BANDS
from training.patches.unfinished import shard_files

RELEASE_BYTES = 64 * 2**20
"""After reading so much all maps are let go, and with them the pages that count as resident in this process."""


class ShardedPatches:
    """Reads patches by number, float16 [n, 64, 64, 4] with the bands BANDS; a band that a shard lacks is NaN.

    Args:
        folder: of the set.
        shards: entries of `set.json`, numbered through in this order.
    """

    def __init__(self, folder: Path, shards: Sequence[dict[str, Any]]) -> None:
        self._files = [shard_files(folder, shard["name"])[0] for shard in shards]
        self._channels = [[BANDS.index(name) for name in shard["bands"]] for shard in shards]
        self._ends = np.cumsum([shard["patches"] for shard in shards], dtype=np.int64)
        self._maps: dict[int, NDArray[np.float16]] = {}
        self._read = 0

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, numbers: NDArray[np.int64]) -> NDArray[np.float16]:
        """Return the patches of these numbers, in their order."""
        patches = np.empty((len(numbers), PATCH_PX, PATCH_PX, len(BANDS)), np.float16)
        shard_of = np.searchsorted(self._ends, numbers, side="right")
        for shard in np.unique(shard_of):
            here = np.nonzero(shard_of == shard)[0]
            stored = self._map(int(shard))
            first = int(self._ends[shard]) - len(stored)
            channels = self._channels[shard]
            if len(channels) == len(BANDS):
                patches[here] = stored[numbers[here] - first]
            else:
                patches[here] = np.nan
                patches[here[:, None], ..., channels] = np.moveaxis(stored[numbers[here] - first], -1, 1)
        self._read += patches.nbytes
        if self._read > RELEASE_BYTES:
            self._maps.clear()
            self._read = 0
        return patches

    def _map(self, shard: int) -> NDArray[np.float16]:
        if shard not in self._maps:
            self._maps[shard] = np.load(self._files[shard], mmap_mode="r")
        return self._maps[shard]
