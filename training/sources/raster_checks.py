"""What a composite on disk must be before patches are cut from it: its bands, its CRS, and its place on the Earth."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import rasterio
from rasterio.errors import RasterioIOError
from rasterio.warp import transform_bounds

from training.patches.split import is_unseen
from training.patches.store import UnusableDataset
from training.sources.event_list import EventOfPaper

NEAR_DEG = 1.5
PIXEL_M, DEGREE_M = 10.0, 111_319.49
"""Side of a pixel; a degree along the equator of WGS 84."""
PIXEL_TOLERANCE = 0.15
"""In degrees 1e-4 and 9e-5 are both met for 10 m."""
SAME_PIXEL = 1e-7
"""Sides of pixels that differ by more drift apart: cells are numbered from the origin of the CRS, a million pixels away."""

PixelGeometry = Literal["utm_10m", "epsg4326_10m"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What all composites of an event share.

    Attributes:
        crs: as WKT.
        pixel: side of a pixel in the CRS's unit.
        pixel_geometry: the same as a model card says it: pixels in metres or in degrees.
    """

    crs: str
    pixel: float
    pixel_geometry: PixelGeometry


def band_numbers(path: Path, dataset: Any, entry: dict[str, Any]) -> dict[str, int]:
    """Return the number of each band by name, from the configuration or the file's own descriptions.

    Raises:
        UnusableDataset: one is missing.
    """
    found = {name: number for number, name in enumerate(dataset.descriptions, 1) if name} | entry.get("bands", {})
    if too_high := [name for name, number in found.items() if number > dataset.count]:
        raise UnusableDataset(
            f"{path} has {dataset.count} bands; the configuration asks for more: {', '.join(too_high)}"
        )
    if missing := [name for name in ("postVV", "diffVV") if name not in found]:
        names = ", ".join(found) or "none"
        raise UnusableDataset(
            f"{path}: no band {', '.join(missing)}; bands with a name: {names}. Their numbers may stand in the configuration: "
            '"bands": {"postVV": 1, ...}'
        )
    if "geometry" not in found and entry.get("geometry") != "none":
        raise UnusableDataset(
            f'{path}: no band `geometry` with layover and shadow; export it, or write "geometry": "none" to take every pixel as seen'
        )
    if ("postVH" in found) != ("diffVH" in found):
        raise UnusableDataset(f"{path}: only one of postVH and diffVH")
    return found if entry.get("geometry") != "none" else {n: k for n, k in found.items() if n != "geometry"}


def refuse_disguise(path: Path, event: str, dataset: Any, known: tuple[EventOfPaper, ...]) -> None:
    """Refuse a composite that lies where Sumatra or Haiti was scored and goes by another name.

    Raises:
        UnusableDataset: it does.
    """
    west, south, east, north = transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    for unseen in known:
        if not is_unseen(unseen.name) or is_unseen(event):
            continue
        if west - NEAR_DEG < unseen.lon < east + NEAR_DEG and south - NEAR_DEG < unseen.lat < north + NEAR_DEG:
            raise UnusableDataset(
                f"{path} lies at the {unseen.name} earthquake, which no model may learn from, but is called {event!r}; "
                f"name it {unseen.name!r}"
            )


def refuse_other_pixels(path: Path, dataset: Any) -> None:
    """Refuse a composite whose pixels are not square, north up and of 10 m, or of what is 10 m at the equator in degrees.

    Raises:
        UnusableDataset: they are not.
    """
    transform = dataset.transform
    if abs(transform.a + transform.e) > 1e-9 * transform.a or transform.b:
        raise UnusableDataset(f"{path}: pixels are not square and north up: {tuple(transform)[:6]}")
    side_m = transform.a * (DEGREE_M if dataset.crs.is_geographic else dataset.crs.linear_units_factor[1])
    if abs(side_m / PIXEL_M - 1) > PIXEL_TOLERANCE:
        raise UnusableDataset(
            f"{path}: pixels of {side_m:.3g} m; the models see 10 m: warp it with gdalwarp -tr, or export it anew"
        )


def one_grid(event: str, paths: list[Path], known: tuple[EventOfPaper, ...]) -> Grid:
    """Return the grid of an event's rasters, after a look at where they lie.

    Raises:
        UnusableDataset: they have several, none, or are no rasters; or see `refuse_disguise`, `refuse_other_pixels`.
    """
    if twice := [path for path, count in Counter(paths).items() if count > 1]:
        raise UnusableDataset(f"{twice[0]} is listed twice for {event}; a file belongs to one composite")
    grid: Grid | None = None
    crs = None
    for path in paths:
        try:
            with rasterio.open(path) as dataset:
                if dataset.crs is None:
                    raise UnusableDataset(f"{path} has no CRS")
                refuse_disguise(path, event, dataset, known)
                refuse_other_pixels(path, dataset)
                side = float(dataset.transform.a)
                if grid is None:
                    crs = dataset.crs
                    geometry: PixelGeometry = "epsg4326_10m" if crs.is_geographic else "utm_10m"
                    grid = Grid(crs=crs.to_wkt(), pixel=side, pixel_geometry=geometry)
                elif dataset.crs != crs:
                    raise UnusableDataset(
                        f"the composites of {event} are in {crs} and {dataset.crs} ({path}); its cells need one CRS: warp the others to it"
                    )
                elif abs(side / grid.pixel - 1) > SAME_PIXEL:
                    raise UnusableDataset(
                        f"{path} has pixels of {side:.9g}, {paths[0]} of {grid.pixel:.9g}: the cells of {event} would not be the same "
                        "ground; warp one to the other with gdalwarp -tr -tap, or export it anew"
                    )
        except RasterioIOError as error:
            raise UnusableDataset(f"{path}: no raster that can be read ({error})") from error
    if grid is None:
        raise UnusableDataset(f"{event} has no composite")
    return grid


def bounds_of(path: Path) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a raster in its own CRS."""
    with rasterio.open(path) as dataset:
        west, south, east, north = dataset.bounds
    return west, south, east, north
