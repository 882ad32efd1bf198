"""Files of arrays: npy, npz, HDF5. Nothing in them is ever run: pickled objects are refused."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from training.patches.store import UnusableDataset


class Arrays:
    """The arrays of one file by key."""

    def __init__(self, path: Path, stored: Any) -> None:
        self._path, self._stored = path, stored

    def __getitem__(self, key: str | None) -> Any:
        """Return an array, or what reads one piece by piece.

        Raises:
            UnusableDataset: there is none, or it is no array of numbers or names.
        """
        if isinstance(self._stored, np.ndarray):
            if key is not None:
                raise UnusableDataset(f"{self._path} is one array without keys; the configuration asks for {key!r}")
            return self._stored
        key = key or self._only()
        if key not in self._stored:
            raise UnusableDataset(f"{self._path} holds no {key!r}; it holds {', '.join(sorted(self._stored))}")
        try:
            found = self._stored[key]
        except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:  # pickled, or torn
            raise UnusableDataset(f"{self._path}: {key!r} cannot be read ({error}); save plain arrays again") from error
        if isinstance(found, h5py.Dataset) and h5py.check_string_dtype(found.dtype):
            found = found.asstr()[...]
        elif not isinstance(found, (np.ndarray, h5py.Dataset)) or found.dtype.kind not in "biufSU":
            what = f"of type {found.dtype}" if hasattr(found, "dtype") else "a group"
            raise UnusableDataset(f"{self._path}: {key!r} is {what}; an array of numbers or names is needed")
        return found

    def _only(self) -> str:
        keys = sorted(self._stored)
        if len(keys) != 1:
            raise UnusableDataset(
                f"{self._path} holds {', '.join(keys) or 'nothing'}; say in `patches` which are the patches"
            )
        return keys[0]


READERS: dict[str, Callable[[Path], Any]] = {
    ".npy": lambda path: np.load(path, mmap_mode="r", allow_pickle=False),
    ".npz": lambda path: np.load(path, allow_pickle=False),
    ".h5": lambda path: h5py.File(path, "r"),
    ".hdf5": lambda path: h5py.File(path, "r"),
}


@contextmanager
def opened(path: Path) -> Iterator[Arrays]:
    """Open a file of arrays.

    Raises:
        UnusableDataset: it is none.
    """
    if path.suffix not in READERS:
        raise UnusableDataset(f"{path}: files of arrays end in {', '.join(READERS)}")
    try:
        stored = READERS[path.suffix](path)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UnusableDataset(f"{path}: no file of arrays that can be read ({error})") from error
    with nullcontext() if isinstance(stored, np.ndarray) else stored:
        yield Arrays(path, stored)
