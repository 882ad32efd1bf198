"""Detections on a map against an inventory: windows scored, thinned out, matched by area (Nava et al. 2026, section 3.6).

Scores of patches (Table 5) say how a classifier does on a chosen set of windows. A responder gets boxes: how many of them hold
landslides, and how many landslides do they reach? A box is right if landslides cover more than 5 % of it, the rule by which patches are
labelled. A landslide is found if at least half of its area lies in boxes that are right. One smaller than 5 % of a window cannot make a
box right by itself, so recall is also given for the larger ones, and for area.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import shapes
from shapely.geometry.base import BaseGeometry

from quakeslide.domain.lattice import WINDOW_PX
from quakeslide.domain.suppression import suppress_boxes
from quakeslide.domain.windows import VALID_FRACTION_MIN, flush_strips, offsets
from training.patches.labels import MIN_FRACTION

FOUND_FRACTION = 0.5
_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a model says of an image.

    Attributes:
        corners: int [n, 2], (row, col) of the top-left pixel of every scored window.
        scores: float32 [n].
        not_scored: windows with fewer valid pixels than the detector demands.
    """

    corners: NDArray[np.int_]
    scores: NDArray[np.float32]
    not_scored: int

    def kept(self, threshold: float) -> NDArray[np.int_]:
        """Return the corners int [m, 2] of the windows above the threshold that survive suppression, best first."""
        candidates = np.nonzero(self.scores > np.float32(threshold))[0]
        return self.corners[candidates][suppress_boxes(self.corners[candidates], self.scores[candidates])]


def scan(model: keras.Model, image: NDArray[np.float32], fill_db: Sequence[float]) -> Scan:
    """Score every window of an image, one every 32 px and flush with the far edges.

    Args:
        model: one of `training.networks`.
        image: float32 [H, W, bands] in dB, NaN = missing, at least 64 x 64 px.
        fill_db: what a missing pixel is given, by band.
    """
    strips = flush_strips(*image.shape[:2])
    corners = np.unique(np.concatenate([offsets(strip) for strip in strips]), axis=0)
    is_missing = np.asarray(np.isnan(image).any(axis=-1))
    filled = np.where(is_missing[..., None], np.asarray(fill_db, np.float32), image)
    views = np.lib.stride_tricks.sliding_window_view(is_missing, (WINDOW_PX, WINDOW_PX))
    valid = np.array([1 - views[row, col].mean() for row, col in corners])
    judged = corners[valid >= VALID_FRACTION_MIN]
    scores = [np.zeros(0, np.float32)]
    for first in range(0, len(judged), _BATCH):
        batch = np.stack([filled[r : r + WINDOW_PX, c : c + WINDOW_PX] for r, c in judged[first : first + _BATCH]])
        scores.append(np.asarray(model(batch, training=False))[:, 0])
    return Scan(corners=judged, scores=np.concatenate(scores), not_scored=len(corners) - len(judged))


@dataclass(frozen=True, slots=True, kw_only=True)
class MapScores:
    """Counts and areas of one or several maps; areas in m2.

    Attributes:
        boxes, right_boxes: detections, and those that hold landslides.
        landslides, found: of the inventory, and those that right boxes hold.
        large_landslides, large_found: the same for landslides that could make a box right by themselves.
        box_m2, landslide_m2, covered_m2: area of all boxes, of all landslides, of landslides inside right boxes.
        not_scored: windows without enough valid pixels.
    """

    boxes: int = 0
    right_boxes: int = 0
    landslides: int = 0
    found: int = 0
    large_landslides: int = 0
    large_found: int = 0
    box_m2: float = 0.0
    landslide_m2: float = 0.0
    covered_m2: float = 0.0
    not_scored: int = 0

    def __add__(self, other: "MapScores") -> "MapScores":
        mine, others = asdict(self), asdict(other)
        return MapScores(**{name: mine[name] + others[name] for name in mine})

    def as_dict(self) -> dict[str, Any]:
        """Return counts, areas and what follows from them; a share of nothing is None."""
        precision, recall = _share(self.right_boxes, self.boxes), _share(self.found, self.landslides)
        both = None if precision is None or recall is None else _share(2 * precision * recall, precision + recall)
        return {
            **{name: round(value) for name, value in asdict(self).items()},
            "precision": precision,
            "recall": recall,
            "f1": both,
            "recall_of_large": _share(self.large_found, self.large_landslides),
            "recall_of_area": _share(self.covered_m2, self.landslide_m2),
        }


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def without(polygons: list[BaseGeometry], mask: NDArray[np.bool_], transform: Affine) -> list[BaseGeometry]:
    """Return polygons less the pixels where a mask bool [H, W] is true."""
    drawn = shapes(mask.astype(np.uint8), mask=mask, transform=transform)
    pieces = np.array([shapely.make_valid(shapely.geometry.shape(shape)) for shape, _ in drawn], object)
    tree = shapely.STRtree(pieces)
    return [shapely.difference(p, shapely.union_all(pieces[tree.query(p, predicate="intersects")])) for p in polygons]


def match(
    boxes: Sequence[BaseGeometry], landslides: Sequence[BaseGeometry], *, window_m2: float, not_scored: int = 0
) -> MapScores:
    """Hold detections against an inventory.

    Args:
        boxes: of the kept windows, in a metric CRS.
        landslides: polygons of the same CRS.
        window_m2: area of a window, which says what a large landslide is even where no box was kept.
        not_scored: handed on.
    """
    slides = np.array(landslides, object)
    tree = shapely.STRtree(slides)
    is_right = np.zeros(len(boxes), bool)
    for number, box in enumerate(boxes):
        near = slides[tree.query(box, predicate="intersects")]
        inside = shapely.union_all(shapely.intersection(near, box)).area if len(near) else 0.0
        is_right[number] = inside > MIN_FRACTION * box.area
    right = shapely.union_all([box for box, ok in zip(boxes, is_right, strict=True) if ok])
    areas = shapely.area(slides) if len(slides) else np.zeros(0)
    covered = shapely.area(shapely.intersection(slides, right)) if len(slides) else np.zeros(0)
    is_found = covered >= FOUND_FRACTION * areas
    is_large = areas > MIN_FRACTION * window_m2
    return MapScores(
        boxes=len(boxes),
        right_boxes=int(is_right.sum()),
        landslides=len(slides),
        found=int(is_found.sum()),
        large_landslides=int(is_large.sum()),
        large_found=int((is_found & is_large).sum()),
        box_m2=float(sum(box.area for box in boxes)),
        landslide_m2=float(areas.sum()),
        covered_m2=float(covered.sum()),
        not_scored=not_scored,
    )
