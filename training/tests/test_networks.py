"""The network has the released tool's shapes, and both variants compute what they say, checked in plain NumPy."""

import numpy as np
import pytest

from training.networks import cnn
from training.tests.numpy_network import random_model, scores

RELEASED_PARAMETERS = {
    64: 6_369_473,
    32: 1_593_441,
}  # the released files are 4 bytes each plus HDF5 overhead


@pytest.mark.parametrize("variant", ["published", "paper"])
@pytest.mark.parametrize("filters", [32, 64])
def test_parameters_are_those_of_the_released_weights(filters, variant):
    assert cnn(bands=4, filters=filters, variant=variant).count_params() == RELEASED_PARAMETERS[filters]


def test_standardisation_adds_no_weights():
    plain, standardised = cnn(bands=2, filters=4), cnn(bands=2, filters=4, mean=[-9.0, 0.0], std=[4.0, 2.0])
    assert [w.shape for w in plain.weights] == [w.shape for w in standardised.weights]


@pytest.mark.parametrize("variant", ["published", "paper"])
@pytest.mark.parametrize("constants", [None, ([-9.0, -16.0, 0.1, 0.2], [4.0, 5.0, 2.0, 2.5])])
def test_network_computes_what_its_variant_says(variant, constants):
    mean, std = constants or (None, None)
    model = random_model(seed=7, filters=4, variant=variant, mean=mean, std=std)
    patches = np.random.default_rng(1).normal(-5, 6, (5, 64, 64, 4)).astype(np.float32)
    if constants is None:
        patches /= 6  # raw dB would saturate a random network
    expected = scores(patches, model.get_weights(), variant=variant, mean=mean, std=std)
    assert np.ptp(expected) > 0.02
    np.testing.assert_allclose(np.asarray(model(patches))[:, 0], expected, atol=1e-5)


def test_variants_share_shapes_and_disagree():
    published = random_model(seed=3, filters=4, variant="published")
    paper = random_model(seed=3, filters=4, variant="paper")
    paper.set_weights(published.get_weights())
    patches = np.random.default_rng(2).normal(0, 3, (4, 64, 64, 4)).astype(np.float32)
    assert np.abs(np.asarray(published(patches)) - np.asarray(paper(patches))).max() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "releasd"}, "releasd"),
        ({"mean": [0.0] * 4}, "together"),
        ({"mean": [0.0] * 3, "std": [1.0] * 4}, "3 means"),
        ({"mean": [0.0] * 4, "std": [1.0, 1.0, 0.0, 1.0]}, "positive"),
    ],
)
def test_impossible_networks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        cnn(bands=4, filters=4, **arguments)
