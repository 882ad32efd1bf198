"""Many runs by worker processes: each is done once, a kill costs at most one epoch, failures are told and tried again."""

import json
from pathlib import Path

import pytest

from training.campaign.plan import Task, tasks_for
from training.experiments import Experiment
from training.tests.campaigns import finished, wait_until, wait_until_nobody_works

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, TensorFlow alone takes a minute to start


def test_four_runs_by_processes_survive_a_kill_and_a_failure(start, tmp_path):
    runs = tmp_path / "runs"
    grid = ["--grid", "--epochs", "8", "--part", "1/3", "--engine", "processes", "--jobs"]
    campaign = start(*grid, "2")
    wait_until(lambda: finished(runs) and list(runs.glob("*/checkpoint.npz")), campaign)
    campaign.kill()  # the parent alone: its workers have to notice
    campaign.wait()
    wait_until_nobody_works(runs)
    before = finished(runs)
    broken = next(runs.glob("*/checkpoint.npz"))
    broken.write_bytes(b"no checkpoint")

    failing = start(*grid, "2")
    output, _ = failing.communicate(timeout=400)
    assert failing.returncode == 1, output
    assert f"{len(before)} kept" in output
    assert "1 of 4 failed" in output
    assert {name: time for name, time in finished(runs).items() if name in before} == before
    assert len(finished(runs)) == 3
    assert (
        "remove it, and this training begins anew" in json.loads((broken.parent / "failure.json").read_text())["reason"]
    )

    broken.unlink()
    again = start(*grid, "1")
    output, _ = again.communicate(timeout=400)
    assert again.returncode == 0, output
    assert "1 finished, 3 kept" in output
    assert not list(runs.glob("*/failure.json"))
    assert {json.loads(path.read_text())["epochs"] for path in runs.glob("*/history.json")} == {8}


def test_a_task_reaches_a_worker_as_it_is(campaign_data):
    experiment = Experiment(polarisation="vv", orbit_pass="ASCENDING", events=("papua",), split="block")
    (task,) = tasks_for([experiment], campaign_data, Path("runs"), command="fit")
    assert Task.from_json(task.to_json()) == task
    assert task.runs.is_absolute()
