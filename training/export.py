"""Models on disk: compact weights with a card in git, TensorFlow SavedModels for serving.

A model is a folder with `weights.npz` (in layer order, float16 unless imported) and `card.json`. The card says what the weights do not:
without the variant they would load into the wrong network unnoticed. Keys read here:

    name         vv|vv_vh _ ascending|descending _ pre _ post, the name it is served under
    version      positive integer, the version it is served under
    architecture "cnn" (also where the key is absent), "cbam" or "resnet"; only the first can be served
    variant      "published" | "paper" (`training.networks`)
    filters      channels of each convolution
    bands        names in input order, e.g. ["postVV", "postVH", "diffVV", "diffVH"]
    standardisation   {"mean": {band: dB}, "std": {band: dB}} or null for raw dB
    fill_db      what replaces a missing pixel, {band: dB}
    sha256       of weights.npz; written by `save_weights`
    precision    the served graph multiplies in, "float32" (also where the key is absent) or "bfloat16" (`training.precision`)

Values by band may also be a list in the order of `bands`.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
import tensorflow as tf

from training.batching import PATCHES, write_batching
from training.graph_origin import ORIGIN, graph_origin
from training.networks import build
from training.precision import PRECISIONS, Precision, UnknownPrecision, in_precision, precision_of
from training.run_files import CARD, WEIGHTS
from training.tile_graph import ServingGraph
from training.warm_up import write_warm_up

ARCHITECTURE_KEYS = ("variant", "filters", "bands", "standardisation")


class UnusableModel(ValueError):
    """A model folder whose card and weights cannot be trusted together; the message names the folder and the fault."""


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
    constants = card["standardisation"]
    model = build(
        card.get("architecture", "cnn"),
        bands=len(card["bands"]),
        filters=card["filters"],
        variant=card["variant"],
        mean=None if constants is None else _by_band(folder, card, "mean", constants["mean"]),
        std=None if constants is None else _by_band(folder, card, "std", constants["std"]),
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


def _by_band(folder: Path, card: dict[str, Any], key: str, values: dict[str, float] | list[float]) -> list[float]:
    """Return one value for each of the card's bands, in their order."""
    bands = card["bands"]
    if len(values) != len(bands) or (isinstance(values, dict) and set(values) != set(bands)):
        raise UnusableModel(f"{folder / CARD}: {key!r} does not give one value for each of {', '.join(bands)}")
    return [values[band] for band in bands] if isinstance(values, dict) else list(values)


def fill_db(folder: Path, card: dict[str, Any]) -> list[float]:
    """Return what replaces a missing pixel, one value in dB for each of the card's bands, in their order."""
    return _by_band(folder, card, "fill_db", card["fill_db"])


def export_saved_model(
    folder: Path, to: Path, precision: Precision | None = None, *, only_patches: bool = False
) -> Path:
    """Write the SavedModel of a model folder at `to/<name>/<version>/`, with the card beside `saved_model.pb` and requests to warm up with.

    Nothing is done when it is there already, made from the same card, weights and code. The version's folder appears at once and whole: a
    server that watches `to` never sees half of it. The card beside it says the precision unless it is float32.

    Args:
        folder: of the model.
        to: the model base folder of a server.
        precision: that the graph multiplies in; None for what the card says.
        only_patches: write `<name>_patches` instead, without `tile`, whose requests TensorFlow Serving may join (`training.batching`).

    Returns:
        The version's folder.

    Raises:
        UnusableModel: see `load_model`; also a card without `name`, `version` or `fill_db`, with a precision that there is not, or the
            same version in another precision is there already: its scores differ, and one version is one model.
    """
    try:
        card = in_precision(read_card(folder), precision)
    except UnknownPrecision as error:
        raise UnusableModel(f"{folder / CARD}: {error}") from error
    for key in ("name", "version", "fill_db"):
        if key not in card:
            raise UnusableModel(f"{folder / CARD}: {key!r} is missing; a model cannot be served without it")
    name = card["name"] + PATCHES * only_patches
    version = to / name / str(card["version"])
    if is_exported(card, version):
        return version
    if (architecture := card.get("architecture", "cnn")) != "cnn":
        raise UnusableModel(f"{folder}: only the CNN can be served, this is {architecture!r}")
    _refuse_other_precision(card, version)
    graph = ServingGraph(load_model(folder), fill_db(folder, card), precision_of(card))
    # Hidden until whole: model servers look only at folders whose name is an integer.
    draft = version.with_name(f".{version.name}-{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    served = {key: graph.served[key] for key in graph.served if key == "serving_default" or not only_patches}
    tf.saved_model.save(graph, str(draft), signatures=served)
    write_warm_up(draft, name=name, bands=len(card["bands"]), signatures=served)
    if only_patches:
        write_batching(draft)
    (draft / CARD).write_text(json.dumps(card, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    (draft / ORIGIN).write_text(json.dumps(graph_origin(), indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(version, ignore_errors=True)
    draft.rename(version)
    return version


def _refuse_other_precision(card: dict[str, Any], version: Path) -> None:
    if not (version / CARD).is_file():
        return
    there = precision_of(json.loads((version / CARD).read_text(encoding="utf-8")))
    if there != (wanted := precision_of(card)):
        raise UnusableModel(
            f"{version} computes in {there}: give {wanted} another --to, or another version in its card"
        )


def is_exported(card: dict[str, Any], version: Path) -> bool:
    """Say whether a version's folder holds a SavedModel of this card (and so of these weights), made by this code."""
    if not all((version / file).is_file() for file in (CARD, ORIGIN, "saved_model.pb")):
        return False
    written = [json.loads((version / file).read_text(encoding="utf-8")) for file in (CARD, ORIGIN)]
    return bool(written == [card, graph_origin()])


def refuse_two_of_a_version(folders: Sequence[Path]) -> None:
    """Refuse to export two folders under one name and version: the second would take the first one's place.

    Raises:
        UnusableModel: there are two, or a card is unusable.
    """
    first: dict[tuple[object, object], Path] = {}
    for folder in folders:
        card = read_card(folder)
        name, version = card.get("name"), card.get("version")
        if (name, version) in first:
            raise UnusableModel(
                f"{first[name, version]} and {folder} are both {name}, version {version}: give --models the one that is to be served, or "
                "another version in its card"
            )
        first[name, version] = folder


@click.command("export")
@click.option(
    "--models",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("serving/models"),
    show_default=True,
    help="Folder of model folders (weights.npz and card.json), at any depth.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/models"),
    show_default=True,
    help="Model base folder of the server; SavedModels go to NAME/VERSION/ in it.",
)
@click.option(
    "--patches", is_flag=True, help="Also NAME_patches/VERSION without `tile`, for batches of single patches."
)
@click.option(
    "--precision", type=click.Choice(PRECISIONS), help="What the graph multiplies in; what each card says if not given."
)
def export_command(models: Path, to: Path, patches: bool, precision: Precision | None) -> None:
    """Export every model folder as a SavedModel that TensorFlow Serving loads; skip what is there already."""
    folders = sorted(card.parent for card in models.rglob(CARD))
    if not folders:
        raise click.ClickException(f"{models}: no {CARD} below it")
    try:
        refuse_two_of_a_version(folders)
    except UnusableModel as error:
        raise click.ClickException(str(error)) from error
    for folder in folders:
        try:
            version = export_saved_model(folder, to, precision)
            if patches:
                export_saved_model(folder, to, precision, only_patches=True)
        except UnusableModel as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"{folder} -> {version}")


if __name__ == "__main__":
    export_command()
