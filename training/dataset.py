"""A patch set as a training sees it: parts, ratios, and batches read from disk as they are needed (Nava et al. 2026, 3.2 and 3.3)."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.patches.labels import Label
from training.patches.sharded import ShardedPatches
from training.patches.split import Part, Split, part_of, rank_of, refuse_leak
from training.patches.store import BANDS, ROW, SET, OrbitPass, UnusableDataset, read_rows, read_set

__all__ = ["BANDS", "PATCHES", "Dataset", "Part", "Sample", "UnusableDataset", "dataset_for"]

PATCHES = Path("build/training/patches")
"""Where the commands keep patch sets, one folder for each pair of windows: `60-12`."""
MAX_TEST_RATIO = 10.0
"""Background patches per landslide patch in a test: the natural ratio of an event, at most this (3.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A choice of patches.

    Attributes:
        patches: all of them, by number: float16 [N, 64, 64, 4], dB, NaN = missing; an array or `ShardedPatches`.
        bands: which of its channels count, in order.
        index: int64 [n], the patches of this choice.
        label: float32 [n], 1 = landslide.
        scene: int64 [n], which place each is of: patches of one place resemble each other.
        event: [n], which event.
        rows: [n] of `patches.store.ROW`: cell, track, kind and shares of each.
        fill: what a missing pixel is read as, dB by channel of `patches`; 0, no change, suits the diff bands.
    """

    patches: NDArray[np.float16] | ShardedPatches
    bands: tuple[int, ...]
    index: NDArray[np.int64]
    label: NDArray[np.float32]
    scene: NDArray[np.int64]
    event: NDArray[np.str_]
    rows: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, ROW))
    fill: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)

    def __len__(self) -> int:
        return len(self.index)

    def batches(self, size: int) -> Iterator[NDArray[np.float32]]:
        """Yield float32 [<= size, 64, 64, C] in order."""
        for first in range(0, len(self), size):
            yield self.take(np.arange(first, min(first + size, len(self))))

    def take(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return some patches of the choice, float32 [n, 64, 64, C], missing pixels filled."""
        return np.where(
            np.isnan(pixels := self.raw(places)), np.array([self.fill[b] for b in self.bands], np.float32), pixels
        )

    def raw(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return some patches of the choice, float32 [n, 64, 64, C], missing pixels NaN."""
        return self.patches[self.index[places]][..., list(self.bands)].astype(np.float32)

    def only(self, keep: NDArray[np.bool_]) -> "Sample":
        """Return the part of the choice where `keep` is true."""
        chosen = {name: getattr(self, name)[keep] for name in ("index", "label", "scene", "event")}
        return replace(self, **chosen, rows=self.rows[keep] if len(self.rows) else self.rows)


class Dataset:
    """One patch set.

    Attributes:
        folder, pre_days, post_days: where it lies and the windows of its medians.
        identity: hash of its contents.
        source: what it was made from, as `set.json` says.

    Raises:
        UnusableDataset: the folder holds no finished set.
    """

    def __init__(self, folder: Path) -> None:
        try:
            document = read_set(folder)
        except ValueError as error:  # UnusableDataset is one, and says all
            raise (
                error if isinstance(error, UnusableDataset) else UnusableDataset(f"{folder / SET}: {error}")
            ) from error
        self.folder = folder
        self.pre_days, self.post_days = int(document["pre_days"]), int(document["post_days"])
        self.identity: str = document["identity"]
        self.source: dict[str, Any] = document["source"]
        self._shards: list[dict[str, Any]] = document["shards"]
        self._fill_db: dict[str, float] = {}

    @property
    def pixel_geometry(self) -> str:
        """`utm_10m`, also of simulated scenes, whose source names none, or `epsg4326_10m`."""
        return str(self.source.get("pixel_geometry", "utm_10m"))

    def filled_with(self, fill_db: dict[str, float]) -> "Dataset":
        """Return the same set, whose selections read missing pixels as a model card says, by band; 0 where it does not."""
        other = copy(self)
        other._fill_db = dict(fill_db)
        return other

    def shards(self, orbit_pass: OrbitPass, bands: Sequence[str]) -> list[dict[str, Any]]:
        """Return the shards of a pass that have all of some bands: an event without VH is in none of a dual-pol training (R10)."""
        return [s for s in self._shards if s["orbit_pass"] == orbit_pass and set(bands) <= set(s["bands"])]

    def rows(self, orbit_pass: OrbitPass, bands: Sequence[str] = BANDS) -> NDArray[np.void]:
        """Return the index rows of a pass and some bands."""
        return read_rows(self.folder, self.shards(orbit_pass, bands))

    def select(
        self,
        part: Part,
        orbit_pass: OrbitPass,
        bands: Sequence[str] = BANDS,
        *,
        ratio: float = MAX_TEST_RATIO,
        subthreshold: Literal["exclude", "background"] = "exclude",
        split: Split = "cell",
        events: Sequence[str] = (),
    ) -> Sample:
        """Return the patches of one part.

        Args:
            part: unseen events are in no other part.
            orbit_pass: ASCENDING or DESCENDING.
            bands: channels, in order; only events that have them all take part.
            ratio: at most so many background patches per landslide patch, event by event.
            subthreshold: what a patch is whose slides cover 5 % or less; one with more, but out of sight, is always left out. As background
                it counts within the ratio, so that where this binds the background keeps the share of such patches that nature has.
            split: cells or blocks of cells.
            events: only these; all where empty.

        Raises:
            UnusableDataset: no patch of that pass has these bands, an event is not there, or blocks are asked for and cells are numbers.
            LeakedEvent: an unseen event is about to be learnt from.
        """
        if split == "block" and self.source.get("cells") == "numbered":
            raise UnusableDataset(
                f"{self.folder}: its cells are numbers, which say nothing of neighbours: split by cell, or make the set with `cells`"
            )
        shards = self.shards(orbit_pass, bands)
        if not shards:
            raise UnusableDataset(f"{self.folder} holds no {orbit_pass} patches with the bands {', '.join(bands)}")
        rows = read_rows(self.folder, shards)
        if missing := sorted(set(events) - set(np.unique(rows["event"]))):
            there = ", ".join(sorted(map(str, np.unique(rows["event"]))))
            raise UnusableDataset(
                f"{self.folder} holds no {orbit_pass} patches of {', '.join(missing)}, but of {there}"
            )
        keys = list(zip(*(rows[name].tolist() for name in ("event", "scene", "row", "column")), strict=True))
        here = np.fromiter((part_of(*key, split=split) == part for key in keys), bool, len(keys))
        is_background = rows["label"] == Label.BACKGROUND
        if subthreshold == "background":
            is_background |= rows["label"] == Label.SUBTHRESHOLD
        chosen = [np.zeros(0, np.int64)]
        for name in dict.fromkeys(events) or np.unique(rows["event"]):
            of_event = here & (rows["event"] == name)
            slides = np.nonzero(of_event & (rows["label"] == Label.LANDSLIDE))[0]
            background = np.nonzero(of_event & is_background)[0]
            rank = np.array([rank_of(*keys[number]) for number in background])
            background = background[np.argsort(rank, kind="stable")]
            chosen += [slides, background[: round(ratio * len(slides))]]
        index = np.sort(np.concatenate(chosen))
        refuse_leak(part, rows["event"][index])
        _, scene = np.unique(rows[["event", "scene"]], return_inverse=True)
        return Sample(
            patches=ShardedPatches(self.folder, shards),
            bands=tuple(BANDS.index(name) for name in bands),
            index=index,
            label=(rows["label"][index] == Label.LANDSLIDE).astype(np.float32),
            scene=scene[index].astype(np.int64),
            event=rows["event"][index],
            rows=rows[index],
            fill=tuple(self._fill_db.get(name, 0.0) for name in BANDS),
        )


@cache
def _opened(folder: Path) -> Dataset:
    return Dataset(folder)


def dataset_for(folder: Path, pre_days: int, post_days: int) -> Dataset:
    """Return the set of a pair of windows: `folder` itself, or the folder `60-12` in it.

    Raises:
        UnusableDataset: there is none, or it was made for other windows.
    """
    dataset = _opened(folder if (folder / SET).exists() else folder / f"{pre_days}-{post_days}")
    if (dataset.pre_days, dataset.post_days) != (pre_days, post_days):
        raise UnusableDataset(
            f"{dataset.folder} holds the windows {dataset.pre_days}-{dataset.post_days}, not {pre_days}-{post_days}"
        )
    return dataset
