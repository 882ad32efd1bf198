"""Starts campaigns of trainings as small as can be, for the tests that kill them: workers import TensorFlow, which takes seconds."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from training.tests.easy_patches import write_easy_set

ROOT = Path(__file__).parents[2]
MODELS = "vv_vh_ascending_60_12"
TINY = ["--filters", "1", "--batch-size", "32", "--imbalance", "3", "--event", "hokkaido"]


@pytest.fixture(scope="module")
def campaign_data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_easy_set(folder / "60-12", cells=(8, 8))
    return folder


@pytest.fixture
def start(campaign_data, tmp_path):
    """Start `python -m training fit` as a session of its own, to be killed as a whole or in part."""
    begun = []

    def _start(*options):
        command = [
            sys.executable,
            "-m",
            "training",
            "fit",
            "--data",
            str(campaign_data),
            "--runs",
            str(tmp_path / "runs"),
        ]
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
