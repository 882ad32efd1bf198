"""The models of `serving/models`, exported, configured and asked by the detector's adapter, as in the cloud, for what their cards say."""

import re
import sys

import numpy as np
import pytest

from quakeslide.adapters.tf_serving import TfServing
from quakeslide.documents.card import read_card
from tests.contract.model_server_service import ROOT, TEN_MODULES, copy_modules, local_server

MODELS = ROOT / "build/models"
NAMES = sorted(folder.name for folder in (ROOT / "serving/models").iterdir())
CONFIG = ROOT / "serving/models.config"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    copy_modules(folder, TEN_MODULES)
    sys.path.append(str(folder))
    (folder / "models.config").write_text(CONFIG.read_text().replace('"/models/', f'"{MODELS}/'))
    with local_server("--model_config_file", folder / "models.config") as server:
        adapter = TfServing(f"127.0.0.1:{server.port}", attempts=2)
        yield adapter
        adapter.close()
    sys.path.remove(str(folder))


def test_every_model_of_the_tree_is_configured_once():
    assert sorted(re.findall(r'name: "(\w+)"', CONFIG.read_text())) == NAMES
    assert sorted(re.findall(r'base_path: "/models/(\w+)"', CONFIG.read_text())) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_model_scores_the_bands_that_its_card_names(model, name):
    version = model.served_version(name)
    path = MODELS / name / str(version) / "card.json"
    card = read_card(path.read_bytes(), str(path))
    levels_db = {"postVV": -8.0, "postVH": -14.0, "diffVV": 0.0, "diffVH": 0.0}
    quiet = np.full((96, 64, len(card.bands)), [levels_db[band] for band in card.bands], np.float32)
    answer = model.score(quiet, np.ones((2, 1), bool), name=name, version=version)
    assert answer.scores.shape == (2, 1)
    assert ((answer.scores > 0) & (answer.scores < card.threshold)).all()
