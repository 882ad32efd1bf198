"""A training that was killed goes on where it was, to the same end."""

import dataclasses
import json
import time

import click
import keras
import numpy as np
import pytest

from training.campaign.claim import claim
from training.campaign.commands import train_one
from training.campaign.plan import state_of, tasks_for
from training.dataset import Dataset
from training.experiments import Experiment
from training.fitting import fit, keras_progress
from training.fitting.checkpoint import Keeper
from training.fitting.environment import times
from training.fitting.keras_progress import Reporter
from training.run_files import CHECKPOINT
from training.tests.campaigns import DAY_S, add_a_day
from training.tests.easy_patches import write_easy_set

EXPERIMENT = Experiment(
    polarisation="vv_vh", orbit_pass="ASCENDING", filters=2, imbalance=3, epochs=6, patience=6, batch_size=16
)


class Killed(BaseException):
    """Ends a training as abruptly as can be without ending the process."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("easy")
    write_easy_set(folder, cells=(8, 8))
    return Dataset(folder)


def killed_after(epochs, dataset, folder, experiment=EXPERIMENT):
    def report(facts, ended):
        if ended and facts.epoch == epochs:
            raise Killed

    with pytest.raises(Killed):
        fit.train(experiment, dataset, folder, report=report)


def test_resumed_training_equals_the_uninterrupted_one(dataset, tmp_path):
    (tmp_path / "whole").mkdir()
    expected, whole = fit.train(EXPERIMENT, dataset, tmp_path / "whole")
    began = time.monotonic()
    killed_after(3, dataset, tmp_path)
    add_a_day(tmp_path / CHECKPOINT)
    told = []
    model, learnt = fit.train(EXPERIMENT, dataset, tmp_path, report=lambda facts, ended: told.append(facts.epoch))
    assert DAY_S < learnt["seconds"] < DAY_S + time.monotonic() - began + 0.1, "those before the kill count too"
    assert (told[0], learnt["epochs"]) == (4, 6)
    for name, values in whole["history"].items():
        assert learnt["history"][name] == pytest.approx(values, abs=2e-6), name
    for weight, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-5)


def test_patience_is_counted_over_a_kill(dataset, tmp_path):
    hopeless = dataclasses.replace(EXPERIMENT, learning_rate=0.0, patience=2, batch_norm_momentum=0.0, epochs=50)
    killed_after(2, dataset, tmp_path, hopeless)
    _, learnt = fit.train(hopeless, dataset, tmp_path)
    assert learnt["epochs"] == learnt["best_epoch"] + 2 < 50
    _, same = fit.train(hopeless, dataset, tmp_path)  # killed after the last epoch: nothing is trained any more
    assert same["history"] == learnt["history"]


def test_a_run_that_somebody_works_on_is_left_alone(dataset, tmp_path):
    folder = tmp_path / EXPERIMENT.run_id(dataset.identity)
    with claim(folder) as is_ours:
        assert is_ours
        assert fit.run(EXPERIMENT, dataset, tmp_path, command="a test") == (folder, "claimed")
    assert not (folder / "config.json").exists()


def trained(keeper, *losses):
    """Give a keeper epochs whose weights are their own number."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer="sgd", loss="mse")
    model.optimizer.build(model.trainable_variables)
    keeper.set_model(model)
    for epoch, loss in enumerate(losses, 1):
        model.set_weights([np.full((1, 1), epoch)])
        keeper.on_epoch_end(epoch - 1, {"loss": loss, "val_loss": loss})
    return model


def test_best_epoch_is_that_of_the_kept_weights(tmp_path):
    losses = 0.5, float("nan"), 0.30000001, 0.3, float("nan")  # rounded as in the history, the third equals the fourth
    keeper = Keeper(tmp_path / CHECKPOINT, None, patience=9, began=time.monotonic())
    model = trained(keeper, *losses)
    keeper.take_best(model)
    assert keeper.best_epoch == model.get_weights()[0] == 4
    again = Keeper(tmp_path / CHECKPOINT, None, patience=9, began=time.monotonic())
    assert again.restore(model) == 5
    assert again.best_epoch == 4
    hopeless = Keeper(tmp_path / "other", None, patience=9, began=time.monotonic())
    trained(hopeless, float("nan"), float("inf"))
    assert hopeless.best_epoch is None


def test_checkpoint_of_an_earlier_version_is_gone_on_from(tmp_path):
    path = tmp_path / CHECKPOINT
    model = trained(Keeper(path, None, patience=9, began=time.monotonic() - 10_000), 0.5, 0.25, 0.75)
    keeper = Keeper(path, None, patience=9, began=time.monotonic() - 1_000)
    keeper.restore(model)
    assert keeper.seconds == pytest.approx(11_000, abs=300)  # and what a slow disk adds
    with np.load(path) as arrays:
        old = dict(arrays)
    state = json.loads(str(old.pop("state")))
    del state["seconds"]
    np.savez(path, state=np.array(json.dumps(state)), **old)
    keeper = Keeper(path, None, patience=9, began=time.monotonic() - 1_000)
    assert keeper.restore(model) == 3
    assert keeper.best_epoch == 2
    assert keeper.seconds == pytest.approx(1_000, abs=300)


def test_a_resumed_training_says_when_it_was_begun(tmp_path):
    path = tmp_path / "environment.json"
    assert times(path, goes_on=True).keys() == {"started"}
    path.write_text(json.dumps({"started": "2000-01-02T03:04:05Z"}))
    assert times(path, goes_on=True)["started"] == "2000-01-02T03:04:05Z"
    assert times(path, goes_on=True)["resumed"] > "2000-01-02T03:04:05Z"
    assert times(path, goes_on=False)["started"] > "2000-01-02T03:04:05Z"  # begun anew


def test_a_run_that_fails_in_the_own_process_leaves_word_of_it(dataset, tmp_path):
    (task,) = tasks_for([EXPERIMENT], dataset.folder, tmp_path, command="a test")
    task.folder.mkdir()
    (task.folder / CHECKPOINT).write_bytes(b"no checkpoint")
    with pytest.raises(click.ClickException, match="this training begins anew") as raised:
        train_one(task)
    assert "failure.json" in raised.value.message
    assert state_of(task.folder) == "failed"
    assert "Traceback" in json.loads((task.folder / "failure.json").read_text())["reason"]


def test_best_weights_of_a_checkpoint_are_not_its_last(tmp_path):
    model = trained(Keeper(tmp_path / CHECKPOINT, None, patience=9, began=0), 0.5, 0.25, 0.75)
    keeper = Keeper(tmp_path / CHECKPOINT, None, patience=9, began=0)
    keeper.restore(model)
    keeper.take_best(model)
    assert model.get_weights()[0] == 2


def test_time_left_of_a_training_that_goes_on_is_that_of_its_own_steps(monkeypatch):
    clock, told = [0.0], []
    monkeypatch.setattr(keras_progress.time, "monotonic", lambda: clock[0])
    one = Reporter(lambda facts, ended: told.append(facts), first_epoch=8)
    one.set_params({"steps": 5, "epochs": 10})
    one.on_train_begin()
    one.on_epoch_begin(8)
    for batch in range(5):
        clock[0] += 0.5
        one.on_train_batch_end(batch, {"loss": 1.0})
    one.on_epoch_end(8, {"loss": 1.0, "val_loss": 1.0, "val_f1": 0.5})
    assert (told[-1].step, told[-1].steps, told[-1].seconds_left) == (45, 50, 2.5)
