"""Subtracts a constant mean and divides by a constant deviation, band by band, in front of any network.

The constants are part of the graph and no weights: a weights file of the released tool, made without them, still loads. A layer that
is adapted to data would have weights of its own and shift the order of layers by which such files are read.
"""

from collections.abc import Sequence

import keras
from keras import layers


def standardised(
    inputs: keras.KerasTensor, *, mean: Sequence[float] | None, std: Sequence[float] | None
) -> keras.KerasTensor:
    """Return `(inputs - mean) / std`, or the inputs where both are None.

    Args:
        inputs: [n, H, W, bands] in dB.
        mean: one constant per band in dB; None for raw dB as in the released tool.
        std: likewise; given exactly when `mean` is.

    Raises:
        ValueError: one of the two is missing, they do not fit the bands, or a deviation is not positive.
    """
    if mean is None and std is None:
        return inputs
    if mean is None or std is None:
        raise ValueError("standardisation needs mean and std together")
    bands = inputs.shape[-1]
    if len(mean) != bands or len(std) != bands:
        raise ValueError(f"standardisation has {len(mean)} means and {len(std)} deviations for {bands} bands")
    if not all(s > 0 for s in std):
        raise ValueError(f"standard deviations must be positive, got {list(std)}")
    return layers.Normalization(mean=list(mean), variance=[s * s for s in std], name="standardise")(inputs)
