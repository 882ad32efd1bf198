"""Many runs by Ray: a kill of all of it costs what was not kept; a cluster that is there does them, and tells of one that fails."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from training.campaign.claim import claim
from training.tests.campaigns import (
    add_a_day,
    finished,
    kill_all,
    tasks_of,
    wait_until,
    wait_until_nobody_works,
    went_on_after_a_day,
)
from training.tests.conftest import MODELS, TINY

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, TensorFlow alone takes a minute to start


def test_runs_by_ray_survive_a_kill(start, tmp_path):
    runs = tmp_path / "runs"
    lasting = ["--epochs", "48", "--patience", "48"]  # some seconds, in which the kill has to come
    grid = ["--grid", *lasting, "--part", "1/2", "--engine", "ray"]
    first = start(*grid, "--jobs", "1")
    wait_until(lambda: list(runs.glob("*/checkpoint.npz")), first)
    kill_all(first)
    wait_until_nobody_works(runs)
    assert not finished(runs)
    (begun,) = runs.glob("*/checkpoint.npz")
    add_a_day(begun)
    again = start(*grid, "--jobs", "2")
    output, _ = again.communicate(timeout=400)
    assert again.returncode == 0, output
    assert len(finished(runs)) == 2
    assert {json.loads(path.read_text())["epochs"] for path in runs.glob("*/history.json")} == {48}
    assert went_on_after_a_day(begun.parent)


@pytest.fixture
def cluster(monkeypatch):
    """Start a Ray of one processor that asks for a token, and name it in RAY_ADDRESS; return the folder of its logs."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", os.urandom(32).hex())
    options = [
        "--head",
        "--block",
        "--num-cpus",
        "1",
        "--port",
        "0",
        "--include-dashboard",
        "false",
        "--disable-usage-stats",
        "--temp-dir",
    ]
    with tempfile.TemporaryDirectory(
        prefix="ray", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:  # sockets have short paths
        ray = [str(Path(sys.executable).with_name("ray")), "start", *options, folder]
        process = subprocess.Popen(
            ray, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if address := re.search(r"--address='([^']+)'", line):
                    break
            else:  # it gives up where its node takes more than 30 s
                pytest.fail(f"Ray does not start: {''.join(said)}")
            monkeypatch.setenv("RAY_ADDRESS", address[1])
            yield Path(folder) / "session_latest" / "logs"
        finally:
            process.terminate()  # it ends what it started
            process.communicate(timeout=60)


def test_a_cluster_that_is_there_does_the_runs_and_tells_of_one_that_fails(cluster, start, campaign_data, tmp_path):
    two = ["--seed", "0", "--seed", "1"]
    broken, claimed = tasks_of(["--models", MODELS, *TINY, *two], campaign_data, tmp_path / "runs")
    broken.folder.mkdir(parents=True)
    (broken.folder / "checkpoint.npz").write_bytes(b"no checkpoint")
    with claim(claimed.folder):
        campaign = start(*two, "--engine", "ray")
        output, _ = campaign.communicate(timeout=400)
    assert campaign.returncode == 1, output
    assert f"{broken.run_id}: failed" in output
    assert "1 claimed, 1 failed" in output
    assert "1 of 2 left alone, for somebody else worked on them" in output
    assert "1 of 2 failed; failure.json" in output
    reason = json.loads((broken.folder / "failure.json").read_text())["reason"]
    assert "remove it, and this training begins anew" in reason
    (worker,) = set(re.findall(r"_train\(\) \(pid=(\d+)", reason))
    assert list(cluster.glob(f"worker-*-{worker}.err")), "no worker of this cluster did it"
