"""Simulated scenes that are finished before their shard is: kept beside the shards, so that a kill costs no finished scene.

scene-00012.npz      patches and index rows of both passes; gone once they lie in shards
"""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.patches.store import OrbitPass

Views = list[tuple[OrbitPass, NDArray[np.float16], NDArray[np.void]]]
"""Of one scene, by pass: patches [n, 64, 64, 4] and index rows [n]."""


def scene_file(folder: Path, number: int) -> Path:
    """Return where a scene is kept."""
    return folder / f"scene-{number:05d}.npz"


def keep(folder: Path, number: int, views: Views) -> None:
    """Write a scene; its file is there as a whole or not at all."""
    arrays: dict[str, NDArray[Any]] = {}
    for orbit_pass, patches, rows in views:
        arrays |= {f"{orbit_pass} patches": patches, f"{orbit_pass} rows": rows}
    draft = folder / f"scene-{number:05d}.{os.getpid()}.draft"
    with draft.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    os.replace(draft, scene_file(folder, number))


def kept(folder: Path, number: int) -> Views | None:
    """Return a scene that was kept; None where there is none, or where the machine lost power before all of it was on disk."""
    try:
        with scene_file(folder, number).open("rb") as file, np.load(file) as arrays:
            names = [name.removesuffix(" rows") for name in arrays.files if name.endswith(" rows")]
            return [(name, arrays[f"{name} patches"], arrays[f"{name} rows"]) for name in names]
    except (FileNotFoundError, zipfile.BadZipFile, EOFError, ValueError):
        return None


def forget(folder: Path, before: int | None = None) -> None:
    """Remove the scenes with a number below `before`; without it all of them, and drafts of killed writers."""
    for file in folder.glob("scene-*.npz"):
        if before is None or file < scene_file(folder, before):
            file.unlink(missing_ok=True)
    for file in folder.glob("scene-*.draft") if before is None else ():
        file.unlink(missing_ok=True)
