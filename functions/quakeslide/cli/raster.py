"""A local GeoTIFF as a composite: ours, named by band descriptions, or what the published notebooks write, named by nothing.

What the file does not say is assumed and said: see `Raster.assumptions`.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.windows import Window

from quakeslide.adapters.geotiff import read_bands
from quakeslide.domain.composite import MODEL_BANDS, Composite
from quakeslide.domain.lattice import PIXEL_M, STRIDE_PX, WINDOW_PX
from quakeslide.domain.sentinel1 import Polarisation
from quakeslide.domain.visibility import looks_linear
from quakeslide.errors import UnreadableInput

METRES_PER_DEGREE = 111_319.5  # along the equator, as Earth Engine reckons a scale of 10 m in EPSG:4326
CACHE_BYTES, CACHE_BYTES_MAX = 64 << 20, 256 << 20  # of GDAL; by itself it would take a twentieth of the machine
SAMPLE_PX, PATCH_PX = 1024, 32  # a million pixels, in patches from all over the file, decide on units and on zeros
AS_READ = {"masked": True, "out_dtype": "float32"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Raster:
    """An opened file's facts.

    Attributes:
        path: of the file.
        crs: `EPSG:...`, or WKT where there is no code.
        left, top: map coordinates of its corner.
        pixel: side of a pixel in the CRS's unit.
        height, width: in px.
        polarisation: which model bands it has.
        indexes: band number (from 1) by band name, of all bands known to us.
        is_zero_missing: pixels that are 0 in every model band are missing.
        assumptions: sentences for the user.
        bytes_per_px: of all bands together.
        is_in_strips: rows are stored whole, one after another, instead of in tiles.
    """

    path: Path
    crs: str
    left: float
    top: float
    pixel: float
    height: int
    width: int
    polarisation: Polarisation
    indexes: Mapping[str, int]
    is_zero_missing: bool
    assumptions: tuple[str, ...]
    bytes_per_px: int
    is_in_strips: bool

    @property
    def cell_px(self) -> int:
        """Side of the cells that it is judged in: small ones keep memory low; the calls to the model are the same."""
        return 256 if self.is_in_strips else 512


def open_raster(path: Path) -> Raster:
    """Look at a file and refuse what cannot be judged.

    Raises:
        UnreadableInput: names the file and what is wrong with it.
    """
    try:
        with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), rasterio.open(path) as dataset:
            assumptions: list[str] = []
            _check_grid(dataset, path)
            polarisation, indexes = _bands(dataset, path, assumptions)
            sample = _sample(dataset, [indexes[band] for band in MODEL_BANDS[polarisation]])
            is_zero_missing = _zeros_are_missing(sample, assumptions)
            if is_zero_missing:
                sample[(sample == 0).all(axis=2)] = np.nan
            _check_units(sample, polarisation, path)
            code = dataset.crs.to_epsg()
            return Raster(
                path=path,
                crs=f"EPSG:{code}" if code else dataset.crs.to_wkt(),
                left=dataset.transform.c,
                top=dataset.transform.f,
                pixel=dataset.transform.a,
                height=dataset.height,
                width=dataset.width,
                polarisation=polarisation,
                indexes=indexes,
                is_zero_missing=is_zero_missing,
                assumptions=tuple(assumptions),
                bytes_per_px=sum(np.dtype(dtype).itemsize for dtype in dataset.dtypes),
                is_in_strips=dataset.block_shapes[0][1] >= dataset.width,
            )
    except RasterioError as error:
        raise UnreadableInput(f"{path}: no readable GeoTIFF ({error})") from error


def _check_grid(dataset: Any, path: Path) -> None:
    """Refuse what has no place on the ground, is too small, or has other pixels than the models know."""
    if dataset.crs is None:
        raise UnreadableInput(f"{path} has no CRS: nobody knows where its pixels lie; assign one with gdal_edit -a_srs")
    if dataset.height < WINDOW_PX or dataset.width < WINDOW_PX:
        size = f"{dataset.height} x {dataset.width} px (rows x columns)"
        raise UnreadableInput(f"{path} is {size}, smaller than one window of {WINDOW_PX} x {WINDOW_PX} px")
    grid = dataset.transform
    if grid.b or grid.d or grid.a <= 0 or abs(grid.a + grid.e) > 1e-6 * grid.a:
        raise UnreadableInput(f"{path} is not north-up with square pixels: its transform is {tuple(grid)[:6]}")
    metres = grid.a * (METRES_PER_DEGREE if dataset.crs.is_geographic else dataset.crs.linear_units_factor[1])
    if not 0.9 * PIXEL_M <= metres <= 1.1 * PIXEL_M:
        raise UnreadableInput(f"{path} has pixels of {metres:.4g} m; the models know {PIXEL_M:g} m; resample it first")


def _bands(dataset: Any, path: Path, assumptions: list[str]) -> tuple[Polarisation, dict[str, int]]:
    """Find the bands by description, or by their number where there are none."""
    names = [name or "" for name in dataset.descriptions]
    for polarisation in (Polarisation.VV_VH, Polarisation.VV):
        wanted = MODEL_BANDS[polarisation]
        if not any(names) and dataset.count == len(wanted):
            assumptions.append(
                f"the bands have no names; taken as {', '.join(wanted)}, as the published notebooks write"
            )
            return polarisation, {band: place for place, band in enumerate(wanted, start=1)}
        if set(wanted) <= set(names):
            return polarisation, {name: place for place, name in enumerate(names, start=1) if name}
    raise UnreadableInput(
        f"{path} has {dataset.count} bands named {names}; wanted are {', '.join(MODEL_BANDS[Polarisation.VV_VH])} "
        f"(or {', '.join(MODEL_BANDS[Polarisation.VV])}), as band descriptions or as four (two) bands without any"
    )


def _sample(dataset: Any, indexes: list[int]) -> NDArray[np.float32]:
    """Return float32 [1, n, bands], patches from all over the file, missing as NaN, to decide on units and zeros."""
    if any(np.dtype(dataset.dtypes[index - 1]).kind != "f" for index in indexes):
        raise UnreadableInput(f"{dataset.name}: data type is {sorted(set(dataset.dtypes))}; dB are floating point")
    rows, cols = _spread(dataset.height), _spread(dataset.width)
    patches = [
        dataset.read(
            indexes, window=Window(col, row, min(PATCH_PX, dataset.width), min(PATCH_PX, dataset.height)), **AS_READ
        )
        for row in rows
        for col in cols
    ]
    values = np.concatenate([_missing_as_nan(patch.reshape(len(indexes), -1)) for patch in patches], axis=1)
    if np.isnan(values).any(axis=2).all():  # data may lie between the patches: look at all of the file, thinned out
        shape = (len(indexes), min(SAMPLE_PX, dataset.height), min(SAMPLE_PX, dataset.width))
        values = _missing_as_nan(dataset.read(indexes, out_shape=shape, **AS_READ).reshape(len(indexes), -1))
    return values


def _spread(size: int) -> list[int]:
    """Return offsets of patches spread evenly over a side, touching where they fill it."""
    count = max(1, min(SAMPLE_PX, size) // PATCH_PX)
    return [round(place) for place in np.linspace(0, max(0, size - PATCH_PX), count)]


def _missing_as_nan(masked: Any) -> NDArray[np.float32]:
    """Return float32 [1, n, bands] of a masked [bands, n]."""
    values = np.moveaxis(masked.filled(np.nan), 0, -1)[np.newaxis]
    values[~np.isfinite(values) | (values == -9999)] = np.nan
    return np.asarray(values, np.float32)


def _zeros_are_missing(sample: NDArray[np.float32], assumptions: list[str]) -> bool:
    """Earth Engine writes masked pixels as 0 unless told otherwise; a real pixel is 0 dB in every band nowhere."""
    is_zero = (sample == 0).all(axis=2)
    if is_zero.any():
        assumptions.append(f"pixels that are 0 in every band are missing ({is_zero.mean():.1%} of them)")
    return bool(is_zero.any())


def _check_units(sample: NDArray[np.float32], polarisation: Polarisation, path: Path) -> None:
    if np.isnan(sample).any(axis=2).all():
        raise UnreadableInput(f"{path} has no pixel with data in all of {', '.join(MODEL_BANDS[polarisation])}")
    for place, band in enumerate(MODEL_BANDS[polarisation]):
        if band.startswith("post") and looks_linear(sample[..., place]):
            raise UnreadableInput(
                f"{path}: no value of {band} is negative (median {np.nanmedian(sample[..., place]):.3g}): linear power; "
                "models want sigma0 in dB, 10 * log10 of it"
            )


class RasterPixels:
    """CompositePixels over one local file, read by block; may be asked by several threads, one after another.

    GDAL keeps what it has decoded in a cache of bounded size: for a file in strips enough for one row of cells, else every strip
    would be decoded once a cell.

    Args:
        raster: the file.
        row: pixel offset of the composite's corner in the file.
        col: likewise.
    """

    def __init__(self, raster: Raster, row: int = 0, col: int = 0) -> None:
        self._raster, self._row, self._col = raster, row, col
        self._lock = Lock()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        raster = self._raster
        row_of_cells = (raster.cell_px + STRIDE_PX) * raster.width * raster.bytes_per_px * 5 // 4
        cache = min(CACHE_BYTES_MAX, row_of_cells) if raster.is_in_strips else CACHE_BYTES
        try:
            self._open.enter_context(rasterio.Env(GDAL_CACHEMAX=cache))
            self._dataset = self._open.enter_context(rasterio.open(raster.path))
        except RasterioError as error:
            raise UnreadableInput(f"{raster.path}: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def read(
        self, composite: Composite, generations: Mapping[str, int], box: tuple[int, int, int, int], bands: Iterable[str]
    ) -> NDArray[np.float32]:
        """Return float32 [height, width, bands], missing as NaN; a band that the file lacks is NaN throughout.

        The counts `nPre` and `nPost` are 1 where the file lacks them, so that a missing pixel is "no data", not "no pass".

        Raises:
            UnreadableInput: the file cannot be read.
        """
        del composite, generations  # one file is all there is
        raster, names = self._raster, list(bands)
        row, col, height, width = box
        pixels = np.moveaxis(np.full((len(names), height, width), np.nan, np.float32), 0, -1)  # each band in one piece
        for count in {"nPre", "nPost"} & (set(names) - set(raster.indexes)):
            pixels[..., names.index(count)] = 1
        present = [name for name in names if name in raster.indexes]
        window = Window(self._col + col, self._row + row, width, height)
        try:
            with self._lock:
                values = read_bands(self._dataset, [raster.indexes[name] for name in present], window)
        except RasterioError as error:
            raise UnreadableInput(f"{raster.path}: {error}") from error
        if raster.is_zero_missing:
            of_model = [place for place, name in enumerate(present) if name.startswith(("post", "diff"))]
            values[(values[..., of_model] == 0).all(axis=2)] = np.nan
        for place, name in enumerate(present):
            pixels[..., names.index(name)] = values[..., place]
        return pixels
