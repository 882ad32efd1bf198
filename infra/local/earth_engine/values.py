"""What flows along the edges of an expression graph, besides numbers, strings, lists and dictionaries.

An image is a set of named lazy bands with properties. Nothing is computed until a block of an output grid reads a band.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.grid import WORLD, Grid, Projection, transformer
from infra.local.earth_engine.pixel_types import DOUBLE, PixelType

Array = npt.NDArray[Any]


class Raster(NamedTuple):
    """Values [height, width] and where they are valid (bool, same shape); an invalid value means nothing."""

    values: Array
    valid: npt.NDArray[np.bool_]


class Block:
    """One evaluation of bands on one grid; each band is computed once, margins and native grids are child blocks."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self._rasters: dict[int, tuple[Band, Raster]] = {}
        self._children: dict[Grid, Block] = {}
        self._centres: dict[str, tuple[Array, Array]] = {}

    def read(self, band: "Band") -> Raster:
        """The band's pixels on this block's grid."""
        # the band is kept beside its raster so that its id cannot be given to another one
        if id(band) not in self._rasters:
            raster = band.compute(self)
            dtype = band.type.export[1]
            self._rasters[id(band)] = (band, Raster(raster.values.astype(dtype, copy=False), raster.valid))
        return self._rasters[id(band)][1]

    def child(self, grid: Grid) -> "Block":
        """The block of another grid, evaluated once for all that read it."""
        if grid not in self._children:
            self._children[grid] = Block(grid)
        return self._children[grid]

    def centres(self, crs: str) -> tuple[Array, Array]:
        """Coordinates of the pixel centres in a CRS, broadcastable to the block's shape."""
        if crs not in self._centres:
            x, y = self.grid.centres()
            if crs != self.grid.projection.crs:
                x, y = np.broadcast_arrays(x, y)
                x, y = transformer(self.grid.projection.crs, crs).transform(x, y)
            self._centres[crs] = (x, y)
        return self._centres[crs]

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.grid.height, self.grid.width


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """One lazy band.

    Attributes:
        type: pixel type.
        projection: default projection, used where an operation asks for the image's own pixels.
        footprint: where there can be pixels, lon/lat; None is everywhere.
        compute: pixels on a block's grid.
        size: (width, height) of a stored band, None of a computed one.
    """

    type: PixelType
    projection: Projection
    footprint: BaseGeometry | None
    compute: Callable[[Block], Raster]
    size: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class Image:
    """Named bands in order, made when first asked for, and properties.

    Attributes:
        make: gives the bands by name.
        properties: metadata; `system:footprint` stays GeoJSON.
        asset: id and version of a stored image, else None.
        grid: exact pixels to export, set by `Image.clipToBoundsAndScale`.
    """

    make: Callable[[], Mapping[str, Band]]
    properties: Mapping[str, Any] = field(default_factory=dict)
    asset: tuple[str, int] | None = None
    grid: Grid | None = None

    @cached_property
    def bands(self) -> dict[str, Band]:
        """The bands by name."""
        return dict(self.make())

    def with_bands(self, bands: Mapping[str, Band], grid: Grid | None = None) -> "Image":
        """The same properties over other bands."""
        return Image(lambda: bands, self.properties, None, grid)

    def with_properties(self, properties: Mapping[str, Any]) -> "Image":
        """The same bands under other properties."""
        return Image(lambda: self.bands, properties, self.asset, self.grid)

    def first_band(self, algorithm: str) -> Band:
        """The first band.

        Raises:
            EarthEngineError: there is none.
        """
        for band in self.bands.values():
            return band
        raise EarthEngineError(f"{algorithm}: the image has no bands.")


@dataclass(frozen=True, slots=True)
class Geometry:
    """A shape in a projection's pixel coordinates (lon/lat degrees by default); edges are straight there."""

    shape: BaseGeometry
    projection: Projection = WORLD

    def to(self, crs: str) -> BaseGeometry:
        """The shape in a CRS, edges densified so that straight lines stay what they were within 1/32 of an edge."""
        if self.projection == WORLD and crs == WORLD.crs:
            return self.shape
        xmin, ymin, xmax, ymax = self.shape.bounds
        step = max(xmax - xmin, ymax - ymin) / 32
        shape = shapely.segmentize(self.shape, step) if step > 0 and crs != self.projection.crs else self.shape

        def move(points: Array) -> Array:
            t = self.projection.transform
            x, y = t.a * points[:, 0] + t.b * points[:, 1] + t.c, t.d * points[:, 0] + t.e * points[:, 1] + t.f
            if crs != self.projection.crs:
                x, y = transformer(self.projection.crs, crs).transform(x, y)
            return np.column_stack([x, y])

        return shapely.transform(shape, move)


@dataclass(frozen=True, slots=True)
class Feature:
    """A geometry with properties."""

    geometry: Geometry | None
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Collection:
    """Images or features in order."""

    items: list[Any]
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Date:
    """An instant, milliseconds since 1970 UTC."""

    millis: float


@dataclass(frozen=True, slots=True)
class DateRange:
    """Half-open, milliseconds."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Filter:
    """A test on an element's properties and geometry."""

    keeps: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Reducer:
    """A reducer, by the name after `Reducer.`."""

    name: str


def constant_band(value: float) -> Band:
    """A band of one number everywhere; an integral number has an integer type, whichever way JSON spelled it."""
    number = float(value)
    kind = PixelType("int", number, number) if number.is_integer() else DOUBLE

    def compute(block: Block) -> Raster:
        return Raster(np.broadcast_to(np.float64(number), block.shape), np.broadcast_to(np.bool_(True), block.shape))

    return Band(kind, WORLD, None, compute)


def union(footprints: Iterable[BaseGeometry | None]) -> BaseGeometry | None:
    """Union of footprints; unbounded if one is."""
    shapes = list(footprints)
    return None if any(shape is None for shape in shapes) else shapely.union_all(shapes)


def intersection(footprints: Iterable[BaseGeometry | None]) -> BaseGeometry | None:
    """Intersection of footprints; unbounded only if all are."""
    result: BaseGeometry | None = None
    for shape in footprints:
        if shape is not None and shape is not result:
            result = shape if result is None else shapely.intersection(result, shape)
    return result


def inside(shape: BaseGeometry, x: Array, y: Array) -> npt.NDArray[np.bool_]:
    """Which points lie in a shape."""
    x, y = np.broadcast_arrays(x, y)
    shapely.prepare(shape)
    return np.asarray(shapely.contains_xy(shape, x, y), dtype=bool)
