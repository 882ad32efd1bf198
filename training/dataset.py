"""Patches of simulated scenes on disk, and which of them a training may see (Nava et al. 2026, sections 3.2 and 3.3).

Patches lie on a grid of 64 x 64 px without overlap. A patch is a landslide if more than 5 % of its pixels failed where this pass can
see them; background if nothing failed at all, seen or not. What lies between is left out, or counts as background on request.
The part that a patch belongs to is a hash of its event, scene and cell: the same for every pass, window and polarisation.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import click
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from training.simulator.events import EVENTS, events_for
from training.simulator.geometry import OrbitPass
from training.simulator.scene import BANDS, Scene

Part = Literal["train", "validation", "test", "unseen"]

SCENES = Path("build/training/scenes-60-12")
PATCH_PX = 64
MIN_FRACTION = 0.05
TEST_SHARE = 0.33
VALIDATION_SHARE = (1 - TEST_SHARE) * 0.40
MAX_TEST_RATIO = 10.0
_LEARNT = {"train", "practice"}  # roles
_PATCHES = "patches_{}.npy"
_INDEX = "index.npz"
_RECIPE = "recipe.json"


class UnusableDataset(ValueError):
    """A data set that is not there, or not the one that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a data set is made of: the same recipe gives the same patches.

    Attributes:
        pre_days, post_days: windows of the medians.
        scenes_per_event: seeds 0, 1, ... of every training event.
        unseen_scenes_per_event: the same for the events that are only scored.
        scene_px: side of a scene.
        events: training events, all by default.
    """

    pre_days: int = 60
    post_days: int = 12
    scenes_per_event: int = 20
    unseen_scenes_per_event: int = 5
    scene_px: int = 1024
    events: tuple[str, ...] = tuple(e.name for e in events_for("train"))

    def __post_init__(self) -> None:
        """Refuse to train on an event that a model must not see."""
        for name in self.events:
            if name not in EVENTS or EVENTS[name].role not in _LEARNT:
                raise UnusableDataset(f"event {name!r} may not enter a training: it is no training event")

    @property
    def scenes(self) -> tuple[tuple[str, int], ...]:
        """(event, seed) of every scene, in the order of the files."""
        unseen = [e.name for e in events_for("unseen")]
        seen = [(name, seed) for name in self.events for seed in range(self.scenes_per_event)]
        return (*seen, *((name, seed) for name in unseen for seed in range(self.unseen_scenes_per_event)))

    @property
    def cells(self) -> int:
        """Patches along one side of a scene."""
        return self.scene_px // PATCH_PX


def part_of(event: str, seed: int, row: int, column: int) -> Part:
    """Return the part of a cell; nothing but the event, the scene and the cell decides it."""
    if EVENTS[event].role == "unseen":
        return "unseen"
    if EVENTS[event].role not in _LEARNT:
        raise UnusableDataset(f"event {event!r} belongs to no data set")
    place = _hash("part", event, seed, row, column)
    if place < TEST_SHARE:
        return "test"
    return "validation" if place < TEST_SHARE + VALIDATION_SHARE else "train"


def _hash(*key: object) -> float:
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def build(recipe: Recipe, folder: Path, *, jobs: int = 1) -> Iterator[tuple[int, int]]:
    """Simulate all scenes and write their patches; yield (scenes done, scenes) as it goes on. An existing set is kept.

    Raises:
        UnusableDataset: the folder holds the data set of another recipe.
    """
    written = folder / _RECIPE
    scenes = recipe.scenes
    if written.exists():
        if (found := json.loads(written.read_text())) != json.loads(json.dumps(asdict(recipe))):
            raise UnusableDataset(f"{folder} holds another data set: {found}")
        yield len(scenes), len(scenes)
        return
    folder.mkdir(parents=True, exist_ok=True)
    per_scene = recipe.cells**2
    for orbit_pass in get_args(OrbitPass):
        shape = (len(scenes) * per_scene, PATCH_PX, PATCH_PX, len(BANDS))
        np.lib.format.open_memmap(_patch_file(folder, orbit_pass), "w+", np.float16, shape).flush()
    fractions = np.zeros((3, len(scenes) * per_scene), np.float32)
    with ProcessPoolExecutor(jobs) as pool:
        futures = {pool.submit(_build_scene, recipe, folder, n): n for n in range(len(scenes))}
        for done, future in enumerate(as_completed(futures), 1):
            number = futures[future]
            fractions[:, number * per_scene : (number + 1) * per_scene] = future.result()
            yield done, len(scenes)
    np.savez(folder / _INDEX, original=fractions[0], ASCENDING=fractions[1], DESCENDING=fractions[2])
    draft = written.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(recipe)), encoding="utf-8")
    os.replace(draft, written)


def _patch_file(folder: Path, orbit_pass: OrbitPass) -> Path:
    return folder / _PATCHES.format(orbit_pass.lower())


def _build_scene(recipe: Recipe, folder: Path, number: int) -> NDArray[np.float32]:
    """Write the patches of one scene; return the failed fraction of each: all, seen ascending, seen descending."""
    name, seed = recipe.scenes[number]
    scene = Scene(EVENTS[name], seed=seed, shape=(recipe.scene_px, recipe.scene_px))
    failed = scene.is_slide()
    rows = slice(number * recipe.cells**2, (number + 1) * recipe.cells**2)
    fractions = [cut(failed[..., None].astype(np.float32)).mean(axis=(1, 2, 3))]
    for orbit_pass in get_args(OrbitPass):
        patches = np.load(_patch_file(folder, orbit_pass), mmap_mode="r+")
        patches[rows] = cut(scene.composite(orbit_pass, pre_days=recipe.pre_days, post_days=recipe.post_days))
        patches.flush()
        seen = failed & ~scene.view(orbit_pass).is_distorted
        fractions.append(cut(seen[..., None].astype(np.float32)).mean(axis=(1, 2, 3)))
    return np.stack(fractions)


def cut(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut an image [H, W, C] into its whole patches [n, 64, 64, C], row by row."""
    rows, columns = (n // PATCH_PX for n in image.shape[:2])
    whole = image[: rows * PATCH_PX, : columns * PATCH_PX]
    blocks = whole.reshape(rows, PATCH_PX, columns, PATCH_PX, -1).swapaxes(1, 2)
    return blocks.reshape(rows * columns, PATCH_PX, PATCH_PX, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A choice of patches.

    Attributes:
        patches: float16 [N, 64, 64, C], dB: the whole file, memory-mapped.
        bands: which of its channels count, in order.
        index: int64 [n], the patches of this choice.
        label: float32 [n], 1 = landslide.
        scene: int64 [n], which scene each is of.
        event: object [n], which event.
    """

    patches: NDArray[np.float16]
    bands: tuple[int, ...]
    index: NDArray[np.int64]
    label: NDArray[np.float32]
    scene: NDArray[np.int64]
    event: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.index)

    def batches(self, size: int = 512) -> Iterator[NDArray[np.float32]]:
        """Yield float32 [<= size, 64, 64, C] in order."""
        for first in range(0, len(self), size):
            yield self.take(np.arange(first, min(first + size, len(self))))

    def take(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return some patches of the choice, float32 [n, 64, 64, C]."""
        return self.patches[self.index[places]][..., self.bands].astype(np.float32)

    def only(self, keep: NDArray[np.bool_]) -> "Sample":
        """Return the part of the choice where `keep` is true."""
        return Sample(
            patches=self.patches,
            bands=self.bands,
            index=self.index[keep],
            label=self.label[keep],
            scene=self.scene[keep],
            event=self.event[keep],
        )


class Dataset:
    """The patches of one recipe.

    Raises:
        UnusableDataset: the folder holds no finished data set.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / _RECIPE).exists():
            raise UnusableDataset(f"{folder} holds no finished data set; make it with `python -m training simulate`")
        values = json.loads((folder / _RECIPE).read_text())
        self.folder, self.recipe = folder, Recipe(**{**values, "events": tuple(values["events"])})
        with np.load(folder / _INDEX) as fractions:
            self.fractions = dict(fractions)
        cells = self.recipe.cells
        self.scene = np.repeat(np.arange(len(self.recipe.scenes)), cells**2)
        keys = [(e, s, r, c) for e, s in self.recipe.scenes for r in range(cells) for c in range(cells)]
        self.event = np.array([key[0] for key in keys])
        self.part = np.array([part_of(*key) for key in keys])
        self._order = np.array([_hash("order", *key) for key in keys])

    def select(
        self,
        part: Part,
        orbit_pass: OrbitPass,
        bands: Sequence[str] = BANDS,
        *,
        ratio: float = MAX_TEST_RATIO,
        subthreshold: Literal["exclude", "background"] = "exclude",
    ) -> Sample:
        """Return the patches of one part.

        Args:
            part: unseen events are in no other part.
            orbit_pass: ASCENDING or DESCENDING.
            bands: channels, in order.
            ratio: at most so many background patches per landslide patch, event by event.
            subthreshold: what a patch is whose slides cover 5 % or less.
        """
        label = label_patches(self.fractions["original"], self.fractions[orbit_pass], subthreshold=subthreshold)
        chosen = []
        for name in dict.fromkeys(self.event):
            here = (self.event == name) & (self.part == part)
            slides, background = np.nonzero(here & (label == 1))[0], np.nonzero(here & (label == 0))[0]
            background = background[np.argsort(self._order[background], kind="stable")]
            chosen += [slides, background[: round(ratio * len(slides))]]
        index = np.sort(np.concatenate(chosen))
        if part != "unseen" and (roles := {EVENTS[name].role for name in self.event[index]}) - _LEARNT:
            raise UnusableDataset(f"part {part} holds events of the roles {sorted(roles)}")
        return Sample(
            patches=np.load(_patch_file(self.folder, orbit_pass), mmap_mode="r"),
            bands=tuple(BANDS.index(name) for name in bands),
            index=index,
            label=label[index].astype(np.float32),
            scene=self.scene[index],
            event=self.event[index],
        )


def label_patches(
    original: NDArray[np.float32], seen: NDArray[np.float32], *, subthreshold: Literal["exclude", "background"]
) -> NDArray[np.int8]:
    """Return 1 = landslide, 0 = background, -1 = left out, from the failed fraction of each patch and the part of it in sight."""
    small = 0 if subthreshold == "background" else -1
    unseen = np.where(original > MIN_FRACTION, -1, small)  # large enough, but in layover or shadow: neither
    return np.where(seen > MIN_FRACTION, 1, np.where(original == 0, 0, unseen)).astype(np.int8)


SIMULATE_HELP = """Simulate scenes and cut them into patches.

\b
Example:
  python -m training simulate --scenes-per-event 20 --jobs 2
"""


@click.command("simulate", help=SIMULATE_HELP)
@click.option("--out", type=click.Path(path_type=Path), default=SCENES, show_default=True)
@click.option("--pre-days", type=click.IntRange(12, 365), default=60, show_default=True)
@click.option("--post-days", type=click.IntRange(12, 60), default=12, show_default=True)
@click.option("--scenes-per-event", type=click.IntRange(1), default=20, show_default=True)
@click.option("--unseen-scenes-per-event", type=click.IntRange(0), default=5, show_default=True)
@click.option("--scene-px", type=click.IntRange(128), default=1024, show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
def simulate_command(out: Path, jobs: int, **values: int) -> None:
    """Simulate scenes and cut them into patches."""
    try:
        with Progress() as progress:
            task = progress.add_task("simulating", total=None)
            for done, scenes in build(Recipe(**values), out, jobs=jobs):
                progress.update(task, completed=done, total=scenes, description=f"scene {done} of {scenes}")
    except UnusableDataset as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{out}: {len(Recipe(**values).scenes)} scenes")
