"""The commands `arrays` and `cut` as their user runs them; what they write is tested beside each source."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from training.__main__ import main
from training.dataset import Dataset

DESCRIBED = {
    "pre_days": 60,
    "post_days": 12,
    "bands": ["postVV", "postVH", "diffVV", "diffVH"],
    "arrays": [{"file": "a.npz", "patches": "x", "labels": "y", "event": "hokkaido", "pass": "ASCENDING"}],
}


def test_arrays_become_a_set_in_the_folder_that_was_named(tmp_path):
    patches = np.random.default_rng(0).normal(-10, 2, (40, 64, 64, 4)).astype(np.float32)
    np.savez(tmp_path / "a.npz", x=patches, y=(np.arange(40) % 4 == 0).astype(np.int64))
    (tmp_path / "c.json").write_text(json.dumps(DESCRIBED))
    folder = tmp_path / "set"
    result = CliRunner().invoke(main, ["arrays", "--config", str(tmp_path / "c.json"), "--out", str(folder)])
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == ["file 0 of 1", "file 1 of 1", str(folder)]
    Dataset(folder)


@pytest.mark.parametrize("command", ["arrays", "cut"])
def test_a_configuration_that_is_not_there_is_named(tmp_path, command):
    result = CliRunner().invoke(main, [command, "--config", str(tmp_path / "none.json")])
    assert result.exit_code == 1
    assert "none.json: there is no such file" in result.output
