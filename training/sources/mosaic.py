"""The files of one composite as one raster, read by rows of cells.

Earth Engine cuts an export into files of 2048 px from its corner on, which lies half a cell beside the grid of patches as often as not.
Cut file by file, every cell on a seam would be lost.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from training.patches.labels import PATCH_PX
from training.patches.store import BANDS, UnusableDataset
from training.sources.decibels import Decibels
from training.sources.raster_checks import band_numbers

SEEN, LAYOVER, SHADOW, UNKNOWN = 0, 1, 2, 3  # of the band `geometry`, as the service writes it
OFF_GRID_PX = 0.1
WHAT_GEOMETRY_SAYS = (
    "it says 0 seen, 1 layover, 2 shadow, 3 unknown. Export it anew, or "
    'write "geometry": "none" to take every pixel as seen'
)
COUNT_EVERY = 4
"""For medians: neighbouring pixels say the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A row of cells.

    Attributes:
        row: of the cells on the event's grid.
        columns: of each of them.
        pixels: float32 [64, 64 n, C], dB; NaN in all bands where one is missing.
        is_distorted: bool [64, 64 n], in layover or shadow.
        transform: from (column, row) of a pixel to the map.
    """

    row: int
    columns: NDArray[np.int_]
    pixels: NDArray[np.float32]
    is_distorted: NDArray[np.bool_]
    transform: Affine


class Tile:
    """One file of a composite.

    Args:
        path: for messages.
        dataset: opened.
        numbers: of each band by name.
        names: of the bands of a patch, in order.
        top, left: of its corner, in pixels from the origin of the CRS.

    Attributes:
        counted, unknown: pixels with a value that were read, and those of them of which `geometry` does not know what they are.
    """

    def __init__(
        self, path: Path, dataset: Any, numbers: dict[str, int], names: Sequence[str], *, top: int, left: int
    ) -> None:
        self.top, self.left, self.bottom, self.right = top, left, top + dataset.height, left + dataset.width
        self.decibels = Decibels(str(path), names)
        self._dataset, self._bands, self._geometry = dataset, [numbers[n] for n in names], numbers.get("geometry")
        self._nodata = [v for number in self._bands if (v := dataset.nodatavals[number - 1]) is not None]
        self._path = path
        self.counted = self.unknown = 0

    def read(self, box: tuple[int, int, int, int]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return what lies in a box that is wholly inside: pixels and where they are distorted, as in `Strip`.

        Args:
            box: top, left, bottom, right, half-open, in pixels from the origin of the CRS.

        Raises:
            UnusableDataset: values that are no dB, or none of `geometry`.
        """
        top, left, bottom, right = box
        window = Window(left - self.left, top - self.top, right - left, bottom - top)
        pixels = np.moveaxis(self._dataset.read(self._bands, window=window, out_dtype="float32"), 0, -1)
        pixels[(~np.isfinite(pixels) | np.isin(pixels, self._nodata)).any(axis=-1)] = np.nan
        self.decibels.add(pixels, every=COUNT_EVERY)
        if self._geometry is None:
            return pixels, np.zeros(pixels.shape[:2], bool)
        found = self._dataset.read(self._geometry, window=window)
        is_there = ~np.isnan(pixels[..., 0])
        is_unknown = ~np.isfinite(found) | np.isin(
            found, (UNKNOWN, self._dataset.nodatavals[self._geometry - 1] or UNKNOWN)
        )
        if (other := is_there & ~is_unknown & ~np.isin(found, (SEEN, LAYOVER, SHADOW))).any():
            raise UnusableDataset(f"{self._path}: {found[other][0]:g} in band geometry; {WHAT_GEOMETRY_SAYS}")
        self.counted += int(is_there.sum())
        self.unknown += int((is_there & is_unknown).sum())
        return pixels, np.isin(found, (LAYOVER, SHADOW))


class Mosaic:
    """Tiles side by side; where they overlap, the first that has a value counts.

    Attributes:
        bands: names of the channels, a part of BANDS in its order.
        leaves_vh: VH is there, but was not wanted.
    """

    def __init__(self, name: str, tiles: Sequence[Tile], bands: tuple[str, ...], transform: Affine, *, leaves_vh: bool):
        self.bands, self.leaves_vh = bands, leaves_vh
        self._name, self._tiles, self._transform = name, tiles, transform

    @property
    def unknown_share(self) -> float:
        """Share of the pixels read so far of which the band `geometry` does not say whether they are seen; 0 without such a band."""
        return sum(tile.unknown for tile in self._tiles) / max(1, sum(tile.counted for tile in self._tiles))

    def strips(self) -> Iterator[Strip]:
        """Yield the rows of whole cells of the box about all tiles, on the grid anchored at the origin of the CRS.

        Raises:
            UnusableDataset: what is stored is no sigma0 in dB, nothing at all is, or layover and shadow are known nowhere.
        """
        top, left = min(tile.top for tile in self._tiles), min(tile.left for tile in self._tiles)
        bottom, right = max(tile.bottom for tile in self._tiles), max(tile.right for tile in self._tiles)
        columns = np.arange(-(-left // PATCH_PX), right // PATCH_PX)
        rows = range(-(-top // PATCH_PX), bottom // PATCH_PX)
        if not len(columns) or not rows:  # too small to hold a whole cell: nothing to cut, and nothing wrong with it
            return
        for row in rows:
            yield self._strip(row, columns)
        self._refuse_other_units()

    def _strip(self, row: int, columns: NDArray[np.int_]) -> Strip:
        top, left = row * PATCH_PX, int(columns[0]) * PATCH_PX
        shape = (PATCH_PX, PATCH_PX * len(columns))
        pixels = np.full((*shape, len(self.bands)), np.nan, np.float32)
        is_distorted, is_blank = np.zeros(shape, bool), np.ones(shape, bool)
        for tile in self._tiles:
            box = (
                max(top, tile.top),
                max(left, tile.left),
                min(top + shape[0], tile.bottom),
                min(left + shape[1], tile.right),
            )
            if box[0] >= box[2] or box[1] >= box[3]:
                continue
            part = slice(box[0] - top, box[2] - top), slice(box[1] - left, box[3] - left)
            found, distorted = tile.read(box)
            wanted = is_blank[part]
            pixels[part] = np.where(wanted[..., None], found, pixels[part])
            is_distorted[part] = np.where(wanted, distorted, is_distorted[part])
            is_blank[part] &= np.isnan(found[..., 0])
        return Strip(
            row=row,
            columns=columns,
            pixels=pixels,
            is_distorted=is_distorted,
            transform=self._transform @ Affine.translation(left - self._tiles[0].left, top - self._tiles[0].top),
        )

    def _refuse_other_units(self) -> None:
        # a tile on the sea may change by many dB with the wind, a whole composite does not
        whole = Decibels(self._name, self.bands)
        for tile in self._tiles:
            tile.decibels.refuse_other_units("post")
            whole.join(tile.decibels)
        whole.refuse_no_values()
        whole.refuse_fill()
        whole.refuse_other_units("diff")
        if self.unknown_share == 1:
            raise UnusableDataset(f"{self._name}: all of band geometry is unknown; {WHAT_GEOMETRY_SAYS}")


@contextmanager
def opened(paths: Sequence[Path], entry: dict[str, Any], *, only_vv: bool = False) -> Iterator[Mosaic]:
    """Open the files of a composite.

    Args:
        paths: GeoTIFFs of one CRS and pixel size.
        entry: of the configuration: `bands` by number where they have no names, `geometry: none` where there is no such band.
        only_vv: leave VH aside.

    Raises:
        UnusableDataset: a band is missing, or the pixels of two files do not lie on one grid.
    """
    with ExitStack() as stack:
        tiles: list[Tile] = []
        first: tuple[str, ...] = ()
        for path in paths:
            dataset = stack.enter_context(rasterio.open(path))
            numbers = band_numbers(path, dataset, entry)
            here = tuple(name for name in BANDS if name in numbers)
            if first and here != first:
                raise UnusableDataset(f"{path} has {', '.join(here)}, but {paths[0]} has {', '.join(first)}")
            if not first:
                first, origin = here, dataset.transform
                top, left = round(-origin.f / origin.a), round(origin.c / origin.a)
            down, right = (origin.f - dataset.transform.f) / origin.a, (dataset.transform.c - origin.c) / origin.a
            if max(abs(down - round(down)), abs(right - round(right))) > OFF_GRID_PX:
                raise UnusableDataset(
                    f"{path}: its pixels lie between those of {paths[0]}; warp both to one grid with gdalwarp -tap"
                )
            names = tuple(name for name in here if name.endswith("VV") or not only_vv)
            tiles.append(Tile(path, dataset, numbers, names, top=top + round(down), left=left + round(right)))
        name = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        yield Mosaic(name, tiles, names, origin, leaves_vh=names != here)
