"""The convolutional network of Nava et al. 2026 (GMD 19, 167-185, section 3.4), in both spellings of it.

Three blocks of convolution, ReLU and batch normalisation, a concatenation, dropout, a hidden dense layer, one sigmoid.
What is concatenated differs: the text of the paper joins the three blocks, the released tool (SAR-LRA) joins the third
with itself, three times. Both have the same weight shapes, so a weights file loads into the wrong one without a word:
the variant must stand in the model card (`training.model_folder`).
"""

from collections.abc import Sequence
from typing import get_args

import keras
from keras import layers

from training.architectures import Variant
from training.networks.standardisation import standardised

WINDOW_PX = 64
"""Height and width of the network's input in pixels (paper, 3.2)."""


def cnn(
    *,
    bands: int,
    filters: int,
    variant: Variant = "published",
    dropout: float = 0.5,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    batch_norm_momentum: float = 0.99,
) -> keras.Model:
    """Build the untrained network.

    Args:
        bands: input channels, 2 (VV) or 4 (VV and VH); the order is the model card's.
        filters: channels of every convolution; the hidden dense layer has eight times as many units.
        variant: `published` concatenates conv3 three times as the released tool does, `paper` the three blocks.
        dropout: share of the concatenated features dropped in training.
        mean: one constant per band, dB; see `training.networks.standardisation`.
        std: likewise.
        batch_norm_momentum: 0.99 is Keras' default and the paper's; 0.9 follows short trainings of few steps.

    Returns:
        Model of float32 [n, 64, 64, bands], sigma0 in dB and without NaN, to float32 [n, 1] in 0..1. Standardisation
        adds no weights, so weights files of the released tool still load.

    Raises:
        ValueError: an unknown variant, or constants that do not fit the bands.
    """
    if variant not in get_args(Variant):
        raise ValueError(f"unknown network variant {variant!r}; known: {', '.join(get_args(Variant))}")
    inputs = keras.Input((WINDOW_PX, WINDOW_PX, bands), name="patches")
    x = standardised(inputs, mean=mean, std=std)

    blocks = []
    for number in (1, 2, 3):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{number}")(x)
        x = layers.BatchNormalization(momentum=batch_norm_momentum, name=f"norm{number}")(x)
        normalised = x
        x = layers.MaxPooling2D(name=f"pool{number}")(x)
        blocks.append(x)

    if variant == "published":
        # PARITY: the released notebooks join conv3, taken before its pooling, with itself; pooling comes after.
        joined = layers.Concatenate(name="join")([normalised] * 3)
        joined = layers.MaxPooling2D(name="pool_joined")(joined)
    else:
        side = WINDOW_PX // 8
        resized = [layers.Resizing(side, side, name=f"resize{i}")(b) for i, b in enumerate(blocks[:2], start=1)]
        joined = layers.Concatenate(name="join")([*resized, blocks[2]])

    x = layers.Dropout(dropout, name="dropout")(joined)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(8 * filters, activation="relu", name="hidden")(x)
    outputs = layers.Dense(1, activation="sigmoid", dtype="float32", name="score")(x)
    return keras.Model(inputs, outputs, name=f"cnn_{variant}")
