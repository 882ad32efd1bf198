"""Many runs by Ray: a kill of all of it costs what was not kept."""

import json
import os
import signal

import pytest

from training.tests.campaigns import finished, wait_until, wait_until_nobody_works

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, TensorFlow alone takes a minute to start


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
