"""The notified product: what was found on one composite, what it rests on and what it does not say.

Cautions stand on each detection (see `cautions`); which were judged, by which rule, and what nothing here can tell, on the whole.
"""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from shapely.geometry.base import BaseGeometry

from quakeslide import __version__
from quakeslide.domain.area_share import projected
from quakeslide.domain.cautions import CAUTIONS, cautions, unjudged_cautions
from quakeslide.domain.composite import GEOGRAPHIC
from quakeslide.domain.judgement import Blind, Judgement, Unscored
from quakeslide.domain.lattice import STRIDE_PX, WINDOW_PX, Lattice, Rectangle, box_on_ground
from quakeslide.domain.model_card import choice_of
from quakeslide.domain.object_names import series_numbers
from quakeslide.domain.rfc7946 import collection, dumps, feature, lonlat_polygons, number
from quakeslide.domain.suppression import OVERLAP_MAX
from quakeslide.domain.windows import LEAST_SLOPE_DEG

__all__ = ["detections_geojson", "dumps"]

UNVERIFIED = "Made automatically from radar images and verified by nobody; where lives depend on it, go and look."
OTHER_TRIGGERS = (
    "Landslides set off by rain, aftershocks or anything else between the pre-event and the post-event images "
    "cannot be told from those of the earthquake."
)
NOT_AN_AREA = "Each box is the 640 m x 640 m window that the model judged; a landslide lies somewhere in it and may be much smaller."
FLAT_GROUND = (
    f"Windows without slopes of {LEAST_SLOPE_DEG:g} degrees or more are not judged (blind area `flat`); floods, harvests and building "
    "work change level ground, landslides rarely."
)
SEAM = "This area grew: along its seam with the earlier one both products may box the same slide; the summary of all tracks names it once."


def detections_geojson(judgement: Judgement) -> dict[str, Any]:
    """Return the detections as a FeatureCollection, best first; empty ones say whether nothing was found or nothing seen."""
    composite, cells = judgement.composite, judgement.cells
    boxes = lonlat_polygons(
        window_boxes(composite.lattice, composite.rectangle, judgement.detections), composite.lattice.crs
    )
    area, warnings = window_area_m2(composite.lattice, composite.rectangle), cautions(judgement, boxes)
    features = []
    for rank, ((row, col), box) in enumerate(zip(judgement.detections.tolist(), boxes, strict=True), start=1):
        score = float(cells.scores[row, col])
        probability = judgement.card.probability(score)
        properties = {
            "event_id": composite.event_id,
            "rank": rank,
            "score": number(score),
            **({} if probability is None else {"probability": number(probability)}),
            "window_area_m2": area,
            "blind_fraction": number(cells.blind_fraction[row, col]),
            "diff_vv_db": number(cells.diff_vv_db[row, col], 2),
            "diff_vh_db": number(cells.diff_vh_db[row, col], 2),
            "slope_median_deg": number(cells.slope_deg[row, col], 1),
            "incidence_median_deg": number(cells.incidence_deg[row, col], 1),
            "cautions": warnings[rank - 1],
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
    unscored = judgement.cells.unscored[judgement.in_aoi]
    unjudged = unjudged_cautions(composite)
    choice = choice_of(composite, card.name)
    geometry = "epsg4326_10m" if composite.lattice.crs == GEOGRAPHIC else "utm_10m"
    return {
        "event_id": composite.event_id,
        "title": title(judgement),
        "outcome": outcome(judgement),
        "counts": {
            "windows_in_aoi": int(judgement.in_aoi.sum()),
            "windows_scored": int(scored.sum()),
            "windows_with_too_few_pixels": int((unscored == Unscored.MISSING).sum()),
            "windows_flat": int((unscored == Unscored.FLAT).sum()),
            "candidates": len(judgement.candidates),
            "detections": len(judgement.detections),
        },
        "seen_fraction_of_aoi": number(seen_fraction_of_aoi(judgement)),
        "automatic_unverified": UNVERIFIED,
        "data_notice": composite.data_notice,
        "model_notice": card.data_notice,
        "notes": [OTHER_TRIGGERS, NOT_AN_AREA, FLAT_GROUND, *([SEAM] if series_numbers(composite.series)[1] else [])],
        "cautions_judged": {word: f"{c.rule} ({c.limits})" for word, c in CAUTIONS.items() if word not in unjudged},
        "cautions_not_judged": unjudged,
        "place": composite.place,
        "t0": composite.t0.isoformat(),
        "post_start": composite.post_start.isoformat(),
        "track": str(composite.track),
        "pass": composite.track.orbit_pass.value,
        "stage": str(composite.stage),
        "finality": judgement.finality,
        "weak_pre": composite.weak_pre,
        "stack_mismatch": choice.is_other_stage,
        "polarisation_mismatch": choice.is_other_polarisation,
        "pixel_geometry_mismatch": card.pixel_geometry != geometry,
        "backscatter": composite.terrain.backscatter.value,
        "backscatter_mismatch": card.backscatter is not composite.terrain.backscatter,
        "mask_buffer_m": composite.terrain.mask_buffer_m,
        "scenes": {"pre": list(composite.pre_scenes), "post": list(composite.post_scenes)},
        "aoi_source": composite.aoi_source,
        "model": {
            "name": card.name,
            "version": card.version,
            "sha256": card.sha256,
            "variant": card.variant,
            "precision": card.precision,
        },
        "model_choice": {"wanted": choice.wanted, "used": choice.used, "reason": choice.reason},
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

    A block with good pixels that no scored window covers was not judged: flat where a window over it was left out for that, else
    no data.
    """
    unscored = judgement.cells.unscored
    judged, flat = blocks_under(unscored == Unscored.SCORED), blocks_under(unscored == Unscored.FLAT)
    reasons = judgement.cells.blocks.astype(np.uint8)
    left_out = (reasons == Blind.SEEN) & ~judged
    reasons[left_out] = np.where(flat[left_out], Blind.FLAT, Blind.NO_DATA)
    return reasons


def blocks_under(windows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return bool [R + 1, C + 1], the blocks that any of the chosen windows (bool [R, C]) covers."""
    rows, cols = windows.shape
    blocks = np.zeros((rows + 1, cols + 1), np.bool_)
    for down in (0, 1):
        for right in (0, 1):
            blocks[down : down + rows, right : right + cols] |= windows
    return blocks


def seen_fraction_of_aoi(judgement: Judgement) -> float:
    """Return which share of the AOI's area was judged."""
    return _fraction_of_aoi(judgement, block_reasons(judgement) == Blind.SEEN)


def passed_fraction_of_aoi(judgement: Judgement) -> float:
    """Return over which share of the AOI's area data-takes lie before and after, by `nPre` and `nPost`, whatever they could see."""
    return _fraction_of_aoi(judgement, judgement.cells.blocks != Blind.NO_PASS)


def _fraction_of_aoi(judgement: Judgement, blocks: NDArray[np.bool_]) -> float:
    """Return which share of the AOI's area the chosen blocks (bool [R + 1, C + 1]) cover."""
    block_area = (STRIDE_PX * judgement.composite.lattice.pixel) ** 2
    chosen = judgement.aoi_share[blocks].sum(dtype=np.float64) * block_area
    return min(1.0, float(chosen / projected_aoi(judgement).area))


def projected_aoi(judgement: Judgement) -> BaseGeometry:
    """Return the AOI in the lattice's CRS, parts that meet at the antimeridian joined."""
    return projected(judgement.composite.aoi, judgement.composite.lattice.crs)


def lonlat_aoi(judgement: Judgement) -> BaseGeometry:
    """Return the AOI in lon/lat as RFC 7946 wants it."""
    return lonlat_polygons([projected_aoi(judgement)], judgement.composite.lattice.crs)[0]
