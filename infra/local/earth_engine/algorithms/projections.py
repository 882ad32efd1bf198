"""Projections: asking for them, setting them, resampling, and the exact grid of an export."""

import math
from collections.abc import Callable
from typing import Any

from affine import Affine

from infra.local.earth_engine.catalogue import algorithm
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.grid import Grid, Projection, canonical
from infra.local.earth_engine.sampling import native_reader, pixel_coordinates, sample
from infra.local.earth_engine.values import Band, Block, Geometry, Image, Raster

EDGE = 1e-6  # pixels by which a region may overhang a pixel without taking it in


def affine_of(values: Any, where: str) -> Affine:
    """Six numbers [xScale, xShear, xTranslation, yShear, yScale, yTranslation].

    Raises:
        EarthEngineError: they are not six numbers, or the transform cannot be inverted.
    """
    if not isinstance(values, list) or len(values) != 6:
        raise EarthEngineError(f"{where}: a transform has six numbers; got {values!r}.")
    transform = Affine(*(float(value) for value in values))
    if transform.is_degenerate:
        raise EarthEngineError(f"{where}: the transform {values} has no inverse.")
    return transform


@algorithm("Projection")
def _projection(crs: Any, transform: list[Any] | None) -> Projection:
    if isinstance(crs, Projection):
        return crs if transform is None else Projection(crs.crs, affine_of(transform, "Projection"))
    if not isinstance(crs, str):
        raise EarthEngineError(f"Projection: the CRS must be a string; got {crs!r}.")
    return Projection(canonical(crs), affine_of(transform, "Projection") if transform else Affine.identity())


@algorithm("Projection.nominalScale")
def _nominal_scale(proj: Projection) -> float:
    return proj.nominal_scale


@algorithm("Projection.crs")
def _crs(projection: Projection) -> str:
    return projection.crs


@algorithm("Projection.atScale")
def _at_scale(projection: Projection, meters: float) -> Projection:
    return projection.at_scale(meters)


@algorithm("Image.projection")
def _image_projection(image: Image) -> Projection:
    bands = list(image.bands.values())
    first = image.first_band("Image.projection").projection
    if any(band.projection != first for band in bands):
        raise EarthEngineError("Image.projection: The bands of the specified image contains different projections.")
    return first


def chosen(crs: Projection, transform: list[Any] | None, scale: float | None, where: str) -> Projection:
    """The projection that `crs`, `crsTransform` and `scale` arguments name.

    Raises:
        EarthEngineError: transform and scale are both given.
    """
    if transform is not None and scale is not None:
        raise EarthEngineError(f"{where}: Only one of crsTransform and scale may be specified.")
    if transform is not None:
        return Projection(crs.crs, affine_of(transform, where))
    return crs.at_scale(scale) if scale is not None else crs


@algorithm("Image.setDefaultProjection")
def _set_default_projection(
    image: Image, crs: Projection, crsTransform: list[Any] | None, scale: float | None
) -> Image:
    projection = chosen(crs, crsTransform, scale, "Image.setDefaultProjection")
    return image.with_bands({name: Band(b.type, projection, b.footprint, b.compute) for name, b in image.bands.items()})


def _evaluated_in(band: Band, projection: Projection, mode: str) -> Band:
    """The band computed on a projection's pixels and sampled from there."""

    def native(block: Block) -> Raster:
        return block.read(band)

    def compute(block: Block) -> Raster:
        if block.grid.aligned_to(projection):
            return block.read(band)
        u, v = pixel_coordinates(block, projection)
        return sample(u, v, native_reader(block, projection, native), mode, None)

    return Band(band.type, projection, band.footprint, compute)


@algorithm("Image.reproject")
def _reproject(image: Image, crs: Projection, crsTransform: list[Any] | None, scale: float | None) -> Image:
    projection = chosen(crs, crsTransform, scale, "Image.reproject")
    return image.with_bands({n: _evaluated_in(b, projection, "nearest") for n, b in image.bands.items()})


def _resampled(band: Band) -> Band:
    smooth = _evaluated_in(band, band.projection, "bilinear")

    def compute(block: Block) -> Raster:
        # far coarser output: interpolating between neighbours would only pick one of many, as nearest does
        output, own = block.grid.projection.nominal_scale, band.projection.nominal_scale
        return block.read(band) if output > 4 * own else smooth.compute(block)

    return Band(band.type, band.projection, band.footprint, compute)


@algorithm("Image.resample")
def _resample(image: Image, mode: str) -> Image:
    if mode != "bilinear":
        raise EarthEngineError(f"local Earth Engine does not support the mode '{mode}' of Image.resample")
    return image.with_bands({name: _resampled(band) for name, band in image.bands.items()})


def grid_over(bounds: tuple[float, float, float, float], projection: Projection) -> Grid:
    """The pixels of a projection that cover bounds given in its CRS; whole pixels, edges snapped outwards."""
    t = ~projection.transform
    corners = [t @ (x, y) for x in (bounds[0], bounds[2]) for y in (bounds[1], bounds[3])]
    cols, rows = [c for c, _ in corners], [r for _, r in corners]
    c0, r0 = math.floor(min(cols) + EDGE), math.floor(min(rows) + EDGE)
    c1, r1 = math.ceil(max(cols) - EDGE), math.ceil(max(rows) - EDGE)
    return Grid(projection, 1, 1).window(c0, r0, max(c1 - c0, 1), max(r1 - r0, 1))


def _fitted(bounds: tuple[float, float, float, float], crs: str, width: int, height: int) -> Grid:
    xmin, ymin, xmax, ymax = bounds
    return Grid(
        Projection(crs, Affine((xmax - xmin) / width, 0, xmin, 0, -(ymax - ymin) / height, ymax)), width, height
    )


@algorithm("Image.clipToBoundsAndScale")
def _clip_to_bounds_and_scale(
    input: Image,
    geometry: Geometry | None,
    width: int | None,
    height: int | None,
    maxDimension: int | None,
    scale: float | None,
) -> Image:
    where = "Image.clipToBoundsAndScale"
    band = input.first_band(where)
    if geometry is None:
        if band.footprint is None:
            raise EarthEngineError(f"{where}: The geometry for image clipping must be bounded.")
        geometry = Geometry(band.footprint)
    return input.with_bands(
        input.bands, _export_grid(geometry, band.projection, (width, height), maxDimension, scale, where)
    )


def _export_grid(
    geometry: Geometry,
    projection: Projection,
    size: tuple[int | None, int | None],
    largest: int | None,
    scale: float | None,
    where: str,
) -> Grid:
    bounds = geometry.to(projection.crs).bounds
    if scale is not None:
        return grid_over(bounds, projection.at_scale(scale))
    span_x, span_y = bounds[2] - bounds[0], bounds[3] - bounds[1]
    ratio: Callable[[float], int] = lambda value: max(1, round(value))  # noqa: E731
    if largest is not None:
        longer = max(span_x, span_y)
        return _fitted(bounds, projection.crs, ratio(largest * span_x / longer), ratio(largest * span_y / longer))
    width, height = size
    if width is None and height is None:
        return grid_over(bounds, projection)
    if width is None or height is None:
        raise EarthEngineError(f"local Earth Engine does not support only one of width and height ({where})")
    return _fitted(bounds, projection.crs, width, height)
