"""The three networks that Nava et al. 2026 compare (Table A1), by name."""

from collections.abc import Sequence
from typing import get_args

import keras

from training.architectures import Architecture, Variant
from training.networks.cbam import cbam
from training.networks.cnn import WINDOW_PX, cnn
from training.networks.resnet import resnet

__all__ = ["WINDOW_PX", "Architecture", "Variant", "build", "cbam", "cnn", "logits_of", "resnet"]


def build(
    architecture: Architecture,
    *,
    bands: int,
    filters: int,
    variant: Variant = "published",
    dropout: float = 0.5,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    batch_norm_momentum: float = 0.99,
) -> keras.Model:
    """Build one of the networks, untrained; only the CNN has variants.

    Raises:
        ValueError: an unknown architecture, or what the network itself refuses.
    """
    if architecture == "cnn":
        return cnn(
            bands=bands,
            filters=filters,
            variant=variant,
            dropout=dropout,
            mean=mean,
            std=std,
            batch_norm_momentum=batch_norm_momentum,
        )
    if architecture not in get_args(Architecture):
        raise ValueError(f"unknown architecture {architecture!r}; known: {', '.join(get_args(Architecture))}")
    make = cbam if architecture == "cbam" else resnet
    return make(
        bands=bands, filters=filters, dropout=dropout, mean=mean, std=std, batch_norm_momentum=batch_norm_momentum
    )


def logits_of(model: keras.Model) -> keras.Model:
    """Return the network without its last sigmoid: float32 [n, 1], any real number. The last layer's weights are copied, all others shared.

    Raises:
        ValueError: the last layer is no dense layer with one sigmoid.
    """
    score = model.layers[-1]
    if not isinstance(score, keras.layers.Dense) or score.activation is not keras.activations.sigmoid:
        raise ValueError(f"{model.name}: its last layer {score.name!r} is no dense layer with a sigmoid")
    linear = keras.layers.Dense(score.units, name="logit")
    outputs = linear(score.input)
    linear.set_weights(score.get_weights())
    return keras.Model(model.inputs[0], outputs, name=f"{model.name}_logits")
