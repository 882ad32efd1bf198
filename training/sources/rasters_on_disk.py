"""Patches from composites and inventories on disk (Nava et al. 2026, section 3.2), strip by strip: rasters may be larger than memory.

A composite is a GeoTIFF, or several tiles of one, with the bands of `quakeslide composite` by name: postVV, diffVV, with VH also postVH and
diffVH, and `geometry` (0 seen, 1 layover, 2 shadow, 3 unknown). Patches lie on a grid without overlap that is anchored at the origin of
the CRS: composites of one event share their cells whatever their extent, window, pass or track.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from training.patches.labels import PATCH_PX, cut, fractions, label_patches
from training.patches.store import BANDS, OrbitPass, PatchWriter, rows_of
from training.sources.configuration import EVENT_NAME, WINDOWS, beside, read_configuration
from training.sources.configured_set import configuration_option, make_set, out_option
from training.sources.event_list import paper_events
from training.sources.inventory import Inventory
from training.sources.raster_checks import band_numbers, bounds_of, one_crs

LAYOVER, SHADOW = 1, 2
LEAST_VALID = 0.75
"""A patch with fewer valid pixels is left out; the detector does not score such windows either."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["pre_days", "post_days", "events"],
    "properties": {
        **WINDOWS,
        "events": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": EVENT_NAME,
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["inventory", "composites"],
                "properties": {
                    "inventory": {"type": "string"},
                    "layer": {"type": "string"},
                    "mapped_area": {"type": "string"},
                    "composites": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["track", "files"],
                            "properties": {
                                "track": {"type": "string", "pattern": "^[AD][0-9]{3}$"},
                                "files": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                                "bands": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}},
                                "geometry": {"enum": ["band", "none"]},
                            },
                        },
                    },
                },
            },
        },
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A row of cells of one raster.

    Attributes:
        row: of the cells on the event's grid.
        columns: of each of them.
        window: their pixels.
    """

    row: int
    columns: NDArray[np.int_]
    window: Window


def strips(dataset: Any) -> Iterator[Strip]:
    """Yield the rows of whole cells that a raster holds, on the grid anchored at the origin of its CRS."""
    transform = dataset.transform
    x, y = round(transform.c / transform.a), round(-transform.f / transform.a)  # px from the origin of the CRS
    first_row, first_column = -(-y // PATCH_PX), -(-x // PATCH_PX)
    top, left = first_row * PATCH_PX - y, first_column * PATCH_PX - x
    count = (dataset.width - left) // PATCH_PX
    for number in range((dataset.height - top) // PATCH_PX):
        window = Window(left, top + number * PATCH_PX, count * PATCH_PX, PATCH_PX)
        if count > 0:
            yield Strip(row=first_row + number, columns=first_column + np.arange(count), window=window)


def cut_raster(
    path: Path, *, event: str, track: str, inventory: Inventory, mapped: shapely.Geometry | None, entry: dict[str, Any]
) -> Iterator[tuple[tuple[str, ...], NDArray[np.float16], NDArray[np.void]]]:
    """Yield bands, patches and index rows of a composite, one row of cells after another.

    Args:
        path: GeoTIFF, in the CRS of the inventory.
        event: it belongs to.
        track: it was taken from.
        inventory: the original one; without layover and shadow of this raster it is the filtered one.
        mapped: where the inventory is complete, in the same CRS; cells that are not inside are left out. None: everywhere.
        entry: of the configuration: `bands` by number where they have no names, `geometry: none` where there is no such band.

    Raises:
        UnusableDataset: a band is missing.
    """
    with rasterio.open(path) as dataset:
        numbers = band_numbers(path, dataset, entry)
        names = tuple(name for name in BANDS if name in numbers)
        for strip in strips(dataset):
            pixels = np.moveaxis(
                dataset.read([numbers[n] for n in names], window=strip.window, out_dtype="float32"), 0, -1
            )
            nodata = [dataset.nodatavals[numbers[n] - 1] for n in names]
            missing = (~np.isfinite(pixels) | np.isin(pixels, [v for v in nodata if v is not None])).any(axis=-1)
            pixels[missing] = np.nan
            transform = dataset.transform @ Affine.translation(strip.window.col_off, strip.window.row_off)
            failed = inventory.drawn(transform, missing.shape)
            distorted = np.zeros(missing.shape, bool)
            if "geometry" in numbers:
                distorted = np.isin(dataset.read(numbers["geometry"], window=strip.window), (LAYOVER, SHADOW))
            shares = {
                "original": fractions(failed),
                "landslide": fractions(failed & ~distorted),
                "distorted": fractions(distorted),
                "valid": fractions(~missing),
            }
            keep = shares["valid"] >= LEAST_VALID
            if mapped is not None:
                side = PATCH_PX * dataset.transform.a
                west, north = transform.c + side * np.arange(len(strip.columns)), transform.f
                keep &= shapely.covers(mapped, shapely.box(west, north - side, west + side, north))
            if not keep.any():
                continue
            cells = np.stack([np.full(len(strip.columns), strip.row), strip.columns], axis=1)
            rows = rows_of(
                event, 0, cells, track=track, label=label_patches(shares["original"], shares["landslide"]), **shares
            )
            yield names, cut(pixels).astype(np.float16)[keep], rows[keep]


def build(configuration: Path, folder: Path) -> Iterator[tuple[int, int]]:
    """Cut everything that a configuration names into one patch set; yield (files done, files) as it goes on.

    Raises:
        UnusableDataset: see `SCHEMA`, `cut_raster`, `Inventory` and its `refuse_elsewhere`, `one_crs`.
    """
    wanted = read_configuration(configuration, SCHEMA)
    writer = PatchWriter(
        folder,
        pre_days=wanted["pre_days"],
        post_days=wanted["post_days"],
        source={"kind": "rasters", "events": wanted["events"]},
    )
    known = paper_events()
    total = sum(len(c["files"]) for entry in wanted["events"].values() for c in entry["composites"])
    done = 0
    yield done, total
    for event, entry in wanted["events"].items():
        files = [(c, beside(configuration, name)) for c in entry["composites"] for name in c["files"]]
        crs = one_crs(event, [path for _, path in files], known)
        inventory = Inventory(beside(configuration, entry["inventory"]), crs, layer=entry.get("layer"))
        boxes = [bounds_of(path) for _, path in files]
        inventory.refuse_elsewhere(boxes)
        mapped = None
        if "mapped_area" in entry:
            area = Inventory(beside(configuration, entry["mapped_area"]), crs)
            area.refuse_elsewhere(boxes)
            mapped = area.union
        for composite, path in files:
            orbit_pass: OrbitPass = "ASCENDING" if composite["track"].startswith("A") else "DESCENDING"
            common = {"event": event, "track": composite["track"], "inventory": inventory, "mapped": mapped}
            for bands, patches, rows in cut_raster(path, entry=composite, **common):
                writer.add(orbit_pass, bands, patches, rows)
            done += 1
            yield done, total
    writer.finish()


HELP = """Cut composites and landslide inventories on disk into a patch set.

The configuration is JSON; files are relative to it:

\b
  {"pre_days": 60, "post_days": 12,
   "events": {"hokkaido": {
     "inventory": "hokkaido.gpkg",
     "mapped_area": "where_it_is_complete.geojson",
     "composites": [{"track": "D046", "files": ["D046-60-12.tif"]}]}}}

\b
Example:
  python -m training cut --config real/60-12.json
"""


@click.command("cut", help=HELP)
@configuration_option
@out_option
def cut_command(configuration: Path, out: Path | None) -> None:
    """Cut composites into patches."""
    make_set(build, configuration, out, schema=SCHEMA)
