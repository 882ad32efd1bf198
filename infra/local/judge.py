"""Holds the demo's detections against the simulated truth: would a map of windows drawn at random have done as well?

Precision and recall are by touching: a detection is right if its window touches a slide of at least 20 480 m2 (5 % of a patch, the
paper's threshold), a slide is found if a detection touches it. The base rate is the share of all lattice windows of the AOI that
touch one.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from pyproj import Transformer
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

WINDOW_M = 640.0
MIN_PRECISION = 0.3
MIN_GAIN = 1.5
MIN_RECALL = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How good a set of detections is.

    Attributes:
        detections, slides: how many of each.
        precision: share of detections that touch a slide.
        recall: share of slides touched by a detection.
        base_rate: share of all windows of the AOI that touch a slide.
    """

    name: str
    detections: int
    slides: int
    precision: float
    recall: float
    base_rate: float

    @property
    def complaints(self) -> list[str]:
        """What keeps this from being an acceptable map, in words; empty where nothing does."""
        found = []
        if self.precision < MIN_PRECISION:
            found.append(f"precision {self.precision:.2f} is under {MIN_PRECISION}")
        if self.precision < MIN_GAIN * self.base_rate:
            found.append(
                f"precision {self.precision:.2f} is under {MIN_GAIN} times that of all windows ({self.base_rate:.2f})"
            )
        if self.recall < MIN_RECALL:
            found.append(f"recall {self.recall:.2f} is under {MIN_RECALL}")
        return found


def judge(
    name: str, detections: dict[str, Any], truth: dict[str, Any], score_raster: Path, aoi: dict[str, Any]
) -> Verdict:
    """Judge one GeoJSON of detections.

    Args:
        name: of what is judged, such as the track.
        detections: FeatureCollection in lon/lat.
        truth: FeatureCollection of slides in lon/lat.
        score_raster: `score.tif`, one 320 m pixel per window, for the windows' places and the CRS.
        aoi: GeoJSON polygon in lon/lat.
    """
    with rasterio.open(score_raster) as raster:
        crs, grid, size = raster.crs, raster.transform, (raster.height, raster.width)
    to_map = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform

    def on_map(geometry: dict[str, Any]) -> BaseGeometry:
        projected: BaseGeometry = shapely.transform(shape(geometry), to_map, interleaved=False)
        return projected

    slides = shapely.STRtree([on_map(feature["geometry"]) for feature in truth["features"]])
    boxes = np.array([on_map(feature["geometry"]) for feature in detections["features"]], dtype=object)
    # a hair inside, so that sharing an edge with a slide by rounding to seven decimals does not count as touching it
    touched = slides.query(shapely.buffer(boxes, -0.5), predicate="intersects") if len(boxes) else np.empty((2, 0), int)
    cols, rows = np.meshgrid(np.arange(size[1]) + 0.5, np.arange(size[0]) + 0.5)
    x, y = grid.c + cols.ravel() * grid.a, grid.f + rows.ravel() * grid.e
    inside = shapely.contains_xy(on_map(aoi), x, y)
    half = WINDOW_M / 2
    windows = shapely.box(x[inside] - half, y[inside] - half, x[inside] + half, y[inside] + half)
    touching = np.unique(slides.query(windows, predicate="intersects")[0])
    return Verdict(
        name=name,
        detections=len(boxes),
        slides=len(slides),
        precision=len(np.unique(touched[0])) / len(boxes) if len(boxes) else 0.0,
        recall=len(np.unique(touched[1])) / len(slides) if len(slides) else 0.0,
        base_rate=len(touching) / max(len(windows), 1),
    )


def read(path: Path) -> dict[str, Any]:
    """Return a JSON document."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
