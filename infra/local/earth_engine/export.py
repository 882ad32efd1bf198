"""An export: an image evaluated block by block into GeoTIFFs, each uploaded to Cloud Storage when it is complete.

File names are Earth Engine's: the prefix alone if one file holds the image, else ten-digit pixel offsets, row first.
Masked pixels become 0; the nodata tag is only a tag.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google.auth.credentials
import numpy as np
import rasterio
import rasterio.shutil
import requests
from google.api_core.exceptions import GoogleAPIError, NotFound
from google.cloud import storage
from rasterio.windows import Window

from infra.local.earth_engine.algorithms.projections import grid_over
from infra.local.earth_engine.archive import Archive
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.export_request import ExportRequest
from infra.local.earth_engine.grid import Grid
from infra.local.earth_engine.promotion import geometry_of
from infra.local.earth_engine.values import Block, Image

BLOCK = 256


class Cancelled(Exception):
    """The task was cancelled while it ran."""


@dataclass(frozen=True, slots=True)
class Part:
    """One output file: its object name and its place in the image (pixels)."""

    name: str
    col: int
    row: int
    width: int
    height: int


def parts(prefix: str, grid: Grid, file_size: tuple[int, int] | None) -> list[Part]:
    """The files of an export, row by row."""
    width, height = file_size or (grid.width, grid.height)
    if width >= grid.width and height >= grid.height:
        return [Part(f"{prefix}.tif", 0, 0, grid.width, grid.height)]
    return [
        Part(
            f"{prefix}-{row:010d}-{col:010d}.tif",
            col,
            row,
            min(width, grid.width - col),
            min(height, grid.height - row),
        )
        for row in range(0, grid.height, height)
        for col in range(0, grid.width, width)
    ]


def output_grid(image: Image, request: ExportRequest) -> Grid:
    """The pixels to export: those of the request, else of `clipToBoundsAndScale`, else the image's own.

    Raises:
        EarthEngineError: the image is unbounded or has more pixels than allowed.
    """
    grid = request.grid or image.grid
    if grid is None:
        band, outline = image.first_band("Image.export"), geometry_of(image)
        if outline is None or band.footprint is None:
            raise EarthEngineError("Unable to export unbounded image.")
        grid = grid_over(outline.to(band.projection.crs).bounds, band.projection)
    if grid.pixels > request.max_pixels:
        raise EarthEngineError(
            f"Export too large: specified {grid.pixels} pixels (max: {request.max_pixels}). Specify higher maxPixels"
            " value if you intend to export a large area."
        )
    return grid


def common_type(image: Image) -> str:
    """NumPy dtype of all bands.

    Raises:
        EarthEngineError: there are no bands, or they differ in type.
    """
    kinds = {name: band.type.export for name, band in image.bands.items()}
    if not kinds:
        raise EarthEngineError("Can't export an image with no bands.")
    first, dtype = next(iter(kinds.values()))
    for other, _ in kinds.values():
        if other != first:
            raise EarthEngineError(
                f"Exported bands must have compatible data types; found inconsistent types: {first} and {other}."
            )
    return dtype


def _holds(dtype: str, value: float) -> bool:
    if dtype.startswith("float"):
        return True
    limits = np.iinfo(dtype)
    return value.is_integer() and limits.min <= value <= limits.max


class Bucket:
    """A Cloud Storage bucket to put files in.

    Raises:
        EarthEngineError: it is not there or does not answer.
    """

    def __init__(self, name: str, project: str) -> None:
        client = storage.Client(project=project, credentials=google.auth.credentials.AnonymousCredentials())
        self._bucket = client.bucket(name)
        self._name = name
        if not self._try(self._bucket.exists):
            raise EarthEngineError(f"Cloud Storage bucket '{name}' does not exist.")

    def put(self, name: str, path: Path) -> None:
        """Upload a file under an object name."""
        blob = self._bucket.blob(name)
        self._try(lambda: blob.upload_from_filename(str(path), content_type="image/tiff"))

    def _try(self, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except NotFound as error:
            raise EarthEngineError(f"Cloud Storage bucket '{self._name}' does not exist.") from error
        except (GoogleAPIError, requests.exceptions.RequestException) as error:
            raise EarthEngineError(f"Unable to write to bucket {self._name}: {error}", 500) from error


def _blocks(width: int, height: int) -> Iterator[Window]:
    for row in range(0, height, BLOCK):
        for col in range(0, width, BLOCK):
            yield Window(col, row, min(BLOCK, width - col), min(BLOCK, height - row))


def write_part(
    path: Path, image: Image, grid: Grid, request: ExportRequest, dtype: str, step: Callable[[int], None]
) -> bool:
    """Evaluate one file's pixels.

    Args:
        path: where to write.
        image: what.
        grid: the file's pixels.
        request: its options.
        dtype: of all bands.
        step: told the number of pixels done after each block.

    Returns:
        Whether any pixel of any band is valid.
    """
    names = list(image.bands)
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "width": grid.width,
        "height": grid.height,
        "count": len(names),
        "dtype": dtype,
        "crs": grid.projection.crs,
        "transform": grid.projection.transform,
        "tiled": True,
        "blockxsize": request.tile_size,
        "blockysize": request.tile_size,
        "compress": "deflate",
        "zlevel": 1,
        "predictor": 3 if dtype.startswith("float") else 2,
        "interleave": "pixel",
        "bigtiff": "if_safer",
    }
    if request.no_data is not None:
        profile["nodata"] = request.no_data
    seen = False
    with rasterio.open(path, "w", **profile) as target:
        for index, name in enumerate(names, 1):
            target.set_band_description(index, name)
        for window in _blocks(grid.width, grid.height):
            block = Block(grid.window(window.col_off, window.row_off, window.width, window.height))
            stack = np.zeros((len(names), window.height, window.width), dtype=dtype)
            for index, name in enumerate(names):
                raster = block.read(image.bands[name])
                stack[index] = np.where(raster.valid, raster.values, 0)
                seen = seen or bool(raster.valid.any())
            target.write(stack, window=window)
            step(window.width * window.height)
    return seen


def run_export(
    request: ExportRequest, archive: Archive, project: str, scratch: Path, progress: Callable[[float], None]
) -> list[str]:
    """Carry out an export.

    Args:
        request: what to export.
        archive: images to read.
        project: the caller's project.
        scratch: folder for files on their way.
        progress: told the fraction done; may raise Cancelled.

    Returns:
        Names of the objects written.

    Raises:
        EarthEngineError: why the task failed.
        Cancelled: from `progress`.
    """
    bucket = Bucket(request.bucket, project)
    image = request.expression.evaluate(archive)
    if not isinstance(image, Image):
        raise EarthEngineError(f"Image.export: an Image is needed; got {type(image).__name__}.")
    dtype = common_type(image)
    if request.no_data is not None and not _holds(dtype, request.no_data):
        raise EarthEngineError(f"The noData value {request.no_data} does not fit into bands of type {dtype}.")
    grid = output_grid(image, request)
    done, written = 0, []

    def step(pixels: int) -> None:
        nonlocal done
        done += pixels
        progress(done / grid.pixels)

    for part in parts(request.prefix, grid, request.file_size):
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            path = Path(folder) / "part.tif"
            area = grid.window(part.col, part.row, part.width, part.height)
            seen = write_part(path, image, area, request, dtype, step)
            if request.skip_empty and not seen:
                continue
            if request.cloud_optimized:
                source, path = path, Path(folder) / "optimized.tif"
                rasterio.shutil.copy(source, path, driver="COG", compress="deflate", blocksize=request.tile_size)
            bucket.put(part.name, path)
            written.append(part.name)
    return written
