"""Composite shards as GeoTIFFs in a bucket, read block by block through rasterio's `opener`.

No whole file is copied and GDAL's own network file systems are not used, so the same preconditions, credentials and local service
apply as to every other object. https://rasterio.readthedocs.io/en/stable/topics/vsi.html#python-file-and-filesystem-openers
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.windows import Window

from quakeslide.domain.composite import MISSING, Composite, Shard
from quakeslide.domain.lattice import Lattice
from quakeslide.errors import LyingManifest, StoreUnavailable, UnusableComposite
from quakeslide.ports import ObjectStore

T = TypeVar("T")
GRID_TOLERANCE_PX = 0.01  # a shard's corner may differ by rounding, never by a visible part of a pixel


class ShardPixels:
    """CompositePixels over the composites bucket.

    Args:
        composites: the bucket.
    """

    def __init__(self, composites: ObjectStore) -> None:
        self._composites = composites

    def read(
        self, composite: Composite, generations: Mapping[str, int], box: tuple[int, int, int, int], bands: Iterable[str]
    ) -> NDArray[np.float32]:
        """Return float32 [height, width, bands] of a pixel box, missing as NaN.

        Args:
            composite: as its manifest says.
            generations: generation of every shard that the box touches, by object name.
            box: (row, col, height, width) from the composite's corner, may cross shards.
            bands: names, in the order wanted.

        Raises:
            UnusableComposite: a shard is no GeoTIFF, or its bands or data type are wrong.
            LyingManifest: its size, CRS or grid is not what the manifest says.
            StoreUnavailable: the bucket does not give it now.
        """
        row, col, height, width = box
        indexes = [composite.bands.index(band) + 1 for band in bands]
        pixels = np.moveaxis(
            np.full((len(indexes), height, width), np.nan, np.float32), 0, -1
        )  # each band in one piece
        for shard in composite.shards():
            top, left = max(row, shard.row), max(col, shard.col)
            bottom, right = min(row + height, shard.row + shard.height), min(col + width, shard.col + shard.width)
            if top >= bottom or left >= right:
                continue
            with self._opened(shard.name, generations[shard.name]) as dataset:
                check_shard(dataset, composite, shard)
                window = Window(left - shard.col, top - shard.row, right - left, bottom - top)
                pixels[top - row : bottom - row, left - col : right - col] = read_bands(dataset, indexes, window)
        return pixels

    @contextmanager
    def _opened(self, name: str, generation: int) -> Iterator[Any]:
        """Open one generation of a shard; an error below GDAL is the store's, any other the file's."""
        files: list[_Watched] = []

        def opener(path: str, mode: str = "rb") -> _Watched:
            files.append(_Watched(self._composites.open(name, generation)))
            return files[-1]

        # No look for .aux.xml or .ovr files beside it: they would be further objects.
        environment = rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR")
        failed = f"{name} (generation {generation}) cannot be read"
        try:
            with environment, rasterio.open(name, opener=opener) as dataset:
                yield dataset
        except RasterioError as error:
            for failure in _failures(files):
                raise StoreUnavailable(f"{failed}: {failure}") from failure
            if not files:
                raise StoreUnavailable(f"{failed}: {error}") from error
            raise UnusableComposite(f"{name}: no readable GeoTIFF ({error})") from error
        for failure in _failures(files):  # GDAL may take a short read for the end of the file
            raise StoreUnavailable(f"{failed}: {failure}") from failure


def _failures(files: list["_Watched"]) -> list[Exception]:
    return [file.failure for file in files if file.failure is not None]


def check_shard(dataset: Any, composite: Composite, shard: Shard) -> None:
    """Hold an open shard against the manifest.

    Raises:
        UnusableComposite, LyingManifest: see `ShardPixels.read`.
    """
    if dataset.descriptions != composite.bands:
        raise UnusableComposite(f"{shard.name}: bands are {dataset.descriptions}, not {composite.bands}")
    if set(dataset.dtypes) != {"float32"}:
        raise UnusableComposite(f"{shard.name}: data type is {sorted(set(dataset.dtypes))}, not float32")
    if (dataset.height, dataset.width) != (shard.height, shard.width):
        raise LyingManifest(
            f"{shard.name} is {dataset.height} x {dataset.width} px; the manifest says {shard.height} x {shard.width}"
        )
    lattice = composite.lattice
    if dataset.crs is None or dataset.crs != CRS.from_user_input(lattice.crs):
        raise LyingManifest(f"{shard.name}: CRS is {dataset.crs}, the manifest says {lattice.crs}")
    row, col = composite.rectangle.row + shard.row, composite.rectangle.col + shard.col
    for down, across in ((0, 0), (shard.height, shard.width)):
        x, y = dataset.transform @ (across, down)
        wanted_x, wanted_y = ground(lattice, row + down, col + across)
        if max(abs(x - wanted_x), abs(y - wanted_y)) > GRID_TOLERANCE_PX * lattice.pixel:
            raise LyingManifest(
                f"{shard.name}: pixel ({down}, {across}) lies at {(x, y)}, by the manifest at {(wanted_x, wanted_y)}"
            )


def ground(lattice: Lattice, row: int, col: int) -> tuple[float, float]:
    """Return the map x and y of a lattice pixel's top-left corner."""
    return lattice.origin_x + col * lattice.pixel, lattice.origin_y - row * lattice.pixel


def read_bands(dataset: Any, indexes: Sequence[int], window: Window) -> NDArray[np.float32]:
    """Return float32 [height, width, bands] of an open dataset; -9999, the file's nodata and what is not finite become NaN."""
    pixels: NDArray[np.float32] = np.moveaxis(dataset.read(list(indexes), window=window, out_dtype="float32"), 0, -1)
    for place, index in enumerate(indexes):
        nodata = dataset.nodatavals[index - 1]
        band = pixels[..., place]
        band[(band == MISSING) | (band == (MISSING if nodata is None else nodata)) | ~np.isfinite(band)] = np.nan
    return pixels


class _Watched:
    """A file for GDAL that never raises: an exception inside GDAL's callbacks ends the process. It remembers the failure instead."""

    def __init__(self, file: BinaryIO) -> None:
        self.failure: Exception | None = None
        self._file = file

    def read(self, size: int = -1) -> bytes:
        return self._try(lambda: self._file.read(size), b"")

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._try(lambda: self._file.seek(offset, whence), 0)

    def tell(self) -> int:
        return self._try(self._file.tell, 0)

    def close(self) -> None:
        self._try(self._file.close, None)

    def __enter__(self) -> "_Watched":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _try(self, act: Callable[[], T], otherwise: T) -> T:
        try:
            return act()
        except Exception as error:  # noqa: BLE001  whatever it is, C code above must not see it; `_opened` raises it
            self.failure = self.failure or error
            return otherwise
