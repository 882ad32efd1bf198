"""The table of seeds says what the runs' own files say: the extremes and the middle of trainings that differ in the seed alone."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from click.testing import CliRunner

from training.dataset import Dataset
from training.evaluation.baseline import Baseline
from training.evaluation.evaluate import evaluate
from training.evaluation.table_command import table_command
from training.experiments import Experiment
from training.tests.easy_patches import write_easy_set

MODEL = Experiment(polarisation="vv_vh", orbit_pass="ASCENDING")
RULE = Baseline(band="diffVH", smoothing_px=1.0, change_db=2.0, density=0.1)
NOISE = {0: 0.5, 1: 3.0, 2: 1.5}
"""By seed, dB: the more of it, the worse the detector."""


def detector(seed):
    """Return a network by hand: how much darker in VH the middle of a patch became than its rim, and some noise."""

    def score(batch, *, training):
        change = batch[..., 3]
        darker = change[:, :8].mean(axis=(1, 2)) - change[:, 16:40, 16:40].mean(axis=(1, 2))
        noise = np.random.default_rng([seed, len(batch)]).normal(0, NOISE[seed], len(batch))
        return (1 / (1 + np.exp(-2 * (darker - 2 + noise))))[:, None]

    return score


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """What `evaluate` itself says, by seed: the true form."""
    folder = tmp_path_factory.mktemp("easy") / "60-12"
    write_easy_set(folder, events=("hokkaido", "sumatra", "haiti"), cells=(14, 14))
    dataset = Dataset(folder)
    return {seed: evaluate(detector(seed), dataset, replace(MODEL, seed=seed), RULE) for seed in NOISE}


def write_run(runs, experiment, metrics, *, dataset="d" * 64):
    folder = runs / experiment.run_id(dataset)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"experiment": asdict(experiment), "dataset": dataset}))
    (folder / "history.json").write_text(json.dumps({"events": ["hokkaido"]}))
    (folder / "metrics.json").write_text(json.dumps({**metrics, "scored_on": {"identity": dataset}}))
    return folder


@pytest.fixture
def runs(judged, tmp_path):
    for seed, metrics in judged.items():
        write_run(tmp_path / "runs", replace(MODEL, seed=seed), metrics)
    return tmp_path / "runs"


def table(text):
    head, _, *lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return [dict(zip(head, line, strict=True)) for line in lines]


def printed(runs, *more):
    result = CliRunner().invoke(table_command, ["seeds", "--runs", str(runs), *more])
    assert result.exit_code == 0, result.output
    return result.output


def three(values):
    return " / ".join(f"{value:.3f}" for value in sorted(values))


@pytest.mark.parametrize(("at", "key"), [("half", "at_half"), ("validation", "at_validation_threshold")])
def test_extremes_and_median_over_the_seeds(runs, judged, at, key):
    lines = table(printed(runs, "--at", at))
    assert [line["Part"] for line in lines[::2]] == ["test", "unseen_sumatra", "unseen_haiti"]
    for line in lines[::2]:
        blocks = [metrics["evaluation"][line["Part"]] for metrics in judged.values()]
        assert (line["Model"], line["Variant"], line["Seeds"]) == ("vv_vh_ascending_60_12", "published", "0, 1, 2")
        for title, name in (("F1", "f1"), ("Precision", "precision"), ("Recall", "recall")):
            assert line[title] == three(block[key][name] for block in blocks)
        assert line["AP"] == three(block["average_precision"] for block in blocks)
        assert (line["Landslides"], line["Patches"]) == (str(blocks[0]["landslides"]), str(blocks[0]["patches"]))
        assert len({block[key]["f1"] for block in blocks}) == 3, "the seeds must differ, or this shows nothing"


def test_baseline_stands_beside_once(runs, judged):
    for line in table(printed(runs))[1::2]:
        block = judged[0]["evaluation"][line["Part"]]["baseline"]
        assert line["Source"] == "threshold and density"
        assert [line[t] for t in ("F1", "Precision", "Recall", "AP")] == [
            f"{block[name]:.3f}" for name in ("f1", "precision", "recall", "average_precision")
        ]


def test_threshold_of_the_tool_is_told_from_half(runs):
    assert printed(runs, "--at", "published") != printed(runs, "--at", "half")


def test_other_variants_values_and_data_are_not_mixed_in(runs, judged):
    write_run(runs, replace(MODEL, variant="paper"), judged[0])
    assert [(line["Variant"], line["Seeds"]) for line in table(printed(runs))[::6]] == [
        ("paper", "0"),
        ("published", "0, 1, 2"),
    ]
    write_run(runs, replace(MODEL, filters=64, seed=7), judged[0])
    write_run(runs, replace(MODEL, seed=0), judged[0], dataset="e" * 64)
    assert {(line["Variant"], line["Values"], line["Seeds"]) for line in table(printed(runs)) if line["Seeds"]} == {
        ("paper", "filters 32; data set dddddddddddd", "0"),
        ("published", "filters 32; data set dddddddddddd", "0, 1, 2"),
        ("published", "filters 64; data set dddddddddddd", "7"),
        ("published", "filters 32; data set eeeeeeeeeeee", "0"),
    }


def test_single_seed_is_a_plain_number(runs, judged, tmp_path):
    write_run(tmp_path / "one", MODEL, judged[0])
    f1 = judged[0]["evaluation"]["test"]["at_half"]["f1"]
    assert table(printed(tmp_path / "one"))[0]["F1"] == f"{f1:.3f}"


def test_file_says_the_command_that_gives_it_again(runs, tmp_path):
    out = tmp_path / "results" / "seeds.md"
    printed(runs, "--at", "published", "--out", str(out))
    text = out.read_text()
    command = text.splitlines()[0].strip("`").split()
    assert command[:4] == ["python", "-m", "training", "table"]
    out.unlink()
    assert CliRunner().invoke(table_command, command[4:]).exit_code == 0
    assert out.read_text() == text
    assert table(text) == table(printed(runs, "--at", "published"))


def test_columns_stand_below_each_other(runs):
    assert len({len(line) for line in printed(runs).splitlines()}) == 1


def test_no_run_and_a_broken_run_are_said(runs, tmp_path):
    (tmp_path / "none").mkdir()
    result = CliRunner().invoke(table_command, ["seeds", "--runs", str(tmp_path / "none")])
    assert result.exit_code == 1
    assert "no finished training" in result.output
    folder = next(iter(runs.iterdir()))
    for content in ("{", "{}", '{"evaluation": {"test": {}}}'):
        (folder / "metrics.json").write_text(content)
        result = CliRunner().invoke(table_command, ["seeds", "--runs", str(runs)])
        assert result.exit_code == 1
        assert folder.name in result.output
