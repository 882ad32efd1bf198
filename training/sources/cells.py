"""Which cells enter a set: those with enough pixels, none twice, and the same as in the sets of other windows beside it (R11)."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.patches.labels import Label
from training.patches.store import SET, OrbitPass, UnusableDataset, read_rows, read_set

LEAST_VALID = 0.75
"""A patch with fewer valid pixels is left out; the detector does not score such windows either."""

Key = tuple[OrbitPass, str, int, str]
"""Pass, event, scene, track."""


class Cells:
    """Cells that were seen, in eight bytes each: a set of the paper's size has millions."""

    def __init__(self) -> None:
        self._codes: defaultdict[Key, list[NDArray[np.int64]]] = defaultdict(list)

    def add(self, orbit_pass: OrbitPass, rows: NDArray[np.void]) -> None:
        """Take note of index rows, ROW [n]."""
        keys, number = np.unique(rows[["event", "scene", "track"]], return_inverse=True)
        codes = rows["row"] * np.int64(2**32) + rows["column"]
        for n, (event, scene, track) in enumerate(keys.tolist()):
            self._codes[orbit_pass, event, scene, track].append(codes[number == n])

    def refuse_repeated(self, name: str, remedy: str) -> None:
        """Refuse a cell that was added twice: it would count twice, in training and in every score.

        Args:
            name: what was added last, for messages.
            remedy: what to do, for messages.

        Raises:
            UnusableDataset: there is one.
        """
        for key, parts in self._codes.items():
            codes, counts = np.unique(np.concatenate(parts), return_counts=True)
            if len(twice := codes[counts > 1]):
                column = int(twice[0] + 2**31) % 2**32 - 2**31
                orbit_pass, event, _, track = key
                where = f"({(int(twice[0]) - column) // 2**32}, {column}) of {event}, {orbit_pass} {track}".rstrip()
                raise UnusableDataset(f"{name}: cell {where}, is there twice; {remedy}")
            parts[:] = [codes]

    def less(self, other: "Cells") -> Counter[str]:
        """Count by event the cells that the other has not."""
        missing: Counter[str] = Counter()
        for key, parts in self._codes.items():
            theirs = other._codes.get(key, [np.zeros(0, np.int64)])
            missing[key[1]] += len(np.setdiff1d(np.concatenate(parts), np.concatenate(theirs)))
        return +missing


def none_of_any_kind() -> NDArray[np.int_]:
    """Return no cell of any kind, to be added to, int [4] by `Label`."""
    return np.zeros(len(Label), np.int_)


def count_kinds(rows: NDArray[np.void]) -> NDArray[np.int_]:
    """Count index rows by `Label`, int [4]."""
    return np.bincount(rows["label"], minlength=len(Label))


def kinds(count: NDArray[np.int_], name: str) -> str:
    """Say how many cells there are, by what they are called, and how many of each kind.

    Args:
        count: by `Label`.
        name: of what is counted, plural.
    """
    landslide, background, small, hidden = (
        count[kind] for kind in (Label.LANDSLIDE, Label.BACKGROUND, Label.SUBTHRESHOLD, Label.DISTORTED)
    )
    others = [f"{small} below 5 %"] * bool(small) + [f"{hidden} out of sight"] * bool(hidden)
    return f"{count.sum()} {name} ({', '.join([f'{landslide} landslide', f'{background} background', *others])})"


def left_out(few: int, none: int = 0) -> str:
    """Say how many cells had too few pixels, as the end of a sentence; nothing where all had enough.

    Args:
        few: with some.
        none: without any.
    """
    parts = [f"{few} left out, of whose pixels fewer than {LEAST_VALID:.0%} are there"] if few else []
    parts += [f"{none} without any"] if none else []
    return "; ".join(["", *parts])


def differences(folder: Path) -> list[str]:
    """Say which sets beside this one, of the same kind and of other windows, have other cells: their trainings see other patches.

    A cell that one set lacks changes no other cell's part, nor its turn among the background: both follow from event and place.
    """
    own = read_set(folder)
    here = _cells(folder, own)
    lines = []
    for other in sorted(file.parent for file in folder.resolve().parent.glob(f"*/{SET}")):
        if other == folder.resolve():
            continue
        try:
            document = read_set(other)
        except (UnusableDataset, ValueError):
            continue  # whoever trains on it is told
        if _windows(document) == _windows(own) or document["source"].get("kind") != own["source"].get("kind"):
            continue
        there = _cells(other, document)
        ours, theirs = here.less(there), there.less(here)
        if by_event := ours + theirs:
            events = ", ".join(f"{event} {count}" for event, count in sorted(by_event.items()))
            lines.append(
                f"not the same cells as {other}: {ours.total()} are only in {folder}, {theirs.total()} only there ({events})"
            )
    return lines


def _windows(document: dict[str, Any]) -> tuple[int, int]:
    return document["pre_days"], document["post_days"]


def _cells(folder: Path, document: dict[str, Any]) -> Cells:
    cells = Cells()
    for shard in document["shards"]:
        cells.add(shard["orbit_pass"], read_rows(folder, [shard]))
    return cells
