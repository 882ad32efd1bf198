"""Patches of simulated scenes: the events of `training.simulator`, cut and labelled like real ones."""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from training.dataset import PATCHES
from training.patches.labels import PATCH_PX, cut, fractions, label_patches
from training.patches.store import BANDS, SET, OrbitPass, PatchWriter, UnusableDataset, read_set, rows_of
from training.simulator.events import EVENTS, events_for
from training.simulator.scene import Scene

_LEARNT = {"train", "practice"}  # roles


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

    @property
    def source(self) -> dict[str, Any]:
        """What `set.json` says of it."""
        return json.loads(json.dumps({"kind": "simulated", **asdict(self)}))  # type: ignore[no-any-return]


def build(recipe: Recipe, folder: Path, *, jobs: int = 1) -> Iterator[tuple[int, int]]:
    """Simulate all scenes and write their patches; yield (scenes done, scenes) as it goes on. An existing set is kept.

    Raises:
        UnusableDataset: the folder holds the data set of another recipe.
    """
    scenes = recipe.scenes
    if (folder / SET).exists():
        if (found := read_set(folder)["source"]) != recipe.source:
            raise UnusableDataset(f"{folder} holds another data set: {found}")
        yield len(scenes), len(scenes)
        return
    writer = PatchWriter(folder, pre_days=recipe.pre_days, post_days=recipe.post_days, source=recipe.source)
    with ProcessPoolExecutor(jobs) as pool:
        batches = (range(first, min(first + 2 * jobs, len(scenes))) for first in range(0, len(scenes), 2 * jobs))
        done = 0
        for batch in batches:  # so that few finished scenes wait in memory
            for views in pool.map(scene_patches, [recipe] * len(batch), batch):
                for orbit_pass, patches, rows in views:
                    writer.add(orbit_pass, BANDS, patches, rows)
                done += 1
                yield done, len(scenes)
    writer.finish()


def scene_patches(recipe: Recipe, number: int) -> list[tuple[OrbitPass, NDArray[np.float16], NDArray[np.void]]]:
    """Return the patches [n, 64, 64, 4] and index rows of one scene, for each pass."""
    name, seed = recipe.scenes[number]
    scene = Scene(EVENTS[name], seed=seed, shape=(recipe.scene_px, recipe.scene_px))
    failed = scene.is_slide()
    original = fractions(failed)
    cells = np.stack(np.divmod(np.arange(recipe.cells**2), recipe.cells), axis=1)
    views = []
    for orbit_pass in get_args(OrbitPass):
        distorted = scene.view(orbit_pass).is_distorted
        landslide = fractions(failed & ~distorted)
        shares = {"original": original, "landslide": landslide, "distorted": fractions(distorted)}
        rows = rows_of(name, seed, cells, label=label_patches(original, landslide), **shares)
        composite = scene.composite(orbit_pass, pre_days=recipe.pre_days, post_days=recipe.post_days)
        views.append((orbit_pass, cut(composite).astype(np.float16), rows))
    return views


HELP = """Simulate scenes and cut them into patches.

\b
Examples:
  python -m training simulate --scenes-per-event 20 --jobs 2
  python -m training simulate --pre-days 12 --post-days 12 --jobs 2
"""


@click.command("simulate", help=HELP)
@click.option("--out", type=click.Path(path_type=Path), help=f"Folder of the set; {PATCHES}/PRE-POST where not given.")
@click.option("--pre-days", type=click.IntRange(12, 365), default=60, show_default=True)
@click.option("--post-days", type=click.IntRange(12, 60), default=12, show_default=True)
@click.option("--scenes-per-event", type=click.IntRange(1), default=20, show_default=True)
@click.option("--unseen-scenes-per-event", type=click.IntRange(0), default=5, show_default=True)
@click.option("--scene-px", type=click.IntRange(128), default=1024, show_default=True)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
def simulate_command(out: Path | None, jobs: int, **values: int) -> None:
    """Simulate scenes and cut them into patches."""
    recipe = Recipe(**values)
    folder = out or PATCHES / f"{recipe.pre_days}-{recipe.post_days}"
    try:
        with Progress() as progress:
            task = progress.add_task("simulating", total=None)
            for done, scenes in build(recipe, folder, jobs=jobs):
                progress.update(task, completed=done, total=scenes, description=f"scene {done} of {scenes}")
    except UnusableDataset as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{folder}: {len(recipe.scenes)} scenes")
