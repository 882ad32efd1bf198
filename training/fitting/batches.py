"""Batches of a sample for Keras: read from disk one by one, in an order that follows from seed and epoch alone."""

import math

import keras
import numpy as np
from numpy.typing import NDArray

from training.dataset import Sample


class Batches(keras.utils.PyDataset):
    """Shuffled batches of a sample.

    The order of an epoch does not depend on the epochs before it: a training that goes on after a kill meets the same batches.

    Args:
        sample: the patches.
        size: of a batch; the last one may be smaller.
        seed: of the order; None keeps that of the sample.
    """

    def __init__(self, sample: Sample, size: int, *, seed: int | None) -> None:
        super().__init__()
        self._sample, self._size, self._seed = sample, size, seed
        self._order = np.arange(len(sample))
        self.begin(0)

    def __len__(self) -> int:
        """Count the batches of one epoch."""
        return math.ceil(len(self._sample) / self._size)

    def __getitem__(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return batch `number`: float32 [n, 64, 64, C] in dB and labels float32 [n, 1]."""
        places = self._order[number * self._size : (number + 1) * self._size]
        return self._sample.take(places), self._sample.label[places, None]

    def begin(self, epoch: int) -> None:
        """Shuffle for an epoch, numbered from 0."""
        if self._seed is not None:
            self._order = np.random.default_rng([self._seed, epoch]).permutation(len(self._sample))
