"""The notified product: what was found on one composite, what it rests on and what it does not say.

The cautions follow Nava et al. 2026, 5.2 (arid land and snow scarce in training, water levels, small slides) as far as the
composite itself can tell; what it cannot tell is listed under `not_checked`.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from shapely.geometry.base import BaseGeometry

from quakeslide import __version__
from quakeslide.domain.composite import GEOGRAPHIC
from quakeslide.domain.judgement import THUMB_PX, Blind, Judgement
from quakeslide.domain.lattice import STRIDE_PX, WINDOW_PX, Lattice, Rectangle, box_on_ground, to_crs
from quakeslide.domain.rfc7946 import collection, dumps, feature, lonlat_polygons, number
from quakeslide.domain.suppression import OVERLAP_MAX

__all__ = ["detections_geojson", "dumps"]

UNVERIFIED = "Made automatically from radar images and verified by nobody; where lives depend on it, go and look."
OTHER_TRIGGERS = (
    "Landslides set off by rain, aftershocks or anything else between the pre-event and the post-event images "
    "cannot be told from those of the earthquake."
)
NOT_AN_AREA = "Each box is the 640 m x 640 m window that the model judged; a landslide lies somewhere in it and may be much smaller."
NOT_CHECKED = ["snow cover", "arid land", "changes of water level", "landslides much smaller than a window"]

PARTLY_BLIND = 0.2  # share of a window in layover or shadow from which it is worth a caution
FLAT_DEG = 5.0  # gentler ground rarely slides; floods, harvests and building work change it too
DARK_DB, DARK_SHARE = -20.0, 0.1  # calm water is darker than this in VV; a tenth of the window suffices
FEW_PIXELS = 0.9


def detections_geojson(judgement: Judgement) -> dict[str, Any]:
    """Return the detections as a FeatureCollection, best first; empty ones say whether nothing was found or nothing seen."""
    composite, cells = judgement.composite, judgement.cells
    boxes = window_boxes(composite.lattice, composite.rectangle, judgement.detections)
    features = []
    for rank, ((row, col), box) in enumerate(
        zip(judgement.detections.tolist(), lonlat_polygons(boxes, composite.lattice.crs), strict=True), start=1
    ):
        score = float(cells.scores[row, col])
        probability = judgement.card.probability(score)
        properties = {
            "event_id": composite.event_id,
            "rank": rank,
            "score": number(score),
            **({} if probability is None else {"probability": number(probability)}),
            "window_area_m2": window_area_m2(composite.lattice, composite.rectangle),
            "blind_fraction": number(cells.blind_fraction[row, col]),
            "diff_vv_db": number(cells.diff_vv_db[row, col], 2),
            "diff_vh_db": number(cells.diff_vh_db[row, col], 2),
            "slope_median_deg": number(cells.slope_deg[row, col], 1),
            "incidence_median_deg": number(cells.incidence_deg[row, col], 1),
            "cautions": cautions(judgement, row, col),
            "track": str(composite.track),
            "pass": composite.track.orbit_pass.value,
            "stage": str(composite.stage),
            "finality": judgement.finality,
            "window_row": composite.rectangle.row // STRIDE_PX + row,
            "window_col": composite.rectangle.col // STRIDE_PX + col,
        }
        features.append(feature(box, properties))
    aoi = shapely.geometry.mapping(lonlat_aoi(judgement))
    return collection(features, {**collection_members(judgement), "aoi": aoi})


def collection_members(judgement: Judgement) -> dict[str, Any]:
    """Return what holds for the whole product; the same members stand on every product of a judgement."""
    composite, card = judgement.composite, judgement.card
    scored = judgement.in_aoi & np.isfinite(judgement.cells.scores)
    stage_of_card = "-".join(card.name.split("_")[-2:])
    geometry = "epsg4326_10m" if composite.lattice.crs == GEOGRAPHIC else "utm_10m"
    return {
        "event_id": composite.event_id,
        "title": title(judgement),
        "outcome": outcome(judgement),
        "counts": {
            "windows_in_aoi": int(judgement.in_aoi.sum()),
            "windows_scored": int(scored.sum()),
            "candidates": len(judgement.candidates),
            "detections": len(judgement.detections),
        },
        "seen_fraction_of_aoi": number(seen_fraction_of_aoi(judgement)),
        "automatic_unverified": UNVERIFIED,
        "data_notice": composite.data_notice,
        "model_notice": card.data_notice,
        "notes": [OTHER_TRIGGERS, NOT_AN_AREA],
        "not_checked": NOT_CHECKED,
        "place": composite.place,
        "t0": composite.t0.isoformat(),
        "post_start": composite.post_start.isoformat(),
        "track": str(composite.track),
        "pass": composite.track.orbit_pass.value,
        "stage": str(composite.stage),
        "finality": judgement.finality,
        "weak_pre": composite.weak_pre,
        "stack_mismatch": stage_of_card != str(composite.stage),
        "pixel_geometry_mismatch": card.pixel_geometry != geometry,
        "backscatter": composite.terrain.backscatter.value,
        "backscatter_mismatch": card.backscatter is not composite.terrain.backscatter,
        "mask_buffer_m": composite.terrain.mask_buffer_m,
        "scenes": {"pre": list(composite.pre_scenes), "post": list(composite.post_scenes)},
        "aoi_source": composite.aoi_source,
        "model": {"name": card.name, "version": card.version, "sha256": card.sha256, "variant": card.variant},
        "threshold": card.threshold,
        "nms_overlap": OVERLAP_MAX,
        "composite_id": composite.composite_id,
        "run_id": judgement.run_id,
        "crs": composite.lattice.crs,  # of the lattice; the coordinates here are WGS 84, as RFC 7946 says
        "quakeslide_version": __version__,
    }


def title(judgement: Judgement) -> str:
    """Return the product's title in words."""
    composite = judgement.composite
    return f"Possible landslides after {composite.place or composite.event_id}, track {composite.track}, stage {composite.stage}"


def outcome(judgement: Judgement) -> str:
    """Say in words what came out; to have found nothing and to have seen nothing are different results."""
    if not (judgement.in_aoi & np.isfinite(judgement.cells.scores)).any():
        return "could not look"
    return "detections" if len(judgement.detections) else "processed, none found"


def cautions(judgement: Judgement, row: int, col: int) -> list[str]:
    """Return what speaks against one window, as stable words."""
    cells = judgement.cells
    flat = bool(cells.slope_deg[row, col] < FLAT_DEG)
    step = STRIDE_PX // THUMB_PX
    side = WINDOW_PX // THUMB_PX
    post_vv = cells.thumb_post_vv_db[row * step : row * step + side, col * step : col * step + side]
    dark = bool(np.mean(post_vv < DARK_DB) > DARK_SHARE)
    found = {
        "foreshortened_or_partly_blind": cells.blind_fraction[row, col] > PARTLY_BLIND,
        "missing_pixels": cells.valid_fraction[row, col] < FEW_PIXELS,
        "flat": flat,
        "near_water": dark and flat,  # dark slopes are radar shadow, not water
    }
    return [word for word, holds in found.items() if holds]


def window_boxes(lattice: Lattice, rectangle: Rectangle, windows: NDArray[np.int_]) -> list[BaseGeometry]:
    """Return windows (int [n, 2], row and col in the rectangle) as boxes in the lattice's CRS."""
    return [
        box_on_ground(lattice, rectangle.row + row * STRIDE_PX, rectangle.col + col * STRIDE_PX, WINDOW_PX, WINDOW_PX)
        for row, col in windows.tolist()
    ]


def window_area_m2(lattice: Lattice, rectangle: Rectangle) -> float:
    """Return the area of one window; on a lattice in degrees that of the middle one, on the WGS 84 ellipsoid."""
    if lattice.crs != "EPSG:4326":
        return (WINDOW_PX * lattice.pixel) ** 2
    row, col = rectangle.row + rectangle.height // 2, rectangle.col + rectangle.width // 2
    area, _ = Geod(ellps="WGS84").geometry_area_perimeter(box_on_ground(lattice, row, col, WINDOW_PX, WINDOW_PX))
    return round(abs(area), 0)


def block_reasons(judgement: Judgement) -> NDArray[np.uint8]:
    """Return uint8 [R + 1, C + 1], a `Blind` per block: SEEN only where a window over the block was scored too.

    A block with good pixels whose every window lacks too many of them was not judged: no data.
    """
    scored = np.isfinite(judgement.cells.scores)
    judged = np.zeros(judgement.cells.blocks.shape, bool)
    rows, cols = scored.shape
    for down in (0, 1):
        for right in (0, 1):
            judged[down : down + rows, right : right + cols] |= scored
    reasons = judgement.cells.blocks.astype(np.uint8)
    reasons[(reasons == Blind.SEEN) & ~judged] = Blind.NO_DATA
    return reasons


def block_boxes(lattice: Lattice, rectangle: Rectangle, blocks: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Return the chosen blocks (bool [R + 1, C + 1]) as boxes in the lattice's CRS, by row then column."""
    rows, cols = np.nonzero(blocks)
    side = STRIDE_PX * lattice.pixel
    west = lattice.origin_x + (rectangle.col * lattice.pixel) + cols * side
    north = lattice.origin_y - (rectangle.row * lattice.pixel) - rows * side
    boxes: NDArray[np.object_] = shapely.box(west, north - side, west + side, north)
    return boxes


def seen_fraction_of_aoi(judgement: Judgement) -> float:
    """Return which share of the AOI's area was judged."""
    return _fraction_of_aoi(judgement, block_reasons(judgement) == Blind.SEEN)


def passed_fraction_of_aoi(judgement: Judgement) -> float:
    """Return over which share of the AOI's area data-takes lie before and after, by `nPre` and `nPost`, whatever they could see."""
    return _fraction_of_aoi(judgement, judgement.cells.blocks != Blind.NO_PASS)


def _fraction_of_aoi(judgement: Judgement, blocks: NDArray[np.bool_]) -> float:
    """Return which share of the AOI's area the chosen blocks (bool [R + 1, C + 1]) cover."""
    composite = judgement.composite
    aoi = projected_aoi(judgement)
    boxes = block_boxes(composite.lattice, composite.rectangle, blocks)
    shapely.prepare(aoi)
    inside = shapely.contains_properly(aoi, boxes)
    rim = boxes[~inside & shapely.intersects(aoi, boxes)]
    seen = shapely.area(boxes[inside]).sum() + shapely.area(shapely.intersection(rim, aoi)).sum()
    return min(1.0, float(seen / aoi.area))


def projected_aoi(judgement: Judgement) -> BaseGeometry:
    """Return the AOI in the lattice's CRS, parts that meet at the antimeridian joined."""
    joined: BaseGeometry = shapely.union_all([to_crs(judgement.composite.aoi, judgement.composite.lattice.crs)])
    return joined


def lonlat_aoi(judgement: Judgement) -> BaseGeometry:
    """Return the AOI in lon/lat as RFC 7946 wants it."""
    return lonlat_polygons([projected_aoi(judgement)], judgement.composite.lattice.crs)[0]
