"""The served graph agrees with a window-by-window reference that shares no code with it."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from training.export import export_saved_model, save_weights
from training.tests.numpy_network import random_model, scores
from training.tile_graph import ServingGraph

MEAN, STD = [-9.0, -16.0, 0.0, 0.0], [4.0, 4.5, 2.0, 2.5]
FILL_DB = [-9.5, -16.5, 0.0, 0.25]


def served(tmp_path, model, variant):
    """Export through files, as it is served, and load again."""
    card = {
        "name": "vv_vh_ascending_60_12",
        "version": 3,
        "variant": variant,
        "filters": 8,
        "bands": ["postVV", "postVH", "diffVV", "diffVH"],
        "standardisation": {"mean": MEAN, "std": STD},
        "fill_db": FILL_DB,
    }
    save_weights(model, tmp_path / "model", card)
    return tf.saved_model.load(str(export_saved_model(tmp_path / "model", tmp_path / "out")))


@pytest.fixture(scope="module", params=["published", "paper"])
def network(request, tmp_path_factory):
    model = random_model(seed=11, filters=8, variant=request.param, mean=MEAN, std=STD)
    loaded = served(tmp_path_factory.mktemp("served"), model, request.param)
    return request.param, model, loaded.signatures


def scene(height, width, seed=0):
    """A noisy dB image with missing pixels: a corner, a single band, scattered ones and a stripe; float32 [H, W, 4]."""
    rng = np.random.default_rng(seed)
    image = rng.normal(MEAN, STD, (height, width, 4)).astype(np.float32)
    image[: height // 3, : width // 4] = np.nan
    image[height // 2 :: 7, width // 2 :: 5, 1] = np.nan  # one band missing: the pixel is missing
    image[:, width - 3] = np.nan
    return image


def reference(image):
    """Yield (row, column, filled window, share of pixels seen), one window at a time, pixel rules spelled out."""
    height, width, _ = image.shape
    for row, top in enumerate(range(0, height - 64 + 1, 32)):
        for column, left in enumerate(range(0, width - 64 + 1, 32)):
            window = image[top : top + 64, left : left + 64].copy()
            missing = np.isnan(window).any(axis=2)
            window[missing] = FILL_DB
            yield row, column, window, 1 - missing.sum() / 4096


@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 96), (95, 127), (127, 64), (160, 97)])
def test_tile_equals_numpy_window_by_window(network, height, width):
    variant, model, signatures = network
    image = scene(height, width)
    out = {name: value.numpy() for name, value in signatures["tile"](image=tf.constant(image)).items()}
    assert out["scores"].shape == out["valid_fraction"].shape == ((height - 64) // 32 + 1, (width - 64) // 32 + 1)
    assert {value.dtype for value in out.values()} == {np.dtype(np.float32)}
    for row, column, window, valid in reference(image):
        expected = scores(window[None], model.get_weights(), variant=variant, mean=MEAN, std=STD)[0]
        assert out["scores"][row, column] == pytest.approx(expected, abs=1e-5)
        assert out["valid_fraction"][row, column] == pytest.approx(valid, abs=1e-7)


def test_large_tile_equals_keras_on_single_patches(network):
    _, model, signatures = network
    image = scene(1000, 1000, seed=4)
    out = {name: value.numpy() for name, value in signatures["tile"](image=tf.constant(image)).items()}
    assert out["scores"].shape == (30, 30)  # 900 windows: several batches, the last one not full
    single = tf.function(lambda patch: model(patch, training=False)[0, 0])
    for row, column, window, valid in reference(image):
        assert out["scores"][row, column] == pytest.approx(float(single(tf.constant(window[None]))), abs=1e-5)
        assert out["valid_fraction"][row, column] == pytest.approx(valid, abs=1e-7)
    assert np.ptp(out["scores"]) > 0.05


def test_patches_are_filled_and_scored_like_the_tile(network):
    _, _, signatures = network
    image = scene(224, 160, seed=2)
    patches = np.stack(
        [image[top : top + 64, left : left + 64] for top in range(0, 161, 32) for left in range(0, 97, 32)]
    )
    by_patch = signatures["serving_default"](patches=tf.constant(patches))["score"].numpy()
    by_tile = signatures["tile"](image=tf.constant(image))["scores"].numpy()
    assert by_patch.shape == (24,)
    np.testing.assert_allclose(by_patch.reshape(6, 4), by_tile, atol=1e-5)


def test_no_patches_give_no_scores(network):
    assert network[2]["serving_default"](patches=tf.zeros([0, 64, 64, 4]))["score"].shape == (0,)


def test_tile_without_a_seen_pixel_is_scored_as_fill(network):
    variant, model, signatures = network
    out = signatures["tile"](image=tf.fill([96, 96, 4], np.nan))
    filled = np.broadcast_to(np.asarray(FILL_DB), (1, 64, 64, 4))
    expected = scores(filled, model.get_weights(), variant=variant, mean=MEAN, std=STD)[0]
    np.testing.assert_allclose(out["scores"], np.full((2, 2), expected), atol=1e-5)
    np.testing.assert_array_equal(out["valid_fraction"], np.zeros((2, 2)))


def session_callable(session, signature):
    """Return image -> scores that feeds without comparing shapes first, unlike `Session.run`."""
    options = config_pb2.CallableOptions(
        feed=[signature.inputs["image"].name], fetch=[signature.outputs["scores"].name]
    )
    return session._make_callable_from_options(options)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((63, 64, 4), "at least 64 px"), ((640, 63, 4), "at least 64 px"), ((64, 64, 2), "must have 4 bands")],
)
def test_impossible_tiles_are_refused_as_by_a_server(network, tmp_path, shape, message):
    """TensorFlow Serving feeds what was sent, whatever shape the signature says; so does this session's callable."""
    model = network[1]
    served(tmp_path, model, network[0])
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        path = str(tmp_path / "out" / "vv_vh_ascending_60_12" / "3")
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], path)
        run = session_callable(session, meta.signature_def["tile"])
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            run(np.zeros(shape, np.float32))


def test_only_stock_operations_are_used(network, tmp_path):
    served(tmp_path, network[1], network[0])
    saved = tf.compat.v1.saved_model.loader
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        saved.load(session, ["serve"], str(tmp_path / "out" / "vv_vh_ascending_60_12" / "3"))
        used = {node.op for function in graph.as_graph_def().library.function for node in function.node_def}
    assert "Conv2D" in used
    assert not {op for op in used if op.startswith(("Py", "EagerPy", "Xla"))}


def test_fill_values_that_do_not_fit_the_bands_are_refused():
    with pytest.raises(ValueError, match="3 values for 4 bands"):
        ServingGraph(random_model(seed=1, filters=4), [0.0, 0.0, 0.0])
