"""The files of a patch set: shards of float16 patches beside an index of rows, and one document that says they are whole.

    set.json                     written last, at once: without it the folder holds no set
    ascending-00000.npy          float16 [n, 64, 64, C], dB, NaN = missing; memory-mapped by whoever reads it
    ascending-00000.index.npy    [n] of ROW: what each patch is and where it comes from
    unfinished.json              while it is being written, by a writer that may be killed (`patches.unfinished`)

A shard holds patches of one pass and one list of bands: events without VH lie in shards of two channels. The identity of a set is
the hash of its contents, not of where it lies or how it was made.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.patches.labels import PATCH_PX
from training.patches.unfinished import JOURNAL, Journal, OtherMaker, leftovers, sha256_of, shard_files

OrbitPass = Literal["ASCENDING", "DESCENDING"]

FORMAT = 1
SET = "set.json"
BANDS = ("postVV", "postVH", "diffVV", "diffVH")
"""Channels in their order (Table 2); a shard of an event without VH has the first and the third."""
ROW = np.dtype(
    [
        ("event", "U40"),  # lower case
        ("scene", np.int32),  # a simulated event has many places; a real one is scene 0
        ("row", np.int32),  # cell: row and column on the event's 640 m grid
        ("column", np.int32),
        ("track", "U8"),  # A069; empty where unknown
        ("label", np.int8),  # `labels.Label`
        ("original", np.float32),  # share of the patch in the inventory
        ("landslide", np.float32),  # the same where the pass can see it: without layover, shadow and missing pixels
        ("distorted", np.float32),  # share in layover or shadow
        ("valid", np.float32),  # share that is not missing
    ]
)
SHARD_PATCHES = 2048  # 64 MiB with four bands


class UnusableDataset(ValueError):
    """A data set that is not there, not whole, or not the one that was asked for."""


def rows_of(event: str, scene: int, cells: NDArray[np.int_], **columns: Any) -> NDArray[np.void]:
    """Return index rows of one event and scene; columns not given are 0, empty, or 1 for `valid`."""
    rows = np.zeros(len(cells), ROW)
    rows["event"], rows["scene"], rows["valid"] = event, scene, 1
    rows["row"], rows["column"] = cells[:, 0], cells[:, 1]
    for name, values in columns.items():
        rows[name] = values
    return rows


class PatchWriter:
    """Writes one set, patch after patch; keeps at most one shard of each kind in memory.

    Args:
        folder: made if absent; what an unfinished writer left in it is removed, or gone on with.
        pre_days, post_days: windows of the two medians.
        source: what the patches were made from, for whoever reads `set.json`.
        made_by: for a writer that goes on: what else decides about the patches, such as a hash of the code. Whoever goes on adds the
            same patches from the first: those that lie in finished shards (`stored`) are passed over, or need not be made (`leave_out`).

    Raises:
        UnusableDataset: the folder holds a finished set, or an unfinished one from something else.
    """

    def __init__(
        self, folder: Path, *, pre_days: int, post_days: int, source: dict[str, Any], made_by: str | None = None
    ) -> None:
        if (folder / SET).exists():
            raise UnusableDataset(f"{folder} holds a finished data set; write to another folder, or remove this one")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._facts = {"format": FORMAT, "patch_px": PATCH_PX, "pre_days": pre_days, "post_days": post_days}
        self._source, self._made_by = source, made_by
        self._waiting: dict[tuple[str, tuple[str, ...]], list[tuple[NDArray[np.float16], NDArray[np.void]]]] = {}
        self._shards: list[dict[str, Any]] = []
        self._journal: Journal | None = None
        if made_by is None or not (folder / JOURNAL).exists():
            for stale in leftovers(folder):
                stale.unlink(missing_ok=True)
        if made_by is not None:
            maker = {**self._facts, "source": source, "code": made_by}
            try:
                self._journal = Journal(folder, maker)
            except OtherMaker as error:
                raise UnusableDataset(f"{error}; write to another folder, or remove this one") from error
            self._shards = list(self._journal.shards)
        self._stored: Counter[tuple[str, tuple[str, ...]]] = Counter()
        for shard in self._shards:
            self._stored[shard["orbit_pass"], tuple(shard["bands"])] += shard["patches"]
        self._to_pass_over = self._stored.copy()

    def stored(self, orbit_pass: OrbitPass, bands: Sequence[str]) -> int:
        """Return how many patches of a kind lie in finished shards."""
        return self._stored[orbit_pass, tuple(bands)]

    def leave_out(self, orbit_pass: OrbitPass, bands: Sequence[str], count: int) -> None:
        """Say that the first patches of a kind will not be added again; they lie in finished shards.

        Raises:
            ValueError: not all of them do.
        """
        kind = (orbit_pass, tuple(bands))
        if count > self._to_pass_over[kind]:
            raise ValueError(f"{count} patches of {kind} left out, {self._to_pass_over[kind]} of them are stored")
        self._to_pass_over[kind] -= count

    def add(
        self, orbit_pass: OrbitPass, bands: Sequence[str], patches: NDArray[np.floating], rows: NDArray[np.void]
    ) -> None:
        """Append patches.

        Args:
            orbit_pass: of all of them.
            bands: names of the channels, a part of BANDS in its order.
            patches: [n, 64, 64, C], dB, NaN = missing.
            rows: ROW [n].

        Raises:
            UnusableDataset: shapes or bands that do not fit.
        """
        if patches.shape != (len(rows), PATCH_PX, PATCH_PX, len(bands)):
            raise UnusableDataset(f"patches of shape {patches.shape} for {len(rows)} rows and bands {list(bands)}")
        if tuple(bands) != tuple(name for name in BANDS if name in bands):
            raise UnusableDataset(f"bands {list(bands)} are no part of {list(BANDS)} in this order")
        kind = (orbit_pass, tuple(bands))
        with np.errstate(over="ignore"):  # an overflow becomes infinite and is refused
            half = patches.astype(np.float16)
        if np.isinf(half).any():
            raise UnusableDataset(f"patches of {rows['event'][0]}: values that are not decibels (infinite in float16)")
        for first in range(0, len(rows), SHARD_PATCHES):
            part = half[first : first + SHARD_PATCHES], rows[first : first + SHARD_PATCHES]
            if self._to_pass_over[kind] > 0:
                self._to_pass_over[kind] -= len(part[1])
                continue
            waiting = self._waiting.setdefault(kind, [])
            waiting.append(part)
            if sum(len(part[1]) for part in waiting) >= SHARD_PATCHES:
                self._write(kind)

    def _write(self, kind: tuple[str, tuple[str, ...]]) -> None:
        parts = self._waiting.pop(kind)
        orbit_pass, bands = kind
        number = sum(shard["orbit_pass"] == orbit_pass for shard in self._shards)
        name = f"{orbit_pass.lower()}-{number:05d}"
        patches, rows = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        for file, array in zip(shard_files(self._folder, name), (patches, rows), strict=True):
            np.save(file, array)
        shard = {
            "name": name,
            "orbit_pass": orbit_pass,
            "bands": list(bands),
            "patches": len(rows),
            "sha256": [sha256_of(patches), sha256_of(rows)],
        }
        self._shards.append(shard)
        self._stored[kind] += len(rows)
        if self._journal:
            self._journal.add(shard)

    def finish(self) -> str:
        """Write what waits and then `set.json`; return the identity of the set.

        Raises:
            UnusableDataset: nothing was added.
        """
        for kind in sorted(self._waiting):
            self._write(kind)
        if not self._shards:
            raise UnusableDataset(f"{self._folder}: not one patch to write")
        shards = sorted(self._shards, key=lambda shard: str(shard["name"]))
        identity = hashlib.sha256(json.dumps([self._facts, shards], sort_keys=True).encode()).hexdigest()
        made_by = {} if self._made_by is None else {"code": self._made_by}
        document = {**self._facts, "identity": identity, "source": self._source, **made_by, "shards": shards}
        draft = self._folder / f"{SET}.draft"
        draft.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        os.replace(draft, self._folder / SET)
        (self._folder / JOURNAL).unlink(missing_ok=True)
        return identity


def read_set(folder: Path) -> dict[str, Any]:
    """Return `set.json` of a finished set after checking that its files are there.

    Raises:
        UnusableDataset: no set, one of another format, or a shard is missing or cut short.
    """
    if not (folder / SET).is_file():
        raise UnusableDataset(
            f"{folder} holds no finished data set; make one with `python -m training simulate`, `cut` or `arrays`"
        )
    document: dict[str, Any] = json.loads((folder / SET).read_text(encoding="utf-8"))
    if document.get("format") != FORMAT:
        raise UnusableDataset(f"{folder / SET}: format {document.get('format')!r}; this code reads format {FORMAT}")
    for shard in document["shards"]:
        pixels = PATCH_PX * PATCH_PX * len(shard["bands"]) * np.dtype(np.float16).itemsize
        for file, size in zip(shard_files(folder, shard["name"]), (pixels, ROW.itemsize), strict=True):
            if not file.is_file() or file.stat().st_size < shard["patches"] * size:
                raise UnusableDataset(f"{file} is missing or cut short; make the set again")
    return document


def read_rows(folder: Path, shards: Sequence[dict[str, Any]]) -> NDArray[np.void]:
    """Return the index rows of some shards, one after another."""
    if not shards:
        return np.zeros(0, ROW)
    return np.concatenate([np.load(shard_files(folder, shard["name"])[1]) for shard in shards])
