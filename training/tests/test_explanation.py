"""Contributions sum up to the logit, densities are those of a direct sum, and the figures get drawn."""

import sys

import keras
import numpy as np
import pytest
from scipy import stats

from training.explanation.densities import (
    ASPECT_BANDWIDTH_DEG,
    SLOPE_BANDWIDTH_DEG,
    aspect_density,
    circular_mean_deg,
    slope_density,
)
from training.explanation.expected_gradients import Explanation, explain, explain_with_shap
from training.explanation.figures import draw_figure_5, draw_figure_6, draw_figure_7, explained
from training.explanation.ground import FILE, UnknownGround, ground_under
from training.networks import cnn
from training.simulator.events import EVENTS
from training.simulator.scene import Scene

BANDS = ("postVV", "postVH", "diffVV", "diffVH")
ROW = np.dtype([("event", "U40"), ("scene", "i4"), ("row", "i4"), ("column", "i4")])


@pytest.fixture(scope="module")
def trained():
    """A small net that has learnt to find a change of diffVH; patches, labels."""
    rng = np.random.default_rng(0)
    label = (np.arange(64) % 2).astype(np.float32)
    patches = rng.normal(0, 1, (64, 64, 64, 4)).astype(np.float32)
    patches[label == 1, 20:36, 30:46, 3] -= 2.5
    keras.utils.set_random_seed(1)
    model = cnn(bands=4, filters=4, batch_norm_momentum=0.9)
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="binary_crossentropy")
    model.fit(patches, label[:, None], batch_size=16, epochs=8, verbose=0)
    return model, patches, label


@pytest.fixture(scope="module")
def explanation(trained):
    model, patches, label = trained
    return explain(model, patches[label == 1][:3], patches[label == 0], steps=32)


def test_contributions_sum_up_to_the_logit(trained, explanation):
    model, patches, label = trained
    assert explanation.contributions.shape == (3, 64, 64, 4)
    assert explanation.completeness_error < 0.05
    probability = 1 / (1 + np.exp(-explanation.logits))
    np.testing.assert_allclose(probability, np.asarray(model(patches[label == 1][:3]))[:, 0], atol=1e-5)


def test_contributions_lie_where_the_patch_was_changed(explanation):
    sizes = np.abs(explanation.contributions)
    assert explanation.band_shares().argmax() == 3
    assert explanation.band_shares().sum() == pytest.approx(1)
    inside = sizes[:, 18:38, 28:48, 3].sum() / sizes[..., 3].sum()
    assert inside > 3 * (20 * 20) / (64 * 64)


def test_completeness_error_tells_a_wrong_sum():
    contributions = np.zeros((2, 64, 64, 1), np.float32)
    contributions[:, 0, 0, 0] = [1.0, -2.0]
    exact = Explanation(contributions=contributions, logits=np.array([1.5, -1.5]), background_logit=0.5)
    assert exact.completeness_error == 0
    wrong = Explanation(contributions=contributions, logits=np.array([2.5, -1.5]), background_logit=0.5)
    assert wrong.completeness_error == pytest.approx(0.5 / 2)


def test_linear_model_is_explained_exactly():
    """Of a linear model the contribution of a pixel is its weight times its distance from the background's mean."""
    inputs = keras.Input((64, 64, 2))
    outputs = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, outputs)
    rng = np.random.default_rng(0)
    weight = rng.normal(0, 0.01, (64 * 64 * 2, 1)).astype(np.float32)
    model.set_weights([weight, np.zeros(1, np.float32)])
    patches, background = rng.normal(size=(2, 3, 64, 64, 2)).astype(np.float32)
    found = explain(model, patches, background, steps=2)
    expected = weight.reshape(64, 64, 2) * (patches - background.mean(axis=0))
    np.testing.assert_allclose(found.contributions, expected, atol=1e-6)
    assert found.completeness_error < 1e-4


def test_missing_shap_says_what_to_do(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    model, patches, _ = trained
    with pytest.raises(ModuleNotFoundError, match="pip install shap"):
        explain_with_shap(model, patches[:1], patches[:2])


def direct(values, at, bandwidth, shifts):
    """Kernel density by summing scipy's normal densities over all samples and all their images."""
    images = np.concatenate([f(np.asarray(values, float)) for f in shifts])
    return np.array([stats.norm.pdf(x, images, bandwidth).sum() for x in at]) / len(values)


def test_aspect_density_is_the_direct_sum_around_the_circle():
    values = (np.random.default_rng(0).normal(350, 40, 300) % 360).astype(
        int
    ) + 0.5  # centres of bins: nothing is rounded
    at = np.array([0.0, 10.0, 100.0, 200.0, 359.0])
    turns = [lambda v, k=k: v + 360 * k for k in range(-4, 5)]
    np.testing.assert_allclose(aspect_density(values, at), direct(values, at, ASPECT_BANDWIDTH_DEG, turns), rtol=1e-9)


def test_slope_density_is_the_direct_sum_reflected_at_zero():
    values = np.abs(np.random.default_rng(0).normal(0, 15, 300)).astype(int) + 0.5
    at = np.array([0.0, 1.0, 20.0, 45.0])
    both = [lambda v: v, lambda v: -v]
    np.testing.assert_allclose(slope_density(values, at), direct(values, at, SLOPE_BANDWIDTH_DEG, both), rtol=1e-9)


def test_densities_hold_everything_and_north_has_two_sides():
    rng = np.random.default_rng(1)
    circle = np.linspace(0, 360, 721)
    density = aspect_density(rng.uniform(-20, 20, 5000) % 360, circle)
    assert np.trapezoid(density, circle) == pytest.approx(1, abs=1e-6)
    assert density[0] == pytest.approx(density[-1])
    assert density[0] == pytest.approx(density.max(), rel=0.05)
    slopes = np.linspace(0, 90, 901)
    assert np.trapezoid(slope_density(rng.uniform(0, 30, 5000), slopes), slopes) == pytest.approx(1, abs=1e-4)
    with pytest.raises(ValueError, match="pixel"):
        aspect_density(np.array([]), circle)


def test_mean_of_359_and_1_degrees_is_north():
    mean = circular_mean_deg(np.array([359.0, 1.0]))
    assert min(mean, 360 - mean) < 1e-6


def rows(*keys):
    return np.array(list(keys), ROW)


def test_simulated_ground_is_that_of_the_scene(tmp_path):
    source = {"kind": "simulated", "scene_px": 192}
    found = ground_under(tmp_path, source, rows(("hokkaido", 1, 2, 0), ("hokkaido", 0, 1, 1)))
    scene = Scene(EVENTS["hokkaido"], seed=1, shape=(192, 192))
    np.testing.assert_array_equal(found.slope_deg[0], scene.terrain.slope_deg[128:, :64])
    np.testing.assert_array_equal(found.scar[0], scene.is_slide()[128:, :64])
    slopes, aspects = found.under_scars(np.array([True, False]))
    assert len(slopes) == len(aspects) == scene.is_slide()[128:, :64].sum()


def test_ground_of_real_patches_is_read_by_cell_or_refused(tmp_path):
    with pytest.raises(UnknownGround, match="not simulated"):
        ground_under(tmp_path, {"kind": "rasters"}, rows(("palu", 0, 0, 0)))
    layers = np.arange(2)[:, None, None] * np.ones((2, 64, 64))
    known = rows(("palu", 0, 0, 0), ("palu", 0, 3, 4))
    np.savez(
        tmp_path / FILE,
        slope_deg=layers,
        aspect_deg=layers,
        scar=layers > 0,
        **{name: known[name] for name in ROW.names},
    )
    found = ground_under(tmp_path, {}, known[::-1])
    assert found.slope_deg[:, 0, 0].tolist() == [1, 0]
    with pytest.raises(UnknownGround, match="1 patches"):
        ground_under(tmp_path, {}, rows(("palu", 0, 9, 9)))


def test_figures_are_drawn(trained, explanation, tmp_path):
    _, patches, label = trained
    scar = np.zeros((3, 64, 64), bool)
    scar[:, 20:36, 30:46] = True
    kinds = ["TP", "TP", "FN"]
    records = explained(kinds, [0.9, 0.8, 0.2], ["a", "b", "c"], patches[label == 1][:3], explanation, scar)
    draw_figure_5(records, BANDS, explanation.completeness_error, tmp_path / "5.png")
    draw_figure_6(records, BANDS, explanation.completeness_error, tmp_path / "6.png")
    rng = np.random.default_rng(0)
    slopes = {"all": rng.uniform(10, 50, 500), "tp": rng.uniform(10, 40, 300), "fn": np.array([])}
    draw_figure_7(slopes, slopes, 282.0, "a test", tmp_path / "7.png")
    for number in "567":
        assert (tmp_path / f"{number}.png").stat().st_size > 20_000
