"""Patches that somebody else has cut: npy, npz or HDF5, laid out as a small configuration says.

The authors' published set is read so; its layout is not ours to promise, so it is described, not guessed. Their tool makes composites in
EPSG:4326 at 10 m, so that is what pixels are taken for where the configuration does not say. Arrays of npy and HDF5 files are
read piece by piece; a member of an npz file is read whole, as its format has it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from training.patches.labels import label_patches
from training.patches.store import BANDS, OrbitPass, PatchWriter, UnusableDataset, rows_of
from training.sources.array_configuration import SCHEMA, refuse_entry
from training.sources.array_files import Arrays, opened
from training.sources.array_values import event_names, labels_of, refuse_other_columns, refuse_other_patches, shares_of
from training.sources.cells import LEAST_VALID, Cells, count_kinds, kinds, left_out, none_of_any_kind
from training.sources.configuration import beside, read_configuration
from training.sources.configured_set import configuration_option, make_set, out_option
from training.sources.decibels import Decibels
from training.sources.event_list import polarisation_of

PIECE = 512
NUMBERED = (
    "cells are numbers: each patch was given its part alone, so neighbours on the ground may lie on both sides of a split, and "
    "`--split block` is refused; `cells` in the configuration would say where patches lie"
)
ONE_PLACE = "take one of the two out, or give files of several tracks their `track`"


@dataclass(slots=True)
class SoFar:
    """What is known of the files before.

    Attributes:
        numbered: how many patches of (event, pass, track) came; they are the cells of patches that have none of their own.
        cells: of the set.
        kept: patches of this file by `Label`, int [4].
        few: those left out because fewer than LEAST_VALID of their pixels are there.
    """

    numbered: dict[tuple[str, str, str], int] = field(default_factory=dict)
    cells: Cells = field(default_factory=Cells)
    kept: NDArray[np.int_] = field(default_factory=none_of_any_kind)
    few: int = 0


def build(configuration: Path, folder: Path, tell: Callable[[str], None] = click.echo) -> Iterator[tuple[int, int]]:
    """Write everything that a configuration names into one patch set; yield (files done, files) as it goes on.

    Args:
        configuration: see `SCHEMA`.
        folder: of the set.
        tell: is given a line for each file, with the number of patches that have too few pixels, and one where cells are numbers.

    Raises:
        UnusableDataset: see `SCHEMA`; also arrays whose shapes or values cannot be meant so.
    """
    wanted = read_configuration(configuration, SCHEMA)
    is_numbered = any("cells" not in entry for entry in wanted["arrays"])
    source = {
        "kind": "arrays",
        "pixel_geometry": wanted.get("pixel_geometry", "epsg4326_10m"),
        **({"cells": "numbered"} if is_numbered else {}),
        "bands": wanted["bands"],
        "arrays": wanted["arrays"],
    }
    if missing := [name for name in ("postVV", "diffVV") if name not in wanted["bands"]]:
        raise UnusableDataset(f"{configuration}, $.bands: {', '.join(missing)} is missing; every model needs it")
    writer = PatchWriter(folder, pre_days=wanted["pre_days"], post_days=wanted["post_days"], source=source)
    so_far = SoFar()
    for number, entry in enumerate(wanted["arrays"]):
        refuse_entry(configuration, number, wanted["arrays"])
        path = beside(configuration, entry["file"])
        yield number, len(wanted["arrays"])
        orbit_pass: OrbitPass = entry["pass"]
        so_far.kept, so_far.few = none_of_any_kind(), 0
        with opened(path) as arrays:
            for bands, patches, rows in pieces(path, arrays, entry, wanted, so_far):
                writer.add(orbit_pass, bands, patches, rows)
        tell(f"{path.name}: {kinds(so_far.kept, 'patches')}{left_out(so_far.few)}")
    yield len(wanted["arrays"]), len(wanted["arrays"])
    writer.finish()
    if is_numbered:
        tell(NUMBERED)


def pieces(
    path: Path, arrays: Arrays, entry: dict[str, Any], wanted: dict[str, Any], so_far: SoFar
) -> Iterator[tuple[tuple[str, ...], NDArray[np.float32], NDArray[np.void]]]:
    """Yield bands, patches and index rows of one file, some hundred at a time.

    Args:
        path: for messages.
        arrays: of the file.
        entry: what the configuration says of it.
        wanted: the configuration.
        so_far: what is known of the files before; changed.
    """
    is_first = wanted.get("channels", "last") == "first"
    stored = arrays[entry.get("patches")]
    refuse_other_patches(path, stored, bands=len(wanted["bands"]), is_first=is_first)
    columns: dict[str, Any] = {
        name: arrays[entry[name]] for name in ("labels", "landslide", "events", "cells") if name in entry
    }
    refuse_other_columns(path, len(stored), columns)
    order = [wanted["bands"].index(name) for name in BANDS if name in wanted["bands"]]
    bands = tuple(name for name in BANDS if name in wanted["bands"])
    decibels: dict[tuple[str, ...], Decibels] = {}
    for first in range(0, len(stored), PIECE):
        piece = slice(first, first + PIECE)
        patches = np.asarray(stored[piece], np.float32)
        patches = (np.moveaxis(patches, 1, -1) if is_first else patches)[..., order]
        part = {name: np.asarray(column[piece]) for name, column in columns.items()}
        names = event_names(path, part["events"]) if "events" in part else np.full(len(patches), entry["event"])
        for event in map(str, np.unique(names)):
            here = np.nonzero(names == event)[0]
            # R10: an event that has VV alone in Table 1 enters no training with VH; what its VH holds, or lacks, does not matter
            channels = [n for n, band in enumerate(bands) if polarisation_of(event) != "vv" or band.endswith("VV")]
            own, of_event = tuple(bands[n] for n in channels), patches[here][..., channels]
            whose = str(path) if own == bands else f"{path}, events with VV alone"
            decibels.setdefault(own, Decibels(whose, own)).add(of_event)
            valid = 1 - np.isnan(of_event).any(axis=-1).mean(axis=(1, 2))
            rows = _rows(path, entry, event, valid, {name: column[here] for name, column in part.items()}, so_far)
            # left out after numbering: the same patch has the same number where another window has more pixels of it
            keep = valid >= LEAST_VALID
            rows = rows[keep]
            so_far.cells.add(entry["pass"], rows)
            so_far.kept, so_far.few = so_far.kept + count_kinds(rows), so_far.few + int((~keep).sum())
            if len(rows):
                yield own, of_event[keep], rows
    so_far.cells.refuse_repeated(str(path), ONE_PLACE)
    refuse_no_values(path, decibels)
    for counted in decibels.values():
        counted.refuse_fill()
        counted.refuse_other_units("post")
        counted.refuse_other_units("diff")


def _rows(
    path: Path,
    entry: dict[str, Any],
    event: str,
    valid: NDArray[np.floating],
    columns: dict[str, NDArray[Any]],
    so_far: SoFar,
) -> NDArray[np.void]:
    """Return the index rows of some patches of one event; `valid` and every column have a value for each of them."""
    track = entry.get("track", "")
    count = so_far.numbered.get((event, entry["pass"], track), 0)
    so_far.numbered[event, entry["pass"], track] = count + len(valid)
    numbers = np.stack([count + np.arange(len(valid)), np.zeros(len(valid), int)], axis=1)
    unknown = np.full(len(valid), np.nan)  # a share that nobody told is not 0
    shares = {"valid": valid, "original": unknown, "landslide": unknown, "distorted": unknown}
    if "landslide" in columns:
        shares["original"] = shares["landslide"] = shares_of(path, columns["landslide"])
        kind = label_patches(shares["original"], shares["landslide"])
    else:
        kind = labels_of(path, columns["labels"] if "labels" in columns else np.full(len(valid), entry["label"]))
    return rows_of(event, 0, columns.get("cells", numbers), track=track, label=kind, **shares)


def refuse_no_values(path: Path, decibels: dict[tuple[str, ...], Decibels]) -> None:
    """Refuse a file of whose bands one has not one value in any event that it counts for; an event without any is left out, and told.

    Raises:
        UnusableDataset: there is such a band.
    """
    for band in dict.fromkeys(band for bands in decibels for band in bands):
        if all(counted.median(band) is None for bands, counted in decibels.items() if band in bands):
            raise UnusableDataset(f"{path}: not one pixel of {band} has a value")


HELP = """Bring ready patches (npy, npz, HDF5) into a patch set.

The configuration is JSON; files are relative to it. `label`, `labels` or `landslide` (share of the patch) says what a patch is; `event` or
`events` where it is from; `cells` is [n, 2], and without it the number of a patch among its event's decides which part it belongs to.
`pixel_geometry` is epsg4326_10m, as the published tool has it, unless it says utm_10m. `track` is needed where several of one pass hold the
same cells. `bands` names the channels in their order, "ignored" one that is not wanted; values are sigma0 in dB, NaN where missing, diff is
post minus pre; "channels": "first" if patches are [n, C, 64, 64].

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
