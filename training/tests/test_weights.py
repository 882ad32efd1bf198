"""Weights files of Keras 2 load by order into the network that was said, or are refused; and their kernel betrays the variant.

The files are imitations (`legacy_file`): the released ones may not be redistributed and are not at hand.
"""

import json
import shutil
import zipfile
from itertools import permutations

import h5py
import keras
import numpy as np
import pytest
from click.testing import CliRunner

from quakeslide.documents.card import read_card as read_served_card
from training.model_folder import load_model, read_card, sha256_of
from training.networks import cnn
from training.tests import legacy_file
from training.tests.formula_weights import formula_weights
from training.tests.numpy_network import scores
from training.weights import importing
from training.weights.forensic import _agreement, examine
from training.weights.importing import UnknownWeights, import_weights, import_weights_command
from training.weights.legacy import UnreadableWeights, read_legacy

NAME = "vv_vh_descending_60_12"


def formula_patches():
    row, column, band = np.meshgrid(np.arange(64), np.arange(64), np.arange(4), indexing="ij")
    return np.stack([3 * np.sin(0.1 * (k + 1) * row + 0.07 * column + band) - 2 * (band < 2) for k in range(3)]).astype(
        "f4"
    )


# Scores of `formula_weights` on `formula_patches`, float64, by training.tests.numpy_network.
GOLDEN = {
    "published": [0.43755891, 0.48329431, 0.45409258],
    "paper": [0.46681487, 0.46219998, 0.50701422],
}


@pytest.fixture
def file(tmp_path):
    return legacy_file.write(tmp_path / "weights.hdf5", formula_weights())


@pytest.mark.parametrize("variant", ["published", "paper"])
def test_imported_file_gives_the_golden_scores(tmp_path, file, variant):
    folder, _ = import_weights(file, tmp_path / "models", variant=variant, name=NAME)
    found = np.asarray(load_model(folder)(formula_patches()))[:, 0]
    np.testing.assert_allclose(found, GOLDEN[variant], atol=1e-6)
    np.testing.assert_allclose(
        GOLDEN[variant], scores(formula_patches(), formula_weights(), variant=variant), atol=1e-7
    )


@pytest.mark.parametrize("layout", [{}, {"counter": 3}, {"whole_model": True}, {"chunked": True}], ids=str)
@pytest.mark.parametrize("name", ["a.hdf5", "a.h5", "a.weights.h5", "a"])
def test_order_decides_and_neither_names_nor_suffix(tmp_path, layout, name):
    """With counter 3 the groups sort as conv2d_10, conv2d_11, conv2d_9: by name the layers would be mixed up."""
    weights = read_legacy(legacy_file.write(tmp_path / name, formula_weights(), **layout))
    assert (weights.bands, weights.filters) == (4, 2)
    for found, expected in zip(weights.arrays, formula_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("layout", [{}, {"counter": 3}, {"whole_model": True}], ids=str)
def test_keras_reads_the_imitation_the_same_way(tmp_path, layout):
    model = cnn(bands=4, filters=2, mean=[0.0] * 4, std=[1.0] * 4)  # constants do not disturb the order
    model.load_weights(legacy_file.write(tmp_path / "a.hdf5", formula_weights(), **layout))
    for found, expected in zip(model.get_weights(), formula_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_unknown_file_is_refused_unless_the_variant_is_said(tmp_path, file):
    with pytest.raises(UnknownWeights, match=sha256_of(file)):
        import_weights(file, tmp_path / "models", name=NAME)
    assert not (tmp_path / "models").exists()


def test_known_file_needs_nothing_said(tmp_path, file, monkeypatch):
    known = tmp_path / "known.json"
    known.write_text(json.dumps({sha256_of(file): {"name": NAME, "filters": 2, "size": file.stat().st_size}}))
    monkeypatch.setattr(importing, "PUBLISHED", known)
    folder, card = import_weights(file, tmp_path / "models")
    assert (folder.name, card["variant"], card["pixel_geometry"]) == (NAME, "published", "epsg4326_10m")
    assert "do not redistribute" in card["data_notice"]
    with pytest.raises(UnknownWeights, match="released tool"):
        import_weights(file, tmp_path / "models", variant="paper")
    with pytest.raises(UnknownWeights, match=f"is '{NAME}' of the released tool: it cannot be called 'vv_vh_ascending"):
        import_weights(file, tmp_path / "models", name="vv_vh_ascending_60_12")
    assert import_weights(file, tmp_path / "models", name=NAME)[1] == card


def test_released_files_are_known_by_their_hash():
    known = json.loads(importing.PUBLISHED.read_text())
    assert {(digest, v["name"], v["filters"], v["size"]) for digest, v in known.items()} == {
        ("2083bfa5ec756d3cc22d8802224fff0f46a5e40b79318e93fa742f044667dcfd", "vv_vh_descending_60_12", 64, 25_516_560),
        ("ba0599c713a69eb477b3ff540d008246b5b758a8bb9b14e3fc4d97f24f0ff21c", "vv_vh_ascending_60_12", 32, 6_412_304),
    }


def test_detector_accepts_the_card_of_an_import(tmp_path, file):
    folder, _ = import_weights(file, tmp_path / "models", variant="published", name=NAME)
    card = read_served_card((folder / "card.json").read_bytes(), "card")
    assert (card.platt, card.pixel_geometry, card.threshold, card.variant) == (None, "epsg4326_10m", 0.6, "published")
    assert read_card(folder)["imported"]["sha256"] == sha256_of(file)
    assert read_card(folder)["version"] == 2  # 1 is the demo model's, which a server may have loaded
    _, card = import_weights(file, tmp_path / "models", variant="published", name=NAME, version=7)
    assert card["version"] == 7


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.attrs.__delitem__("layer_names"), "layer_names"),
        (lambda f: f.attrs.__setitem__("layer_names", f.attrs["layer_names"][:-1]), "20 arrays"),
        (lambda f: f.attrs.__setitem__("layer_names", sorted(f.attrs["layer_names"])), "number 1 is"),
    ],
)
def test_other_layouts_are_refused(file, spoil, message):
    with h5py.File(file, "r+") as opened:
        spoil(opened)
    with pytest.raises(UnreadableWeights, match=message):
        read_legacy(file)


def test_files_that_are_none_of_keras_2_say_what_they_are(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(UnreadableWeights, match=r"a \.keras file of Keras 3: save its weights"):
        read_legacy(tmp_path / "m.keras")
    with h5py.File(tmp_path / "torn.h5", "w") as torn:
        torn.attrs["layer_names"] = [b"conv2d", b"dense"]
    with pytest.raises(UnreadableWeights, match="is the copy whole"):
        read_legacy(tmp_path / "torn.h5")


def test_weights_of_a_training_that_went_astray_are_refused(tmp_path):
    arrays = formula_weights()
    arrays[0][0, 0, 0, 0] = np.nan
    file = legacy_file.write(tmp_path / "w.hdf5", arrays)
    arguments = [
        str(file),
        "--to",
        str(tmp_path / "to"),
        "--variant",
        "published",
        "--name",
        NAME,
        "--despite-forensics",
    ]
    result = CliRunner().invoke(import_weights_command, arguments)
    assert result.exit_code == 1
    assert "not finite" in result.output


def test_wrong_shape_is_named(tmp_path):
    arrays = formula_weights()
    arrays[18] = arrays[18][:-1]
    with pytest.raises(UnreadableWeights, match="dense/kernel"):
        read_legacy(legacy_file.write(tmp_path / "a.hdf5", arrays))


def test_new_layout_of_keras_is_refused_by_name(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:  # as Keras 3 nests it
        file.create_dataset("layers/conv2d/vars/0", data=np.zeros((3, 3, 4, 2), np.float32))
    with pytest.raises(UnreadableWeights, match="Keras 3"):
        read_legacy(tmp_path / "a.weights.h5")
    (tmp_path / "b.hdf5").write_bytes(b"no")
    with pytest.raises(UnreadableWeights, match="no HDF5"):
        read_legacy(tmp_path / "b.hdf5")


@pytest.mark.parametrize(("name", "message"), [("vv_ascending_60_12", "4 bands"), ("mine", "no name")])
def test_name_must_fit_the_bands(tmp_path, file, name, message):
    with pytest.raises(UnknownWeights, match=message):
        import_weights(file, tmp_path, variant="paper", name=name)


@pytest.fixture(scope="module")
def trained():
    """A small net of each variant, trained for a moment to find a bright blob; weights in order."""
    rng = np.random.default_rng(0)
    label = (np.arange(64) % 2).astype(np.float32)
    patches = rng.normal(0, 1, (64, 64, 64, 4)).astype(np.float32)
    rows, columns = rng.integers(8, 56, (2, 64))
    for patch, row, column in zip(patches[label == 1], rows, columns, strict=False):
        patch[row - 8 : row + 8, column - 8 : column + 8, 2:] += 2
    kept = {}
    for variant in ("published", "paper"):
        keras.utils.set_random_seed(1)
        model = cnn(bands=4, filters=8, variant=variant, batch_norm_momentum=0.9)
        model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="binary_crossentropy")
        model.fit(patches, label[:, None], batch_size=16, epochs=6, verbose=0)
        kept[variant] = model.get_weights()
    return kept


def test_weights_betray_the_variant_they_were_trained_as(trained):
    verdicts = {variant: examine(weights[-4], 8) for variant, weights in trained.items()}
    assert {variant: found.verdict for variant, found in verdicts.items()} == {
        "published": "published",
        "paper": "paper",
    }, verdicts
    assert verdicts["paper"].correlation > 0.1  # so a plain correlation would have taken it for the other
    untrained = examine(cnn(bands=4, filters=8).get_weights()[-4], 8)
    assert untrained.verdict == "undecided", untrained


@pytest.mark.parametrize("filters", [1, 2, 7])
def test_few_filters_never_decide(filters):
    """Of random weights with one filter one in four would look like `paper`; copied slices would look like `published`."""
    rng = np.random.default_rng(0)
    kernels = [rng.normal(size=(64 * 3 * filters, 8 * filters)) for _ in range(40)]
    copied = np.tile(rng.normal(size=(64, 1, filters, 8 * filters)), (1, 3, 1, 1)).reshape(kernels[0].shape)
    kernels.append(copied + rng.normal(0, 1e-3, copied.shape))
    assert {examine(kernel, filters).verdict for kernel in kernels} == {"undecided"}


@pytest.mark.parametrize(
    "folder", sorted((importing.PUBLISHED.parent / "models").iterdir()), ids=lambda folder: folder.name
)
def test_demo_model_was_trained_as_its_card_says(folder):
    card = read_card(folder)
    assert examine(load_model(folder).get_weights()[-4], card["filters"]).verdict == card["variant"]


def test_permuted_channels_have_the_mean_and_variance_that_are_computed():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(2, 5, 40)) + rng.normal(size=(2, 5, 1))
    products = a @ b.T
    every = [sum(products[i, j] for i, j in enumerate(order)) for order in permutations(range(5))]
    expected = (np.trace(products) - np.mean(every)) / np.std(every)
    assert _agreement(a, b) == pytest.approx(expected)


def test_import_as_the_other_variant_is_refused(tmp_path, trained):
    file = legacy_file.write(tmp_path / "w.hdf5", trained["published"])
    arguments = [str(file), "--name", NAME, "--to", str(tmp_path / "models")]
    refused = CliRunner().invoke(import_weights_command, [*arguments, "--variant", "paper"])
    assert (refused.exit_code, "look trained as 'published'" in refused.output) == (1, True)
    forced = CliRunner().invoke(import_weights_command, [*arguments, "--variant", "paper", "--despite-forensics"])
    assert forced.exit_code == 0, forced.output
    shutil.rmtree(tmp_path / "models")
    right = CliRunner().invoke(import_weights_command, [*arguments, "--variant", "published"])
    assert right.exit_code == 0, right.output
    assert "look like: published" in right.output


def test_an_import_says_what_it_was_told(tmp_path, file):
    _, card = import_weights(file, tmp_path / "models", variant="paper", name=NAME, pixel_geometry="utm_10m")
    assert card["pixel_geometry"] == "utm_10m"
    assert card["fill_db"] == {"postVV": -10, "postVH": -16, "diffVV": 0, "diffVH": 0}
