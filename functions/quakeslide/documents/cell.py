"""A stored cell: everything that one cell contributes to a judgement, as a NumPy archive with the same bytes for the same values.

`numpy.savez` puts the wall-clock time into the zip; here every entry has the zip format's first instant.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from quakeslide.documents.version import Body, Kind
from quakeslide.domain.composite import Cell
from quakeslide.domain.judgement import THUMB_PX, CellScores, Unscored
from quakeslide.domain.lattice import STRIDE_PX
from quakeslide.errors import StoreUnavailable

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first instant a zip entry can have
GENERATIONS, VERSION = "generations.json", "version.json"  # entries beside the arrays
CONTENT_TYPE = "application/octet-stream"
ADDED = ("water_fraction", "snow_fraction", "pre_vh_db")  # with version 2


def _with_reasons(cell: Body) -> Body:
    """The first release said neither why a window has no score nor what water and snow are like in it."""
    scores = cell["scores.npy"]
    unknown = np.full_like(scores, np.nan)
    reasons = np.where(np.isnan(scores), Unscored.MISSING, Unscored.SCORED).astype(np.uint8)
    return cell | {"unscored.npy": reasons} | {f"{name}.npy": unknown for name in ADDED}


CELL = Kind(name="a stored cell", version=2, migrations={1: _with_reasons})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCell:
    """A cell's scores and the generation of every shard they were read from, by object name."""

    scores: CellScores
    generations: Mapping[str, int]


def write_cell(cell: StoredCell) -> bytes:
    """Return the cell's bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for field in fields(CellScores):
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.ascontiguousarray(getattr(cell.scores, field.name)), allow_pickle=False)
            _write(archive, f"{field.name}.npy", entry.getvalue())
        _write(archive, VERSION, json.dumps(CELL.stamped({})).encode())
        _write(archive, GENERATIONS, json.dumps(dict(cell.generations), sort_keys=True).encode())
    return buffer.getvalue()


def read_cell(data: bytes, cell: Cell, name: str) -> StoredCell:
    """Read a stored cell.

    Args:
        data: the object's bytes.
        cell: which one it should be; every array must have its shape.
        name: of the object, for the error.

    Raises:
        NewerDocument: a later release wrote it.
        StoreUnavailable: the object is no cell of this shape; deleting it and sending a rescan makes it anew.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.namelist()
            body: Body = json.loads(archive.read(VERSION)) if VERSION in entries else {}
            body |= {"generations": json.loads(archive.read(GENERATIONS))}
            body |= {
                entry: np.lib.format.read_array(io.BytesIO(archive.read(entry)), allow_pickle=False)
                for entry in entries
                if entry.endswith(".npy")
            }
        body = CELL.migrated(body, name)
        arrays = {field.name: body[f"{field.name}.npy"] for field in fields(CellScores)}
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise StoreUnavailable(f"{name} is no stored cell ({error}); delete it and send a rescan") from error
    for field, array in arrays.items():
        wanted = shape_of(cell, field)
        if array.shape != wanted:
            raise StoreUnavailable(f"{name}: {field} is {array.shape}, not {wanted}; delete it and send a rescan")
    return StoredCell(scores=CellScores(**arrays), generations=body["generations"])


def shape_of(cell: Cell, field: str) -> tuple[int, int]:
    """Return the shape that an array of CellScores has for a cell."""
    if field == "blocks":
        return cell.window_rows + 1, cell.window_cols + 1
    if field.startswith("thumb_"):
        step = STRIDE_PX // THUMB_PX
        return (cell.window_rows + 1) * step, (cell.window_cols + 1) * step
    return cell.window_rows, cell.window_cols


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # the same on every system
    archive.writestr(info, data)
