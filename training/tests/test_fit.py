"""A network really learns, on scenes so easy that a minute suffices. Not that it beats a threshold: here it need not."""

import dataclasses
import json

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from training import export, fit
from training.dataset import Dataset, Recipe, build
from training.evaluate import predict
from training.evaluation.scores import count
from training.experiments import Experiment

EASY = Recipe(events=("practice",), scenes_per_event=4, unseen_scenes_per_event=1, scene_px=1024)
SMALL = Experiment(
    polarisation="vv_vh",
    orbit_pass="DESCENDING",
    filters=8,
    imbalance=1,
    learning_rate=3e-3,
    batch_size=32,
    epochs=25,
    patience=25,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "set"
    list(build(EASY, folder, jobs=2))
    return Dataset(folder)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    return fit.run(SMALL, dataset, tmp_path_factory.mktemp("runs"), command="a test")


def test_training_works(dataset, run):
    model = export.load_model(run)
    test = dataset.select("test", SMALL.orbit_pass, ratio=1)
    scores = count(predict(model, test), test.label, 0.5)
    assert scores.f1 > 0.7, scores


def test_card_says_where_the_model_comes_from(run):
    card = export.read_card(run)
    assert (card["name"], card["version"], card["window_px"]) == ("vv_vh_descending_60_12", 1, 64)
    assert card["bands"] == ["postVV", "postVH", "diffVV", "diffVH"]
    assert (card["fill_db"]["diffVV"], card["fill_db"]["diffVH"]) == (0, 0)
    assert card["fill_db"]["postVV"] == card["standardisation"]["mean"][0]
    assert (card["units"], card["pixel_geometry"], card["threshold"]) == ("dB", "utm_10m", 0.6)
    assert card["calibration"]["method"] == "platt"
    assert card["training"]["scenes"] == 4
    assert {"test", "unseen_sumatra", "unseen_haiti", "baseline_rule"} <= set(card["evaluation"])
    assert "baseline" in card["evaluation"]["test"]
    assert card["data_notice"] == "demo model from simulated scenes, not fit for operations"


def test_finished_run_is_not_repeated(dataset, run):
    before = (run / "weights.npz").stat().st_mtime_ns
    assert fit.run(SMALL, dataset, run.parent, command="again") == run
    assert (run / "weights.npz").stat().st_mtime_ns == before


def test_history_is_kept_with_its_best_epoch(run):
    history = json.loads((run / "history.json").read_text())
    assert len(history["history"]["loss"]) == history["epochs"]
    assert history["best_epoch"] == int(np.argmin(history["history"]["val_loss"])) + 1


def test_progress_tells_loss_and_f1(dataset, capsys):
    console = Console(force_terminal=False, width=120)
    with Progress(TextColumn("{task.fields[facts]}"), console=console) as progress:
        fit.train(dataclasses.replace(SMALL, filters=1, epochs=1), dataset, progress=progress)
    assert "val loss" in capsys.readouterr().out


def test_data_of_other_windows_are_refused(dataset):
    with pytest.raises(ValueError, match=r"\(60, 12\)"):
        fit.train(dataclasses.replace(SMALL, pre_days=12), dataset)


def test_batches_are_shuffled_and_complete(dataset):
    chosen = dataset.select("train", "DESCENDING", ratio=1)
    batches = fit.Batches(chosen, 32, seed=1)
    first = [batches[i][1] for i in range(len(batches))]
    batches.on_epoch_end()
    second = [batches[i][1] for i in range(len(batches))]
    assert sum(map(len, first)) == len(chosen)
    assert not np.array_equal(np.concatenate(first), np.concatenate(second))
    assert batches[0][0].shape == (32, 64, 64, 4)
