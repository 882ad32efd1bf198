"""One training by the command of the campaigns: in the command's own process, with a line for each epoch."""

import json

import pytest

from training.tests.conftest import MODELS

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, TensorFlow alone takes a minute to start


def test_one_training_tells_how_it_goes_and_is_published(start, tmp_path):
    options = ["--pass", "ascending", "--epochs", "2", "--publish", str(tmp_path / "models")]
    output, _ = (process := start(*options)).communicate(timeout=400)
    assert process.returncode == 0, output
    assert "epoch 2/2 loss" in output
    assert " F1 " in output
    assert "1 finished" in output
    card = json.loads((tmp_path / "models" / MODELS / "card.json").read_text())
    assert card["training"]["command"].startswith("python -m training fit --data")
    assert (
        card["data_notice"] == "research model, not validated for operations"
    )  # these patches are not the simulator's
