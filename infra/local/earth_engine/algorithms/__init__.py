"""The algorithms, by family; importing this package registers them all."""

from infra.local.earth_engine.algorithms import (
    collections,
    composites,
    distances,
    filters,
    geometry,
    images,
    masks,
    pixels,
    projections,
    regions,
    scalars,
    terrain,
)
from infra.local.earth_engine.algorithms.loading import LOADERS

__all__ = [
    "LOADERS",
    "collections",
    "composites",
    "distances",
    "filters",
    "geometry",
    "images",
    "masks",
    "pixels",
    "projections",
    "regions",
    "scalars",
    "terrain",
]
