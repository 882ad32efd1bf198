"""The served graph agrees with a window-by-window reference that shares no code with it."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, saved_model_pb2

from training.model_folder import save_weights
from training.served.export import export_saved_model
from training.served.tile_graph import ServingGraph
from training.tests.numpy_network import random_model, scores
from training.tests.tile_scene import FILL_DB, MEAN, STD, STOCK, scene


@pytest.fixture(scope="module", params=["published", "paper"])
def network(request, tmp_path_factory):
    """(variant, Keras model, signatures of the SavedModel, its path), through files as it is served."""
    variant, folder = request.param, tmp_path_factory.mktemp("served")
    model = random_model(seed=11, filters=8, variant=variant, mean=MEAN, std=STD)
    bands = ["postVV", "postVH", "diffVV", "diffVH"]
    card = {
        "name": "vv_vh_ascending_60_12",
        "version": 3,
        "variant": variant,
        "filters": 8,
        "bands": bands,
        "standardisation": {"mean": dict(zip(bands, MEAN, strict=True)), "std": dict(zip(bands, STD, strict=True))},
        "fill_db": dict(zip(bands, FILL_DB, strict=True)),
    }
    save_weights(model, folder / "model", card)
    path = str(export_saved_model(folder / "model", folder / "out"))
    loaded = tf.saved_model.load(path)
    return variant, model, loaded.signatures, path


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
    variant, model, signatures, _ = network
    image = scene(height, width)
    out = {name: value.numpy() for name, value in signatures["tile"](image=tf.constant(image)).items()}
    assert out["scores"].shape == out["valid_fraction"].shape == ((height - 64) // 32 + 1, (width - 64) // 32 + 1)
    assert {value.dtype for value in out.values()} == {np.dtype(np.float32)}
    for row, column, window, valid in reference(image):
        expected = scores(window[None], model.get_weights(), variant=variant, mean=MEAN, std=STD)[0]
        assert out["scores"][row, column] == pytest.approx(expected, abs=1e-5)
        assert out["valid_fraction"][row, column] == pytest.approx(valid, abs=1e-7)


def test_large_tile_equals_keras_on_single_patches(network):
    _, model, signatures, _ = network
    image = scene(1000, 1000, seed=4)
    out = {name: value.numpy() for name, value in signatures["tile"](image=tf.constant(image)).items()}
    assert out["scores"].shape == (30, 30)  # 900 windows: several batches, the last one not full
    single = tf.function(lambda patch: model(patch, training=False)[0, 0])
    for row, column, window, valid in reference(image):
        assert out["scores"][row, column] == pytest.approx(float(single(tf.constant(window[None]))), abs=1e-5)
        assert out["valid_fraction"][row, column] == pytest.approx(valid, abs=1e-7)
    assert np.ptp(out["scores"]) > 0.05


def test_patches_are_filled_and_scored_like_the_tile(network):
    _, _, signatures, _ = network
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
    variant, model, signatures, _ = network
    out = signatures["tile"](image=tf.fill([96, 96, 4], np.nan))
    filled = np.broadcast_to(np.asarray(FILL_DB), (1, 64, 64, 4))
    expected = scores(filled, model.get_weights(), variant=variant, mean=MEAN, std=STD)[0]
    np.testing.assert_allclose(out["scores"], np.full((2, 2), expected), atol=1e-5)
    np.testing.assert_array_equal(out["valid_fraction"], np.zeros((2, 2)))


@pytest.fixture(scope="module")
def as_served(network):
    """Both signatures as TensorFlow Serving runs them: the graph in a session, fed without comparing shapes first."""
    path = network[3]
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], path)

    def run(signature, source, *outputs):
        info = meta.signature_def[signature]
        (feed,) = info.inputs.values()
        fetch = [info.outputs[name].name for name in outputs]
        options = config_pb2.CallableOptions(feed=[feed.name], fetch=fetch)
        return session._make_callable_from_options(options)(source)

    yield run
    session.close()


def test_graph_in_a_session_scores_as_in_python(network, as_served):
    image = scene(200, 170, seed=8)
    expected = network[2]["tile"](image=tf.constant(image))
    scores_, valid = as_served("tile", image, "scores", "valid_fraction")
    np.testing.assert_allclose(scores_, expected["scores"], atol=1e-6)
    np.testing.assert_array_equal(valid, expected["valid_fraction"])
    (by_patch,) = as_served("serving_default", image[None, 32:96, 64:128], "score")
    assert by_patch == pytest.approx(scores_[1, 2], abs=1e-5)


@pytest.mark.parametrize(
    "shape", [(63, 64, 4), (640, 63, 4), (0, 0, 4), (64, 64, 2), (64, 64), (1, 64, 64, 4)], ids=str
)
def test_impossible_tiles_are_refused(as_served, shape):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"image must be float32 \[H, W, 4\] with H and W at least 64"
    ):
        as_served("tile", np.zeros(shape, np.float32), "scores")


@pytest.mark.parametrize("shape", [(1, 64, 63, 4), (1, 64, 64, 2), (64, 64, 4)], ids=str)
def test_impossible_patches_are_refused(as_served, shape):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"patches must be float32 \[n, 64, 64, 4\]"):
        as_served("serving_default", np.zeros(shape, np.float32), "score")


def test_only_stock_operations_are_used(network):
    saved = saved_model_pb2.SavedModel.FromString((Path(network[3]) / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    used = {node.op for function in graph.library.function for node in function.node_def}
    used |= {node.op for node in graph.node}
    assert "Conv2D" in used
    assert used - set(STOCK) == set()


@pytest.mark.parametrize(("variant", "filters"), [("published", 64), ("paper", 32)])
def test_networks_of_the_papers_sizes_give_keras_scores_on_tiles_of_any_size(filters, variant):
    model = random_model(seed=filters, filters=filters, variant=variant, mean=MEAN, std=STD)
    tile = ServingGraph(model, FILL_DB).served["tile"]
    alone = tf.function(lambda patches: model(patches, training=False)[:, 0], reduce_retracing=True)
    rng = np.random.default_rng(filters)
    # One row of windows, one column, one block of many, several blocks of unequal size (F = 64 holds fewer windows a block).
    for height, width in [(64, 331), (287, 64), rng.integers(64, 352, 2), (64, 1024), (352, 448)]:
        image = rng.normal(MEAN, STD, (height, width, 4)).astype(np.float32)
        if rng.random() < 0.8:
            top, left = rng.integers(0, height), rng.integers(0, width)
            image[top : top + rng.integers(1, 200), left : left + rng.integers(1, 200)] = np.nan
            image[rng.random((height, width)) < 0.05, rng.integers(4)] = np.nan
        out = {name: value.numpy() for name, value in tile(image=tf.constant(image)).items()}
        windows = list(reference(image))
        expected = alone(tf.constant(np.stack([window for _, _, window, _ in windows]))).numpy()
        np.testing.assert_allclose(out["scores"].reshape(-1), expected, atol=1e-5)
        np.testing.assert_allclose(out["valid_fraction"].reshape(-1), [valid for *_, valid in windows], atol=1e-7)


def test_fill_values_that_do_not_fit_the_bands_are_refused():
    with pytest.raises(ValueError, match="3 values for 4 bands"):
        ServingGraph(random_model(seed=1, filters=4), [0.0, 0.0, 0.0])
