"""The table of commands: every row names a command that is there, and `--help` is quick because it imports none."""

import re
import shutil
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from training.__main__ import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_row_names_a_command_of_that_name(name):
    command = main.get_command(click.Context(main), name)
    assert isinstance(command, click.Command)
    assert command.name == name
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert "\\b" not in result.output


def test_help_lists_every_command():
    output = CliRunner().invoke(main, ["--help"]).output
    assert all(name in output for name in COMMANDS)


def test_unknown_command_is_refused():
    result = CliRunner().invoke(main, ["trane"])
    assert result.exit_code == 2
    assert "trane" in result.output


def test_help_imports_no_tensorflow():
    code = "import sys; from training.__main__ import main; main(['--help'], standalone_mode=False); assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.fixture
def is_file(tmp_path):
    """A file where a folder is wanted: refused to everybody, root included."""
    (tmp_path / "file").write_text("in the way")
    return tmp_path / "file"


@pytest.mark.parametrize(
    "command",
    [
        ["export", "--to", "{file}/models"],
        ["fit", "--models", "vv_vh_ascending_60_12", "--publish", "{file}/models"],
        ["explain", "serving/models/vv_vh_ascending_60_12", "--out", "{file}/figures"],
        [
            "table",
            "4",
            "--runs",
            "training/results/runs",
            "--where",
            "seed=0",
            "--where",
            "variant=published",
            "--out",
            "{file}/t.md",
        ],
    ],
    ids=lambda command: command[0],
)
def test_a_place_that_cannot_be_written_to_is_an_error_and_no_traceback(command, is_file):
    result = CliRunner().invoke(main, [word.format(file=is_file) for word in command])
    assert result.exit_code == 1
    assert re.search(r"Error: \[Errno \d+\] .*file", result.output)
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["table", "4", "--runs", "infra"], "no finished training under infra; `python -m training fit` makes some"),
        (["table", "4", "--runs", "training/results/runs", "--where", "seed=77"], "is seed=77: there seed is 0 or 1"),
        (["table", "4", "--runs", "training/results/runs", "--where", "seed"], "write NAME=VALUE"),
        (["table", "figure2", "--runs", "training/results/runs", "--out", "figure.md"], "a figure ends in .png"),
        (["curves", "README.md", "--out", "curves.png"], "README.md is no metrics.json"),
        (["curves", "README.md", "--out", "curves"], "a figure ends in .png"),
        (["list", "--part", "x"], "--part x: write which part of how many, such as 2/4"),
        (["list", "--part", "1/0"], "--part 1/0: write which part"),
        (["quiet-series", "pyproject.toml", "serving/models/vv_vh_ascending_60_12"], "is not what `make quiet` writes"),
        (["quiet-series", "infra/topology.json", "serving/models/vv_vh_ascending_60_12"], "is not what `make quiet` writes"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_said(command, message):
    result = CliRunner().invoke(main, command)
    assert result.exit_code in (1, 2)
    assert message in " ".join(result.output.split())
    assert isinstance(result.exception, SystemExit)


def test_cards_and_sets_that_are_no_json_are_named(tmp_path):
    shutil.copytree("serving/models/vv_vh_ascending_60_12", tmp_path / "model")
    (tmp_path / "model/card.json").write_text("{")
    (tmp_path / "60-12").mkdir()
    (tmp_path / "60-12/set.json").write_text("{")
    broken = CliRunner().invoke(main, ["export", "--models", str(tmp_path / "model"), "--to", str(tmp_path / "to")])
    assert "card.json is no JSON" in broken.output
    unset = CliRunner().invoke(
        main, ["fit", "--models", "vv_vh_ascending_60_12", "--data", str(tmp_path), "--runs", str(tmp_path)]
    )
    assert f"{tmp_path / '60-12/set.json'}: " in unset.output.replace("\n", "")
