"""Waits for campaigns and says how their runs stand."""

import time
from pathlib import Path

from training.campaign import selection
from training.campaign.commands import fit_command
from training.campaign.plan import state_of, tasks_for


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


def children(pid):
    """Return the processes that any thread of a process started and that live."""
    return [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]


def tasks_of(options, data, runs):
    """Return the tasks that `fit` makes of some options."""
    parameters = fit_command.make_context("fit", list(options)).params
    return tasks_for(selection.chosen(**selection.choice_in(parameters)), data, runs, command="a test")
