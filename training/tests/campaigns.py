"""Waits for campaigns and says how their runs stand."""

import time

from training.campaign.plan import state_of


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
