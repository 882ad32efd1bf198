"""Patches of simulated scenes: the events of `training.simulator`, cut and labelled like real ones."""

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
import scipy

from training.campaign.claim import claim, holder
from training.dataset import PATCHES
from training.patches.labels import PATCH_PX, cut, fractions, label_patches
from training.patches.store import BANDS, SET, OrbitPass, PatchWriter, UnusableDataset, read_set, rows_of
from training.patches.unfinished import JOURNAL
from training.report import Steps
from training.simulator.events import EVENTS, events_for
from training.simulator.scene import Scene
from training.sources.kept_scenes import Views, forget, keep, kept, scene_file

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
        return json.loads(json.dumps({"kind": "simulated", **asdict(self)}))


def build(recipe: Recipe, folder: Path, *, jobs: int = 1) -> Iterator[tuple[int, int]]:
    """Simulate all scenes and write their patches; yield (scenes done, scenes) as it goes on.

    An existing set is kept, and so are the finished scenes of one whose writer was killed: the set becomes the same to the byte.

    Raises:
        UnusableDataset: the folder holds the data set of another recipe, an unfinished one of another recipe or of other code, or
            somebody else writes there.
    """
    with claim(folder) as is_ours:
        if not is_ours:
            raise UnusableDataset(
                f"{folder}: {holder(folder) or 'somebody'} writes there already; wait for it, or choose another folder"
            )
        scenes = recipe.scenes
        if (folder / SET).exists():
            if (found := read_set(folder)["source"]) != recipe.source:
                raise UnusableDataset(f"{folder} holds another data set: {found}")
        else:
            yield from _write(recipe, folder, jobs)
        forget(folder)
        (folder / JOURNAL).unlink(missing_ok=True)
        yield len(scenes), len(scenes)


def _write(recipe: Recipe, folder: Path, jobs: int) -> Iterator[tuple[int, int]]:
    windows = {"pre_days": recipe.pre_days, "post_days": recipe.post_days}
    writer = PatchWriter(folder, **windows, source=recipe.source, made_by=code_identity())
    numbers = range(len(recipe.scenes))
    first = in_shards(writer, recipe)
    for orbit_pass in get_args(OrbitPass):
        writer.leave_out(orbit_pass, BANDS, first * recipe.cells**2)
    finished = first + sum(scene_file(folder, number).exists() for number in numbers[first:])
    yield finished, len(numbers)
    # spawned workers inherit no lock from this process, so a kill lets go of it
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=die_with_the_parent) as pool:
        try:
            for number in pool.map(partial(finish_scene, recipe, folder), numbers[first:]):
                views = kept(folder, number)
                if views is None:
                    raise UnusableDataset(f"{scene_file(folder, number)} was removed; the same command makes it again")
                for orbit_pass, patches, rows in views:
                    writer.add(orbit_pass, BANDS, patches, rows)
                forget(folder, before=in_shards(writer, recipe))
                yield max(finished, number + 1), len(numbers)
        finally:
            pool.shutdown(cancel_futures=True)
    writer.finish()


def in_shards(writer: PatchWriter, recipe: Recipe) -> int:
    """Return how many scenes lie in finished shards as a whole, for both passes."""
    return min(writer.stored(orbit_pass, BANDS) for orbit_pass in get_args(OrbitPass)) // recipe.cells**2


def finish_scene(recipe: Recipe, folder: Path, number: int) -> int:
    """Simulate a scene and keep it in a folder, unless it is there; return its number."""
    if kept(folder, number) is None:
        keep(folder, number, scene_patches(recipe, number))
    return number


def die_with_the_parent() -> None:
    """Let this worker end as soon as the process that started it is gone, however it went."""
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def code_identity() -> str:
    """Return a hash of what makes patches of a recipe: a set is not gone on with by other code, it would be two halves."""
    root = Path(__file__).parents[1]
    sources = (*sorted(root.glob("simulator/*.py")), *sorted(root.glob("patches/*.py")), Path(__file__))
    digest = hashlib.sha256(f"numpy {np.__version__} scipy {scipy.__version__}".encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


def scene_patches(recipe: Recipe, number: int) -> Views:
    """Return the patches and index rows of one scene, for each pass."""
    name, seed = recipe.scenes[number]
    scene = Scene(EVENTS[name], seed=seed, shape=(recipe.scene_px, recipe.scene_px))
    failed = scene.is_slide()
    original = fractions(failed)
    cells = np.stack(np.divmod(np.arange(recipe.cells**2), recipe.cells), axis=1)
    views: Views = []
    for orbit_pass in get_args(OrbitPass):
        distorted = scene.view(orbit_pass).is_distorted
        landslide = fractions(failed & ~distorted)
        shares = {"original": original, "landslide": landslide, "distorted": fractions(distorted)}
        rows = rows_of(name, seed, cells, label=label_patches(original, landslide), **shares)
        composite = scene.composite(orbit_pass, pre_days=recipe.pre_days, post_days=recipe.post_days)
        views.append((orbit_pass, cut(composite).astype(np.float16), rows))
    return views


HELP = """Simulate scenes and cut them into patches. After a kill the same command goes on: finished scenes are kept.

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
def simulate_command(out: Path | None, jobs: int, **values: Any) -> None:
    """Simulate scenes and cut them into patches."""
    recipe = Recipe(**values)
    folder = out or PATCHES / f"{recipe.pre_days}-{recipe.post_days}"
    try:
        with Steps("scene") as steps:
            for done, scenes in build(recipe, folder, jobs=jobs):
                steps(done, scenes)
    except (UnusableDataset, OSError) as error:
        raise click.ClickException(f"{error}") from error
    click.echo(f"{folder}: {len(recipe.scenes)} scenes")
    if read_set(folder).get("code", code_identity()) != code_identity():
        click.echo(
            f"{folder} was made before the simulator changed; it is kept. Remove it to have it made anew", err=True
        )
