"""Model folders: the same bytes for the same weights, and never the wrong network."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from training.model_folder import UnusableModel, load_model, read_card, save_weights, sha256_of
from training.networks import build
from training.served.export import export_command, export_saved_model
from training.served.warm_up import FILE, write_warm_up
from training.tests.numpy_network import random_model, randomise

BANDS = ["postVV", "postVH", "diffVV", "diffVH"]
MEAN, STD = [-9.0, -16.0, 0.0, 0.0], [4.0, 4.0, 2.0, 2.0]


def card(**changes):
    return {
        "name": "vv_vh_descending_60_12",
        "version": 1,
        "variant": "published",
        "filters": 4,
        "bands": BANDS,
        "standardisation": {"mean": dict(zip(BANDS, MEAN, strict=True)), "std": dict(zip(BANDS, STD, strict=True))},
        "fill_db": dict(zip(BANDS, [-9.0, -16.0, 0.0, 0.0], strict=True)),
        **changes,
    }


@pytest.mark.parametrize("variant", ["published", "paper"])
def test_saved_model_scores_as_before(tmp_path, variant):
    model = random_model(seed=5, filters=4, variant=variant, mean=MEAN, std=STD)
    save_weights(model, tmp_path / "m", card(variant=variant))
    patches = np.random.default_rng(0).normal(-6, 5, (3, 64, 64, 4)).astype(np.float32)
    np.testing.assert_array_equal(load_model(tmp_path / "m")(patches), model(patches))


def test_raw_db_model_has_no_standardisation(tmp_path):
    model = random_model(seed=5, filters=4, bands=2)
    bands = ["postVV", "diffVV"]
    save_weights(model, tmp_path, card(bands=bands, standardisation=None, fill_db=dict.fromkeys(bands, 0.0)))
    patches = np.random.default_rng(0).normal(-6, 5, (2, 64, 64, 2)).astype(np.float32)
    np.testing.assert_array_equal(load_model(tmp_path)(patches), model(patches))


def test_same_weights_give_the_same_bytes(tmp_path):
    model = random_model(seed=5, filters=4)
    for folder in ("a", "b"):
        save_weights(model, tmp_path / folder, card())
    for file in ("weights.npz", "card.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    with np.load(tmp_path / "a" / "weights.npz") as arrays:
        assert {arrays[name].dtype for name in arrays.files} == {np.dtype(np.float16)}


def test_card_names_the_weights_beside_it(tmp_path):
    save_weights(random_model(seed=5, filters=4), tmp_path, card())
    written = json.loads((tmp_path / "card.json").read_text())
    assert written == {**card(), "sha256": sha256_of(tmp_path / "weights.npz")}


def test_other_weights_under_a_card_are_refused(tmp_path):
    save_weights(random_model(seed=5, filters=4), tmp_path / "a", card())
    save_weights(random_model(seed=6, filters=4), tmp_path / "b", card())
    (tmp_path / "a" / "weights.npz").write_bytes((tmp_path / "b" / "weights.npz").read_bytes())
    with pytest.raises(UnusableModel, match="sha256"):
        load_model(tmp_path / "a")


@pytest.mark.parametrize("key", ["variant", "filters", "bands", "standardisation", "sha256"])
def test_card_without_a_needed_key_is_refused(tmp_path, key):
    save_weights(random_model(seed=5, filters=4), tmp_path, card())
    written = json.loads((tmp_path / "card.json").read_text())
    del written[key]
    (tmp_path / "card.json").write_text(json.dumps(written))
    with pytest.raises(UnusableModel, match=key):
        load_model(tmp_path)


def test_weights_without_a_variant_are_never_written(tmp_path):
    incomplete = card()
    del incomplete["variant"]
    with pytest.raises(UnusableModel, match="variant"):
        save_weights(random_model(seed=5, filters=4), tmp_path / "m", incomplete)
    assert not (tmp_path / "m").exists()


def test_weights_that_do_not_fit_the_card_are_refused(tmp_path):
    save_weights(random_model(seed=5, filters=4), tmp_path, card(filters=8))
    with pytest.raises(UnusableModel, match="8 filters"):
        load_model(tmp_path)


def test_weights_beyond_float16_are_refused(tmp_path):
    model = random_model(seed=5, filters=4)
    weights = model.get_weights()
    weights[5] = weights[5] + 1e6
    model.set_weights(weights)
    with pytest.raises(UnusableModel, match="moving_variance"):
        save_weights(model, tmp_path / "m", card())


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UnusableModel, match=r"card\.json"):
        load_model(tmp_path)


def test_export_command_skips_what_is_there_and_replaces_what_changed(tmp_path):
    models, to = tmp_path / "models", tmp_path / "served"
    save_weights(random_model(seed=5, filters=4), models / "a", card())
    save_weights(random_model(seed=6, filters=4), models / "b", card(name="vv_vh_ascending_60_12", version=12))

    def export():
        result = CliRunner().invoke(export_command, ["--models", str(models), "--to", str(to)])
        assert result.exit_code == 0, result.output
        return {path: path.stat().st_mtime_ns for path in to.glob("*/*/saved_model.pb")}

    first = export()
    assert {str(path.parent.relative_to(to)) for path in first} == {
        "vv_vh_descending_60_12/1",
        "vv_vh_ascending_60_12/12",
    }
    for path in first:
        served = json.loads((path.parent / "card.json").read_text())
        assert served["sha256"] in {sha256_of(models / name / "weights.npz") for name in "ab"}
    assert export() == first
    save_weights(random_model(seed=7, filters=4), models / "a", card())
    again = export()
    assert {path.parts[-3] for path in first if again[path] != first[path]} == {"vv_vh_descending_60_12"}
    origin = to / "vv_vh_ascending_60_12" / "12" / "origin.json"
    origin.write_text(origin.read_text().replace("cnn.py", "old_cnn.py"))  # as if made by other code
    rebuilt = export()
    assert {path.parts[-3] for path in first if rebuilt[path] != again[path]} == {"vv_vh_ascending_60_12"}
    assert sorted(path.name for path in to.glob("*/*")) == ["1", "12"]  # no drafts left


def test_cards_of_earlier_trainings_are_read(tmp_path):
    model = random_model(seed=5, filters=4, mean=MEAN, std=STD)
    save_weights(model, tmp_path, card(standardisation={"mean": MEAN, "std": STD}, fill_db=[-9.0, -16.0, 0.0, 0.0]))
    assert read_card(tmp_path) == {**card(), "sha256": sha256_of(tmp_path / "weights.npz")}
    patches = np.random.default_rng(0).normal(-6, 5, (3, 64, 64, 4)).astype(np.float32)
    np.testing.assert_array_equal(load_model(tmp_path)(patches), model(patches))


def test_two_folders_of_one_name_and_version_are_not_exported(tmp_path):
    for seed in (5, 6):
        save_weights(random_model(seed=seed, filters=4), tmp_path / "runs" / f"seed{seed}", card())
    result = CliRunner().invoke(export_command, ["--models", str(tmp_path / "runs"), "--to", str(tmp_path / "to")])
    assert result.exit_code == 1
    assert "seed5" in result.output
    assert "seed6 are both vv_vh_descending_60_12, version 1" in result.output
    assert not (tmp_path / "to").exists()


def test_export_without_models_fails(tmp_path):
    result = CliRunner().invoke(export_command, ["--models", str(tmp_path), "--to", str(tmp_path / "to")])
    assert result.exit_code == 1
    assert "card.json" in result.output


@pytest.mark.parametrize("key", ["name", "version", "fill_db"])
def test_model_that_cannot_be_served_is_refused(tmp_path, key):
    incomplete = card()
    del incomplete[key]
    save_weights(random_model(seed=5, filters=4), tmp_path / "m", incomplete)
    with pytest.raises(UnusableModel, match=key):
        export_saved_model(tmp_path / "m", tmp_path / "to")


@pytest.mark.parametrize(
    "values", [[1.0] * 3, {"postVV": 1.0, "postVH": 1.0, "diffVV": 1.0, "diffHV": 1.0}, {"postVV": 1.0}, None]
)
@pytest.mark.parametrize("key", ["fill_db", "mean", "std"])
def test_values_that_do_not_fit_the_bands_are_refused(tmp_path, key, values):
    right = card()
    changed = (
        {"fill_db": values} if key == "fill_db" else {"standardisation": {**right["standardisation"], key: values}}
    )
    save_weights(random_model(seed=5, filters=4, mean=MEAN, std=STD), tmp_path, {**right, **changed})
    for read in (read_card, load_model):
        with pytest.raises(UnusableModel, match=f"'{key}' does not give one value for each of postVV, postVH"):
            read(tmp_path)


@pytest.mark.parametrize("architecture", ["cbam", "resnet"])
def test_other_architectures_are_kept_but_not_served(tmp_path, architecture):
    model = randomise(build(architecture, bands=4, filters=8, mean=MEAN, std=STD), seed=5)
    save_weights(model, tmp_path / "m", card(architecture=architecture, filters=8))
    patches = np.random.default_rng(0).normal(-6, 5, (2, 64, 64, 4)).astype(np.float32)
    np.testing.assert_array_equal(load_model(tmp_path / "m")(patches), model(patches))
    with pytest.raises(UnusableModel, match=architecture):
        export_saved_model(tmp_path / "m", tmp_path / "to")


def test_warm_up_holds_a_tile_without_any_value(tmp_path):
    write_warm_up(tmp_path, name="m", bands=2, signatures=["tile"])
    assert np.float32("nan").tobytes() in (tmp_path / FILE).read_bytes()
