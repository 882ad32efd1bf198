"""Image.reduceRegion: statistics of an image's pixels in a region.

Pixels are those of the requested projection and scale; one is in if its centre is (Earth Engine weighs edge pixels by the
part that is in: for a mean over many pixels the difference is small).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from infra.local.earth_engine.algorithms.projections import chosen, grid_over
from infra.local.earth_engine.catalogue import algorithm
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.grid import Projection
from infra.local.earth_engine.promotion import geometry_of
from infra.local.earth_engine.values import Array, Block, Geometry, Image, Reducer, inside

BLOCK = 256
SUPPORTED: dict[str, Callable[[Array], float | int | None]] = {
    "mean": lambda values: float(values.mean()) if values.size else None,
    "sum": lambda values: float(values.sum()),
    "count": lambda values: int(values.size),
    "min": lambda values: float(values.min()) if values.size else None,
    "max": lambda values: float(values.max()) if values.size else None,
    "median": lambda values: float(np.median(values)) if values.size else None,
    "stdDev": lambda values: float(values.std()) if values.size else None,
    "first": lambda values: float(values[0]) if values.size else None,
}


def _constructor(name: str) -> Callable[[], Reducer]:
    return lambda: Reducer(name)


for _name in SUPPORTED:
    algorithm(f"Reducer.{_name}")(_constructor(_name))


@algorithm("Image.reduceRegion")
def _reduce_region(
    image: Image,
    reducer: Reducer,
    geometry: Geometry | None,
    scale: float | None,
    crs: Projection | None,
    crsTransform: list[Any] | None,
    bestEffort: bool,
    maxPixels: int,
    tileScale: float,
) -> dict[str, Any]:
    # tileScale only trades speed for memory in the real service
    band = image.first_band("Image.reduceRegion")
    region = geometry if geometry is not None else geometry_of(image)
    if region is None:
        raise EarthEngineError("Image.reduceRegion: Unable to perform this reduction: the region is unbounded.")
    projection = chosen(crs if crs is not None else band.projection, crsTransform, scale, "Image.reduceRegion")
    outline = region.to(projection.crs)
    grid = grid_over(outline.bounds, projection)
    while grid.pixels > maxPixels:
        if not bestEffort:
            raise EarthEngineError(
                f"Image.reduceRegion: Too many pixels in the region. Found {grid.pixels}, but maxPixels allows only"
                f" {maxPixels}.\nEnsure that you are not aggregating at a higher resolution than you intended; that is"
                " the most frequent cause of this error. If not, then you may set the 'maxPixels' argument to a limit"
                " suitable for your computation; set 'bestEffort' to true to aggregate at whatever scale results in"
                " 'maxPixels' total pixels; or both."
            )
        projection = projection.at_scale(projection.nominal_scale * 2)
        grid = grid_over(outline.bounds, projection)
    found: dict[str, list[Array]] = {name: [] for name in image.bands}
    for row in range(0, grid.height, BLOCK):
        for col in range(0, grid.width, BLOCK):
            block = Block(grid.window(col, row, min(BLOCK, grid.width - col), min(BLOCK, grid.height - row)))
            within = inside(outline, *block.centres(projection.crs))
            for name, part in image.bands.items():
                raster = block.read(part)
                found[name].append(raster.values[within & raster.valid].astype("float64"))
    return {name: SUPPORTED[reducer.name](np.concatenate(parts)) for name, parts in found.items()}
