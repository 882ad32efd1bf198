"""Writes the SavedModel that TensorFlow Serving loads from a model folder; a version appears whole and is one model."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import tensorflow as tf

from training.model_folder import UnusableModel, fill_db, load_model, read_card
from training.run_files import CARD
from training.served.batching import PATCHES_SUFFIX, write_batching
from training.served.graph_origin import ORIGIN, graph_origin
from training.served.precision import PRECISIONS, Precision, UnknownPrecision, in_precision, precision_of
from training.served.tile_graph import ServingGraph
from training.served.warm_up import write_warm_up


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
        only_patches: write `<name>_patches` instead, without `tile`, whose requests TensorFlow Serving may join (`batching.py`).

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
    name = card["name"] + PATCHES_SUFFIX * only_patches
    version = to / name / str(card["version"])
    if is_exported(card, version):
        return version
    if (architecture := card.get("architecture", "cnn")) != "cnn":
        raise UnusableModel(f"{folder}: only the CNN can be served, this is {architecture!r}")
    _refuse_other_precision(card, version)
    version.parent.mkdir(parents=True, exist_ok=True)
    graph = ServingGraph(load_model(folder), fill_db(card), precision_of(card))
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


EXPORT_HELP = """Export every model folder as a SavedModel that TensorFlow Serving loads; skip what is there already.

\b
Example:
  python -m training export --models build/imported --to build/models
"""


@click.command("export", help=EXPORT_HELP)
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
    """Export every model folder as a SavedModel."""
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
