"""The tables in training/results are those that the runs and cards in the tree give."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from training.evaluation.runs import read_runs
from training.evaluation.table_command import table_command

RESULTS, MODELS = Path("training/results"), Path("serving/models")


@pytest.mark.parametrize(("table", "at"), [("seeds", "half"), ("seeds", "published"), ("A2", "half")])
def test_tables_of_our_trainings_are_those_of_the_runs_in_the_tree(table, at):
    options = [table, "--runs", str(RESULTS / "runs"), "--runs", str(MODELS), "--at", at]
    result = CliRunner().invoke(table_command, options)
    assert result.exit_code == 0, result.output
    lines = [line for line in result.output.splitlines() if "| simulated" in line]
    written = (RESULTS / "demo-models.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 8
    assert [line for line in lines if line not in written] == []


def test_every_run_in_the_tree_lies_under_its_own_name_and_learnt_from_one_set():
    runs = read_runs([RESULTS / "runs"])
    assert {run.folder.name for run in runs} == {folder.name for folder in (RESULTS / "runs").iterdir()}
    for run in runs:
        assert run.folder.name == run.experiment.run_id(run.dataset)
    assert len({run.dataset for run in runs if "60_12" in run.folder.name}) == 1
