"""The command explains a model folder on a patch set on disk, and reports how complete its explanation is."""

import json
import re

import pytest
from click.testing import CliRunner

from training.explanation.command import choose, explain_command, kinds_of
from training.export import save_weights
from training.sources.simulated import Recipe, build
from training.tests.numpy_network import np, random_model

BANDS = ("postVV", "postVH", "diffVV", "diffVH")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("explain")
    list(
        build(Recipe(events=("hokkaido",), scenes_per_event=2, unseen_scenes_per_event=0, scene_px=256), root / "60-12")
    )
    card = {
        "name": "vv_vh_descending_60_12", "version": 1, "variant": "published", "filters": 8, "bands": list(BANDS),
        "standardisation": {"mean": [-9.0, -16.0, 0.0, 0.0], "std": [4.0] * 4}, "threshold": 0.6,
        "fill_db": dict.fromkeys(BANDS, 0.0),
    }  # fmt: skip
    model = random_model(seed=1, filters=8, mean=card["standardisation"]["mean"], std=card["standardisation"]["std"])
    save_weights(model, root / "model", card)
    return root


def test_kinds_follow_from_score_and_label():
    kinds = kinds_of(np.array([0.9, 0.9, 0.1, 0.1, 0.6]), np.array([1, 0, 1, 0, 1]), 0.6)
    assert kinds.tolist() == ["TP", "FP", "FN", "TN", "FN"]


def test_patches_are_chosen_evenly_over_their_scores():
    scores = np.linspace(0, 1, 11)
    assert choose(np.array(["TP"] * 11), scores, "TP", 3).tolist() == [10, 5, 0]
    assert choose(np.array(["TP"] * 11), scores, "FN", 3).tolist() == []


def test_explanation_comes_with_figures_and_its_error(places):
    arguments = [str(places / "model"), "--data", str(places), "--out", str(places / "out"), "--each", "1"]
    result = CliRunner().invoke(explain_command, arguments)
    assert result.exit_code == 0, result.output
    report = json.loads((places / "out" / "explanation.json").read_text())
    assert 0 <= report["completeness_error"] < 0.05
    (told,) = re.findall(r"completeness error (\S+) %", result.output)
    assert float(told) == pytest.approx(100 * report["completeness_error"], abs=0.01)
    assert set(report["band_shares"]) <= {"TP", "FP", "FN"}
    assert all(sum(shares.values()) == pytest.approx(1, abs=1e-3) for shares in report["band_shares"].values())
    assert report["slope_and_aspect"]["all"]["pixels"] > 0
    assert {"figure6.png", "figure7.png"} <= {file.name for file in (places / "out").iterdir()}


def test_absent_shap_is_said(places):
    arguments = [
        str(places / "model"),
        "--data",
        str(places),
        "--out",
        str(places / "o"),
        "--each",
        "1",
        "--method",
        "shap",
    ]
    result = CliRunner().invoke(explain_command, arguments)
    assert result.exit_code == 1
    assert "pip install shap" in result.output
