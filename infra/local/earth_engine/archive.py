"""The local archive: one JSON and one GeoTIFF per band for each image, visible once its ingestion instant has come."""

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from rasterio.windows import Window

from infra.local.clock import Clock
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.grid import WORLD, Projection, canonical
from infra.local.earth_engine.pixel_types import DOUBLE, FLOAT
from infra.local.earth_engine.sampling import pixel_coordinates, sample
from infra.local.earth_engine.values import Band, Block, Geometry, Image, Raster

# Earth Engine serves these Sentinel-1 bands as double (recorded getInfo of 2019-12-02) although float32 holds them.
DOUBLE_BANDS = {"COPERNICUS/S1_GRD": {"VV", "VH", "HH", "HV"}}


# Collections of the public catalogue: there, though empty, where the archive holds none of their images.
CATALOGUE = {"COPERNICUS/S1_GRD", "COPERNICUS/DEM/GLO30"}


class AssetNotFound(EarthEngineError):
    """An expression names what does not exist, or not yet; a computation answers 400, as the real service does."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a GeoTIFF without its pixels."""

    projection: Projection
    width: int
    height: int

    @property
    def footprint(self) -> Any:
        """The raster's outline, lon/lat."""
        return Geometry(shapely.box(0, 0, self.width, self.height), self.projection).to(WORLD.crs)


@lru_cache(maxsize=8192)
def header(path: Path) -> Header:
    """Read a GeoTIFF's header once.

    Raises:
        EarthEngineError: the archive names a file that is not there or cannot be read.
    """
    try:
        with rasterio.open(path) as dataset:
            crs = canonical(dataset.crs.to_wkt())
            return Header(Projection(crs, dataset.transform), dataset.width, dataset.height)
    except rasterio.errors.RasterioIOError as error:
        raise EarthEngineError(f"archive: {path.name} cannot be read: {error}", 500) from error


class OpenFiles:
    """Datasets kept open, the least recently used closed first; one reader at a time in each."""

    def __init__(self, limit: int = 256) -> None:
        self.limit = limit
        self._files: OrderedDict[Path, tuple[Any, threading.Lock]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: Path, window: Window) -> Any:
        """First band of a window, float32 with NaN where nodata; shape [window height, window width]."""
        with self._lock:
            if path not in self._files:
                self._files[path] = (rasterio.open(path), threading.Lock())
            self._files.move_to_end(path)
            dataset, reader = self._files[path]
            reader.acquire()
            while len(self._files) > self.limit:
                _, (old, busy) = self._files.popitem(last=False)
                with busy:
                    old.close()
        try:
            return dataset.read(1, window=window, masked=True).astype("float32").filled(np.nan)
        finally:
            reader.release()


class Archive:
    """Images of a folder, by collection.

    Attributes:
        folder: holds `<collection id>/<system:index>.json`.
        clock: decides which images exist already.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self.clock = clock
        self.files = OpenFiles()
        self._images: dict[Path, tuple[int, Image]] = {}

    def collection(self, collection_id: str) -> list[Image]:
        """All images that exist now, by id.

        Raises:
            AssetNotFound: there is no such collection.
        """
        folder = self._inside(collection_id)
        if not folder.is_dir() and collection_id not in CATALOGUE:
            raise AssetNotFound(
                f"ImageCollection.load: ImageCollection asset '{collection_id}' not found"
                " (does not exist or caller does not have access)."
            )
        images = [self._load(path) for path in sorted(folder.glob("*.json"))]
        return [image for image in images if self._exists(image)]

    def image(self, image_id: str) -> Image:
        """One image.

        Raises:
            AssetNotFound: it does not exist, or not yet.
        """
        path = self._inside(image_id).with_name(image_id.rpartition("/")[2] + ".json")
        if path.is_file():
            image = self._load(path)
            if self._exists(image):
                return image
        raise AssetNotFound(
            f"Image.load: Image asset '{image_id}' not found (does not exist or caller does not have access)."
        )

    def _inside(self, asset: str) -> Path:
        path = (self.folder / asset).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise EarthEngineError(f"'{asset}' is not a valid asset id.")
        return path

    def _exists(self, image: Image) -> bool:
        now: datetime = self.clock.now()
        return image.asset is not None and image.asset[1] <= now.timestamp() * 1e6

    def _load(self, path: Path) -> Image:
        stamp = path.stat().st_mtime_ns
        known = self._images.get(path)
        if known is None or known[0] != stamp:
            known = self._images[path] = (stamp, self._parse(path))
        return known[1]

    def _parse(self, path: Path) -> Image:
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise EarthEngineError(f"archive: {path.name} is no JSON: {error}", 500) from error
        expected = path.relative_to(self.folder).with_suffix("").as_posix()
        if record["id"] != expected:
            raise EarthEngineError(f"archive: {path.name} says id {record['id']!r}, its place says {expected!r}", 500)
        doubles = DOUBLE_BANDS.get(expected.rpartition("/")[0], set())

        def bands() -> dict[str, Band]:
            return {
                band["id"]: self._band(path.parent / band["file"], band["id"] in doubles) for band in record["bands"]
            }

        return Image(bands, record["properties"], (record["id"], int(record["version"])))

    def _band(self, path: Path, double: bool) -> Band:
        head = header(path)

        def read(col: int, row: int, width: int, height: int) -> Raster:
            values = self.files.read(path, Window(col, row, width, height))
            return Raster(values, np.isfinite(values))

        def compute(block: Block) -> Raster:
            u, v = pixel_coordinates(block, head.projection)
            return sample(u, v, read, "nearest", (head.width, head.height))

        return Band(DOUBLE if double else FLOAT, head.projection, head.footprint, compute, (head.width, head.height))
