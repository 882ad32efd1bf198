"""The command explains a model folder on a patch set on disk, and reports how complete its explanation is."""

import json
import re
import sys
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from training.dataset import Sample, dataset_for
from training.evaluation.evaluate import predict
from training.experiments import Experiment
from training.explanation import command
from training.explanation.choice import choose, choose_background, kinds_of
from training.explanation.command import explain_command
from training.explanation.ground import FILE
from training.model_folder import save_weights
from training.tests.easy_patches import write_easy_set
from training.tests.numpy_network import random_model

BANDS = ("postVV", "postVH", "diffVV", "diffVH")
FIGURES = {"figure5.png", "figure6.png", "figure7.png"}


def test_kinds_follow_from_score_and_label():
    kinds = kinds_of(np.array([0.9, 0.9, 0.1, 0.1, 0.6]), np.array([1, 0, 1, 0, 1]), 0.6)
    assert kinds.tolist() == ["TP", "FP", "FN", "TN", "FN"]


def test_patches_are_chosen_evenly_over_their_scores():
    scores = np.linspace(0, 1, 11)
    assert choose(np.array(["TP"] * 11), scores, "TP", 3).tolist() == [10, 5, 0]
    assert choose(np.array(["TP"] * 11), scores, "FN", 3).tolist() == []


def test_no_explained_patch_and_no_landslide_is_background():
    count = 300
    validation = Sample(
        patches=np.zeros((0, 64, 64, 4), np.float16), bands=(0, 1, 2, 3), index=np.arange(1000, 1000 + count),
        label=(np.arange(count) % 3 == 0).astype(np.float32), scene=np.zeros(count, int), event=np.full(count, "papua"),
    )  # fmt: skip
    explained = np.arange(1000, 1090)
    chosen = choose_background(validation, explained)
    assert len(chosen) == 64
    assert not validation.label[chosen].any()
    assert not np.isin(validation.index[chosen], explained).any()
    assert (chosen[0], chosen[-1]) == (91, 299)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A set of three events, of which the model learnt from one; a landslide's slope says which one it is."""
    root = tmp_path_factory.mktemp("explain")
    write_easy_set(root / "60-12", events=("hokkaido", "papua", "haiti"))
    dataset = dataset_for(root, 60, 12)
    rows = dataset.rows("ASCENDING")
    slopes = np.repeat(np.linspace(1, 60, len(rows)), 64 * 64).reshape(-1, 64, 64)
    scar = np.zeros(slopes.shape, bool)
    scar[rows["label"] == 1, 16:40, 16:40] = True
    distorted = np.zeros(slopes.shape, bool)
    distorted[:, 16:20] = True
    np.savez(
        root / "60-12" / FILE, slope_deg=slopes, aspect_deg=slopes, scar=scar, distorted_ascending=distorted,
        **{name: rows[name] for name in ("event", "scene", "row", "column")},
    )  # fmt: skip
    model = random_model(seed=1, filters=4, mean=[-12.0, -12.0, 0.0, 0.0], std=[0.5] * 4)
    test = dataset.select("test", "ASCENDING", events=("hokkaido",))
    scores = predict(model, test)
    card = {
        "name": "vv_vh_ascending_60_12", "version": 1, "variant": "published", "filters": 4, "bands": list(BANDS),
        "standardisation": {"mean": dict(zip(BANDS, [-12.0, -12.0, 0.0, 0.0], strict=True)), "std": dict.fromkeys(BANDS, 0.5)},
        "threshold": float(np.median(scores[test.label == 1])), "fill_db": dict.fromkeys(BANDS, 0.0),
        "pixel_geometry": "utm_10m", "scored_on": {"kind": "easy"},
        "training": {
            "events": ["hokkaido", "milin"],
            "experiment": asdict(Experiment(polarisation="vv_vh", orbit_pass="ASCENDING", filters=4)),
        },
    }  # fmt: skip
    save_weights(model, root / "model", card, dtype=np.float32)
    found = (scores > card["threshold"]) & (test.label == 1)
    missed = ~found & (test.label == 1)
    assert found.any()
    assert missed.any()
    slope = dict(zip(rows[["row", "column"]][rows["event"] == "hokkaido"].tolist(), slopes[:, 0, 0], strict=False))
    under = np.array([slope[key] for key in test.rows[["row", "column"]].tolist()])
    return SimpleNamespace(root=root, dataset=dataset, tp=under[found], fn=under[missed])


def explain_(places, out, *options):
    arguments = [str(places.root / "model"), "--data", str(places.root), "--out", str(out), "--each", "1", *options]
    return CliRunner().invoke(explain_command, arguments)


@pytest.fixture(scope="module")
def done(places):
    result = explain_(places, places.root / "out")
    assert result.exit_code == 0, result.output
    return result, json.loads((places.root / "out" / "explanation.json").read_text())


def test_explanation_comes_with_figures_and_its_error(places, done):
    result, report = done
    assert report["events"] == ["hokkaido"]
    assert 0 <= report["completeness_error"] < 0.05
    assert report["is_complete"] is True
    (told,) = re.findall(r"completeness error (\S+) %", result.stdout)
    assert float(told) == pytest.approx(100 * report["completeness_error"], abs=0.01)
    errors = [patch["completeness_error"] for patch in report["patches"]]
    assert report["largest_completeness_error"] == max(errors) >= report["completeness_error"]
    assert f"of a single patch at most {100 * max(errors):.1f} %" in result.stdout
    gaps = np.array([patch["gap"] for patch in report["patches"]])
    logits = np.array([np.log(patch["score"] / (1 - patch["score"])) for patch in report["patches"]])
    np.testing.assert_allclose(errors, np.abs(gaps / (logits - report["background_logit"])), atol=2e-3)
    assert set(report["band_shares"]) == {"TP", "FP", "FN"}
    assert all(sum(shares.values()) == pytest.approx(1, abs=1e-3) for shares in report["band_shares"].values())
    assert {file.name for file in (places.root / "out").iterdir()} == FIGURES | {"explanation.json"}
    assert "32 steps, patch 3 of 3" in result.stderr


def test_slopes_of_found_and_missed_landslides_are_not_mixed_up(places, done):
    found = done[1]["slope_and_aspect"]
    visible = 20 * 24  # pixels of each landslide: four of its 24 rows lie in layover or shadow
    assert found["without_layover_and_shadow"] is True
    for name, slopes in (("tp", places.tp), ("fn", places.fn), ("all", np.concatenate([places.tp, places.fn]))):
        assert found[name]["pixels"] == visible * len(slopes)
        assert found[name]["median_slope_deg"] == pytest.approx(np.median(slopes), abs=0.06)


@pytest.fixture
def poor_shap(monkeypatch):
    """A `shap` that explains nothing; what it was given lies in `backgrounds`."""
    backgrounds = []

    class GradientExplainer:
        def __init__(self, network, background):
            backgrounds.append(background)

        def shap_values(self, patches, *, nsamples, rseed):
            return np.full((*patches.shape, 1), 1e-12, np.float32)

    monkeypatch.setitem(sys.modules, "shap", SimpleNamespace(GradientExplainer=GradientExplainer))
    return backgrounds


def assert_calm(places, backgrounds):
    """Assert that there was one background, of ground without landslides in the validation part of the event that was learnt."""
    validation = places.dataset.select("validation", "ASCENDING", events=("hokkaido",))
    calm = validation.take(np.nonzero(validation.label == 0)[0])
    (background,) = backgrounds
    assert len(background) > 5
    assert {patch.tobytes() for patch in background} <= {patch.tobytes() for patch in calm}


def test_incomplete_explanation_is_written_and_ends_with_an_error(places, tmp_path, poor_shap):
    result = explain_(places, tmp_path, "--method", "shap")
    assert result.exit_code == 1
    assert "completeness error 100.00 %, of a single patch at most 100.0 %: the mean is not below 5 %" in result.stderr
    assert {file.name for file in tmp_path.iterdir()} == FIGURES | {"explanation.json"}
    report = json.loads((tmp_path / "explanation.json").read_text())
    assert (report["is_complete"], report["completeness_error"], report["steps"]) == (False, 1, None)
    assert_calm(places, poor_shap)


@pytest.mark.parametrize(("part", "event"), [("validation", "hokkaido"), ("unseen", "haiti")])
def test_background_stays_in_the_validation_part_of_learnt_events(places, tmp_path, poor_shap, part, event):
    explain_(places, tmp_path, "--method", "shap", "--part", part, "--no-ground")
    report = json.loads((tmp_path / "explanation.json").read_text())
    assert report["events"] == [event]
    assert {patch["event"] for patch in report["patches"]} == {event}
    assert_calm(places, poor_shap)


def test_help_of_shap_says_what_error_to_expect():
    text = " ".join(CliRunner().invoke(explain_command, ["--help"]).output.split())
    assert "completeness error of 20 to 40 % from its 200 samples" in text


def test_absent_shap_is_said(places, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    result = explain_(places, tmp_path, "--method", "shap", "--no-ground")
    assert result.exit_code == 1
    assert "pip install shap" in result.output


def test_outlines_in_the_figures_are_those_of_their_own_patches(places, tmp_path, poor_shap, monkeypatch):
    drawn = []
    monkeypatch.setattr(command, "_draw", lambda *given: drawn.append((given[2].rows[given[3]], given[8])))
    monkeypatch.setattr(command, "figure_7", lambda *_: None)
    monkeypatch.setattr(command, "save", lambda figure, path: path.parent.mkdir(exist_ok=True))
    explain_(places, tmp_path / "out", "--method", "shap")
    ((rows, ground),) = drawn
    own = command.ground_under(places.root / "60-12", {}, rows, "ASCENDING")
    np.testing.assert_array_equal(ground.slope_deg, own.slope_deg)
