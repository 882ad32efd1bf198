"""The paper's printed numbers hold together, and our tables set them beside what the runs say, and nothing where none ran."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from click.testing import CliRunner

from training.evaluation.band_sets import NINE, SIX
from training.evaluation.curve_figures import curves_command
from training.evaluation.curves import precision_recall, reliability
from training.evaluation.published import read_published
from training.evaluation.runs import best_on_validation, median_and_spread, read_runs
from training.evaluation.scores import MEASURES, Scores
from training.evaluation.tables import table_command
from training.experiments import WINDOWS, Experiment

# Whole numbers from which every printed figure of Table 5 follows: true positives, false positives, false negatives, true negatives.
COUNTS = {
    ("sumatra", "DESCENDING"): (60, 23, 29, 889),
    ("sumatra", "ASCENDING"): (74, 23, 20, 851),
    ("haiti", "DESCENDING"): (220, 50, 242, 4570),
    ("haiti", "ASCENDING"): (254, 87, 214, 4593),
}


@pytest.mark.parametrize("row", read_published("5"), ids=lambda row: f"{row.event}-{row.orbit_pass}")
def test_counts_give_every_number_of_table_5_to_four_decimals(row):
    tp, fp, fn, tn = COUNTS[row.event, row.orbit_pass]
    scores = Scores(true_positives=tp, false_positives=fp, false_negatives=fn, true_negatives=tn)
    assert (tp + fn, fp + tn) == (int(row.values["positives"]), int(row.values["negatives"]))
    assert {name: f"{getattr(scores, name):.4f}" for name in MEASURES} == {name: row.values[name] for name in MEASURES}


@pytest.mark.parametrize("row", read_published("4"), ids=lambda row: f"{row.polarisation}-{row.orbit_pass}")
def test_f1_of_table_4_is_the_harmonic_mean_of_its_precision_and_recall(row):
    precision, recall = row.share("precision"), row.share("recall")
    assert 2 * precision * recall / (precision + recall) == pytest.approx(row.share("f1"), abs=1.01e-4)


def test_published_rows_are_complete():
    assert [len(read_published(table)) for table in ("4", "5", "A1", "A2", "A3")] == [4, 4, 3, 20, 20]
    stacks = [f"{pre}-{post}" for pre, post in WINDOWS]
    for table in ("A2", "A3"):
        for orbit_pass in ("ASCENDING", "DESCENDING"):
            rows = [row for row in read_published(table) if row.orbit_pass == orbit_pass]
            assert sorted(row.stack for row in rows) == sorted(stacks)
            assert all(set(row.values) == set(row.spreads) == set(MEASURES) for row in rows)
    assert read_published("A2")[9].suspect  # T5: the mislabelled row
    assert {row.stack for row in read_published("A2") if row.suspect} == {"24-24", "48-48", "60-60"}


def test_cnn_of_table_a1_is_the_ascending_row_of_table_a2():
    cnn = read_published("A1")[0]
    twin = next(r for r in read_published("A2") if (r.orbit_pass, r.stack) == ("ASCENDING", "60-12"))
    assert (cnn.values, cnn.spreads) == (twin.values, twin.spreads)


def block(f1, **more):
    values = dict.fromkeys(MEASURES, f1)
    return {**values, "at_half": values, "at_validation_threshold": values, "average_precision": f1, **more}


@pytest.fixture
def runs(tmp_path):
    """Three trainings of one model; the best on the test part is not the best on validation."""
    for number, (validation, test) in enumerate([(0.7, 0.60), (0.8, 0.55), (0.6, 0.90)]):
        folder = tmp_path / "runs" / f"r{number}"
        folder.mkdir(parents=True)
        experiment = Experiment(
            polarisation="vv_vh", orbit_pass="ASCENDING", imbalance=4 + number, learning_rate=1e-4, batch_size=512
        )
        evaluation = {
            "data": "simulated",
            "validation": block(validation),
            "test": block(test, baseline=block(0.5)),
            "unseen_sumatra": block(test / 2, baseline=block(0.4), patches=110, landslides=10),
        }
        (folder / "config.json").write_text(json.dumps({"experiment": asdict(experiment), "dataset": "d" * 64}))
        (folder / "history.json").write_text(json.dumps({"events": sorted(SIX)}))
        (folder / "metrics.json").write_text(json.dumps({"evaluation": evaluation}))
    (tmp_path / "runs" / "unfinished").mkdir()
    (tmp_path / "runs" / "unfinished" / "config.json").write_text("{}")
    return tmp_path / "runs"


def test_validation_chooses_and_the_median_counts_all(runs):
    found = read_runs([runs])
    assert len(found) == 3
    assert best_on_validation(found, "half").measure("test", "f1", "half") == 0.55
    assert median_and_spread(found, "f1", "half") == (0.6, pytest.approx(0.1893, abs=1e-4))


def printed(name, runs, *more):
    result = CliRunner().invoke(table_command, [name, "--runs", str(runs), *more])
    assert result.exit_code == 0, result.output
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in result.output.splitlines()]


def test_table_sets_ours_beside_the_paper_and_leaves_the_rest_empty(runs):
    lines = [line for line in printed("A2", runs) if line[:2] == ["ascending", "60-12"]]
    assert [line[2:5] for line in lines] == [
        ["paper", "24", "96.04 ± 0.2"],
        ["ours, median ± sd", "3", "60.00 ± 18.9"],
        ["ours, best on validation", "1", "55.00"],
    ]
    other = [line for line in printed("A2", runs) if line[:2] == ["descending", "12-12"]]
    assert other[1][2:] == ["ours, median ± sd", "0", "", "", "", "", ""]


def test_best_models_come_with_their_values_and_the_baseline(runs):
    lines = [line for line in printed("4", runs) if line[:2] == ["vv_vh", "ascending"]]
    assert lines[0][2:8] == ["paper", "6", "32", "0.7", "0.001", "96.49"]
    assert lines[1][2:8] == ["ours, best on validation", "5", "32", "0.5", "0.0001", "55.00"]
    assert lines[2][-2:] == ["50.00", "simulated"]


def written(folder, *, polarisation="vv", orbit_pass="ASCENDING", stack=(60, 12), seed=0, events=(), learnt=SIX, f1):
    experiment = Experiment(
        polarisation=polarisation,
        orbit_pass=orbit_pass,
        pre_days=stack[0],
        post_days=stack[1],
        seed=seed,
        events=events,
    )
    folder = folder / experiment.run_id("d")
    folder.mkdir(parents=True)
    evaluation = {"data": "simulated", "validation": block(f1), "test": block(f1, baseline=block(0.5))}
    (folder / "config.json").write_text(json.dumps({"experiment": asdict(experiment), "dataset": "d" * 64}))
    (folder / "history.json").write_text(json.dumps({"events": sorted(learnt)}))
    (folder / "metrics.json").write_text(json.dumps({"evaluation": evaluation}))


@pytest.fixture
def both(tmp_path):
    """VV on six (restricted: the set has nine), on nine and on one event; VV and VH on six."""
    folder = tmp_path / "both"
    for seed, f1 in enumerate((0.5, 0.6, 0.65)):
        written(folder, events=tuple(sorted(SIX)), learnt=SIX, seed=seed, f1=f1)
    written(folder, learnt=NINE, f1=0.45)
    written(folder, events=("papua",), learnt={"papua"}, f1=0.99)
    written(folder, polarisation="vv_vh", learnt=SIX, f1=0.8)
    written(folder, polarisation="vv_vh", orbit_pass="DESCENDING", stack=(12, 12), learnt=SIX, f1=0.7)
    return folder


def test_six_and_nine_events_are_those_of_table_1():
    assert {"papua", "lombok", "hokkaido", "mesetas", "milin", "luding"} == SIX
    assert SIX | {"capellades", "kaikoura", "gorkha"} == NINE


def test_band_sets_are_compared_on_the_same_events_beside_the_paper(both):
    head, _, *lines = printed("R12", both)
    assert head[2:6] == ["Source", "VV, six events", "VV, nine events", "VV and VH, six events"]
    assert len(lines) == 2 * 2 * len(WINDOWS)
    cells = {tuple(line[:3]): line[3:6] for line in lines}
    assert cells["60-12", "ascending", "paper"] == ["60.51 ± 13.7", "57.31", "80.94 ± 1.3"]
    assert cells["60-12", "ascending", "ours"] == ["60.00 ± 7.6 (3)", "45.00 (1)", "80.00 (1)"]
    assert cells["12-12", "descending", "paper"] == ["61.66 ± 2.4", "", "76.30 ± 1.9"]
    assert cells["12-12", "descending", "ours"] == ["", "", "70.00 (1)"]
    empty = [key for key, values in cells.items() if key[2] == "ours" and values == ["", "", ""]]
    assert len(empty) == 2 * len(WINDOWS) - 2
    remarks = {tuple(line[:3]): line[6] for line in lines}
    assert remarks["60-12", "ascending", "ours"] == "simulated"
    assert "probably copied" in remarks["24-24", "ascending", "paper"]


def test_rows_of_the_paper_take_the_runs_that_learnt_from_their_events(both):
    (three,) = (x for x in printed("A3", both) if x[:3] == ["ascending", "60-12", "ours, median ± sd"])
    assert (three[3], three[-2:]) == ("3", ["60.00 ± 7.6", "simulated"])
    (nine,) = (x for x in printed("4", both) if x[:3] == ["vv", "ascending", "ours, best on validation"])
    assert nine[-2:] == ["45.00", "simulated"]


def test_runs_on_other_events_are_said_to_be_so(tmp_path):
    written(tmp_path / "runs", learnt=SIX, f1=0.7)
    (line,) = (x for x in printed("4", tmp_path / "runs") if x[:3] == ["vv", "ascending", "ours, best on validation"])
    assert line[-2:] == ["70.00", "simulated, learnt from 6 events, not the paper's 9"]


def test_unseen_events_are_scored_by_the_chosen_model(runs):
    lines = [line for line in printed("5", runs) if line[:2] == ["sumatra", "ascending"]]
    assert lines[1][2:6] == ["ours, best on validation", "100", "10", "0.2750"]
    assert [line for line in printed("5", runs) if line[:2] == ["haiti", "ascending"]][1][3:5] == ["", ""]


def test_table_of_architectures_and_csv(runs, tmp_path):
    assert [line[1] for line in printed("A1", runs) if line[0] == "cnn"][1:] == [
        "ours, median ± sd",
        "ours, best on validation",
    ]
    printed("A3", runs, "--out", str(tmp_path / "a3.csv"))
    assert len((tmp_path / "a3.csv").read_text().splitlines()) == 61


def test_figure_2_is_drawn_with_and_without_runs(runs, tmp_path):
    (tmp_path / "none").mkdir()
    for folder in (runs, tmp_path / "none"):
        printed("figure2", folder, "--out", str(tmp_path / "f.png"))
        assert (tmp_path / "f.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_curves_are_drawn_from_what_a_run_wrote(tmp_path):
    label = np.arange(200) % 4 == 0
    score = np.clip(np.random.default_rng(0).normal(0.3 + 0.4 * label, 0.2), 0, 1)
    curve = precision_recall(score, label)
    drawn = {"precision_recall": curve, "baseline_precision_recall": curve}
    drawn |= {name: reliability(score, label) for name in ("reliability", "reliability_platt")}
    judged = {
        "evaluation": {"data": "simulated", "threshold": 0.6, "test": block(0.5, patches=200, landslides=50)},
        "curves": {"test": drawn},
    }
    (tmp_path / "metrics.json").write_text(json.dumps(judged))
    arguments = [str(tmp_path / "metrics.json"), "--out", str(tmp_path / "c.png")]
    assert CliRunner().invoke(curves_command, arguments).exit_code == 0
    assert (tmp_path / "c.png").stat().st_size > 20_000
    (tmp_path / "metrics.json").write_text("{}")
    assert "older release" in CliRunner().invoke(curves_command, arguments).output
