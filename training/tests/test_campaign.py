"""Many runs by worker processes and by Ray: each is done once, a kill costs at most one epoch, failures are told and tried again.

Workers import TensorFlow, which takes seconds: the runs are as small as can be, and there are few.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.campaign.plan import Task, state_of, tasks_for
from training.experiments import Experiment
from training.tests.easy_patches import write_easy_set

pytestmark = pytest.mark.timeout(
    1200
)  # of one test; where others use the machine, TensorFlow alone takes a minute to start
ROOT = Path(__file__).parents[2]
MODELS = "vv_vh_ascending_60_12"
TINY = ["--filters", "1", "--batch-size", "32", "--imbalance", "3", "--event", "hokkaido"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_easy_set(folder / "60-12", cells=(8, 8))
    return folder


@pytest.fixture
def start(data, tmp_path):
    """Start `python -m training fit` as a session of its own, to be killed as a whole or in part."""
    begun = []

    def _start(*options):
        command = [sys.executable, "-m", "training", "fit", "--data", str(data), "--runs", str(tmp_path / "runs")]
        command += ["--models", MODELS, *TINY, *options, "--threads", "1"]
        begun.append(
            subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, start_new_session=True,
            )
        )  # fmt: skip
        return begun[-1]

    yield _start
    for process in begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def wait_until(holds, process, seconds=300):
    end = time.monotonic() + seconds
    while not holds():
        assert process.poll() is None or holds(), process.stdout.read()
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


def wait_until_nobody_works(runs):
    end = time.monotonic() + 60
    while any(state_of(folder) == "running" for folder in runs.iterdir()):
        assert time.monotonic() < end, "a worker outlived its parent"
        time.sleep(0.1)


def finished(runs):
    return {path.parent.name: path.stat().st_mtime_ns for path in runs.glob("*/metrics.json")}


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


def test_runs_by_ray_survive_a_kill(start, tmp_path):
    runs = tmp_path / "runs"
    grid = ["--grid", "--epochs", "24", "--part", "1/6", "--engine", "ray", "--jobs", "2"]
    first = start(*grid)
    wait_until(lambda: list(runs.glob("*/checkpoint.npz")), first)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    wait_until_nobody_works(runs)
    before = finished(runs)
    assert len(before) < 2
    again = start(*grid)
    output, _ = again.communicate(timeout=400)
    assert again.returncode == 0, output
    assert len(finished(runs)) == 2
    assert {json.loads(path.read_text())["epochs"] for path in runs.glob("*/history.json")} == {24}


def test_one_training_tells_how_it_goes_and_is_published(start, tmp_path):
    options = ["--pass", "ascending", "--epochs", "2", "--publish", str(tmp_path / "models")]
    output, _ = (process := start(*options)).communicate(timeout=400)
    assert process.returncode == 0, output
    assert "epoch 2/2 loss" in output
    assert " F1 " in output
    assert "1 finished" in output
    card = json.loads((tmp_path / "models" / MODELS / "card.json").read_text())
    assert card["training"]["command"].startswith("python -m training fit --data")
    assert (
        card["data_notice"] == "research model, not validated for operations"
    )  # these patches are not the simulator's


def test_a_task_reaches_a_worker_as_it_is(data):
    experiment = Experiment(polarisation="vv", orbit_pass="ASCENDING", events=("papua",), split="block")
    (task,) = tasks_for([experiment], data, Path("runs"), command="fit")
    assert Task.from_json(task.to_json()) == task
    assert task.runs.is_absolute()
