"""Many runs by worker processes: each is done once, a kill costs at most one epoch, failures are told and tried again."""

import json
import os
import signal
from pathlib import Path

import pytest

from training.campaign.plan import Task, state_of, tasks_for
from training.experiments import Experiment
from training.tests.campaigns import (
    add_a_day,
    children,
    finished,
    tasks_of,
    wait_until,
    wait_until_nobody_works,
    went_on_after_a_day,
)
from training.tests.conftest import MODELS, TINY

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, TensorFlow alone takes a minute to start


def test_three_runs_by_processes_survive_a_kill_and_a_failure(start, campaign_data, tmp_path):
    runs = tmp_path / "runs"
    grid = ["--seed", "0", "--seed", "1", "--seed", "2", "--epochs", "8"]
    by_processes = [*grid, "--engine", "processes", "--jobs", "2"]
    broken, *_ = tasks_of(["--models", MODELS, *TINY, *grid], campaign_data, runs)
    broken.folder.mkdir(parents=True)
    no_checkpoint = broken.folder / "checkpoint.npz"
    no_checkpoint.write_bytes(b"no checkpoint")

    campaign = start(*by_processes)
    wait_until(lambda: len(list(runs.glob("*/checkpoint.npz"))) > 1 or finished(runs), campaign)
    campaign.kill()  # the parent alone: its workers have to notice
    campaign.wait()
    wait_until_nobody_works(runs)
    before = finished(runs)
    over = {no_checkpoint.parent.name, *before}  # who dies right after the end of a run leaves its checkpoint behind
    begun = [path for path in runs.glob("*/checkpoint.npz") if path.parent.name not in over]
    for checkpoint in begun:
        add_a_day(checkpoint)
    assert before or begun

    failing = start(*by_processes)
    output, _ = failing.communicate(timeout=400)
    assert failing.returncode == 1, output
    assert f"{broken.run_id}: failed" in output
    failure = broken.folder / "failure.json"
    assert list(runs.glob("*/failure.json")) == [failure]
    assert "remove it, and this training begins anew" in json.loads(failure.read_text())["reason"]
    kept = finished(runs)
    assert len(kept) == 2
    assert kept.items() >= before.items()
    assert all(went_on_after_a_day(checkpoint.parent) for checkpoint in begun)

    no_checkpoint.unlink()
    again = start(*by_processes)
    output, _ = again.communicate(timeout=400)
    assert again.returncode == 0, output
    assert "1 finished, 2 kept" in output
    assert not list(runs.glob("*/failure.json"))
    assert {json.loads(path.read_text())["epochs"] for path in runs.glob("*/history.json")} == {8}
    assert finished(runs).items() >= kept.items()


@pytest.fixture
def interruptible():
    """Let processes that are started now take an interrupt: a shell has what it runs in the background ignore it, and these tests, too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_a_campaign_at_once_and_is_no_failure(start, tmp_path):
    """So many epochs that no run can be over before the interrupt comes, however fast the machine is."""
    runs = tmp_path / "runs"
    endless = start("--grid", "--epochs", "100000", "--patience", "100000", "--engine", "processes", "--jobs", "2")
    wait_until(lambda: list(runs.glob("*/checkpoint.npz")), endless)
    workers = children(endless.pid)
    os.killpg(endless.pid, signal.SIGINT)  # as Ctrl-C on a terminal does: the command and all that it started
    output, _ = endless.communicate(timeout=120)
    assert endless.returncode == 1, output
    assert "the same command goes on from the last epoch" in output
    assert workers
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    assert not list(runs.glob("*/failure.json"))
    assert {state_of(path.parent) for path in runs.glob("*/checkpoint.npz")} == {"begun"}


def test_a_task_reaches_a_worker_as_it_is(campaign_data):
    experiment = Experiment(polarisation="vv", orbit_pass="ASCENDING", events=("papua",), split="block")
    (task,) = tasks_for([experiment], campaign_data, Path("runs"), command="fit")
    assert Task.from_json(task.to_json()) == task
    assert task.runs.is_absolute()
