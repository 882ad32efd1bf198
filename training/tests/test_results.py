"""The tables in training/results are those that the runs and cards in the tree give."""

from pathlib import Path

from click.testing import CliRunner

from training.evaluation.runs import read_runs
from training.evaluation.table_command import table_command

RESULTS, MODELS = Path("training/results"), Path("serving/models")


def lines_of(table, at):
    options = [table, "--runs", str(RESULTS / "runs"), "--runs", str(MODELS), "--at", at]
    result = CliRunner().invoke(table_command, options)
    assert result.exit_code == 0, result.output
    lines = [line for line in result.output.splitlines() if "| simulated" in line]
    assert len(lines) > 8
    return lines


def test_tables_of_our_trainings_are_those_of_the_runs_in_the_tree():
    """Both ways: what the commands print is written, and nothing is written that they no longer print."""
    printed = [
        line
        for table, at in (("seeds", "half"), ("seeds", "published"), ("A2", "half"))
        for line in lines_of(table, at)
    ]
    written = [
        line for line in (RESULTS / "demo-models.md").read_text(encoding="utf-8").splitlines() if "| simulated" in line
    ]
    assert [line for line in printed if line not in written] == []
    assert [line for line in written if line not in printed] == []


def test_every_run_in_the_tree_lies_under_its_own_name_and_learnt_from_one_set():
    runs = read_runs([RESULTS / "runs"])
    assert {run.folder.name for run in runs} == {folder.name for folder in (RESULTS / "runs").iterdir()}
    for run in runs:
        assert run.folder.name == run.experiment.run_id(run.dataset)
    assert len({run.dataset for run in runs if "60_12" in run.folder.name}) == 1
