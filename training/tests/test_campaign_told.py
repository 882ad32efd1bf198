"""What campaigns say: of runs that others work on, of what is not published yet, of options that would be ignored, of the time left."""

import io
import json
import re
import time
from collections import Counter
from threading import Barrier
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from training.__main__ import main
from training.campaign import processes, table
from training.campaign.claim import claim
from training.campaign.commands import conclude
from training.campaign.plan import Task, progress_of, record_failure, state_of
from training.campaign.processes import gpus_to_share, train_in_processes
from training.campaign.table import CampaignTable
from training.experiments import Experiment
from training.fitting.progress import Bar, Facts, to_file
from training.tests.campaigns import tasks_of
from training.tests.conftest import MODELS

TWO = ["--models", "v*_ascending_60_12"]
ONE = ["--models", MODELS]


def finish(task):
    task.folder.mkdir(parents=True, exist_ok=True)
    evaluation = {"test": {"f1": 0.9}, "validation_as_tested": {"at_half": {"f1": 0.5}}}
    (task.folder / "metrics.json").write_text(json.dumps({"evaluation": evaluation}))
    for name in ("weights.npz", "card.json"):
        (task.folder / name).write_text(task.run_id)


@pytest.fixture
def tasks(campaign_data, tmp_path):
    return tasks_of(TWO, campaign_data, tmp_path / "runs")


def test_runs_of_others_are_no_failure(tasks, capsys):
    finish(tasks[0])
    with claim(tasks[1].folder):
        conclude(tasks, Counter(finished=1, claimed=1), None)
    output = capsys.readouterr().out
    assert "F1 0.5000 on the validation part" in output
    assert re.search(r"running, by \S+ \d+\n", output)
    assert "1 claimed, 1 finished" in output
    assert "1 of 2 left alone, for somebody else worked on them" in output


def test_nothing_is_published_before_all_is_finished(tasks, tmp_path):
    models = tmp_path / "models"
    finish(tasks[0])
    with pytest.raises(click.ClickException, match="1 of 2 not finished yet; nothing was published"):
        conclude(tasks, Counter(finished=1, claimed=1), models)
    record_failure(tasks[1].folder, "a test")
    with pytest.raises(click.ClickException, match=r"1 of 2 failed.*; nothing was published"):
        conclude(tasks, Counter(kept=1, failed=1), models)
    assert not models.exists()
    finish(tasks[1])
    conclude(tasks, Counter(kept=1, claimed=1), models)  # whoever worked on the second has finished it meanwhile
    assert (models / MODELS / "card.json").read_text() in {task.run_id for task in tasks}
    assert len(list(models.glob("*/weights.npz"))) == 2


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ([*ONE, "--engine", "ray", "--gpus", "2"], "--gpus goes with --engine processes"),
        ([*ONE, "--engine", "inline", "--gpus", "1"], "--gpus goes with --engine processes"),
        ([*TWO, "--gpus-per-run", "0.5"], "--gpus-per-run goes with --engine ray"),
        ([*ONE, "--seed", "0", "--seed", "1", "--publish", "models"], f"{MODELS} has 2 here"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(options, match):
    result = CliRunner().invoke(main, ["fit", *options])
    assert result.exit_code == 2
    assert match in " ".join(result.output.split())


def test_gpus_are_shared_out_of_those_that_the_user_left():
    assert gpus_to_share(2, {}) == ["0", "1"]
    assert gpus_to_share(2, {"CUDA_VISIBLE_DEVICES": "2,3"}) == ["2", "3"]
    assert gpus_to_share(1, {"CUDA_VISIBLE_DEVICES": "GPU-8932f937, 3"}) == ["GPU-8932f937"]
    for few in ("2", "", "-1"):
        with pytest.raises(ValueError, match="leaves"):
            gpus_to_share(2, {"CUDA_VISIBLE_DEVICES": few})


def test_a_run_that_was_promised_a_gpu_does_not_train_without_one(tasks, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "99")  # there is none of that number
    assert list(train_in_processes(tasks[:1], jobs=1, threads=1, gpus=1)) == [(tasks[0], "failed")]
    reason = json.loads((tasks[0].folder / "failure.json").read_text())["reason"]
    assert "a GPU was asked for, and TensorFlow sees none" in reason


def test_an_event_that_is_named_twice_is_learnt_from_once(campaign_data, tmp_path):
    once, twice = (tasks_of([*ONE, *["--event", "papua"] * times], campaign_data, tmp_path) for times in (1, 2))
    assert [task.run_id for task in twice] == [task.run_id for task in once]


def test_why_trainings_failed_is_said_once(tasks):
    for task in tasks:
        record_failure(task.folder, "many lines of greetings\nValueError: no patches of hokaido, but of papua\n\n")
    with pytest.raises(click.ClickException) as failed:
        conclude(tasks, Counter(failed=2), None)
    assert failed.value.message.splitlines()[1:] == ["ValueError: no patches of hokaido, but of papua"]


def test_a_log_tells_now_and_then_where_running_trainings_are(tasks, monkeypatch):
    monkeypatch.setattr("training.campaign.table.LINES_EVERY_S", 0.01)
    text = io.StringIO()
    facts = Facts(epoch=3, epochs=40, step=3, steps=40, loss=0.25, val_loss=None, val_f1=None, seconds_left=600)
    with claim(tasks[0].folder):
        to_file(tasks[0].folder)(facts, True)
        with CampaignTable(tasks, Console(file=text)).drawn():
            end = time.monotonic() + 20
            while not text.getvalue() and time.monotonic() < end:
                time.sleep(0.01)
    first, *_ = text.getvalue().splitlines()
    assert first == f"{tasks[0].run_id}: epoch 3/40 loss 0.2500, at most 0:10:00 left"


def test_list_tells_how_far_running_trainings_are(tasks, campaign_data, tmp_path):
    facts = Facts(epoch=3, epochs=40, step=3, steps=40, loss=0.25, val_loss=None, val_f1=None, seconds_left=600)
    with claim(tasks[0].folder):
        to_file(tasks[0].folder)(facts, True)
        command = ["list", *TWO, "--data", str(campaign_data), "--runs", str(tmp_path / "runs")]
        output = CliRunner().invoke(main, command).output
    assert "running, epoch 3 of 40" in output


def test_list_tells_seeds_and_variants_apart(campaign_data, tmp_path):
    def listed(*options):
        command = ["list", *ONE, "--data", str(campaign_data), "--runs", str(tmp_path), *options]
        lines = CliRunner().invoke(main, command).output.splitlines()
        return [line.split()[: len(lines[0].split())] for line in lines[:-1]]

    head, *rows = listed("--seed", "0", "--seed", "7", "--variant", "paper", "--variant", "published")
    assert head[2:4] == ["variant", "seed"]
    assert [row[2:4] for row in rows] == [["paper", "0"], ["paper", "7"], ["published", "0"], ["published", "7"]]
    assert not {"variant", "seed"} & set(listed()[0])


def test_progress_of_a_run_that_has_just_ended_is_none(tmp_path):
    assert progress_of(tmp_path) is None
    (tmp_path / "progress.json").write_text('{"epoch": 1, "epo')
    assert progress_of(tmp_path) is None


def test_line_of_an_epoch_says_the_time_left(capsys):
    facts = {"epochs": 500, "steps": 500, "loss": 0.25, "val_loss": 0.5, "val_f1": 0.75}
    with Bar() as bar:
        bar(Facts(epoch=100, step=100, seconds_left=100_000, **facts), True)
        bar(Facts(epoch=500, step=500, seconds_left=0, **facts), True)
    first, last = (line.strip() for line in capsys.readouterr().out.splitlines() if line.strip().startswith("epoch"))
    assert first == "epoch 100/500 loss 0.2500  val loss 0.5000 F1 0.750  at most 1 day, 3:46:40 left"
    assert last == "epoch 500/500 loss 0.2500  val loss 0.5000 F1 0.750"


def test_runs_that_were_kept_say_nothing_of_the_time_left(monkeypatch, tmp_path):
    clock, out = [0.0], io.StringIO()
    monkeypatch.setattr(table.time, "monotonic", lambda: clock[0])
    tasks = [
        Task(
            experiment=Experiment(polarisation="vv_vh", orbit_pass="ASCENDING"),
            data=tmp_path,
            runs=tmp_path,
            run_id=f"r{n}",
            command="",
        )
        for n in range(4)
    ]
    shown = CampaignTable(tasks, Console(file=out))
    shown.end(tasks[0], "kept")
    clock[0] = 60.0
    shown.end(tasks[1], "finished")
    assert out.getvalue().splitlines() == ["r0: kept; 3 to do ", "r1: finished; 2 to do about 0:02:00 left"]


def test_a_run_that_failed_and_is_tried_again_is_running(tmp_path):
    record_failure(tmp_path, "a test")
    assert state_of(tmp_path) == "failed"
    with claim(tmp_path):
        assert state_of(tmp_path) == "running"


def test_each_worker_has_a_gpu_of_its_own(monkeypatch, tmp_path):
    """Two tasks and two workers, of whom none goes on before the other is there."""
    engaged, both = [], Barrier(2, timeout=60)

    def engage(self, threads, gpu):
        both.wait()
        engaged.append(gpu)
        return SimpleNamespace(train=lambda task: "kept", done=0)

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    monkeypatch.setattr(processes._Crew, "engage", engage)
    monkeypatch.setattr(processes._Crew, "end", lambda self, worker: "")
    tasks = [
        Task(
            experiment=Experiment(polarisation="vv_vh", orbit_pass="ASCENDING"),
            data=tmp_path,
            runs=tmp_path,
            run_id=run_id,
            command="",
        )
        for run_id in "ab"
    ]
    assert len(list(processes.train_in_processes(tasks, jobs=2, threads=1, gpus=2))) == 2
    assert sorted(engaged) == ["2", "5"]
