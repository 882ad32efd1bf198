"""A card takes what the real quiet series said of its own weights, and of no others."""

import json

import keras
import pytest
from click.testing import CliRunner

from training import networks
from training.evaluation.quiet_series import note_alarms, quiet_series_command
from training.model_folder import UnusableModel, read_card, save_weights

BY_DATE = [
    {"date": "2022-12-14", "windows": 151, "alarms": 0, "detections": 0},
    {"date": "2022-12-26", "windows": 151, "alarms": 7, "detections": 4},
]


@pytest.fixture
def model(tmp_path):
    card = {"name": "m", "bands": ["postVV", "diffVV"], "architecture": "cnn", "variant": "published", "filters": 2, "dropout": 0.5,
            "standardisation": None}  # fmt: skip
    keras.utils.set_random_seed(0)
    save_weights(networks.cnn(bands=2, filters=2), tmp_path / "m", card)
    return tmp_path / "m"


def alarms(tmp_path, sha256):
    path = tmp_path / "alarms.json"
    found = {
        "model": {"name": "m", "sha256": sha256},
        "windows": 302,
        "alarms": 7,
        "interval_95_of_share_if_independent": [0.0113, 0.0471],
    }
    path.write_text(json.dumps({**found, "by_date": BY_DATE}))
    return path


def test_counts_and_interval_are_noted_and_the_card_stays_valid(tmp_path, model):
    before = read_card(model)
    result = CliRunner().invoke(quiet_series_command, [str(alarms(tmp_path, before["sha256"])), str(model)])
    assert result.exit_code == 0, result.output
    after = read_card(model)
    note = after.pop("quiet_series")
    assert after == before
    assert (note["windows"], note["alarms"], note["interval_95_of_share_if_independent"]) == (302, 7, [0.0113, 0.0471])
    assert note["dates_with_alarms"] == {"2022-12-26": [7, 151]}


def test_alarms_of_other_weights_are_refused(tmp_path, model):
    before = (model / "card.json").read_bytes()
    with pytest.raises(UnusableModel, match="tells of weights 000000000000"):
        note_alarms(alarms(tmp_path, "0" * 64), model)
    assert (model / "card.json").read_bytes() == before
