"""The ground under a patch: slope, aspect, and where the inventory says it failed.

Patches hold radar only. A simulated place is made again from its seed, without its radar images. For real ones a file `ground.npz`
beside the patch set says it: arrays `event`, `scene`, `row`, `column` [m] as in the set's index, `slope_deg` and `aspect_deg` float
[m, 64, 64], `scar` bool [m, 64, 64].
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.simulator.events import EVENTS
from training.simulator.scene import Scene

PATCH_PX = 64
FILE = "ground.npz"


class UnknownGround(ValueError):
    """Nothing says what lies under the patches; the message says how to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What lies under n patches.

    Attributes:
        slope_deg, aspect_deg: float32 [n, 64, 64]; aspect is downhill, clockwise from north.
        scar: bool [n, 64, 64].
    """

    slope_deg: NDArray[np.float32]
    aspect_deg: NDArray[np.float32]
    scar: NDArray[np.bool_]

    def under_scars(self, keep: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return slopes and aspects of the scar pixels of some patches."""
        pixels = self.scar & keep[:, None, None]
        return self.slope_deg[pixels], self.aspect_deg[pixels]


def ground_under(folder: Path, source: dict[str, Any], rows: NDArray[np.void]) -> Ground:
    """Return the ground under some patches of a set.

    Args:
        folder: of the set.
        source: what the set says it was made from.
        rows: index rows with `event`, `scene`, `row`, `column`.

    Raises:
        UnknownGround: the set is not simulated and has no `ground.npz`, or a patch is not in it.
    """
    if (folder / FILE).is_file():
        return _stored(folder / FILE, rows)
    if source.get("kind") != "simulated":
        raise UnknownGround(
            f"{folder}: no {FILE} beside the set, and it is not simulated; see training/explanation/ground.py"
        )
    side = int(source["scene_px"])
    order = np.lexsort((rows["scene"], rows["event"]))  # one place after another: only the last one made is kept
    cells = np.zeros((len(rows), 3, PATCH_PX, PATCH_PX), np.float32)
    for number in order:
        event, scene, row, column = (rows[name][number] for name in ("event", "scene", "row", "column"))
        place = _simulated(str(event), int(scene), side)
        window = (slice(PATCH_PX * row, PATCH_PX * (row + 1)), slice(PATCH_PX * column, PATCH_PX * (column + 1)))
        cells[number] = [layer[window] for layer in place]
    return Ground(slope_deg=cells[:, 0], aspect_deg=cells[:, 1], scar=cells[:, 2] > 0)


@lru_cache(maxsize=1)
def _simulated(event: str, seed: int, side: int) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    scene = Scene(EVENTS[event], seed=seed, shape=(side, side))
    return scene.terrain.slope_deg, scene.terrain.aspect_deg, scene.is_slide()


def _stored(file: Path, rows: NDArray[np.void]) -> Ground:
    names = ("event", "scene", "row", "column")
    with np.load(file) as arrays:
        place = {key: i for i, key in enumerate(zip(*(arrays[name].tolist() for name in names), strict=True))}
        wanted = list(zip(*(rows[name].tolist() for name in names), strict=True))
        if missing := [key for key in wanted if key not in place]:
            raise UnknownGround(f"{file}: nothing of {len(missing)} patches, the first is {missing[0]}")
        index = [place[key] for key in wanted]
        return Ground(
            slope_deg=arrays["slope_deg"][index].astype(np.float32),
            aspect_deg=arrays["aspect_deg"][index].astype(np.float32),
            scar=arrays["scar"][index].astype(bool),
        )
