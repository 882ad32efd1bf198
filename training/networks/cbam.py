"""The network with attention of Nava et al. 2026, appendix A2: convolutional block attention modules (Woo et al. 2018, arXiv:1807.06521).

A module asks twice what matters: which channels, from each channel's mean and maximum over the image; then where, from each pixel's
mean and maximum over its channels. Both answers are factors between 0 and 1.

The appendix gives the parts (convolutions, modules, pooling, dense layers with dropout, 7 x 7) and no sizes. Chosen here: three
blocks of F, 2F and 4F channels, one convolution each, the modules after batch normalisation, a hidden layer of 8F units: 2.20 million
parameters at F = 32.
"""

from collections.abc import Sequence

import keras
from keras import layers

from training.networks.cnn import WINDOW_PX
from training.networks.standardisation import standardised

REDUCTION = 8
"""Channels per unit of the channel attention's hidden layer."""

SPATIAL_PX = 7
"""Side of the spatial attention's kernel (paper, A2)."""


def cbam(
    *,
    bands: int,
    filters: int,
    dropout: float = 0.5,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    batch_norm_momentum: float = 0.99,
) -> keras.Model:
    """Build the untrained network; arguments and model as of `training.networks.cnn.cnn`.

    Args:
        bands: input channels.
        filters: of the first block, a multiple of 8.
        dropout: share of the hidden units dropped in training.
        mean: one constant per band, dB; see `training.networks.standardisation`.
        std: likewise.
        batch_norm_momentum: see `cnn`.

    Raises:
        ValueError: `filters` cannot be reduced, or constants that do not fit the bands.
    """
    if filters < REDUCTION or filters % REDUCTION:
        raise ValueError(f"filters of a network with attention are a multiple of {REDUCTION}, got {filters}")
    inputs = keras.Input((WINDOW_PX, WINDOW_PX, bands), name="patches")
    x = standardised(inputs, mean=mean, std=std)
    for number, width in enumerate((filters, 2 * filters, 4 * filters), start=1):
        x = layers.Conv2D(width, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = layers.BatchNormalization(momentum=batch_norm_momentum, name=f"norm{number}")(x)
        x = _attend(x, width, number)
        x = layers.MaxPooling2D(name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(8 * filters, activation="relu", name="hidden")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid", dtype="float32", name="score")(x), name="cbam")


def _attend(x: keras.KerasTensor, width: int, number: int) -> keras.KerasTensor:
    squeeze = layers.Dense(width // REDUCTION, activation="relu", name=f"squeeze{number}")
    restore = layers.Dense(width, name=f"restore{number}")
    mean = layers.GlobalAveragePooling2D(keepdims=True, name=f"channel_mean{number}")(x)
    peak = layers.GlobalMaxPooling2D(keepdims=True, name=f"channel_max{number}")(x)
    both = layers.Add(name=f"channel_sum{number}")([restore(squeeze(mean)), restore(squeeze(peak))])
    x = layers.Multiply(name=f"which{number}")([x, layers.Activation("sigmoid", name=f"channels{number}")(both)])
    flat = layers.Concatenate(name=f"pixel{number}")(
        [keras.ops.mean(x, axis=-1, keepdims=True), keras.ops.max(x, axis=-1, keepdims=True)]
    )
    place = layers.Conv2D(1, SPATIAL_PX, padding="same", activation="sigmoid", name=f"places{number}")(flat)
    return layers.Multiply(name=f"where{number}")([x, place])
