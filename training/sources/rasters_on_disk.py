"""Patches from composites and inventories on disk (Nava et al. 2026, section 3.2), strip by strip: rasters may be larger than memory.

A composite is a GeoTIFF, or several tiles that are one, with the bands of `quakeslide composite` by name: postVV, diffVV, with VH also
postVH and diffVH, and `geometry` (0 seen, 1 layover, 2 shadow, 3 unknown). Patches lie on a grid without overlap that is anchored at the
origin of the CRS: composites of one event share their cells whatever their extent, window, pass or track.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import shapely
from numpy.typing import NDArray

from training.patches.labels import PATCH_PX, cut, fractions, label_patches
from training.patches.store import BANDS, OrbitPass, PatchWriter, UnusableDataset, rows_of
from training.sources.cells import LEAST_VALID, Cells, count_kinds, kinds, left_out, none_of_any_kind
from training.sources.configuration import EVENT_NAME, WINDOW_PROPERTIES, beside, read_configuration
from training.sources.configured_set import configuration_option, make_set, out_option
from training.sources.event_list import paper_events, polarisation_of
from training.sources.inventory import Inventory
from training.sources.mosaic import Mosaic, opened
from training.sources.raster_checks import Grid, bounds_of, one_grid

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["pre_days", "post_days", "events"],
    "properties": {
        **WINDOW_PROPERTIES,
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
                                "bands": {
                                    "type": "object",
                                    "propertyNames": {"enum": [*BANDS, "geometry"]},
                                    "additionalProperties": {"type": "integer", "minimum": 1},
                                },
                                "geometry": {"enum": ["band", "none"]},
                            },
                        },
                    },
                },
            },
        },
    },
}


ONE_COMPOSITE = "all files of one track of an event belong into the `files` of one composite"


class Cutter:
    """Cuts the composites of one event into patches.

    Args:
        event: its name.
        inventory: the original one; without layover and shadow of a composite it is the filtered one.
        mapped: where the inventory is complete, in the same CRS; cells that are not inside are left out. None: everywhere.
        so_far: the cells of the set.

    Attributes:
        few: cells left out of the composite cut last, because fewer than LEAST_VALID of their pixels are there.
        none: the same without any pixel: beyond the swath, or what was not exported.
    """

    def __init__(self, event: str, inventory: Inventory, mapped: shapely.Geometry | None, so_far: Cells) -> None:
        self._event, self._inventory, self._mapped, self._so_far = event, inventory, mapped, so_far
        self.few = self.none = 0

    def cut(self, mosaic: Mosaic, track: str) -> Iterator[tuple[NDArray[np.float16], NDArray[np.void]]]:
        """Yield patches and index rows of a composite, one row of cells after another.

        Raises:
            UnusableDataset: the set has one of the cells already, or the values are no dB.
        """
        self.few = self.none = 0
        for strip in mosaic.strips():
            failed = self._inventory.drawn(strip.transform, strip.is_distorted.shape)
            is_there = ~np.isnan(strip.pixels[..., 0])
            shares = {
                "original": fractions(failed),
                # where nothing was measured, nothing is in sight
                "landslide": fractions(failed & ~strip.is_distorted & is_there),
                "distorted": fractions(strip.is_distorted),
                "valid": fractions(is_there),
            }
            keep = np.ones(len(strip.columns), bool)
            if self._mapped is not None:
                side = PATCH_PX * strip.transform.a
                west = strip.transform.c + side * np.arange(len(strip.columns))
                north = np.full(len(west), strip.transform.f)
                keep = np.asarray(shapely.covers(self._mapped, shapely.box(west, north - side, west + side, north)))
            lacks = keep & (shares["valid"] < LEAST_VALID)
            empty = int((lacks & (shares["valid"] == 0)).sum())
            self.few, self.none = self.few + int(lacks.sum()) - empty, self.none + empty
            keep &= ~lacks
            if not keep.any():
                continue
            cells = np.stack([np.full(len(strip.columns), strip.row), strip.columns], axis=1)
            label = label_patches(shares["original"], shares["landslide"])
            rows = rows_of(self._event, 0, cells, track=track, label=label, **shares)[keep]
            self._so_far.add(orbit_pass_of(track), rows)
            yield cut(strip.pixels).astype(np.float16)[keep], rows
        self._so_far.refuse_repeated(f"{self._event} {track}", ONE_COMPOSITE)


def orbit_pass_of(track: str) -> OrbitPass:
    """Return the pass of `A069` or `D012`."""
    return "ASCENDING" if track.startswith("A") else "DESCENDING"


def grids_of(configuration: Path, events: dict[str, Any]) -> dict[str, Grid]:
    """Return the grid of each event of a configuration.

    Raises:
        UnusableDataset: see `one_grid`; or pixels in metres and in degrees would lie in one set.
    """
    known = paper_events()
    grids = {
        event: one_grid(event, [beside(configuration, f) for c in entry["composites"] for f in c["files"]], known)
        for event, entry in events.items()
    }
    kinds = {grid.pixel_geometry: event for event, grid in grids.items()}
    if len(kinds) > 1:
        found = " and ".join(f"{kind} ({event})" for kind, event in kinds.items())
        raise UnusableDataset(f"{configuration}: pixels of {found}; a model learns from one kind: make a set of each")
    return grids


def build(configuration: Path, folder: Path, tell: Callable[[str], None] = click.echo) -> Iterator[tuple[int, int]]:
    """Cut everything that a configuration names into one patch set; yield (files done, files) as it goes on.

    Args:
        configuration: see `SCHEMA`.
        folder: of the set.
        tell: is given a line for each composite, with the number of cells that it has too few pixels for.

    Raises:
        UnusableDataset: see `SCHEMA`, `grids_of`, `opened`, `Cutter`, `Inventory` and its `refuse_elsewhere`.
    """
    wanted = read_configuration(configuration, SCHEMA)
    grids = grids_of(configuration, wanted["events"])
    geometry = next(iter(grids.values())).pixel_geometry
    writer = PatchWriter(
        folder,
        pre_days=wanted["pre_days"],
        post_days=wanted["post_days"],
        source={"kind": "rasters", "pixel_geometry": geometry, "events": wanted["events"]},
    )
    total = sum(len(c["files"]) for entry in wanted["events"].values() for c in entry["composites"])
    done = 0
    so_far = Cells()
    yield done, total
    for event, entry in wanted["events"].items():
        crs = grids[event].crs
        inventory = Inventory(beside(configuration, entry["inventory"]), crs, layer=entry.get("layer"))
        boxes = [bounds_of(beside(configuration, name)) for c in entry["composites"] for name in c["files"]]
        inventory.refuse_elsewhere(boxes)
        mapped = None
        if "mapped_area" in entry:
            area = Inventory(beside(configuration, entry["mapped_area"]), crs)
            area.refuse_elsewhere(boxes)
            mapped = area.union
        cutter = Cutter(event, inventory, mapped, so_far)
        for composite in entry["composites"]:
            track, count = composite["track"], none_of_any_kind()
            paths = [beside(configuration, name) for name in composite["files"]]
            polarisation = polarisation_of(event)
            with opened(paths, composite, only_vv=polarisation == "vv") as mosaic:
                for patches, rows in cutter.cut(mosaic, track):
                    writer.add(orbit_pass_of(track), mosaic.bands, patches, rows)
                    count += count_kinds(rows)
                remark = "; VH is left aside, Table 1 has VV alone" if mosaic.leaves_vh else ""
                if polarisation == "vv_vh" and "postVH" not in mosaic.bands:
                    remark = "; no VH, which Table 1 has: they enter no training with VH"
                if mosaic.unknown_share:
                    remark += f"; layover and shadow are not known of {mosaic.unknown_share:.1%} of the pixels, which count as seen"
            tell(f"{event} {track}: {kinds(count, 'cells')}{left_out(cutter.few, cutter.none)}{remark}")
            done += len(paths)
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

Bands of a composite are known by their descriptions: postVV, postVH, diffVV, diffVH (sigma0 in dB; diff is post minus pre) and geometry
(0 seen, 1 layover, 2 shadow, 3 unknown). Without descriptions, "bands": {"postVV": 1, "diffVV": 2, ...} stands beside `files`; "geometry":
"none" there takes every pixel as seen. "layer" beside `inventory` names a layer of it.

All tiles of a composite belong into its `files`: they are read as one raster, so that cells on their seams are whole. Cells of which fewer
than 75 % of the pixels are there are left out and counted.

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
