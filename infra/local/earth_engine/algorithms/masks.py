"""Masks: where an image has pixels."""

import numpy as np

from infra.local.earth_engine.algorithms.pixels import pair
from infra.local.earth_engine.catalogue import algorithm
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.grid import WORLD
from infra.local.earth_engine.pixel_types import BOOLEAN
from infra.local.earth_engine.promotion import geometry_of
from infra.local.earth_engine.values import (
    Band,
    Block,
    Collection,
    Geometry,
    Image,
    Raster,
    inside,
    intersection,
    union,
)


@algorithm("Image.mask")
def _mask(image: Image, mask: Image | None) -> Image:
    if mask is not None:
        # the two-argument form replaces the mask and can uncover pixels that never were
        raise EarthEngineError("local Earth Engine does not support argument 'mask' of Image.mask; use updateMask")
    return image.with_bands({name: _mask_of(band) for name, band in image.bands.items()})


def _mask_of(band: Band) -> Band:
    def compute(block: Block) -> Raster:
        valid = block.read(band).valid
        return Raster(valid.astype("uint8"), np.broadcast_to(np.bool_(True), block.shape))

    return Band(BOOLEAN, band.projection, None, compute)


def _masked_by(band: Band, mask: Band) -> Band:
    def compute(block: Block) -> Raster:
        raster, keep = block.read(band), block.read(mask)
        return Raster(raster.values, raster.valid & keep.valid & (keep.values != 0))

    return Band(band.type, band.projection, band.footprint, compute)


@algorithm("Image.updateMask")
def _update_mask(image: Image, mask: Image) -> Image:
    if len(mask.bands) > 1 and len(mask.bands) != len(image.bands):
        raise EarthEngineError(
            f"Image.updateMask: the mask has {len(mask.bands)} bands, the image {len(image.bands)};"
            " it needs one band or as many."
        )
    masks = list(mask.bands.values()) * (len(image.bands) if len(mask.bands) == 1 else 1)
    pairs = zip(image.bands.items(), masks, strict=True)
    return image.with_bands({name: _masked_by(band, by) for (name, band), by in pairs})


@algorithm("Image.selfMask")
def _self_mask(image: Image) -> Image:
    return image.with_bands({name: _masked_by(band, band) for name, band in image.bands.items()})


def _filled(band: Band, value: Band, same_footprint: bool) -> Band:
    footprint = band.footprint if same_footprint else union([band.footprint, value.footprint])

    def compute(block: Block) -> Raster:
        raster, filler = block.read(band), block.read(value)
        fill = ~raster.valid & filler.valid
        if same_footprint and band.footprint is not None:
            fill = fill & inside(band.footprint, *block.centres(WORLD.crs))
        return Raster(np.where(fill, filler.values, raster.values), raster.valid | fill)

    return Band(band.type.union(value.type), band.projection, footprint, compute)


@algorithm("Image.unmask")
def _unmask(input: Image, value: Image | None, sameFootprint: bool) -> Image:
    from infra.local.earth_engine.promotion import constant_image

    pairs = pair(input, value if value is not None else constant_image(0), "Image.unmask")
    if list(pairs) != list(input.bands):
        raise EarthEngineError("Image.unmask: the value has more bands than the image.")
    return input.with_bands({name: _filled(a, b, sameFootprint) for name, (a, b) in pairs.items()})


def _replaced(band: Band, test: Band, value: Band) -> Band:
    def compute(block: Block) -> Raster:
        raster, where, other = block.read(band), block.read(test), block.read(value)
        # pixels masked in the input stay masked; where test or value is masked the input stays
        take = where.valid & (where.values != 0) & other.valid & raster.valid
        return Raster(np.where(take, other.values, raster.values), raster.valid)

    return Band(band.type.union(value.type), band.projection, band.footprint, compute)


@algorithm("Image.where")
def _where(input: Image, test: Image, value: Image) -> Image:
    tests, values = pair(input, test, "Image.where"), pair(input, value, "Image.where")
    if list(tests) != list(input.bands) or list(values) != list(input.bands):
        raise EarthEngineError("Image.where: test and value need one band or as many as the image.")
    return input.with_bands({name: _replaced(tests[name][0], tests[name][1], values[name][1]) for name in input.bands})


def clipped(band: Band, geometry: Geometry) -> Band:
    """The band masked outside a geometry: a pixel is in if its centre is."""
    outline = geometry.to(WORLD.crs)

    def compute(block: Block) -> Raster:
        raster = block.read(band)
        return Raster(raster.values, raster.valid & inside(outline, *block.centres(WORLD.crs)))

    return Band(band.type, band.projection, intersection([band.footprint, outline]), compute)


@algorithm("Image.clip")
def _clip(input: Image, geometry: object) -> Image:
    if isinstance(geometry, Collection):
        shapes = [shape.to(WORLD.crs) for shape in map(geometry_of, geometry.items) if shape is not None]
        outline: Geometry | None = Geometry(union(shapes)) if shapes else None
    else:
        outline = geometry_of(geometry)
    if outline is None:
        raise EarthEngineError("Image.clip: the geometry is missing or unbounded.")
    return input.with_bands({name: clipped(band, outline) for name, band in input.bands.items()})
