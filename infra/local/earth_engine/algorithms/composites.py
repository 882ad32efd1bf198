"""Reducing a collection to one image, pixel by pixel; masked pixels do not take part."""

from collections.abc import Callable

import numpy as np

from infra.local.earth_engine.catalogue import algorithm
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.grid import WORLD
from infra.local.earth_engine.pixel_types import DOUBLE, PixelType
from infra.local.earth_engine.values import Array, Band, Block, Collection, Image, Raster, inside, union

Statistic = Callable[[Array, Array], Array]
"""Stack [n, height, width] float64 and its validity to values [height, width]; whatever where nothing is valid."""


def _median(stack: Array, valid: Array) -> Array:
    ordered = np.sort(np.where(valid, stack, np.inf), axis=0)
    count = valid.sum(axis=0)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(stack) - 1)
    pick = lambda index: np.take_along_axis(ordered, index[None], axis=0)[0]  # noqa: E731
    return np.where(count > 0, (pick(low) + pick(high)) / 2, 0)


def _mean(stack: Array, valid: Array) -> Array:
    return np.where(valid, stack, 0).sum(axis=0) / np.maximum(valid.sum(axis=0), 1)


STATISTICS: dict[str, Statistic] = {
    "median": _median,
    "mean": _mean,
    "min": lambda stack, valid: np.where(valid, stack, np.inf).min(axis=0),
    "max": lambda stack, valid: np.where(valid, stack, -np.inf).max(axis=0),
    "sum": lambda stack, valid: np.where(valid, stack, 0).sum(axis=0),
    "count": lambda stack, valid: valid.sum(axis=0),
}


def _type(name: str, inputs: list[PixelType]) -> PixelType:
    if name == "count":
        return PixelType("int", 0, 2**32 - 1)
    merged = inputs[0]
    for kind in inputs[1:]:
        merged = merged.union(kind)
    return merged if name in ("min", "max") or merged.precision != "int" else DOUBLE


def columns(collection: Collection, name: str) -> dict[str, list[Band]]:
    """The bands of a collection by name, each image having the same ones.

    Raises:
        EarthEngineError: an image has other bands.
    """
    images = [item for item in collection.items if isinstance(item, Image)]
    if len(images) != len(collection.items):
        raise EarthEngineError(f"{name}: a collection of images is needed.")
    if not images:
        return {}
    expected = list(images[0].bands)
    for image in images:
        if list(image.bands) != expected:
            raise EarthEngineError(
                f"{name}: Expected a homogeneous image collection, but an image with incompatible bands was"
                f" encountered: first image {expected}, image {image.properties.get('system:index')}"
                f" {list(image.bands)}."
            )
    return {band: [image.bands[band] for image in images] for band in expected}


def reduce_bands(name: str, bands: list[Band]) -> Band:
    """One band of the statistic over bands."""
    footprint = union(band.footprint for band in bands)

    def compute(block: Block) -> Raster:
        rasters = [block.read(band) for band in bands]
        stack = np.stack([raster.values for raster in rasters]).astype("float64", copy=False)
        valid = np.stack([raster.valid for raster in rasters])
        seen = valid.any(axis=0)
        values = np.where(seen, STATISTICS[name](stack, valid), 0)
        if name == "count" and footprint is not None and not seen.all():
            # a pixel under some image but always masked counts 0; where no image ever was there is nothing
            seen = seen | inside(footprint, *block.centres(WORLD.crs))
        return Raster(values, seen)

    return Band(_type(name, [band.type for band in bands]), WORLD, footprint, compute)


def _reducer(name: str) -> Callable[[Collection], Image]:
    def reduce(collection: Collection) -> Image:
        bands = {band: reduce_bands(name, stack) for band, stack in columns(collection, f"reduce.{name}").items()}
        return Image(lambda: bands)

    return reduce


for _name in STATISTICS:
    algorithm(f"reduce.{_name}")(_reducer(_name))


def overlay(bands: list[Band]) -> Band:
    """The last valid pixel on top."""
    kind = bands[0].type
    for band in bands[1:]:
        kind = kind.union(band.type)

    def compute(block: Block) -> Raster:
        values, valid = np.zeros(block.shape), np.zeros(block.shape, dtype=bool)
        for band in reversed(bands):
            raster = block.read(band)
            take = raster.valid & ~valid
            values = np.where(take, raster.values, values)
            valid = valid | raster.valid
            if valid.all():
                break
        return Raster(values, valid)

    return Band(kind, WORLD, union(band.footprint for band in bands), compute)


@algorithm("ImageCollection.mosaic")
def _mosaic(collection: Collection) -> Image:
    bands = {name: overlay(stack) for name, stack in columns(collection, "ImageCollection.mosaic").items()}
    return Image(lambda: bands)
