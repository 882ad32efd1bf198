"""What a writer of patches leaves behind when it is killed, so that the next one goes on: the shards that are whole, in a journal.

The journal is replaced at once after each shard, so it never names a file that is not whole, whenever its writer is killed. Should the
machine lose power, files may be shorter than they were said to be: the hashes are held against the contents before they are believed.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

JOURNAL = "unfinished.json"
PASSES = ("ascending", "descending")
"""With them the names of shards begin."""


class OtherMaker(ValueError):
    """An unfinished set was begun from other values or by other code, or does not say from what."""


class Journal:
    """The finished shards of an unfinished set.

    Args:
        folder: of the set.
        maker: everything that decides about the contents; JSON values.

    Attributes:
        shards: entries for `set.json`, in the order they were written.

    Raises:
        OtherMaker: the folder holds an unfinished set of another maker, or a journal that cannot be read.
    """

    def __init__(self, folder: Path, maker: dict[str, Any]) -> None:
        self._path = folder / JOURNAL
        self._maker = json.loads(json.dumps(maker))
        self.shards: list[dict[str, Any]] = []
        if not self._path.exists():
            self._replace()
            return
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise OtherMaker(f"{self._path} cannot be read: {error}") from error
        if found["maker"] != self._maker:
            differing = sorted(
                name for name in self._maker | found["maker"] if self._maker.get(name) != found["maker"].get(name)
            )
            raise OtherMaker(f"{folder} holds an unfinished data set with another {' and '.join(differing)}")
        for shard in found["shards"]:
            if not is_whole(folder, shard):
                break  # it and the ones after it are written again
            self.shards.append(shard)

    def add(self, shard: dict[str, Any]) -> None:
        """Take note of a shard whose files are written."""
        self.shards.append(shard)
        self._replace()

    def _replace(self) -> None:
        draft = self._path.with_name(f"{JOURNAL}.draft")
        draft.write_text(json.dumps({"maker": self._maker, "shards": self.shards}, indent=1) + "\n", encoding="utf-8")
        os.replace(draft, self._path)


def leftovers(folder: Path) -> list[Path]:
    """Return the files of an unfinished set; what else lies in the folder is not ours, such as somebody's arrays or a `ground.npz`."""
    shards = [f"{name}-{'[0-9]' * 5}{suffix}" for name in PASSES for suffix in (".npy", ".index.npy")]
    patterns = (*shards, f"scene-{'[0-9]' * 5}.npz", "scene-*.draft", "*.json.draft", JOURNAL)
    return [file for pattern in patterns for file in folder.glob(pattern)]


def shard_files(folder: Path, name: str) -> tuple[Path, Path]:
    """Return the files of patches and of index rows of a shard."""
    return folder / f"{name}.npy", folder / f"{name}.index.npy"


def sha256_of(contents: NDArray[Any]) -> str:
    """Return the hash of an array's bytes in C order."""
    return hashlib.sha256(np.ascontiguousarray(contents).data.cast("B")).hexdigest()


def is_whole(folder: Path, shard: dict[str, Any]) -> bool:
    """Say whether the files of a shard hold what its entry says."""
    try:
        contents = [np.load(file, mmap_mode="r") for file in shard_files(folder, shard["name"])]
    except (FileNotFoundError, ValueError, EOFError):
        return False
    return [sha256_of(array) for array in contents] == shard["sha256"]
