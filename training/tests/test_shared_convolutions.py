"""Shared convolutions give every window the score it has alone."""

import numpy as np
import pytest
import tensorflow as tf

from training.served.shared_convolutions import SharedConvolutions
from training.tests.numpy_network import random_model, scores


@pytest.mark.parametrize("variant", ["published", "paper"])
@pytest.mark.parametrize("is_rising", [True, False], ids=["gamma of one sign", "gamma of both signs"])
def test_two_bands_without_standardisation(variant, is_rising):
    model = random_model(seed=5, filters=4, bands=2, variant=variant)
    if is_rising:
        gammas = [np.abs(value) if "gamma" in weight.path else value for weight, value in weights(model)]
        model.set_weights(gammas)
    image = np.random.default_rng(1).normal([-1, -0.1], [0.5, 0.4], (128, 160, 2)).astype(np.float32)
    windows = [image[top : top + 64, left : left + 64] for top in (0, 32, 64) for left in (0, 32, 64, 96)]
    expected = scores(np.stack(windows), model.get_weights(), variant=variant).reshape(3, 4)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(SharedConvolutions(model)(tf.constant(image)), expected, atol=1e-5)


def weights(model):
    return zip(model.weights, model.get_weights(), strict=True)
