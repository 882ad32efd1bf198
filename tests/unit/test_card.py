import json

import pytest

from quakeslide.adapters.model_cards import StoredModelCards
from quakeslide.documents.card import read_card
from quakeslide.errors import ModelMissing, UnusableModelCard
from tests.fakes import MemoryStore

BODY = {
    "name": "vv_vh_ascending_60_12",
    "version": 3,
    "bands": ["postVV", "postVH", "diffVV", "diffVH"],
    "units": "dB",
    "window_px": 64,
    "pixel_geometry": "utm_10m",
    "fill_db": {"postVV": -11.5, "postVH": -18.0, "diffVV": 0.0, "diffVH": 0},
    "standardisation": {"mean": [0, 0, 0, 0], "std": [1, 1, 1, 1]},
    "threshold": 0.6,
    "calibration": {"method": "platt", "a": 0.9, "b": -1.5},
    "variant": "paper",
    "filters": 32,
    "sha256": "ab" * 32,
    "data_notice": "demo model",
    "something_new": 1,
}


def read(**changes):
    body = {key: value for key, value in (BODY | changes).items() if value is not ...}
    return read_card(json.dumps(body).encode(), "here/card.json")


def test_card_is_read():
    card = read()
    assert (card.name, card.version, card.bands[1], card.fill_db["postVV"]) == (BODY["name"], 3, "postVH", -11.5)
    assert card.platt == (0.9, -1.5)
    assert (card.backscatter, read(backscatter="gamma0_terrain_volume").backscatter) == (
        "sigma0",
        "gamma0_terrain_volume",
    )
    assert (card.precision, read(precision="bfloat16").precision) == ("float32", "bfloat16")
    assert read(calibration=None).platt is None
    assert read(fill_db=[-11.5, -18.0, 0, 0]).fill_db == card.fill_db


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "model"),
        ("name", "vv_vh_ascending_61_12"),
        ("version", 0),
        ("version", "1"),
        ("bands", ["postVV", "diffVV"]),
        ("bands", ["postVV", "postVH", "diffVV", "slope"]),
        ("units", "linear"),
        ("window_px", 32),
        ("pixel_geometry", "30m"),
        ("backscatter", "gamma0"),
        ("precision", "float16"),
        ("precision", None),
        ("fill_db", {"postVV": 0}),
        ("fill_db", [0.0]),
        ("fill_db", {"postVV": None, "postVH": 0, "diffVV": 0, "diffVH": 0}),
        ("threshold", 1.5),
        ("threshold", True),
        ("sha256", "xyz"),
        ("variant", "other"),
        ("data_notice", None),
        ("calibration", {"method": "isotonic", "a": 1, "b": 2}),
        ("calibration", {"method": "platt", "a": 1}),
        ("calibration", {"method": "platt", "a": -0.9, "b": -1.5}),
        ("calibration", {"method": "platt", "a": 0, "b": -1.5}),
        ("name", ...),
        ("sha256", ...),
        ("threshold", ...),
    ],
)
def test_impossible_field_is_refused_with_the_place(field, value):
    with pytest.raises(UnusableModelCard, match=r"here/card.json"):
        read(**{field: value})


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{"])
def test_what_is_no_json_object_is_refused(data):
    with pytest.raises(UnusableModelCard, match="here"):
        read_card(data, "here")


def test_cards_lie_beside_the_models():
    models = MemoryStore()
    cards = StoredModelCards(models)
    with pytest.raises(ModelMissing, match=r"vv_vh_ascending_60_12/3/card.json"):
        cards.card(BODY["name"], 3)
    models.create("vv_vh_ascending_60_12/3/card.json", json.dumps(BODY).encode(), "application/json")
    models.create("vv_vh_ascending_60_12/4/card.json", json.dumps(BODY).encode(), "application/json")
    assert cards.card(BODY["name"], 3) is cards.card(BODY["name"], 3)
    with pytest.raises(UnusableModelCard, match="version 3"):
        cards.card(BODY["name"], 4)
