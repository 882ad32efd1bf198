"""Waits for campaigns and says how their runs stand."""

import contextlib
import json
import os
import signal
import time
from pathlib import Path

import numpy as np

from training.campaign import selection
from training.campaign.commands import fit_command
from training.campaign.plan import state_of, tasks_for

DAY_S = 86_400.0


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
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            found += map(int, path.read_text().split())
    return found


def add_a_day(checkpoint):
    """Have a checkpoint say that a day's training lies behind it, which shows in the end of a run that went on from it."""
    with np.load(checkpoint) as arrays:
        changed = dict(arrays)
    state = json.loads(str(changed["state"]))
    changed["state"] = np.array(json.dumps(state | {"seconds": state["seconds"] + DAY_S}))
    np.savez(checkpoint, **changed)


def went_on_after_a_day(run):
    """Say whether a finished run went on from a checkpoint that `add_a_day` changed."""
    return json.loads((run / "history.json").read_text())["seconds"] > DAY_S


def kill_all(process):
    """Kill a command and all that it started, Ray's workers too, which outlive their cluster for some epochs otherwise."""
    doomed = [process.pid]
    for pid in doomed:  # grows
        doomed += children(pid)
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def tasks_of(options, data, runs):
    """Return the tasks that `fit` makes of some options."""
    parameters = fit_command.make_context("fit", list(options)).params
    return tasks_for(selection.chosen(**selection.choice_in(parameters)), data, runs, command="a test")
