"""The paper's printed numbers hold together, and our tables set them beside what the runs say, and nothing where none ran."""

import hashlib
import json
from dataclasses import asdict

import numpy as np
import pytest
from click.testing import CliRunner

from training.evaluation.band_sets import NINE, SIX
from training.evaluation.curve_figures import curves_command
from training.evaluation.curves import precision_recall, reliability
from training.evaluation.figure_2 import figure_2
from training.evaluation.published import FILE, read_published
from training.evaluation.runs import best_on_validation, median_and_spread, read_runs
from training.evaluation.scores import MEASURES, Scores
from training.evaluation.table_command import table_command
from training.experiments import WINDOWS, Experiment

# Whole numbers from which every printed figure of Table 5 follows: true positives, false positives, false negatives, true negatives.
COUNTS = {
    ("sumatra", "DESCENDING"): (60, 23, 29, 889),
    ("sumatra", "ASCENDING"): (74, 23, 20, 851),
    ("haiti", "DESCENDING"): (220, 50, 242, 4570),
    ("haiti", "ASCENDING"): (254, 87, 214, 4593),
}


COMPARED = "dcb43019371a68c17b8897836b82c2ee37b98a5343f80f99c34dde94a5f6cec3"
"""SHA-256 of `published.csv` when all its 228 rows were held against the lines of the paper that they name."""


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


def test_printed_numbers_are_those_that_were_compared_with_the_paper():
    """Whoever corrects a number compares it with the paper and changes the hash; two rows that change places change it, too."""
    assert hashlib.sha256(FILE.read_bytes()).hexdigest() == COMPARED


def test_cnn_of_table_a1_is_the_ascending_row_of_table_a2():
    cnn = read_published("A1")[0]
    twin = next(r for r in read_published("A2") if (r.orbit_pass, r.stack) == ("ASCENDING", "60-12"))
    assert (cnn.values, cnn.spreads) == (twin.values, twin.spreads)


def block(f1, **more):
    values = {**dict.fromkeys(MEASURES, f1), "intervals_95": {m: [f1 - 0.02, f1 + 0.03] for m in MEASURES}}
    subthreshold = {**values, "at_half": {**values, "f1": f1 / 2}, "baseline": values}
    return {
        **values, "at_half": values, "at_validation_threshold": values, "average_precision": f1,
        "subthreshold_as_background": subthreshold, **more,
    }  # fmt: skip


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
            "validation": block(0.1 * number),
            "validation_as_tested": block(validation),
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
    """The validation part at the ratio of the test part: at their own ratios, third would be best."""
    found = read_runs([runs])
    assert max(found, key=lambda run: run.measure("validation", "f1", "half")).experiment.imbalance == 6
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
    assert lines[1][11:] == ["0.530 to 0.580", "0.275", "simulated, over imbalance"]
    assert lines[2][10:] == ["50.00", "0.480 to 0.530", "0.550", "simulated, over imbalance"]


def written(folder, *, polarisation="vv", orbit_pass="ASCENDING", stack=(60, 12), learnt=SIX, f1, **values):
    pre_days, post_days = stack
    experiment = Experiment(
        polarisation=polarisation, orbit_pass=orbit_pass, pre_days=pre_days, post_days=post_days, **values
    )
    folder = folder / experiment.run_id("d")
    folder.mkdir(parents=True)
    evaluation = {
        "data": "simulated",
        "validation_as_tested": block(f1),
        "test": block(f1, baseline=block(0.5), patches=9, landslides=3),
    }
    (folder / "config.json").write_text(json.dumps({"experiment": asdict(experiment), "dataset": "d" * 64}))
    (folder / "history.json").write_text(json.dumps({"events": sorted(learnt)}))
    (folder / "metrics.json").write_text(json.dumps({"evaluation": evaluation}))
    return folder


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
    assert (three[3], three[-2:]) == ("3", ["60.00 ± 7.6", "simulated, over seed"])
    (nine,) = (x for x in printed("4", both) if x[:3] == ["vv", "ascending", "ours, best on validation"])
    assert (nine[10], nine[-1]) == ("45.00", "simulated")


def test_runs_on_other_events_are_said_to_be_so(tmp_path):
    written(tmp_path / "runs", learnt=SIX, f1=0.7)
    (line,) = (x for x in printed("4", tmp_path / "runs") if x[:3] == ["vv", "ascending", "ours, best on validation"])
    assert (line[10], line[-1]) == ("70.00", "simulated, learnt from 6 events, not the paper's 9")


def test_unseen_events_are_scored_by_the_chosen_model(runs):
    lines = [line for line in printed("5", runs) if line[:2] == ["sumatra", "ascending"]]
    assert lines[1][2:6] == ["ours, best on validation", "100", "10", "0.2750"]
    assert [line for line in printed("5", runs) if line[:2] == ["haiti", "ascending"]][1][3:5] == ["", ""]


@pytest.mark.parametrize(
    ("name", "event"), [("pasaman_2022", "sumatra"), ("us6000f65h", "haiti"), ("haiti-2021", "haiti")]
)
def test_unseen_events_are_found_by_any_of_their_names(runs, name, event):
    for file in runs.rglob("metrics.json"):
        metrics = json.loads(file.read_text())
        metrics["evaluation"][f"unseen_{name}"] = metrics["evaluation"].pop("unseen_sumatra")
        file.write_text(json.dumps(metrics))
    by_event = {line[0]: line for line in printed("5", runs) if line[1:3] == ["ascending", "ours, best on validation"]}
    assert {found: line[3:6] for found, line in by_event.items() if line[3]} == {event: ["100", "10", "0.2750"]}


def test_table_of_architectures_and_csv(runs, tmp_path):
    assert [line[1] for line in printed("A1", runs) if line[0] == "cnn"][1:] == [
        "ours, median ± sd",
        "ours, best on validation",
    ]
    printed("A3", runs, "--out", str(tmp_path / "a3.csv"))
    assert len((tmp_path / "a3.csv").read_text().splitlines()) == 61


def test_figure_2_is_drawn(runs, tmp_path):
    printed("figure2", runs, "--out", str(tmp_path / "f.png"))
    assert (tmp_path / "f.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_figure_2_shows_the_printed_and_our_medians_where_they_belong(tmp_path):
    written(tmp_path, polarisation="vv_vh", stack=(12, 12), orbit_pass="DESCENDING", f1=0.7)
    written(tmp_path, polarisation="vv", stack=(60, 12), f1=0.5)
    figure = figure_2(read_runs([tmp_path]), "half")
    assert [panel.get_title() for panel in figure.axes] == ["VV and VH", "VV"]
    stacks = [label.get_text() for label in figure.axes[-1].get_xticklabels()]  # shared
    for panel, table, ours in zip(
        figure.axes, ("A2", "A3"), (("descending", "12-12", 70), ("ascending", "60-12", 50)), strict=True
    ):
        drawn = {}
        for bars in panel.containers:
            x, y = bars.lines[0].get_data()
            drawn[bars.get_label()] = {stacks[round(place)]: value for place, value in zip(x, y, strict=True)}
        for orbit_pass in ("ascending", "descending"):
            rows = [row for row in read_published(table) if row.orbit_pass == orbit_pass.upper()]
            expected = {row.stack: pytest.approx(float(row.values["f1"])) for row in rows}
            assert drawn.pop(f"{orbit_pass}, paper (median ± sd of 24)") == expected
        orbit_pass, stack, f1 = ours
        assert drawn == {f"{orbit_pass}, ours (median ± sd)": {stack: pytest.approx(f1)}}


def test_networks_of_several_kinds_are_never_thrown_together(tmp_path):
    """Two variants and three seeds: one median over all of them would be of no network at all."""
    for seed, f1 in enumerate((0.5, 0.6, 0.7)):
        written(tmp_path, polarisation="vv_vh", seed=seed, f1=f1)
        written(tmp_path, polarisation="vv_vh", seed=seed, variant="paper", f1=f1 / 2)
    ours = [x for x in printed("A2", tmp_path) if x[:3] == ["ascending", "60-12", "ours, median ± sd"]]
    assert [(x[3], x[7], x[8]) for x in ours] == [
        ("3", "30.00 ± 5.0", "simulated, variant paper, over seed"),
        ("3", "60.00 ± 10.0", "simulated, variant published, over seed"),
    ]
    four = [x for x in printed("4", tmp_path) if x[:3] == ["vv_vh", "ascending", "ours, best on validation"]]
    assert [x[10] for x in four] == ["35.00", "70.00"]
    for name in ("R12", "figure2"):
        arguments = [name, "--runs", str(tmp_path), "--out", str(tmp_path / "x.png")]
        result = CliRunner().invoke(table_command, arguments)
        assert result.exit_code == 1
        assert "differ in variant: paper, published; choose with --where" in result.output
        assert CliRunner().invoke(table_command, [*arguments, "--where", "variant=paper"]).exit_code == 0
    one = printed("A2", tmp_path, "--where", "variant=paper", "--where", "seed=2")
    assert [x[7:9] for x in one if x[:3] == ["ascending", "60-12", "ours, median ± sd"]] == [["35.00", "simulated"]]
    wrong = CliRunner().invoke(table_command, ["A2", "--runs", str(tmp_path), "--where", "colour=red"])
    assert wrong.exit_code == 2
    assert "there is no value 'colour'; there are polarisation" in wrong.output


def test_model_folders_are_read_from_their_cards(tmp_path):
    experiment = Experiment(polarisation="vv_vh", orbit_pass="ASCENDING", seed=5)
    evaluation = {
        "data": "simulated",
        "validation_as_tested": block(0.6),
        "test": block(0.66, baseline=block(0.5), patches=9, landslides=3),
    }
    card = {
        "name": experiment.model_name, "variant": "published", "filters": 32, "evaluation": evaluation,
        "training": {"experiment": asdict(experiment), "events": sorted(SIX)}, "scored_on": {"identity": "d" * 64},
    }  # fmt: skip
    never = {**card, "imported": {}, "evaluation": None}
    for folder, body in (("trained", card), ("imported, never scored", never), ("SavedModel/1", card)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "card.json").write_text(json.dumps(body))
        if folder != "SavedModel/1":
            (tmp_path / folder / "weights.npz").write_bytes(b"")
    (run,) = read_runs([tmp_path])
    assert (run.experiment, run.dataset, run.learnt_from) == (experiment, "d" * 64, SIX)
    assert printed("seeds", tmp_path)[2][:5] == ["vv_vh_ascending_60_12", "published", "test", "network", "5"]
    # its own training beside it is the same model, not another one
    run = written(tmp_path / "runs", polarisation="vv_vh", learnt=SIX, f1=0.6)
    card["training"]["run"] = run.name
    (tmp_path / "trained" / "card.json").write_text(json.dumps(card))
    (one,) = read_runs([tmp_path])
    assert one.folder == run


def test_imported_weights_stand_apart_and_claim_no_values(tmp_path):
    evaluation = {
        "data": "simulated", "validation_as_tested": block(0.9),
        "test": block(0.66, baseline=block(0.5), patches=9, landslides=3),
    }  # fmt: skip
    card = {
        "name": "vv_vh_ascending_60_12", "variant": "published", "filters": 64, "evaluation": evaluation, "imported": {},
        "scored_on": {"identity": "d" * 64},
    }  # fmt: skip
    (tmp_path / "released").mkdir()
    (tmp_path / "released" / "weights.npz").write_bytes(b"")
    (tmp_path / "released" / "card.json").write_text(json.dumps(card))
    written(tmp_path / "runs", polarisation="vv_vh", learnt=SIX, f1=0.5)
    ours = [x for x in printed("A2", tmp_path) if x[:3] == ["ascending", "60-12", "ours, median ± sd"]]
    assert [(x[3], x[7]) for x in ours] == [("1", "66.00"), ("1", "50.00")]
    assert "weights imported" in ours[0][8]
    assert "events unknown" in ours[0][8]
    four = [x for x in printed("4", tmp_path) if x[:3] == ["vv_vh", "ascending", "ours, best on validation"]]
    assert [x[3:7] for x in four] == [["", "64", "", ""], ["5", "32", "0.5", "0.001"]]
    seeds = [x[5:7] for x in printed("seeds", tmp_path) if x[4] == "network"]
    assert sorted(seeds) == [["", "0.660"], ["0", "0.500"]]


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


def test_baseline_of_an_unseen_event_is_not_the_network(runs):
    ours, base = (
        line for line in printed("5", runs)[2:] if line[:2] == ["sumatra", "ascending"] and line[2] != "paper"
    )
    assert (ours[5], base[2], base[5]) == ("0.2750", "threshold and density", "0.4000")


def test_small_slides_count_for_the_baseline_as_the_baseline_finds_them(runs):
    for file in runs.rglob("metrics.json"):
        metrics = json.loads(file.read_text())
        metrics["evaluation"]["test"]["subthreshold_as_background"]["baseline"]["f1"] = 0.123
        file.write_text(json.dumps(metrics))
    lines = [line for line in printed("4", runs) if line[:2] == ["vv_vh", "ascending"]]
    assert lines[2][12] == "0.123"


def test_a_table_is_of_the_threshold_that_was_asked_for(runs):
    for file in runs.rglob("metrics.json"):
        metrics = json.loads(file.read_text())
        metrics["evaluation"]["test"]["f1"] = 0.111
        file.write_text(json.dumps(metrics))
    ours = [x for x in printed("A2", runs, "--at", "published") if x[:2] == ["ascending", "60-12"]][1:]
    assert [line[7] for line in ours] == ["11.10 ± 0.0", "11.10"]
