"""Rasters to be judged, made by blocks so that this process stays small: what it holds counts for the processes it starts."""

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin
from rasterio.windows import Window

BANDS = ("postVV", "postVH", "diffVV", "diffVH", "slope")
MEAN, STD = (-9.4, -15.2, 0.0, 0.0), (4.9, 4.8, 1.9, 1.9)
SLOPE_DEGREES = 25
BLOCK_PX = 512
ISLAND_PX = 1536


def _noise() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(MEAN, STD, (BLOCK_PX, BLOCK_PX, len(MEAN))).astype(np.float32)


def write_image(path: Path, size_px: int) -> None:
    """Write noise in dB as a NumPy file, float32 [size, size, 4]."""
    noise = _noise()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    with draft.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (size_px, size_px, len(MEAN))}
        np.lib.format.write_array_header_1_0(file, header)
        for top in range(0, size_px, BLOCK_PX):
            shifts = range(top, top + size_px, BLOCK_PX)
            row = np.concatenate([np.roll(noise, 37 * shift, axis=(0, 1)) for shift in shifts], axis=1)
            file.write(row[: size_px - top, :size_px].tobytes())
    draft.rename(path)


def write_full(path: Path, size_px: int) -> None:
    """Write a raster in which every pixel is seen: one block of noise, shifted from block to block."""
    noise = _noise()
    with _new(path, size_px) as dataset:
        for number, window in enumerate(_windows(size_px)):
            shifted = np.roll(noise, 37 * number, axis=(0, 1))[: window.height, : window.width]
            _write(dataset, shifted, window)


def write_sparse(path: Path, size_px: int) -> None:
    """Write a raster that holds five islands and otherwise nothing, not even on disk."""
    noise = _noise()
    last = (size_px - ISLAND_PX) // BLOCK_PX * BLOCK_PX
    middle = last // 2 // BLOCK_PX * BLOCK_PX
    with _new(path, size_px) as dataset:
        for top, left in ((0, 0), (0, last), (middle, middle), (last, 0), (last, last)):
            for row in range(top, top + ISLAND_PX, BLOCK_PX):
                for col in range(left, left + ISLAND_PX, BLOCK_PX):
                    _write(dataset, noise, Window(col, row, BLOCK_PX, BLOCK_PX))


def _new(path: Path, size_px: int) -> rasterio.io.DatasetWriter:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=size_px,
        height=size_px,
        count=len(BANDS),
        dtype="float32",
        crs="EPSG:32654",
        transform=from_origin(300_000, 4_100_000, 10, 10),
        nodata=np.nan,
        tiled=True,
        blockxsize=BLOCK_PX,
        blockysize=BLOCK_PX,
        sparse_ok=True,
        bigtiff="yes",
    )
    dataset.descriptions = BANDS
    return dataset


def _windows(size_px: int) -> list[Window]:
    starts = range(0, size_px, BLOCK_PX)
    return [
        Window(left, top, min(BLOCK_PX, size_px - left), min(BLOCK_PX, size_px - top))
        for top in starts
        for left in starts
    ]


def _write(dataset: rasterio.io.DatasetWriter, noise: NDArray[np.float32], window: Window) -> None:
    slope = np.full((1, window.height, window.width), SLOPE_DEGREES, np.float32)
    dataset.write(np.concatenate([np.moveaxis(noise, -1, 0), slope]), window=window)
