"""Patches that somebody else has cut: npy, npz or HDF5, laid out as a small configuration says.

The authors' published set is read so; its layout is not ours to promise, so it is described, not guessed. Arrays of npy and HDF5 files are
read piece by piece; a member of an npz file is read whole, as its format has it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from training.patches.labels import PATCH_PX, Label, label_patches
from training.patches.store import BANDS, OrbitPass, PatchWriter, UnusableDataset, rows_of
from training.sources.array_files import Arrays, opened
from training.sources.configuration import EVENT_NAME, WINDOWS, beside, read_configuration
from training.sources.configured_set import configuration_option, make_set, out_option

PIECE = 512
LEAST_DB, MOST_DB = -60.0, 30.0

_KEY = {"type": "string", "minLength": 1}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["pre_days", "post_days", "bands", "arrays"],
    "properties": {
        **WINDOWS,
        "bands": {"type": "array", "minItems": 2, "uniqueItems": True, "items": {"enum": [*BANDS, "ignored"]}},
        "channels": {"enum": ["last", "first"]},
        "arrays": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["file", "pass"],
                "properties": {
                    "file": {"type": "string"},
                    "patches": _KEY,
                    "label": {"enum": [0, 1]},
                    "labels": _KEY,
                    "landslide": _KEY,
                    "event": EVENT_NAME,
                    "events": _KEY,
                    "cells": _KEY,
                    "pass": {"enum": ["ASCENDING", "DESCENDING"]},
                },
            },
        },
    },
}


def build(configuration: Path, folder: Path) -> Iterator[tuple[int, int]]:
    """Write everything that a configuration names into one patch set; yield (files done, files) as it goes on.

    Raises:
        UnusableDataset: see `SCHEMA`; also arrays whose shapes or values cannot be meant so.
    """
    wanted = read_configuration(configuration, SCHEMA)
    source = {"kind": "arrays", "bands": wanted["bands"], "arrays": wanted["arrays"]}
    if missing := [name for name in ("postVV", "diffVV") if name not in wanted["bands"]]:
        raise UnusableDataset(f"{configuration}, $.bands: {', '.join(missing)} is missing; every model needs it")
    writer = PatchWriter(folder, pre_days=wanted["pre_days"], post_days=wanted["post_days"], source=source)
    numbered: dict[tuple[str, str], int] = {}
    for number, entry in enumerate(wanted["arrays"]):
        for names in (("label", "labels", "landslide"), ("event", "events")):
            if sum(name in entry for name in names) != 1:
                raise UnusableDataset(
                    f"{configuration}, $.arrays[{number}]: exactly one of {', '.join(names)} is needed"
                )
        path = beside(configuration, entry["file"])
        yield number, len(wanted["arrays"])
        orbit_pass: OrbitPass = entry["pass"]
        with opened(path) as arrays:
            for bands, patches, rows in pieces(path, arrays, entry, wanted, numbered):
                writer.add(orbit_pass, bands, patches, rows)
    yield len(wanted["arrays"]), len(wanted["arrays"])
    writer.finish()


def pieces(
    path: Path, arrays: Arrays, entry: dict[str, Any], wanted: dict[str, Any], numbered: dict[tuple[str, str], int]
) -> Iterator[tuple[tuple[str, ...], NDArray[np.float32], NDArray[np.void]]]:
    """Yield bands, patches and index rows of one file, some hundred at a time.

    Args:
        path: for messages.
        arrays: of the file.
        entry: what the configuration says of it.
        wanted: the configuration.
        numbered: how many patches of (event, pass) came before; they are the cells of patches that have none of their own.
    """
    stored = arrays[entry.get("patches")]
    if stored.dtype.kind not in "iuf":
        raise UnusableDataset(f"{path}: patches of type {stored.dtype}; numbers are needed")
    is_first = wanted.get("channels", "last") == "first"
    side = (PATCH_PX, PATCH_PX)
    expected = (len(wanted["bands"]), *side) if is_first else (*side, len(wanted["bands"]))
    if stored.shape[1:] != expected:
        raise UnusableDataset(
            f"{path}: patches of shape {stored.shape}; by the configuration they are [n, {', '.join(map(str, expected))}]"
        )
    columns = {name: arrays[entry[name]] for name in ("labels", "landslide", "events", "cells") if name in entry}
    for name, column in columns.items():
        if len(column) != len(stored):
            raise UnusableDataset(f"{path}: {len(stored)} patches, but {len(column)} {name}")
    if "cells" in columns and (columns["cells"].shape[1:] != (2,) or columns["cells"].dtype.kind not in "iu"):
        shape, kind = columns["cells"].shape, columns["cells"].dtype
        raise UnusableDataset(
            f"{path}: cells of shape {shape} and type {kind}; they are whole numbers [n, 2]: row, column"
        )
    order = [wanted["bands"].index(name) for name in BANDS if name in wanted["bands"]]
    bands = tuple(name for name in BANDS if name in wanted["bands"])
    for first in range(0, len(stored), PIECE):
        piece = slice(first, first + PIECE)
        patches = np.asarray(stored[piece], np.float32)
        patches = (np.moveaxis(patches, 1, -1) if is_first else patches)[..., order]
        check_decibels(path, patches, first)
        part = {name: np.asarray(column[piece]) for name, column in columns.items()}
        names = event_names(path, part["events"]) if "events" in part else np.full(len(patches), entry["event"])
        for event in np.unique(names):
            here = np.nonzero(names == event)[0]
            count = numbered.get((event, entry["pass"]), 0)
            numbered[event, entry["pass"]] = count + len(here)
            cells = np.stack([count + np.arange(len(here)), np.zeros(len(here), int)], axis=1)
            if "cells" in part:
                cells = part["cells"][here]
            shares = {"valid": 1 - np.isnan(patches[here]).any(axis=-1).mean(axis=(1, 2))}
            if "landslide" in part:
                shares["original"] = shares["landslide"] = shares_of(path, part["landslide"][here])
                kind = label_patches(shares["original"], shares["landslide"])
            else:
                kind = labels_of(path, part["labels"][here] if "labels" in part else np.full(len(here), entry["label"]))
            yield bands, patches[here], rows_of(str(event), 0, cells, label=kind, **shares)


def event_names(path: Path, stored: NDArray[Any]) -> NDArray[np.str_]:
    """Return the names of events in lower case.

    Raises:
        UnusableDataset: one cannot be a name; a longer one would be cut off in the index.
    """
    names = np.char.lower(stored.reshape(len(stored), -1)[:, 0].astype(str))
    if wrong := [str(name) for name in np.unique(names) if not re.fullmatch(EVENT_NAME["pattern"], name)]:
        raise UnusableDataset(f"{path}: {wrong[0]!r} is no name of an event; names match {EVENT_NAME['pattern']}")
    return names


def shares_of(path: Path, stored: NDArray[Any]) -> NDArray[np.float32]:
    """Return the shares of patches that landslides cover.

    Raises:
        UnusableDataset: there are others than 0 to 1, such as percent.
    """
    flat = stored.reshape(len(stored), -1)
    if flat.shape[1] != 1 or flat.dtype.kind not in "biuf" or not ((flat >= 0) & (flat <= 1)).all():
        raise UnusableDataset(
            f"{path}: shares of landslides of shape {stored.shape} must be one number of 0 to 1 for each patch"
        )
    return flat[:, 0].astype(np.float32)


def labels_of(path: Path, stored: NDArray[Any]) -> NDArray[np.int8]:
    """Return labels of patches that are 0 or 1, as [n] or [n, 1].

    Raises:
        UnusableDataset: there are others.
    """
    flat = stored.reshape(len(stored), -1)
    if flat.shape[1] != 1 or not np.isin(flat, (0, 1)).all():
        found = ", ".join(map(str, np.unique(flat)[:5]))
        raise UnusableDataset(
            f"{path}: labels of shape {stored.shape} with values such as {found}; they must be 0 or 1 for each patch"
        )
    return np.where(flat[:, 0] == 1, Label.LANDSLIDE, Label.BACKGROUND).astype(np.int8)


def check_decibels(path: Path, patches: NDArray[np.float32], first: int) -> None:
    """Refuse patches that are not in dB: scaled to 0..1, or as linear power.

    Raises:
        UnusableDataset: values no backscatter has; or a post band without a negative median.
    """
    low, high = np.nanmin(patches), np.nanmax(patches)
    if low < LEAST_DB or high > MOST_DB or np.nanmedian(patches[..., 0]) >= 0:
        raise UnusableDataset(
            f"{path}, patches from {first} on: {low:.3g} to {high:.3g}, median of postVV {np.nanmedian(patches[..., 0]):.3g}: "
            "not sigma0 in dB, which is about -25 to 0. Check `bands` and `channels`, or undo the scaling first"
        )


HELP = """Bring ready patches (npy, npz, HDF5) into a patch set.

The configuration is JSON; files are relative to it. `label`, `labels` or `landslide` (share of the patch) says what a patch is; `event` or
`events` where it is from; `cells` is [n, 2], and without it the number of a patch among its event's decides which part it belongs to.

\b
  {"pre_days": 60, "post_days": 12, "bands": ["postVV", "postVH", "diffVV", "diffVH"],
   "arrays": [{"file": "hokkaido.npz", "patches": "x", "labels": "y", "event": "hokkaido", "pass": "ASCENDING"}]}

\b
Example:
  python -m training arrays --config published.json
"""


@click.command("arrays", help=HELP)
@configuration_option
@out_option
def arrays_command(configuration: Path, out: Path | None) -> None:
    """Bring ready patches into a patch set."""
    make_set(build, configuration, out, schema=SCHEMA)
