"""A network really learns, on scenes so easy that a minute suffices. Not that it beats a threshold: here it need not."""

import dataclasses
import io
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from rich.console import Console

from training import model_folder
from training.dataset import Dataset
from training.evaluation.evaluate import predict
from training.evaluation.limits import SIMULATED_NOTICE, limits_of_card
from training.evaluation.scores import count
from training.experiments import Experiment
from training.fitting import fit
from training.fitting.batches import Batches
from training.fitting.constants import constants_of
from training.fitting.progress import Bar, Facts, to_file
from training.patches.split import LeakedEvent
from training.patches.store import UnusableDataset
from training.report import Steps
from training.sources.simulated import Recipe, build
from training.tests.easy_patches import write_easy_set

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, TensorFlow alone takes a minute to start

SCENES = Recipe(events=("practice",), scenes_per_event=4, unseen_scenes_per_event=1, scene_px=1024)
SMALL = Experiment(
    polarisation="vv_vh",
    orbit_pass="DESCENDING",
    filters=8,
    imbalance=1,
    learning_rate=3e-3,
    batch_size=32,
    epochs=18,
    patience=18,
)
TINY = Experiment(polarisation="vv_vh", orbit_pass="ASCENDING", filters=1, imbalance=3, epochs=1, batch_size=16)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "set"
    list(build(SCENES, folder, jobs=2))
    return Dataset(folder)


@pytest.fixture(scope="module")
def easy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("easy")
    write_easy_set(folder)
    return Dataset(folder)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    folder, outcome = fit.run(SMALL, dataset, tmp_path_factory.mktemp("runs"), command="a test")
    assert outcome == "finished"
    return folder


def test_training_works(dataset, run):
    model = model_folder.load_model(run)
    test = dataset.select("test", SMALL.orbit_pass, ratio=1)
    scores = count(predict(model, test), test.label, 0.5)
    assert scores.f1 > 0.7, scores


def test_card_says_where_the_model_comes_from(run):
    card = model_folder.read_card(run)
    assert (card["name"], card["version"], card["window_px"]) == ("vv_vh_descending_60_12", 1, 64)
    assert card["bands"] == ["postVV", "postVH", "diffVV", "diffVH"]
    assert (card["fill_db"]["diffVV"], card["fill_db"]["diffVH"]) == (0, 0)
    assert card["fill_db"]["postVV"] == card["standardisation"]["mean"]["postVV"]
    assert (card["units"], card["pixel_geometry"], card["threshold"]) == ("dB", "utm_10m", 0.6)
    assert card["calibration"]["method"] == "platt"
    assert (card["training"]["scenes"], card["training"]["events"]) == (4, ["practice"])
    assert card["training"]["run"] == run.name
    assert {"test", "unseen_sumatra", "unseen_haiti", "baseline_rule"} <= set(card["evaluation"])
    assert "baseline" in card["evaluation"]["test"]
    assert card["evaluation"]["data"] == "simulated"
    assert card["data_notice"] == "demo model from simulated scenes, not fit for operations"


def test_finished_run_is_not_repeated(dataset, run):
    before = (run / "weights.npz").stat().st_mtime_ns
    assert fit.run(SMALL, dataset, run.parent, command="again") == (run, "kept")
    assert (run / "weights.npz").stat().st_mtime_ns == before


def test_history_is_kept_with_its_best_epoch(run):
    history = json.loads((run / "history.json").read_text())
    losses = history["history"]["val_loss"]
    assert len(history["history"]["loss"]) == len(losses) == history["epochs"]
    assert losses[history["best_epoch"] - 1] == min(losses)  # rounded, several may be the least


def test_finished_run_says_what_it_was_and_ran_on(dataset, run):
    config = json.loads((run / "config.json").read_text())
    assert config["experiment"] == json.loads(json.dumps(dataclasses.asdict(SMALL)))
    assert config["dataset"] == dataset.identity
    environment = json.loads((run / "environment.json").read_text())
    assert environment["packages"]["keras"] == keras.__version__
    assert any("CPU" in device for device in environment["devices"])
    assert not (run / "checkpoint.npz").exists()


def test_data_of_other_windows_are_refused(easy):
    with pytest.raises(ValueError, match="60-12"):
        fit.samples(dataclasses.replace(TINY, pre_days=12), easy)


def test_a_part_without_landslides_is_refused(tmp_path):
    write_easy_set(tmp_path, events=("haiti",))
    with pytest.raises(ValueError, match="no landslide patch in part train"):
        fit.samples(TINY, Dataset(tmp_path))


def test_a_training_that_could_not_be_scored_is_not_begun(tmp_path):
    """Its one event has landslides in the parts that are learnt from, and none in the test part."""
    write_easy_set(tmp_path / "set", events=("luding",), cells=(2, 3))
    dataset = Dataset(tmp_path / "set")
    assert all(sample.label.any() for sample in fit.samples(TINY, dataset))
    with pytest.raises(ValueError, match="part test of ASCENDING holds 0 landslide patches and 0 of background"):
        fit.run(TINY, dataset, tmp_path / "runs", command="a test")
    assert not list((tmp_path / "runs").glob("*/checkpoint.npz"))


def test_asking_for_an_unseen_event_trains_nothing(easy):
    with pytest.raises(ValueError, match="no landslide patch"):
        fit.samples(dataclasses.replace(TINY, events=("haiti",)), easy)


def test_a_set_that_hands_out_an_unseen_event_is_stopped(easy, monkeypatch):
    monkeypatch.setattr("training.dataset.part_of", lambda *_, **__: "train")
    with pytest.raises(LeakedEvent, match="haiti"):
        fit.samples(TINY, easy)


def test_batches_are_shuffled_complete_and_follow_from_the_epoch(easy):
    chosen = easy.select("train", "ASCENDING", ratio=1)
    batches = Batches(chosen, 32, seed=1)

    def labels(epoch):
        batches.begin(epoch)
        return np.concatenate([batches[i][1][:, 0] for i in range(len(batches))])

    first, second = labels(0), labels(1)
    assert len(first) == len(chosen)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(labels(0), first)
    assert batches[0][0].shape == (32, 64, 64, 4)


def test_constants_leave_missing_pixels_out(easy):
    chosen = easy.select("train", "ASCENDING")
    mean, std = constants_of(chosen)
    assert mean[0] == pytest.approx(-12, abs=0.05)
    assert std[0] == pytest.approx(0.5, abs=0.05)
    holes = np.full((4, 64, 64, 4), np.nan, np.float16)
    holes[:, :32] = [1, 2, 3, 4]
    sample = dataclasses.replace(chosen.only(np.arange(len(chosen)) < 4), patches=holes, index=np.arange(4))
    assert constants_of(sample) == ([1, 2, 3, 4], [0, 0, 0, 0])


@pytest.mark.parametrize(
    ("change", "loss"),
    [({"network": "resnet"}, "binary_crossentropy"), ({"network": "cbam"}, "focal_loss"), ({}, "focal_loss")],
)
def test_networks_are_trained_with_the_paper_losses(change, loss):
    model = fit.compiled(dataclasses.replace(TINY, filters=8, **change), [0] * 4, [1] * 4)
    assert model.loss.name == loss
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert float(model.optimizer.learning_rate.numpy()) == pytest.approx(1e-3)


def test_raw_decibels_reach_the_network_without_standardisation():
    names = [
        layer.name for layer in fit.compiled(dataclasses.replace(TINY, standardise=False), [0] * 4, [1] * 4).layers
    ]
    assert "standardise" not in names
    assert "standardise" in [layer.name for layer in fit.compiled(TINY, [0] * 4, [1] * 4).layers]


def test_half_precision_computes_in_float16_and_keeps_weights_and_score_in_float32(easy, tmp_path):
    half = dataclasses.replace(TINY, precision="mixed_float16")
    model, learnt = fit.train(half, easy, tmp_path)
    assert model.get_layer("conv1").compute_dtype == "float16"
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    assert model.output.dtype == "float32"
    assert np.isfinite(learnt["history"]["val_loss"]).all()
    assert keras.config.dtype_policy().name == "float32"


def test_bar_tells_loss_and_f1(capsys):
    facts = Facts(epoch=2, epochs=9, step=4, steps=18, loss=0.25, val_loss=0.5, val_f1=0.75, seconds_left=3)
    with Bar() as bar:
        bar(facts, True)
    assert "epoch 2/9 loss 0.2500  val loss 0.5000 F1 0.750" in capsys.readouterr().out


def test_steps_are_told_in_lines_where_there_is_no_terminal():
    """Six seconds a step; of 100 steps 40 were done before and took none."""
    out, now = io.StringIO(), iter(range(0, 10_000, 6))
    with Steps("scene", console=Console(file=out), clock=lambda: next(now)) as steps:
        for done in range(40, 101):
            steps(done, 100)
    lines = out.getvalue().splitlines()
    assert lines[:3] == ["scene 40 of 100", "scene 45 of 100 about 0:05:30 left", "scene 50 of 100 about 0:05:00 left"]
    assert lines[-2:] == ["scene 95 of 100 about 0:00:30 left", "scene 100 of 100"]
    assert len(lines) == 13


def test_steps_are_a_bar_on_a_terminal():
    out = io.StringIO()
    with Steps("scene", console=Console(file=out, force_terminal=True, width=100)) as steps:
        steps(3, 9)
    assert "scene 3 of 9" in out.getvalue()
    assert "\x1b[" in out.getvalue()


def test_report_to_a_file_can_be_read_at_any_time(tmp_path):
    facts = Facts(epoch=1, epochs=9, step=4, steps=18, loss=0.25, val_loss=None, val_f1=None, seconds_left=3)
    to_file(tmp_path)(facts, False)
    assert json.loads((tmp_path / "progress.json").read_text())["steps"] == 18


def test_no_set_is_refused(tmp_path):
    with pytest.raises(UnusableDataset, match="no finished data set"):
        Dataset(tmp_path)


def test_order_of_batches_follows_from_the_seed(tmp_path):
    write_easy_set(tmp_path, cells=(8, 8))
    chosen = Dataset(tmp_path).select("train", "ASCENDING")
    first, other = (Batches(chosen, 99, seed=seed)[0][0] for seed in (1, 2))
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("kind", ["simulated", "rasters", "arrays"])
def test_only_models_of_simulated_scenes_are_demo_models(kind):
    dataset = SimpleNamespace(source={"kind": kind}, pixel_geometry="utm_10m", identity="d" * 64)
    learnt = {"fill_db": {}} | dict.fromkeys(("standardisation", "scenes", "events", "patches", "epochs", "best_epoch"))
    learnt["seconds"] = 0
    judged = dict.fromkeys(("calibration", "scored_on", "evaluation"))
    card = fit.model_card(Experiment(polarisation="vv_vh", orbit_pass="ASCENDING"), dataset, learnt, judged, command="")
    assert (card["data_notice"] == SIMULATED_NOTICE) == (kind == "simulated")
    assert any("simulated" in limit for limit in card["limits"]) == (kind == "simulated")
    assert limits_of_card(card, scored_on=kind, learnt_elsewhere=False) == card["limits"]


@pytest.mark.parametrize("name", ["cnn", "cbam", "resnet"])
def test_values_of_an_experiment_reach_its_network(name):
    experiment = dataclasses.replace(
        TINY, network=name, filters=8, dropout=0.7, batch_norm_momentum=0.8, learning_rate=3e-4
    )
    model = fit.compiled(experiment, [0] * 4, [1] * 4)
    assert model.get_layer("dropout").rate == 0.7
    assert {layer.momentum for layer in model.layers if "norm" in layer.name} == {0.8}
    assert float(model.optimizer.learning_rate.numpy()) == pytest.approx(3e-4)
