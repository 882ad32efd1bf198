"""Contributions sum up to the logit, densities are those of a direct sum, and the figures get drawn."""

import re
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
from training.explanation.expected_gradients import Explanation, explain, explain_with_shap, until_complete
from training.explanation.figures import explained, figure_5, figure_6, figure_7, save
from training.explanation.ground import FILE, Ground, UnknownGround, ground_under
from training.explanation.slopes import averages, by_outcome
from training.networks import build, cnn
from training.patches.labels import fractions
from training.patches.store import rows_of
from training.simulator.events import EVENTS
from training.simulator.scene import Scene
from training.tests.numpy_network import randomise

BANDS = ("postVV", "postVH", "diffVV", "diffVH")


@pytest.fixture(scope="module")
def trained():
    """A small net that has learnt to find a change of diffVH; patches, labels."""
    rng = np.random.default_rng(0)
    label = (np.arange(64) % 2).astype(np.float32)
    patches = rng.normal(0, 1, (64, 64, 64, 4)).astype(np.float32)
    patches[label == 1, 20:36, 30:46, 3] -= 2.5
    keras.utils.set_random_seed(1)
    model = cnn(bands=4, filters=4, batch_norm_momentum=0.9)
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="binary_crossentropy", jit_compile=False)
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
    np.testing.assert_allclose(wrong.patch_errors, [0.5, 0])


def explanation_with(error):
    contributions = np.full((1, 1, 1, 1), 1 + error)
    return Explanation(contributions=contributions, logits=np.array([1.0]), background_logit=0.0)


def test_steps_are_doubled_until_the_error_is_small_and_not_for_ever():
    taken = []

    def attempt(steps):
        taken.append(steps)
        return explanation_with(3.0 / steps)

    found = until_complete(attempt)
    assert taken == [32, 64]
    assert found.completeness_error == pytest.approx(3 / 64)
    taken.clear()
    assert not until_complete(attempt, first=1).is_complete
    assert taken == [1, 2, 4, 8, 16]


def test_more_steps_leave_a_smaller_error_and_each_patch_is_told(trained, explanation):
    model, patches, label = trained
    told = []
    few = explain(
        model, patches[label == 1][:3], patches[label == 0], steps=2, progress=lambda done, of: told.append((done, of))
    )
    assert (few.steps, explanation.steps) == (2, 32)
    assert few.completeness_error > 2 * explanation.completeness_error
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


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


@pytest.mark.parametrize(
    "values",
    [{"architecture": "cnn", "variant": "paper"}, {"architecture": "cbam"}, {"architecture": "resnet"}],
    ids=lambda values: "-".join(values.values()),
)
def test_contributions_of_every_network_sum_up_to_its_logit(values):
    """Their layers, too, tell where the logit comes from: resizing, attention, sums past layers."""
    model = randomise(build(**values, bands=2, filters=8), seed=3)
    patches = np.random.default_rng(1).normal(0, 1, (3, 64, 64, 2)).astype(np.float32)
    found = until_complete(lambda steps: explain(model, patches[:1] + np.float32(4), patches[1:], steps=steps))
    assert found.is_complete
    assert np.abs(found.contributions).sum() > 0


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


SIMULATED = {"kind": "simulated", "scene_px": 192}


def rows(*keys, **columns):
    """Index rows of patches (event, scene, row, column)."""
    one = [rows_of(event, scene, np.array([[row, column]])) for event, scene, row, column in keys]
    found = np.concatenate(one)
    for name, values in columns.items():
        found[name] = values
    return found


@pytest.fixture(scope="module")
def scene():
    """Of its cell 1-1 some has failed where the descending pass cannot see it."""
    return Scene(EVENTS["hokkaido"], seed=2, shape=(192, 192))


@pytest.fixture(scope="module")
def scene_rows(scene):
    """Rows of the cells 2-0 and 1-1, as a set has them."""
    scar = scene.is_slide()
    original, landslide = fractions(scar), fractions(scar & ~scene.view("DESCENDING").is_distorted)
    keys, cells = (("hokkaido", 2, 2, 0), ("hokkaido", 2, 1, 1)), [6, 4]
    return rows(*keys, original=original[cells], landslide=landslide[cells])


def test_simulated_ground_is_that_of_the_scene(tmp_path, scene, scene_rows):
    told = []
    found = ground_under(tmp_path, SIMULATED, scene_rows, "DESCENDING", lambda *steps: told.append(steps))
    np.testing.assert_array_equal(found.slope_deg[0], scene.terrain.slope_deg[128:, :64])
    np.testing.assert_array_equal(found.aspect_deg[1], scene.terrain.aspect_deg[64:128, 64:128])
    np.testing.assert_array_equal(found.scar[0], scene.is_slide()[128:, :64])
    assert told == [(0, 1), (1, 1)]


def test_landslides_that_the_pass_cannot_see_do_not_count(tmp_path, scene, scene_rows):
    found = ground_under(tmp_path, SIMULATED, scene_rows, "DESCENDING")
    distorted = scene.view("DESCENDING").is_distorted[64:128, 64:128]
    failed = scene.is_slide()[64:128, 64:128]
    assert (failed & distorted).any()
    slopes, aspects = found.under_scars(np.array([False, True]))
    assert len(slopes) == len(aspects) == (failed & ~distorted).sum()
    np.testing.assert_array_equal(found.scar[1], failed)


@pytest.mark.parametrize("name", ["original", "landslide"])
def test_set_of_another_simulator_is_refused(tmp_path, scene_rows, name):
    other = scene_rows.copy()
    other[name][1] += 1 / 4096
    with pytest.raises(
        UnknownGround,
        match=r"or on another processor: in 1 of 2 patches.*Simulate it again",
    ):
        ground_under(tmp_path, SIMULATED, other, "DESCENDING")


def test_ground_of_real_patches_is_read_by_cell_or_refused(tmp_path):
    with pytest.raises(UnknownGround, match="not simulated"):
        ground_under(tmp_path, {"kind": "rasters"}, rows(("palu", 0, 0, 0)), "ASCENDING")
    layers = np.arange(2)[:, None, None] * np.ones((2, 64, 64))
    known = rows(("palu", 0, 0, 0), ("palu", 0, 3, 4))
    distorted = layers > 0
    distorted[1, :60] = False
    np.savez(
        tmp_path / FILE, slope_deg=layers, aspect_deg=layers, scar=layers > 0, distorted_descending=distorted,
        **{name: known[name] for name in ("event", "scene", "row", "column")},
    )  # fmt: skip
    found = ground_under(tmp_path, {}, known[::-1], "ASCENDING")
    assert found.slope_deg[:, 0, 0].tolist() == [1, 0]
    assert (found.is_filtered, found.seen.sum()) == (False, 64 * 64)
    found = ground_under(tmp_path, {}, known[::-1], "DESCENDING")
    assert (found.is_filtered, found.seen.sum()) == (True, 60 * 64)
    with pytest.raises(UnknownGround, match="1 patches"):
        ground_under(tmp_path, {}, rows(("palu", 0, 9, 9)), "ASCENDING")


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"aspect_deg": -9999.0}, "aspect_deg of palu 0 cell 3-4 is -9999 under a landslide; wanted are 0 to 360"),
        ({"slope_deg": 91}, "slope_deg of palu 0 cell 3-4 is 91 under a landslide; wanted are 0 to 90"),
        (
            {"scar": 0},
            "in 1 of 2 patches `scar` is not the set's inventory: of palu 0 cell 3-4 it covers 0.02%, by the set 0.05%",
        ),
    ],
)
def test_ground_that_cannot_be_that_of_the_patches_is_refused(tmp_path, spoilt, said):
    known = rows(("palu", 0, 0, 0), ("palu", 0, 3, 4), original=[0, 2 / 4096])
    layers = {name: np.full((2, 64, 64), 45.0) for name in ("slope_deg", "aspect_deg")}
    layers["scar"] = np.zeros((2, 64, 64))
    layers["scar"][1, 5, 5:7] = 1
    layers["aspect_deg"][0] = -9999  # of flat ground, where nothing slid
    keys = {name: known[name] for name in ("event", "scene", "row", "column")}
    np.savez(tmp_path / FILE, **layers, **keys)
    assert ground_under(tmp_path, {"kind": "rasters"}, known, "ASCENDING").seen.sum() == 2
    for name in ("slope_deg", "aspect_deg"):  # not known of one pixel: it is no less of a scar, but nothing to be drawn
        unknown = {**layers, name: layers[name].copy()}
        unknown[name][1, 5, 5] = np.nan
        np.savez(tmp_path / FILE, **unknown, **keys)
        found = ground_under(tmp_path, {"kind": "rasters"}, known, "ASCENDING")
        assert (found.scar.sum(), found.seen.sum()) == (2, 1)
    for name, value in spoilt.items():
        layers[name][1, 5, 6] = value
    np.savez(tmp_path / FILE, **layers, **keys)
    with pytest.raises(UnknownGround, match=re.escape(said)):
        ground_under(tmp_path, {"kind": "rasters"}, known, "ASCENDING")


def slopes_of_ten_to_fifty():
    """Ground and kinds of four patches with 2 scar pixels each: found ones of 10 and 20 degrees, a missed one of 50, a false alarm."""
    degrees = np.repeat(np.array([10, 20, 50, 70], np.float32), 64 * 64).reshape(4, 64, 64)
    scar = np.zeros((4, 64, 64), bool)
    scar[:, 5, 5:7] = True
    ground = Ground(slope_deg=degrees, aspect_deg=degrees + 180, scar=scar, seen=scar)
    return ground, np.array(["TP", "TP", "FN", "FP"])


def test_pixels_are_parted_by_found_and_missed():
    pixels = by_outcome(*slopes_of_ten_to_fifty())
    assert {name: slope.tolist() for name, (slope, _) in pixels.items()} == {
        "all": [10, 10, 20, 20, 50, 50],
        "tp": [10, 10, 20, 20],
        "fn": [50, 50],
    }
    assert pixels["fn"][1].tolist() == [230, 230]
    assert averages(pixels)["tp"] == {"pixels": 4, "median_slope_deg": 15, "mean_aspect_deg": 195}
    ground, kinds = slopes_of_ten_to_fifty()
    assert set(averages(by_outcome(ground, np.where(kinds == "FN", "TN", kinds)))) == {"all", "tp"}


def test_figure_7_draws_each_density_under_its_own_name():
    pixels = by_outcome(*slopes_of_ten_to_fifty())
    figure = figure_7(pixels, 282.0, "a test")
    assert figure.get_suptitle() == "a test"
    slope, aspect = figure.axes
    assert (slope.get_xlabel(), aspect.get_xlabel()) == ("slope (degrees)", "aspect (degrees from north)")
    labels = ["all landslides: 6 pixels", "found (TP): 4 pixels", "missed (FN): 2 pixels"]
    assert [text.get_text() for text in slope.get_legend().get_texts()] == labels
    for panel, place, density in ((slope, 0, slope_density), (aspect, 1, aspect_density)):
        for label, kind in zip(labels, ("all", "tp", "fn"), strict=True):
            (line,) = [line for line in panel.lines if line.get_label() == label]
            at, drawn = line.get_data()
            np.testing.assert_allclose(drawn, density(pixels[kind][place], at))
    (missed,) = [line for line in slope.lines if line.get_label() == labels[2]]
    assert missed.get_xdata()[missed.get_ydata().argmax()] == pytest.approx(50, abs=1)
    (facing,) = [line for line in aspect.lines if line not in (aspect.lines[:3])]
    assert facing.get_xdata() == pytest.approx([102, 102])
    alone = figure_7({**pixels, "fn": (np.array([]), np.array([]))}, 282.0, "").axes[0]
    assert [line.get_label() for line in alone.lines] == labels[:2]


@pytest.fixture
def records(trained, explanation):
    _, patches, label = trained
    scar = np.zeros((3, 64, 64), bool)
    scar[:, 20:36, 30:46] = True
    kinds = ["TP", "TP", "FN"]
    return explained(kinds, [0.9, 0.8, 0.2], ["a", "b", "c"], patches[label == 1][:3], explanation, scar)


def image(panel):
    (drawn,) = panel.get_images()
    return drawn.get_array()


def test_figure_5_shows_kinds_side_by_side_with_their_mean_contribution(records):
    figure = figure_5(records, BANDS, 0.013, "simulated")
    panels = np.array(figure.axes[:12]).reshape(2, 6)
    titles = [[panel.get_title() for panel in row] for row in panels]
    assert titles[0][0] == "TP  p = 0.90\na\npostVV"
    assert titles[0][3] == "FN  p = 0.20\nc\npostVV"
    assert titles[0][1:3] == ["diffVV", "mean contribution"]
    assert titles[1][3:] == ["", "", ""]
    for record, panel in ((records[1], panels[1, 2]), (records[2], panels[0, 5])):
        np.testing.assert_array_equal(image(panel), record.contributions.mean(axis=2))
    np.testing.assert_array_equal(image(panels[0, 4]), records[2].patch[..., 2])
    said = figure.get_suptitle()
    assert said.startswith("simulated data. ")
    largest = max(record.error for record in records)
    assert f"completeness error 1.3 %, of a single patch here at most {100 * largest:.1f} %\n" in said
    assert said.endswith("green: inventory") == any(record.scar is not None for record in records)


def test_each_record_has_the_error_of_its_own_patch(records, explanation):
    assert [record.error for record in records] == explanation.patch_errors.tolist()
    assert len({record.error for record in records}) == 3


def test_figure_6_shows_each_band_and_what_it_contributed(records):
    figure = figure_6(records, BANDS, 0.07, "easy")
    panels = np.array(figure.axes[:27]).reshape(3, 9)
    assert [panel.get_title() for panel in panels[0, :5]] == [*BANDS, "contribution\nof postVV"]
    assert [row[0].get_ylabel() for row in panels] == ["TP  p = 0.90\na", "TP  p = 0.80\nb", "FN  p = 0.20\nc"]
    for record, row in zip(records, panels, strict=True):
        for band in range(4):
            np.testing.assert_array_equal(image(row[band]), record.patch[..., band])
            np.testing.assert_array_equal(image(row[4 + band]), record.contributions[..., band])
        np.testing.assert_array_equal(image(row[8]), record.contributions.mean(axis=2))
    assert "completeness error 7.0 %, NOT COMPLETE" in figure.get_suptitle()


def test_figures_are_written_into_folders_that_are_not_there_yet(tmp_path):
    save(figure_7(by_outcome(*slopes_of_ten_to_fifty()), 282.0, "a test"), tmp_path / "new" / "7.png")
    assert (tmp_path / "new" / "7.png").stat().st_size > 20_000


def test_quadratic_model_is_explained_exactly():
    """The mean slope between two places is that at the midpoint, in any number of steps."""
    inputs = keras.Input((64, 64, 2))
    outputs = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(keras.ops.square(inputs)))
    model = keras.Model(inputs, outputs)
    rng = np.random.default_rng(0)
    weight = rng.normal(0, 0.01, (64 * 64 * 2, 1)).astype(np.float32)
    model.set_weights([weight, np.zeros(1, np.float32)])
    patches, background = rng.normal(size=(2, 2, 64, 64, 2)).astype(np.float32)
    found = explain(model, patches, background, steps=2)
    expected = weight.reshape(64, 64, 2) * (patches**2 - (background**2).mean(axis=0))
    np.testing.assert_allclose(found.contributions, expected, atol=1e-5)


def test_shares_of_bands_count_what_speaks_against_a_landslide_too():
    contributions = np.zeros((1, 64, 64, 2), np.float32)
    contributions[0, 0, :2, 0] = [3, -3]
    contributions[0, 0, 0, 1] = 2
    found = Explanation(contributions=contributions, logits=np.array([2.0]), background_logit=0.0)
    assert found.band_shares().tolist() == [0.75, 0.25]


def test_aspect_under_a_scar_that_the_pass_cannot_see_may_be_anything(tmp_path):
    known = rows(("palu", 0, 0, 0), original=[1 / 4096])
    layers = {name: np.full((1, 64, 64), 45.0) for name in ("slope_deg", "aspect_deg")}
    scar = np.zeros((1, 64, 64), bool)
    scar[0, 5, 5] = True
    layers["aspect_deg"][0, 5, 5] = -1
    keys = {name: known[name] for name in ("event", "scene", "row", "column")}
    np.savez(tmp_path / FILE, **layers, scar=scar, distorted_ascending=scar, **keys)
    assert not ground_under(tmp_path, {"kind": "rasters"}, known, "ASCENDING").seen.any()
