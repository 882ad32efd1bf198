"""What bfloat16 does to scores, to decisions, and to nothing else."""

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
import tensorflow as tf
from affine import Affine
from click.testing import CliRunner
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from training.evaluation.maps import Map, maps_for
from training.evaluation.precision_effect import Effect, effect, precision_effect_command
from training.model_folder import UnusableModel, load_model, read_card, save_weights
from training.served.export import export_command, export_saved_model
from training.served.precision import UnknownPrecision, in_precision
from training.served.shared_convolutions import SharedConvolutions
from training.served.tile_graph import ServingGraph
from training.tests.numpy_network import random_model
from training.tests.tile_scene import FILL_DB, MEAN, STD, STOCK, scene

TRAINED = sorted(Path(__file__).parents[2].glob("serving/models/*"))
LARGEST_DIFFERENCE = 0.03
"""Of any score of the models in git, in bfloat16: far below what a threshold means, far above what was measured (0.005)."""
BANDS = ("postVV", "postVH", "diffVV", "diffVH")


def bfloat16(values):
    return tf.cast(values, tf.bfloat16)


def rounded(values):
    return tf.cast(bfloat16(values), tf.float32).numpy()


def test_products_are_added_up_in_float32():
    """A sum of so many products, each rounded to 8 bits on the way, would be wrong in the second digit."""
    rng = np.random.default_rng(0)
    image, kernel = (rounded(rng.normal(size=shape)) for shape in [(1, 24, 24, 64), (3, 3, 64, 16)])
    convolved = tf.nn.conv2d(bfloat16(image), bfloat16(kernel), 1, "SAME")
    exact = tf.nn.conv2d(image, kernel, 1, "SAME").numpy()
    np.testing.assert_allclose(tf.cast(convolved, tf.float32), exact, rtol=2**-8, atol=1e-4)  # half a unit is 2^-9
    rows, columns = (rounded(rng.normal(size=shape)) for shape in [(30, 2048), (2048, 16)])
    product = tf.cast(bfloat16(rows) @ bfloat16(columns), tf.float32)
    np.testing.assert_allclose(product, rows @ columns, rtol=2**-7, atol=1e-3)  # one unit, where it is cut off


@pytest.mark.parametrize("folder", TRAINED, ids=lambda folder: folder.name)
def test_scores_of_trained_models_stay_near_those_in_float32(folder):
    card, model = read_card(folder), load_model(folder)
    (one,) = maps_for(card, "practice", 1, 320)
    image = np.nan_to_num(one.image, nan=0.0)
    exact, other = (SharedConvolutions(model, precision)(tf.constant(image)) for precision in ("float32", "bfloat16"))
    assert other.dtype == tf.float32
    assert 0 < np.abs(exact - other).max() < LARGEST_DIFFERENCE


@pytest.mark.parametrize("variant", ["published", "paper"])
def test_scores_of_both_variants_stay_near_those_in_float32(variant):
    model = random_model(seed=11, filters=8, variant=variant, mean=MEAN, std=STD)
    image = tf.constant(np.random.default_rng(2).normal(MEAN, STD, (160, 128, 4)).astype(np.float32))
    exact, other = (SharedConvolutions(model, precision)(image).numpy() for precision in ("float32", "bfloat16"))
    assert 0 < np.abs(exact - other).max() < 0.05


def test_standardisation_is_not_rounded():
    """Raw dB far from 0 would lose what distinguishes windows: at -100 dB bfloat16 knows halves of a dB."""
    image = np.random.default_rng(3).normal(MEAN, STD, (96, 96, 4)).astype(np.float32)
    scores = []
    for moved in (0.0, -100.0):
        model = random_model(seed=5, filters=8, mean=np.add(MEAN, moved).tolist(), std=STD)
        scores.append(SharedConvolutions(model, "bfloat16")(tf.constant(image + np.float32(moved))))
    np.testing.assert_allclose(*scores, atol=5e-3)


def card(**changes):
    return {
        "name": "vv_vh_descending_60_12",
        "version": 1,
        "variant": "published",
        "filters": 4,
        "bands": list(BANDS),
        "standardisation": {"mean": dict(zip(BANDS, MEAN, strict=True)), "std": dict(zip(BANDS, STD, strict=True))},
        "fill_db": dict.fromkeys(BANDS, 0.0),
        "threshold": 0.6,
        **changes,
    }


@pytest.fixture
def folder(tmp_path):
    save_weights(random_model(seed=5, filters=4, mean=MEAN, std=STD), tmp_path / "models" / "m", card())
    return tmp_path / "models" / "m"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Version 1 of one model as its card has it, and a canary, version 2, whose card says bfloat16; sources and versions."""
    base = tmp_path_factory.mktemp("exported")
    model = random_model(seed=5, filters=4, mean=MEAN, std=STD)
    sources = {"float32": base / "models" / "m", "bfloat16": base / "canary" / "m"}
    save_weights(model, sources["float32"], card())
    save_weights(model, sources["bfloat16"], card(version=2, precision="bfloat16"))
    to = base / "to"
    return sources, {precision: export_saved_model(source, to) for precision, source in sources.items()}


def nodes(version):
    saved = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    return [*graph.node, *(node for function in graph.library.function for node in function.node_def)]


def types(node):
    return {value.type for value in node.attr.values() if value.HasField("type")}


def test_only_stock_operations_and_few_of_them_see_bfloat16(exported):
    _, versions = exported
    found = nodes(versions["bfloat16"])
    assert {node.op for node in found} <= STOCK
    halves = {node.op for node in found if types_pb2.DT_BFLOAT16 in types(node)}
    assert {"Conv2D", "MatMul"} <= halves
    computing = {"Cast", "ConcatV2", "Conv2D", "MatMul", "Max", "MaxPool", "StridedSlice"}
    passing = {"Const", "Identity", "Placeholder", "Reshape", "Shape", "StatefulPartitionedCall", "StatelessWhile"}
    assert halves <= computing | passing


def test_both_signatures_multiply_alike_whatever_the_tile(exported):
    _, versions = exported
    served = tf.saved_model.load(str(versions["bfloat16"])).signatures
    image = scene(160, 128, seed=2)
    whole = served["tile"](image=tf.constant(image))["scores"].numpy()
    corners = [(top, left) for top in range(0, 97, 32) for left in range(0, 65, 32)]
    patches = np.stack([image[top : top + 64, left : left + 64] for top, left in corners])
    alone = served["serving_default"](patches=tf.constant(patches))["score"].numpy()
    # Sums in another order may fall on the other side of a rounding: rare, and far below what precision costs.
    np.testing.assert_allclose(alone.reshape(whole.shape), whole, atol=1e-3)
    part = served["tile"](image=tf.constant(image[32:128, 32:128]))["scores"].numpy()
    np.testing.assert_allclose(part, whole[1:3, 1:3], atol=1e-3)
    assert np.ptp(whole) > 0.01
    assert served["serving_default"](patches=tf.zeros([0, 64, 64, 4]))["score"].shape == (0,)


def test_graph_holds_no_bfloat16_unless_asked(exported):
    _, versions = exported
    found = nodes(versions["float32"])
    assert {"Conv2D", "MatMul"} <= {node.op for node in found}
    assert not [node.name for node in found if types_pb2.DT_BFLOAT16 in types(node)]


def test_card_beside_the_graph_says_its_precision(exported):
    sources, versions = exported
    served = {precision: json.loads((version / "card.json").read_text()) for precision, version in versions.items()}
    assert served["float32"] == json.loads((sources["float32"] / "card.json").read_text())
    assert "precision" not in served["float32"]
    assert served["bfloat16"] == served["float32"] | {"version": 2, "precision": "bfloat16"}


def test_a_served_version_never_changes_its_precision(exported):
    sources, versions = exported
    to = versions["float32"].parents[1]
    before = {version: (version / "saved_model.pb").stat().st_mtime_ns for version in versions.values()}
    arguments = ["--models", str(sources["float32"].parent), "--to", str(to), "--precision", "bfloat16"]
    refused = CliRunner().invoke(export_command, arguments)
    assert refused.exit_code == 1
    assert "computes in float32: give bfloat16 another --to, or another version" in refused.output
    for precision, version in versions.items():  # asked for what its card says: nothing to do
        assert export_saved_model(sources[precision], to, precision) == version
    assert {version: (version / "saved_model.pb").stat().st_mtime_ns for version in before} == before


def test_unknown_precisions_are_refused(folder, tmp_path):
    wrong = json.loads((folder / "card.json").read_text()) | {"precision": "float16"}
    (folder / "card.json").write_text(json.dumps(wrong))
    with pytest.raises(
        UnusableModel, match=r"card\.json: precision is 'float16', but must be one of float32, bfloat16"
    ):
        export_saved_model(folder, tmp_path / "to")
    arguments = ["--models", str(folder.parent), "--to", str(tmp_path / "to"), "--precision", "int8"]
    assert CliRunner().invoke(export_command, arguments).exit_code == 2
    with pytest.raises(UnknownPrecision, match="float16"):
        ServingGraph(random_model(seed=1, filters=4), FILL_DB, "float16")


def test_option_goes_before_the_card():
    assert in_precision({"precision": "bfloat16"}, "float32") == {}
    assert in_precision({}, "bfloat16") == {"precision": "bfloat16"}


def test_decisions_that_change_are_counted():
    seen = np.ones((1, 6), np.float32)
    seen[0, 5] = 0.5  # not scored
    exact = np.array([[0.7, 0.5, 0.61, 0.2, 0.59, 0.9]], np.float32)
    other = np.array([[0.7, 0.5, 0.60, 0.2, 0.61, 0.1]], np.float32)
    box = shapely.box(0, -640, 640, 0)  # the first window
    one = Map(name="a", image=np.zeros((64, 224, 4), np.float32), transform=Affine.scale(10, -10), landslides=[box])
    found = effect((exact, seen), (other, seen), 0.6, one)
    assert (found.windows, found.above, found.fell, found.rose) == (5, 2, 1, 1)
    assert (found.boxes, found.other_boxes, found.boxes_in_both) == (2, 2, 1)
    assert (found.right_boxes, found.other_right_boxes) == (1, 1)
    assert (found.largest, found.total) == (pytest.approx(0.02, abs=1e-6), pytest.approx(0.03, abs=1e-6))
    both = found + Effect(windows=3, largest=0.01, total=0.01)
    assert (both.windows, both.largest, both.total) == (8, found.largest, pytest.approx(0.04, abs=1e-6))


def test_command_measures_a_simulated_scene(folder):
    arguments = [str(folder), "--event", "practice", "--seeds", "1", "--scene-px", "192", "--rounds", "1"]
    result = CliRunner().invoke(precision_effect_command, [*arguments, "--threshold", "0.5"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["maps"], found["windows"], found["precision"]) == (["practice/0"], 25, "bfloat16")
    assert 0 < found["mean_difference"] <= found["largest_difference"] < 0.05
    assert all(ratio > 0 for ratio in found["speed_ratio"].values())
    assert CliRunner().invoke(precision_effect_command, [str(folder)]).exit_code == 2
