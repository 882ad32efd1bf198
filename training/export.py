"""Models on disk: compact weights with a card in git, TensorFlow SavedModels for serving.

A model is a folder with `weights.npz` (float16, in layer order) and `card.json`. The card says what the weights do not:
without the variant they would load into the wrong network unnoticed. Keys read here:

    name         vv|vv_vh _ ascending|descending _ pre _ post, the name it is served under
    version      positive integer, the version it is served under
    variant      "published" | "paper" (`training.networks`)
    filters      channels of each convolution
    bands        names in input order, e.g. ["postVV", "postVH", "diffVV", "diffVH"]
    standardisation   {"mean": [dB per band], "std": [dB per band]} or null for raw dB
    fill_db      what replaces a missing pixel, dB per band
    sha256       of weights.npz; written by `save_weights`
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from training.networks import cnn

WEIGHTS = "weights.npz"
CARD = "card.json"
ARCHITECTURE_KEYS = ("variant", "filters", "bands", "standardisation")


class UnusableModel(ValueError):
    """A model folder whose card and weights cannot be trusted together; the message names the folder and the fault."""


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save_weights(model: keras.Model, folder: Path, card: dict[str, Any]) -> None:
    """Write a model folder; the same weights give the same bytes.

    Args:
        model: a network of `training.networks.cnn`.
        folder: made if absent; `weights.npz` and `card.json` in it are replaced.
        card: keys as in the module's description; `sha256` is added.

    Raises:
        UnusableModel: the card lacks a key that `load_model` needs, or a weight does not fit float16.
    """
    for key in ARCHITECTURE_KEYS:
        if key not in card:
            raise UnusableModel(f"{folder}: the card has no {key!r}; without it the weights cannot be loaded again")
    arrays: dict[str, np.ndarray] = {}
    for number, weight in enumerate(model.weights):
        with np.errstate(over="ignore"):  # an overflow becomes infinite and is refused below, by name
            half = np.asarray(weight).astype(np.float16)
        if not np.isfinite(half).all():
            raise UnusableModel(f"{folder}: {weight.path} holds values that are not finite in float16")
        arrays[f"{number:02d}_{weight.path.replace('/', '.')}"] = half
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / WEIGHTS).open("wb") as file:
        np.savez_compressed(file, **arrays)
    written = {**card, "sha256": sha256_of(folder / WEIGHTS)}
    (folder / CARD).write_text(json.dumps(written, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_card(folder: Path) -> dict[str, Any]:
    """Return the card of a model folder after checking that it belongs to the weights beside it.

    Raises:
        UnusableModel: a file is missing, a needed key is missing, or the weights are not the ones the card describes.
    """
    for file in (CARD, WEIGHTS):
        if not (folder / file).is_file():
            raise UnusableModel(f"{folder}: there is no {file}")
    card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    for key in (*ARCHITECTURE_KEYS, "sha256"):
        if key not in card:
            raise UnusableModel(
                f"{folder / CARD}: {key!r} is missing; the weights alone do not say which network they fit"
            )
    if (found := sha256_of(folder / WEIGHTS)) != card["sha256"]:
        raise UnusableModel(f"{folder / WEIGHTS}: sha256 is {found}, the card says {card['sha256']}")
    return card


def load_model(folder: Path) -> keras.Model:
    """Return the network of a model folder with its weights, ready for inference, computing in float32.

    Raises:
        UnusableModel: see `read_card`; also weights whose number or shapes do not fit the card's network.
    """
    card = read_card(folder)
    constants = card["standardisation"] or {}
    model = cnn(
        bands=len(card["bands"]),
        filters=card["filters"],
        variant=card["variant"],
        mean=constants.get("mean"),
        std=constants.get("std"),
    )
    with np.load(folder / WEIGHTS) as arrays:
        weights = [arrays[name].astype(np.float32) for name in sorted(arrays.files)]
    expected = [tuple(weight.shape) for weight in model.weights]
    if [weight.shape for weight in weights] != expected:
        raise UnusableModel(
            f"{folder / WEIGHTS}: its arrays do not fit {card['variant']!r} with {card['filters']} filters"
        )
    model.set_weights(weights)
    return model
