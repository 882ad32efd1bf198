"""The network has the released tool's shapes, and both variants compute what they say, checked in plain NumPy."""

import numpy as np
import pytest

from training.networks import build, cbam, cnn, logits_of
from training.tests.numpy_network import cbam_logits, random_model, randomise, resnet_logits, scores

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


def parameters_of_a1_and_a2(bands, f):
    """Count by hand what appendix A1 and A2 need at the widths chosen: (residual, attention)."""

    def conv(side, first, last):
        return side * side * first * last + last

    widths = (f, 2 * f, 4 * f)
    dense = 64 * 4 * f * 8 * f + 8 * f + 8 * f + 1
    pairs = list(zip((f, *widths), widths, strict=False))
    residual = conv(3, bands, f) + 4 * f + dense
    residual += sum(conv(3, a, b) + conv(3, b, b) + 8 * b + (conv(1, a, b) if a != b else 0) for a, b in pairs)
    attention = dense
    for a, b in zip((bands, *widths), widths, strict=False):
        attention += conv(3, a, b) + 4 * b + (b * (b // 8) + b // 8) + ((b // 8) * b + b) + conv(7, 2, 1)
    return residual, attention


def test_parameters_of_the_appendix_networks():
    residual, attention = (build(name, bands=4, filters=32).count_params() for name in ("resnet", "cbam"))
    assert (residual, attention) == parameters_of_a1_and_a2(4, 32)
    assert (round(residual / 1e6, 2), round(attention / 1e6, 2)) == (2.41, 2.20)


@pytest.mark.parametrize(("name", "reference"), [("cbam", cbam_logits), ("resnet", resnet_logits)])
def test_appendix_network_computes_what_it_says(name, reference):
    model = randomise(build(name, bands=2, filters=8), seed=4)
    patches = np.random.default_rng(1).normal(0, 1, (4, 64, 64, 2)).astype(np.float32)
    patches *= np.array([1, 2, 4, 8], np.float32)[:, None, None, None]
    weights = {weight.path: np.asarray(weight) for weight in model.weights}
    expected = reference(patches, weights)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(np.asarray(logits_of(model)(patches))[:, 0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["cnn", "cbam", "resnet"])
def test_logits_are_what_the_sigmoid_was_given(name):
    model = randomise(build(name, bands=4, filters=8), seed=2)
    patches = np.random.default_rng(1).normal(0, 1, (3, 64, 64, 4)).astype(np.float32)
    logit = np.asarray(logits_of(model)(patches), np.float64)
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), model(patches), atol=1e-6)


@pytest.mark.parametrize(
    ("values", "before", "after"),
    [
        ({"architecture": "cnn", "variant": "published"}, "pool_joined", "flatten"),
        ({"architecture": "cnn", "variant": "paper"}, "join", "flatten"),
        ({"architecture": "cbam"}, "hidden", "score"),
        ({"architecture": "resnet"}, "pool3", "flatten"),
    ],
)
def test_dropout_has_the_rate_asked_for_and_its_place(values, before, after):
    """3.4 puts it before the hidden layer of the CNN; the appendix names no place, CBAM's is after the hidden layer."""
    model = build(**values, bands=2, filters=8, dropout=0.7)
    names = [layer.name for layer in model.layers]
    assert model.get_layer("dropout").rate == 0.7
    assert names[names.index("dropout") - 1 :][:3] == [before, "dropout", after]


def test_attention_needs_channels_to_reduce():
    with pytest.raises(ValueError, match="multiple of 8"):
        cbam(bands=4, filters=12)


def test_unknown_architecture_is_named():
    with pytest.raises(ValueError, match="vgg"):
        build("vgg", bands=4, filters=8)
