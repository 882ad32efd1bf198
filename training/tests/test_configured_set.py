"""The commands `arrays` and `cut` as their user runs them; what they write is tested beside each source."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from training.__main__ import main
from training.campaign.claim import claim
from training.dataset import Dataset
from training.sources.cells import differences
from training.tests.easy_patches import write_easy_set

DESCRIBED = {
    "pre_days": 60,
    "post_days": 12,
    "bands": ["postVV", "postVH", "diffVV", "diffVH"],
    "arrays": [
        {"file": "a.npz", "patches": "x", "labels": "y", "cells": "c", "event": "hokkaido", "pass": "ASCENDING"}
    ],
}


@pytest.fixture
def arrays(tmp_path):
    """The command on 40 patches; their windows, and patches without any pixel."""

    def _arrays(name, *, pre_days=60, blank=()):
        patches = np.random.default_rng(0).normal(0, 2, (40, 64, 64, 4)).astype(np.float32)
        patches[..., :2] -= 12
        patches[list(blank)] = np.nan
        cells = np.stack([np.arange(40), np.arange(40)], axis=1)
        np.savez(tmp_path / "a.npz", x=patches, y=(np.arange(40) % 4 == 0).astype(np.int64), c=cells)
        (tmp_path / "c.json").write_text(json.dumps({**DESCRIBED, "pre_days": pre_days}))
        command = ["arrays", "--config", str(tmp_path / "c.json"), "--out", str(tmp_path / name)]
        return CliRunner().invoke(main, command)

    return _arrays


def test_arrays_become_a_set_in_the_folder_that_was_named(arrays, tmp_path):
    result = arrays("set")
    assert result.exit_code == 0, result.output
    expected = ["file 0 of 1", "file 1 of 1", "a.npz: 40 patches (10 landslide, 30 background)", str(tmp_path / "set")]
    assert result.output.splitlines() == expected
    Dataset(tmp_path / "set")


def test_cells_that_the_set_of_another_window_lacks_are_told_at_the_end(arrays, tmp_path):
    assert "not the same cells" not in arrays("60-12").output
    assert "not the same cells" not in arrays("again").output  # the same windows: no second kind of training
    result = arrays("12-12", pre_days=12, blank=[3, 5])
    there = tmp_path / "60-12"
    told = f"not the same cells as {there}: 0 are only in {tmp_path / '12-12'}, 2 only there (hokkaido 2)"
    assert told in result.output.splitlines()


def test_only_whole_sets_of_the_same_kind_and_other_windows_are_compared(tmp_path):
    write_easy_set(tmp_path / "60-12", cells=(3, 3))
    write_easy_set(tmp_path / "12-12", cells=(3, 3), pre_days=12, without={("papua", 1, 1)})
    write_easy_set(tmp_path / "24-12", cells=(2, 3), pre_days=24)
    broken = tmp_path / "24-12" / "set.json"
    broken.write_text(json.dumps({**json.loads(broken.read_text()), "format": 99}))
    (line,) = differences(tmp_path / "60-12")
    assert "1 are only in" in line
    assert "(papua 1)" in line
    document = json.loads((tmp_path / "12-12" / "set.json").read_text())
    (tmp_path / "12-12" / "set.json").write_text(json.dumps({**document, "source": {"kind": "other"}}))
    assert differences(tmp_path / "60-12") == []


def test_a_folder_that_somebody_else_writes_to_is_left_alone(arrays, tmp_path):
    with claim(tmp_path / "set"):
        result = arrays("set")
    assert result.exit_code == 1
    assert "writes there already; wait for it, or choose another folder" in result.output
    assert not (tmp_path / "set" / "set.json").exists()
    assert arrays("set").exit_code == 0


@pytest.mark.parametrize("command", ["arrays", "cut"])
def test_a_configuration_that_is_not_there_is_named(tmp_path, command):
    result = CliRunner().invoke(main, [command, "--config", str(tmp_path / "none.json")])
    assert result.exit_code == 1
    assert "none.json: there is no such file" in result.output
