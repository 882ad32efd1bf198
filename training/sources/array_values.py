"""What an array of somebody else says of patches: events, shares of landslides, labels; refused where it can mean something else."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.patches.labels import Label
from training.patches.store import UnusableDataset
from training.sources.configuration import EVENT_NAME


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
