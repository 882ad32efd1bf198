"""A model folder: compact weights with the card that says which network they are of; small enough for git.

It holds `weights.npz` (in layer order, float16 unless imported) and `card.json`. The card says what the weights do not: without the
variant they would load into the wrong network unnoticed. Keys read here and by `training.served`:

    name         vv|vv_vh _ ascending|descending _ pre _ post, the name it is served under
    version      positive integer, the version it is served under
    architecture "cnn" (also where the key is absent), "cbam" or "resnet"; only the first can be served
    variant      "published" | "paper" (`training.networks`)
    filters      channels of each convolution
    bands        names in input order, e.g. ["postVV", "postVH", "diffVV", "diffVH"]
    standardisation   {"mean": {band: dB}, "std": {band: dB}} or null for raw dB
    fill_db      what replaces a missing pixel, {band: dB}
    sha256       of weights.npz; written by `save_weights`
    precision    the served graph multiplies in, "float32" (also where the key is absent) or "bfloat16" (`training.served.precision`)
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from training.architectures import Architecture, Variant
from training.networks import WINDOW_PX, build
from training.run_files import CARD, WEIGHTS

ARCHITECTURE_KEYS = ("variant", "filters", "bands", "standardisation")


class UnusableModel(ValueError):
    """A model folder whose card and weights cannot be trusted together; the message names the folder and the fault."""


def network_card(
    name: str,
    bands: Sequence[str],
    *,
    version: int,
    architecture: Architecture = "cnn",
    variant: Variant,
    filters: int,
    fill_db: Mapping[str, float],
    standardisation: Mapping[str, Mapping[str, float]] | None,
    pixel_geometry: str,
    threshold: float,
    calibration: Mapping[str, Any] | None,
    data_notice: str,
) -> dict[str, Any]:
    """Return what every card says, whoever learnt the weights: what whoever runs the network has to know, the detector included."""
    return {
        "name": name,
        "version": version,
        "bands": list(bands),
        "units": "dB",
        "window_px": WINDOW_PX,
        "pixel_geometry": pixel_geometry,
        "fill_db": dict(fill_db),
        "standardisation": standardisation,
        "threshold": threshold,
        "calibration": calibration,
        "architecture": architecture,
        "variant": variant,
        "filters": filters,
        "data_notice": data_notice,
    }


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def save_weights(
    model: keras.Model, folder: Path, card: dict[str, Any], *, dtype: type[np.floating] = np.float16
) -> None:
    """Write a model folder; the same weights give the same bytes.

    Args:
        model: a network of `training.networks`.
        folder: made if absent; `weights.npz` and `card.json` in it are replaced.
        card: keys as in the module's description; `sha256` is added.
        dtype: float16 keeps a folder small; float32 keeps weights that others trained as they are.

    Raises:
        UnusableModel: the card lacks a key that `load_model` needs, or a weight does not fit `dtype`.
    """
    for key in ARCHITECTURE_KEYS:
        if key not in card:
            raise UnusableModel(f"{folder}: the card has no {key!r}; without it the weights cannot be loaded again")
    arrays: dict[str, np.ndarray] = {}
    for number, weight in enumerate(model.weights):
        with np.errstate(over="ignore"):  # an overflow becomes infinite and is refused below, by name
            stored = np.asarray(weight).astype(dtype)
        if not np.isfinite(stored).all():
            raise UnusableModel(f"{folder}: {weight.path} holds values that are not finite in {dtype.__name__}")
        arrays[f"{number:02d}_{weight.path.replace('/', '.')}"] = stored
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / WEIGHTS).open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    written = {**card, "sha256": sha256_of(folder / WEIGHTS)}
    (folder / CARD).write_text(json.dumps(written, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_card(folder: Path) -> dict[str, Any]:
    """Return the card of a model folder after checking that it belongs to the weights beside it.

    Raises:
        UnusableModel: a file is missing, a needed key is missing, what is given by band is of other bands, or the weights are not the ones
            the card describes.
    """
    for file in (CARD, WEIGHTS):
        if not (folder / file).is_file():
            raise UnusableModel(f"{folder}: there is no {file}")
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnusableModel(f"{folder / CARD} is no JSON: {error}") from error
    for key in (*ARCHITECTURE_KEYS, "sha256"):
        if key not in card:
            raise UnusableModel(
                f"{folder / CARD}: {key!r} is missing; the weights alone do not say which network they fit"
            )
    if (found := sha256_of(folder / WEIGHTS)) != card["sha256"]:
        raise UnusableModel(f"{folder / WEIGHTS}: sha256 is {found}, the card says {card['sha256']}")
    return _named(folder, card)


def load_model(folder: Path) -> keras.Model:
    """Return the network of a model folder with its weights, ready for inference, computing in float32.

    Raises:
        UnusableModel: see `read_card`; also weights whose number or shapes do not fit the card's network.
    """
    card = read_card(folder)
    constants = card["standardisation"]
    model = build(
        card.get("architecture", "cnn"),
        bands=len(card["bands"]),
        filters=card["filters"],
        variant=card["variant"],
        mean=None if constants is None else _in_order(constants["mean"], card),
        std=None if constants is None else _in_order(constants["std"], card),
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


def fill_db(card: dict[str, Any]) -> list[float]:
    """Return what replaces a missing pixel, one value in dB for each of the card's bands, in their order."""
    return _in_order(card["fill_db"], card)


def _in_order(by_band: dict[str, float], card: dict[str, Any]) -> list[float]:
    return [by_band[band] for band in card["bands"]]


def _named(folder: Path, card: dict[str, Any]) -> dict[str, Any]:
    """Return a card that gives what it gives by band by the bands' names; earlier trainings wrote lists in the order of `bands`."""
    bands = card["bands"]

    def by_band(key: str, values: Any) -> dict[str, float]:
        if isinstance(values, list) and len(values) == len(bands):
            return dict(zip(bands, values, strict=True))
        if not isinstance(values, dict) or set(values) != set(bands):
            raise UnusableModel(f"{folder / CARD}: {key!r} does not give one value for each of {', '.join(bands)}")
        return values

    named = dict(card)
    if "fill_db" in card:
        named["fill_db"] = by_band("fill_db", card["fill_db"])
    if (constants := card["standardisation"]) is not None:
        named["standardisation"] = {key: by_band(key, constants.get(key)) for key in ("mean", "std")}
    return named
