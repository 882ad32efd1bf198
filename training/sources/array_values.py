"""What arrays of somebody else hold: patches, and what is said of them; refused where it can mean something else."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.patches.labels import PATCH_PX, Label
from training.patches.store import UnusableDataset
from training.sources.configuration import EVENT_NAME


def refuse_other_patches(path: Path, stored: Any, *, bands: int, is_first: bool) -> None:
    """Refuse an array that does not hold patches as the configuration says; `is_first`: the channels come before rows and columns.

    Raises:
        UnusableDataset: it holds no numbers, or has another shape.
    """
    if stored.dtype.kind not in "iuf":
        raise UnusableDataset(f"{path}: patches of type {stored.dtype}; numbers are needed")
    side = (PATCH_PX, PATCH_PX)
    expected = (bands, *side) if is_first else (*side, bands)
    if stored.shape[1:] == expected:
        return
    hint = ""
    if sorted(stored.shape[1:]) == sorted(expected):
        hint = f'; "channels": "{"last" if is_first else "first"}" in the configuration says that they lie the other way round'
    raise UnusableDataset(
        f"{path}: patches of shape {stored.shape}; by the configuration they are [n, {', '.join(map(str, expected))}]{hint}"
    )


def refuse_other_columns(path: Path, patches: int, columns: Mapping[str, Any]) -> None:
    """Refuse what is said of patches where it is of another number of them, and cells that are none.

    Raises:
        UnusableDataset: a column has another length; cells are no whole numbers [n, 2], or too large ones.
    """
    for name, column in columns.items():
        if len(column) != patches:
            raise UnusableDataset(f"{path}: {patches} patches, but {len(column)} {name}")
    if (cells := columns.get("cells")) is None:
        return
    if cells.shape[1:] != (2,) or cells.dtype.kind not in "iu":
        raise UnusableDataset(
            f"{path}: cells of shape {cells.shape} and type {cells.dtype}; they are whole numbers [n, 2]: row, column"
        )
    if patches and np.abs(cells.astype(np.float64)).max() >= 2**31:
        raise UnusableDataset(f"{path}: cells beyond 2^31; give rows and columns of a grid, not metres or codes")


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
