"""The residual network of Nava et al. 2026, appendix A1 (residual learning: He et al. 2016, arXiv:1512.03385).

A block is two 3 x 3 convolutions whose result is added to what came in; where the number of channels changes, what came in passes a
1 x 1 convolution first. It is trained with binary cross-entropy, not with focal loss (A1; `training.fitting.losses.loss_for`).

The appendix gives the parts and no sizes. Chosen here: an initial convolution of F channels, blocks of F, 2F and 4F, pooling after
each, dropout: 2.41 million parameters at F = 32.

PARITY: a hidden layer of 8F units stands before the sigmoid, as in the CNN; the appendix names none.
"""

from collections.abc import Sequence

import keras
from keras import layers

from training.networks.cnn import WINDOW_PX
from training.networks.standardisation import standardised


def resnet(
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
        filters: of the first block.
        dropout: share of the last block's features dropped in training.
        mean: one constant per band, dB; see `training.networks.standardisation`.
        std: likewise.
        batch_norm_momentum: see `cnn`.

    Raises:
        ValueError: constants that do not fit the bands.
    """

    def normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.BatchNormalization(momentum=batch_norm_momentum, name=name)(x)

    inputs = keras.Input((WINDOW_PX, WINDOW_PX, bands), name="patches")
    x = standardised(inputs, mean=mean, std=std)
    x = layers.Conv2D(filters, 3, padding="same", name="initial")(x)
    x = layers.ReLU(name="initial_relu")(normalised(x, "initial_norm"))
    for number, width in enumerate((filters, 2 * filters, 4 * filters), start=1):
        shortcut = x if x.shape[-1] == width else layers.Conv2D(width, 1, name=f"shortcut{number}")(x)
        x = layers.Conv2D(width, 3, padding="same", name=f"first{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(normalised(x, f"first_norm{number}"))
        x = layers.Conv2D(width, 3, padding="same", name=f"second{number}")(x)
        x = layers.Add(name=f"sum{number}")([normalised(x, f"second_norm{number}"), shortcut])
        x = layers.ReLU(name=f"out{number}")(x)
        x = layers.MaxPooling2D(name=f"pool{number}")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(8 * filters, activation="relu", name="hidden")(x)
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid", dtype="float32", name="score")(x), name="resnet")
