"""Whole scenes with what failed in them: simulated, or a composite with its inventory from disk."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes
from rich.console import Console
from rich.progress import track
from shapely.geometry.base import BaseGeometry

from quakeslide.domain.lattice import WINDOW_PX
from training.evaluation.detections import without
from training.model_name import ModelName
from training.patches.store import UnusableDataset
from training.simulator.events import EVENTS, events_for
from training.simulator.scene import BANDS, Scene
from training.simulator.terrain import PIXEL_M
from training.sources.decibels import Decibels
from training.sources.inventory import Inventory
from training.sources.mosaic import LAYOVER, SHADOW
from training.sources.raster_checks import PixelGeometry, refuse_other_pixels

METRIC: PixelGeometry = "utm_10m"
"""What cards call metric pixels of 10 m: all maps here have them, since areas need metres."""


class UnusableMap(ValueError):
    """A composite, an inventory or an event that cannot be scored; the message names it and what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """One composite with what is known to have failed in it.

    Attributes:
        name: for the report.
        image: float32 [H, W, bands], dB, NaN = missing.
        transform: pixel (column, row) to metres.
        landslides: polygons in the same metres.
        is_filtered: whether layover and shadow were taken off them.
    """

    name: str
    image: NDArray[np.float32]
    transform: Affine
    landslides: list[BaseGeometry]
    is_filtered: bool = True

    @property
    def window_m2(self) -> float:
        """Area of a window of the detector."""
        return float(abs(self.transform.determinant) * WINDOW_PX**2)


def simulated_maps(event: str, model: ModelName, seeds: range, side: int) -> Iterator[Map]:
    """Yield simulated scenes of an event, all bands; landslides are what failed and a model's pass can see, one polygon each."""
    for seed in seeds:
        scene = Scene(EVENTS[event], seed=seed, shape=(side, side))
        seen = np.where(scene.view(model.orbit_pass).is_distorted, 0, scene.slides.label).astype(np.int32)
        pieces: dict[float, list[BaseGeometry]] = {}
        transform = Affine.scale(PIXEL_M, -PIXEL_M)
        for shape, number in shapes(seen, mask=seen > 0, transform=transform):
            pieces.setdefault(number, []).append(shapely.geometry.shape(shape))
        image = scene.composite(model.orbit_pass, pre_days=model.pre_days, post_days=model.post_days)
        polygons = [shapely.union_all(parts) for parts in pieces.values()]
        yield Map(name=f"{event}/{seed}", image=image, transform=transform, landslides=polygons)


def maps_for(card: dict[str, Any], event: str, seeds: int, side: int) -> Iterator[Map]:
    """Yield simulated scenes of an event as the model of a card sees them: its pass, its windows, its bands."""
    channels = [BANDS.index(band) for band in card["bands"]]
    places = simulated_maps(event, ModelName.parse(card["name"]), range(seeds), side)
    for one in track(places, total=seeds, description="scenes", console=Console(stderr=True)):
        yield replace(one, image=one.image[..., channels])


def refuse_learnt(card: dict[str, Any], event: str) -> None:
    """Refuse a simulated event whose scenes the model learnt from, as its card says; the card of an imported model says nothing.

    Raises:
        UnusableMap: it did.
    """
    if event in card.get("training", {}).get("events", ()):
        unseen = " or ".join(one.name for one in events_for("unseen"))
        raise UnusableMap(
            f"the model learnt from scenes of {event}, its card says: ask for {unseen}, which no model learns from"
        )


def _refuse_other_values(composite: Path, image: NDArray[np.float32], bands: tuple[str, ...]) -> None:
    """Refuse what `cut` refuses: linear power, scaled values, fills that nobody declared."""
    found = Decibels(str(composite), bands)
    try:
        found.add(image)
        found.refuse_no_values()
        found.refuse_fill()
        for kind in ("post", "diff"):
            found.refuse_other_units(kind)
    except UnusableDataset as error:
        raise UnusableMap(str(error)) from error


def map_from_disk(composite: Path, inventory: Path | None, bands: tuple[str, ...]) -> Map:
    """Read a composite GeoTIFF whose bands are described by their names, and the landslides that touch it, if an inventory is at hand.

    What the radar did not see is taken off the landslides, as it is before patches are labelled: missing pixels, and layover and shadow if
    the composite has a band `geometry`.

    Raises:
        UnusableMap: bands are missing, the CRS is not metric, the pixels are not of 10 m, a file cannot be read, the inventory has no
            areas, or none of it lies here.
    """
    try:
        with rasterio.open(composite) as file:
            if missing := [band for band in bands if band not in file.descriptions]:
                raise UnusableMap(
                    f"{composite} has no band described as {', '.join(missing)}; found {file.descriptions}. Describe its bands, with "
                    "set_band_description of rasterio or `gdal_edit.py -b`"
                )
            if file.crs is None or not file.crs.is_projected or file.crs.linear_units_factor[1] != 1:
                raise UnusableMap(f"{composite}: its CRS {file.crs} has no metres; areas need a projected one")
            refuse_other_pixels(composite, file)
            layers = file.read([1 + file.descriptions.index(band) for band in bands], out_dtype="float32", masked=True)
            distorted = None
            if "geometry" in file.descriptions:
                distorted = np.isin(file.read(1 + file.descriptions.index("geometry")), (LAYOVER, SHADOW))
            transform, crs, bounds = file.transform, file.crs, file.bounds
        failed: list[BaseGeometry] = []
        if inventory is not None:
            landslides = Inventory(inventory, crs.to_wkt())
            landslides.refuse_elsewhere([tuple(bounds)])
            failed = landslides.within(bounds)
    except UnusableDataset as error:
        raise UnusableMap(str(error)) from error
    except (rasterio.errors.RasterioIOError, OSError, RuntimeError) as error:
        raise UnusableMap(f"cannot read: {error}") from error
    image = np.moveaxis(layers.filled(np.nan), 0, -1)
    _refuse_other_values(composite, image, bands)
    unseen = np.isnan(image).any(axis=-1)
    in_sight = without(failed, unseen if distorted is None else unseen | distorted, transform)
    return Map(
        name=composite.name,
        image=image,
        transform=transform,
        landslides=[polygon for polygon in in_sight if polygon.area > 0],
        is_filtered=distorted is not None,
    )
