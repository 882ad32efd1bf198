"""Many runs by worker processes: each is done once, a kill costs at most one epoch, failures are told and tried again."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from training.campaign.plan import Task, state_of, tasks_for
from training.experiments import Experiment
from training.tests.campaigns import children, finished, wait_until, wait_until_nobody_works

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, TensorFlow alone takes a minute to start


def test_four_runs_by_processes_survive_a_kill_a_failure_and_an_interrupt(start, tmp_path):
    runs = tmp_path / "runs"
    grid = ["--grid", "--epochs", "8", "--engine", "processes", "--jobs", "2"]
    campaign = start(*grid)
    wait_until(lambda: finished(runs) and list(runs.glob("*/checkpoint.npz")), campaign)
    campaign.kill()  # the parent alone: its workers have to notice
    campaign.wait()
    wait_until_nobody_works(runs)
    before = finished(runs)
    broken = next(runs.glob("*/checkpoint.npz"))
    broken.write_bytes(b"no checkpoint")

    failing, since = start(*grid), time.time()
    failure = broken.parent / "failure.json"

    def one_failed_and_another_is_trained():
        others = {path for path in runs.glob("*/checkpoint.npz") if modified(path) > since} - {broken}
        return failure.exists() and others

    wait_until(one_failed_and_another_is_trained, failing)
    workers = children(failing.pid)
    os.killpg(failing.pid, signal.SIGINT)  # as Ctrl-C on a terminal does: the command and all that it started
    output, _ = failing.communicate(timeout=20)
    assert failing.returncode == 1, output
    assert f"{broken.parent.name}: failed" in output
    assert "the same command goes on from the last epoch" in output
    assert workers
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    assert list(runs.glob("*/failure.json")) == [failure]
    assert "remove it, and this training begins anew" in json.loads(failure.read_text())["reason"]
    assert "begun" in {state_of(path.parent) for path in runs.glob("*/checkpoint.npz")}
    kept = finished(runs)
    assert kept.items() >= before.items()

    broken.unlink()
    again = start(*grid)
    output, _ = again.communicate(timeout=400)
    assert again.returncode == 0, output
    assert f"{4 - len(kept)} finished, {len(kept)} kept" in output
    assert not list(runs.glob("*/failure.json"))
    assert {json.loads(path.read_text())["epochs"] for path in runs.glob("*/history.json")} == {8}
    assert finished(runs).items() >= kept.items()


def modified(path):
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # its run has just ended
        return 0.0


def test_a_task_reaches_a_worker_as_it_is(campaign_data):
    experiment = Experiment(polarisation="vv", orbit_pass="ASCENDING", events=("papua",), split="block")
    (task,) = tasks_for([experiment], campaign_data, Path("runs"), command="fit")
    assert Task.from_json(task.to_json()) == task
    assert task.runs.is_absolute()
