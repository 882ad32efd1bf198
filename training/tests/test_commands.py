"""The table of commands: every row names a command that is there, and `--help` is quick because it imports none."""

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
