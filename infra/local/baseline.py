"""What a threshold can do on the demo's composites: the rule that the model card carries, fitted on the model's own training patches.

A window counts if more than `density` of its pixels change by more than `change_db`, less the scene's median, after a Gaussian of
`smoothing_px`; overlapping windows give way to the one with the larger share, as the detector's do to the better score.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from scipy import ndimage
from shapely.geometry import mapping

WINDOW_PX, STRIDE_PX = 64, 32


def baseline_detections(shards: list[Path], rule: Mapping[str, Any], aoi: shapely.Polygon) -> dict[str, Any]:
    """Return the rule's windows as a GeoJSON FeatureCollection in lon/lat.

    Args:
        shards: GeoTIFF files of one composite.
        rule: `baseline_rule` of a model card.
        aoi: polygon in lon/lat; only windows centred in it count.
    """
    change, grid, crs = _mosaic(shards, rule["band"])
    large = np.abs(ndimage.gaussian_filter(change, rule["smoothing_px"])) > rule["change_db"]
    windows = np.lib.stride_tricks.sliding_window_view(large, (WINDOW_PX, WINDOW_PX))[::STRIDE_PX, ::STRIDE_PX]
    share = windows.mean(axis=(2, 3))
    rows, cols = np.nonzero(share > rule["density"])
    order = np.lexsort((cols, rows, -share[rows, cols]))
    to_map = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform
    to_lonlat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform
    area = shapely.transform(aoi, to_map, interleaved=False)
    side = WINDOW_PX * grid.a
    kept: list[tuple[int, int]] = []
    features = []
    for row, col in zip(rows[order], cols[order], strict=True):
        x, y = grid.c + col * STRIDE_PX * grid.a, grid.f + row * STRIDE_PX * grid.e
        taken = any(abs(row - r) < 2 and abs(col - c) < 2 for r, c in kept)
        if taken or not shapely.contains_xy(area, x + side / 2, y - side / 2):
            continue
        kept.append((int(row), int(col)))
        box = shapely.transform(shapely.box(x, y - side, x + side, y), to_lonlat, interleaved=False)
        features.append({"type": "Feature", "properties": {"share": float(share[row, col])}, "geometry": mapping(box)})
    return {"type": "FeatureCollection", "features": features}


def _mosaic(shards: list[Path], band: str) -> tuple[NDArray[np.float64], Affine, Any]:
    """Return one band of all shards as one raster less its median, 0 where missing, with its grid and CRS."""
    parts = []
    for path in shards:
        with rasterio.open(path) as file:
            pixels = file.read(file.descriptions.index(band) + 1).astype(np.float64)
            pixels[pixels == file.nodata] = np.nan
            parts.append((pixels, file.transform, file.crs))
    side = parts[0][1].a
    west, north = min(grid.c for _, grid, _ in parts), max(grid.f for _, grid, _ in parts)
    places = [(round((north - grid.f) / side), round((grid.c - west) / side), pixels) for pixels, grid, _ in parts]
    shape = (max(r + p.shape[0] for r, _, p in places), max(c + p.shape[1] for _, c, p in places))
    whole = np.full(shape, np.nan)
    for row, col, pixels in places:
        whole[row : row + pixels.shape[0], col : col + pixels.shape[1]] = pixels
    whole = np.nan_to_num(whole - np.nanmedian(whole))
    return whole, Affine(side, 0, west, 0, -side, north), parts[0][2]
