"""Real ground under a simulated scene: a height model file, brought onto the scene's grid."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.warp import reproject

from training.simulator.grid import Grid
from training.simulator.terrain import Field


def read_height(path: Path, grid: Grid) -> Field:
    """Return the height in metres on a grid, float32 [H, W]; cubic, so that slopes do not step at the file's pixels.

    Raises:
        ValueError: the file leaves a part of the grid without height.
    """
    height = np.full(grid.shape, np.nan, np.float32)
    with rasterio.open(path) as source:
        reproject(
            rasterio.band(source, 1),
            height,
            dst_transform=grid.transform,
            dst_crs=f"EPSG:{grid.epsg}",
            dst_nodata=np.nan,
            resampling=Resampling.cubic,
        )
        west, south, east, north = source.bounds
    if not np.isfinite(height).all():
        corners = ", ".join(f"{edge:.3f}" for edge in grid.footprint().bounds)
        raise ValueError(
            f"{path} covers {west:.3f}, {south:.3f}, {east:.3f}, {north:.3f} and misses a part of the scene, which"
            f" reaches over {corners}: choose an area inside it"
        )
    return height
