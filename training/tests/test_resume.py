"""A training that was killed goes on where it was, to the same end."""

import dataclasses

import numpy as np
import pytest

from training import fit
from training.campaign.claim import claim
from training.dataset import Dataset
from training.experiments import Experiment
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
    killed_after(3, dataset, tmp_path)
    told = []
    model, learnt = fit.train(EXPERIMENT, dataset, tmp_path, report=lambda facts, ended: told.append(facts.epoch))
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
