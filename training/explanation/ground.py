"""The ground under a patch: slope, aspect, where the inventory says it failed, and how much of that the pass can see.

Patches hold radar only. A simulated place is made again from its seed, without its radar images, and held against what the set says of
its patches. For real ones a file `ground.npz` beside the patch set says it: arrays `event`, `scene`, `row`, `column` [m] as in the set's
index, `slope_deg` and `aspect_deg` float [m, 64, 64], NaN where unknown, `scar` bool [m, 64, 64]; and where layover and shadow are known,
`distorted_ascending` and `distorted_descending` bool [m, 64, 64].
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.patches.labels import PATCH_PX
from training.patches.store import OrbitPass
from training.simulator.events import EVENTS
from training.simulator.scene import Scene

FILE = "ground.npz"
_PIXEL = 1 / PATCH_PX**2  # share of a patch


class UnknownGround(ValueError):
    """Nothing says what lies under the patches; the message says how to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What lies under n patches.

    Attributes:
        slope_deg, aspect_deg: float32 [n, 64, 64]; aspect is downhill, clockwise from north.
        scar: bool [n, 64, 64], of the original inventory.
        seen: bool [n, 64, 64], scar without layover and shadow of the pass, where slope and aspect are known.
        is_filtered: False if layover and shadow are not known: `seen` is `scar` then.
    """

    slope_deg: NDArray[np.float32]
    aspect_deg: NDArray[np.float32]
    scar: NDArray[np.bool_]
    seen: NDArray[np.bool_]
    is_filtered: bool = True

    def at(self, places: NDArray[np.integer[Any]]) -> "Ground":
        """Return the ground under some of the patches, by number."""
        return Ground(
            slope_deg=self.slope_deg[places],
            aspect_deg=self.aspect_deg[places],
            scar=self.scar[places],
            seen=self.seen[places],
            is_filtered=self.is_filtered,
        )

    def under_scars(self, keep: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return slopes and aspects of the scar pixels of some patches that the pass can see."""
        pixels = self.seen & keep[:, None, None]
        return self.slope_deg[pixels], self.aspect_deg[pixels]


def ground_under(
    folder: Path,
    source: dict[str, Any],
    rows: NDArray[np.void],
    orbit_pass: OrbitPass,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> Ground:
    """Return the ground under some patches of a set.

    Args:
        folder: of the set.
        source: what the set says it was made from.
        rows: index rows of `patches.store.ROW`, of one pass.
        orbit_pass: theirs.
        progress: is told the scenes that are done and all scenes.

    Raises:
        UnknownGround: the set is not simulated and has no `ground.npz`, a patch is not in it or lies on other ground there, or the
            simulator no longer makes its scenes.
    """
    if (folder / FILE).is_file():
        stored = _stored(folder / FILE, rows, orbit_pass)
        _refuse_other_ground(folder / FILE, rows, stored, is_cut=source.get("kind") == "rasters")
        return stored
    if source.get("kind") != "simulated":
        raise UnknownGround(
            f"{folder}: no {FILE} beside the set, and it is not simulated; see training/explanation/ground.py, or give --no-ground"
        )
    side = int(source["scene_px"])
    shape = (len(rows), PATCH_PX, PATCH_PX)
    ground = Ground(
        slope_deg=np.zeros(shape, np.float32),
        aspect_deg=np.zeros(shape, np.float32),
        scar=np.zeros(shape, bool),
        seen=np.zeros(shape, bool),
    )
    places = sorted(set(zip(rows["event"].tolist(), rows["scene"].tolist(), strict=True)))
    progress(0, len(places))
    for done, (event, seed) in enumerate(places, 1):
        here = np.nonzero((rows["event"] == event) & (rows["scene"] == seed))[0]
        made = _simulated(folder, event, seed, side, orbit_pass)
        for number in here:
            top, left = (PATCH_PX * int(rows[name][number]) for name in ("row", "column"))
            for name, layer in made.items():
                getattr(ground, name)[number] = layer[top : top + PATCH_PX, left : left + PATCH_PX]
        _refuse_other_scene(folder, rows[here], ground.at(here))
        progress(done, len(places))
    return ground


def _simulated(folder: Path, event: str, seed: int, side: int, orbit_pass: OrbitPass) -> dict[str, NDArray[Any]]:
    if event not in EVENTS:
        raise UnknownGround(
            f"{folder}: the simulator no longer knows {event!r}; simulate the set again, or give --no-ground"
        )
    scene = Scene(EVENTS[event], seed=seed, shape=(side, side))
    scar = scene.is_slide()
    return {
        "slope_deg": scene.terrain.slope_deg,
        "aspect_deg": scene.terrain.aspect_deg,
        "scar": scar,
        "seen": scar & ~scene.view(orbit_pass).is_distorted,
    }


def _refuse_other_scene(folder: Path, rows: NDArray[np.void], ground: Ground) -> None:
    """Refuse a scene whose landslides are not those of its patches: slopes of another place would be drawn under them."""
    for name, mask in (("original", ground.scar), ("landslide", ground.seen)):
        shares = mask.mean(axis=(1, 2))
        other = np.abs(shares - rows[name]) > _PIXEL / 2
        if other.any():
            first = int(other.argmax())
            row = rows[first]
            raise UnknownGround(
                f"{folder}: the set was made by another version of the simulator, or on another processor: in {int(other.sum())} of "
                f"{len(rows)} patches of "
                f"{row['event']} {row['scene']} the landslides are others now, in cell {row['row']}-{row['column']} {shares[first]:.2%} "
                f"of the pixels where the set says {row[name]:.2%} ({name}). Simulate it again, or give --no-ground"
            )


def _refuse_other_ground(file: Path, rows: NDArray[np.void], ground: Ground, *, is_cut: bool) -> None:
    """Refuse angles that are none where scars are seen, and, of patches cut by us, scars that are not those of the set."""
    for name, values, most in (("slope_deg", ground.slope_deg, 90), ("aspect_deg", ground.aspect_deg, 360)):
        wrong = ground.seen & ((values < 0) | (values > most))
        if wrong.any():
            number = int(wrong.any(axis=(1, 2)).argmax())
            raise UnknownGround(
                f"{file}: {name} of {_cell(rows[number])} is {values[number][wrong[number]][0]:g} under a landslide; wanted are 0 to "
                f"{most}. Write NaN where ground is flat or nothing is known of it"
            )
    shares = ground.scar.mean(axis=(1, 2))
    other = np.abs(shares - rows["original"]) > _PIXEL / 2
    if is_cut and other.any():
        number = int(other.argmax())
        raise UnknownGround(
            f"{file}: in {int(other.sum())} of {len(rows)} patches `scar` is not the set's inventory: of {_cell(rows[number])} it covers "
            f"{shares[number]:.2%}, by the set {rows[number]['original']:.2%}. Draw the inventory of `cut` on the cells of the set, pixels "
            "whose centre it covers, or give --no-ground"
        )


def _cell(row: np.void) -> str:
    return f"{row['event']} {row['scene']} cell {row['row']}-{row['column']}"


def _stored(file: Path, rows: NDArray[np.void], orbit_pass: OrbitPass) -> Ground:
    names = ("event", "scene", "row", "column")
    distorted = f"distorted_{orbit_pass.lower()}"
    with np.load(file) as arrays:
        place = {key: i for i, key in enumerate(zip(*(arrays[name].tolist() for name in names), strict=True))}
        wanted = list(zip(*(rows[name].tolist() for name in names), strict=True))
        if missing := [key for key in wanted if key not in place]:
            raise UnknownGround(f"{file}: nothing of {len(missing)} patches, the first is {missing[0]}")
        index = [place[key] for key in wanted]
        scar = arrays["scar"][index].astype(bool)
        slope_deg, aspect_deg = (arrays[name][index].astype(np.float32) for name in ("slope_deg", "aspect_deg"))
        seen = scar & np.isfinite(slope_deg) & np.isfinite(aspect_deg)
        if is_filtered := distorted in arrays.files:
            seen &= ~arrays[distorted][index].astype(bool)
        return Ground(slope_deg=slope_deg, aspect_deg=aspect_deg, scar=scar, seen=seen, is_filtered=is_filtered)
