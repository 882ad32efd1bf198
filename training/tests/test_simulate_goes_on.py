"""`simulate` killed half way goes on, and the set becomes the one of an uninterrupted run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from training.campaign.claim import claim, holder
from training.dataset import Dataset
from training.patches import store
from training.patches.sharded import ShardedPatches
from training.patches.store import BANDS
from training.sources.kept_scenes import keep, kept, scene_file
from training.sources.simulated import Recipe, build, simulate_command

SMALL = Recipe(scenes_per_event=1, unseen_scenes_per_event=0, scene_px=128)
OPTIONS = ["--scenes-per-event", "1", "--unseen-scenes-per-event", "0", "--scene-px", "128"]
ROOT = Path(__file__).parents[2]


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "claim"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "set"
    list(build(SMALL, folder, jobs=2))
    return contents(folder)


def started(folder):
    command = [sys.executable, "-m", "training", "simulate", "--out", str(folder), *OPTIONS, "--jobs", "2"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_killed_command_leaves_no_process_and_goes_on_to_the_same_set(tmp_path, whole):
    """In the place of the fifth scene is a pipe: who opens it waits, so the kill comes half way however late it comes."""
    folder = tmp_path / "set"
    begun(folder, scenes=0)  # so that the command takes what lies there for its own
    os.mkfifo(pipe := scene_file(folder, 4))
    process = started(folder)
    lines = [process.stdout.readline() for _ in range(4)]
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert [line.split(" about")[0].strip() for line in lines] == [f"scene {n} of 6" for n in range(1, 5)]
    assert "left" in lines[3]
    assert workers
    until = time.monotonic() + 20
    while any(map(is_alive, workers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(is_alive, workers))
    assert holder(folder) is None
    assert not (folder / "set.json").exists()
    pipe.unlink()
    finished = len(list(folder.glob("scene-*.npz")))
    assert finished >= 4
    result = CliRunner().invoke(simulate_command, ["--out", str(folder), *OPTIONS])
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[0] == f"scene {finished} of 6"
    assert contents(folder) == whole


def test_killed_inside_the_write_of_a_shard_it_goes_on_to_the_same_contents(tmp_path, whole, monkeypatch):
    """Shards of eight patches instead of 2048; each is written in two files, and the fifth is the second shard of a pass."""
    monkeypatch.setattr(store, "SHARD_PATCHES", 8)
    real, calls = np.save, []

    def killed(path, array):
        calls.append(path.name)
        if len(calls) == 5:
            path.write_bytes(array.tobytes()[: array.nbytes // 2])
            raise KeyboardInterrupt
        real(path, array)

    with monkeypatch.context() as patching:
        patching.setattr(np, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            list(build(SMALL, tmp_path / "set"))
    assert calls[-1] == "ascending-00001.npy"
    steps = list(build(SMALL, tmp_path / "set"))
    assert steps[0][0] >= 4, "two shards of each pass were begun, so four scenes had been finished"
    (tmp_path / "set-of-one-shard").mkdir()
    for name, content in whole.items():
        (tmp_path / "set-of-one-shard" / name).write_bytes(content)
    many, one = (Dataset(tmp_path / name) for name in ("set", "set-of-one-shard"))
    for orbit_pass in ("ASCENDING", "DESCENDING"):
        assert len(many.shards(orbit_pass, BANDS)) == 3
        np.testing.assert_array_equal(many.rows(orbit_pass), one.rows(orbit_pass))
        patches = [ShardedPatches(d.folder, d.shards(orbit_pass, BANDS))[np.arange(24)] for d in (many, one)]
        np.testing.assert_array_equal(*patches)


def begun(folder, scenes=2):
    """Leave a set behind of which some scenes are finished."""
    steps = build(SMALL, folder)
    for done, _ in steps:
        if done == scenes:
            break
    steps.close()
    assert scene_file(folder, 0).exists() == (scenes > 0)


def test_finished_scenes_are_not_simulated_again(tmp_path, whole):
    """One is replaced by what no simulation gives, and found in the set; another, torn, is made again."""
    begun(tmp_path / "set", scenes=3)
    views = [(name, np.full_like(patches, -7.5), rows) for name, patches, rows in kept(tmp_path / "set", 0)]
    keep(tmp_path / "set", 0, views)
    torn = scene_file(tmp_path / "set", 1)
    os.truncate(torn, torn.stat().st_size // 2)
    assert kept(tmp_path / "set", 1) is None
    list(build(SMALL, tmp_path / "set"))
    stored = np.load(tmp_path / "set" / "ascending-00000.npy")
    assert (stored[:4] == -7.5).all()
    (tmp_path / "whole.npy").write_bytes(whole["ascending-00000.npy"])
    np.testing.assert_array_equal(stored[4:], np.load(tmp_path / "whole.npy")[4:])


def test_another_recipe_or_other_code_does_not_go_on(tmp_path, monkeypatch):
    begun(tmp_path / "set")
    before = contents(tmp_path / "set")
    result = CliRunner().invoke(simulate_command, ["--out", str(tmp_path / "set"), *OPTIONS, "--pre-days", "12"])
    assert result.exit_code == 1
    assert "another pre_days and source" in result.output
    monkeypatch.setattr("training.sources.simulated.code_identity", lambda: "other")
    result = CliRunner().invoke(simulate_command, ["--out", str(tmp_path / "set"), *OPTIONS])
    assert result.exit_code == 1
    assert "another code" in result.output
    assert contents(tmp_path / "set") == before


def test_a_folder_that_somebody_writes_to_is_left_alone(tmp_path):
    with claim(tmp_path / "set"):
        result = CliRunner().invoke(simulate_command, ["--out", str(tmp_path / "set"), *OPTIONS])
    assert result.exit_code == 1
    assert f"{os.getpid()} writes there already" in result.output
    assert contents(tmp_path / "set") == {}


def test_killed_after_the_set_was_finished_only_what_is_over_is_removed(tmp_path, whole):
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
    for name in ("unfinished.json", "scene-00007.npz", "scene-00007.1.draft"):
        (tmp_path / name).write_bytes(b"left")
    assert list(build(SMALL, tmp_path)) == [(6, 6)]
    assert contents(tmp_path) == whole


def test_a_finished_set_of_other_code_is_kept_and_that_is_said(tmp_path, whole, monkeypatch):
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
    same = CliRunner().invoke(simulate_command, ["--out", str(tmp_path), *OPTIONS])
    monkeypatch.setattr("training.sources.simulated.code_identity", lambda: "other")
    other = CliRunner().invoke(simulate_command, ["--out", str(tmp_path), *OPTIONS])
    assert (same.exit_code, other.exit_code) == (0, 0), other.output
    assert "before the simulator changed" in other.output
    assert "before the simulator changed" not in same.output
    assert contents(tmp_path) == whole
