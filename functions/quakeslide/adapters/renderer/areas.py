"""`blind.geojson` and `affected.geojson`: areas dissolved with GeoPandas.

The extent that a responder reads is the union of candidate windows before suppression, with its density of candidates; where no
statement is made stands beside it, by reason.
"""

from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from quakeslide.domain.judgement import Blind, Judgement
from quakeslide.domain.lattice import WINDOW_PX
from quakeslide.domain.report import (
    block_boxes,
    block_reasons,
    collection_members,
    projected_aoi,
    window_area_m2,
    window_boxes,
)
from quakeslide.domain.rfc7946 import collection, feature, lonlat_polygons, number

REASONS = {
    Blind.LAYOVER: ("layover", "steep slopes facing the radar fold over each other in the image"),
    Blind.SHADOW: ("shadow", "steep slopes facing away from the radar get no signal"),
    Blind.NO_PASS: ("no_pass", "the satellite has not imaged this on both sides of the earthquake"),
    Blind.NO_DATA: ("no_data", "too few usable pixels"),
}
AFFECTED_NOTE = "Windows overlap by half, so candidates are counted in windows, not in landslides."
M2_PER_KM2 = 1e6


def blind_geojson(judgement: Judgement) -> dict[str, Any]:
    """Return the parts of the AOI that this track could not judge, one Feature per reason.

    Blocks of 320 m, cut at the AOI's rim; what lies outside the composite's rectangle is in none.
    """
    import geopandas

    composite = judgement.composite
    reasons = block_reasons(judgement)
    hidden = reasons != Blind.SEEN
    members = collection_members(judgement)
    if not hidden.any():
        return collection([], members)
    boxes = geopandas.GeoDataFrame(
        {"reason": reasons[hidden]},
        geometry=block_boxes(composite.lattice, composite.rectangle, hidden),
        crs=composite.lattice.crs,
    )
    areas = boxes.dissolve(by="reason", sort=True)
    areas.geometry = areas.geometry.intersection(projected_aoi(judgement)).map(_polygons_only)
    areas = areas[~areas.geometry.is_empty]
    scale = _m2_per_square_unit(judgement)
    features = []
    lonlat = lonlat_polygons(areas.geometry, composite.lattice.crs)
    for code, planar, shape in zip(areas.index, areas.geometry, lonlat, strict=True):
        reason, words = REASONS[Blind(code)]
        properties = {
            "event_id": composite.event_id,
            "track": str(composite.track),
            "reason": reason,
            "words": words,
            "area_km2": number(planar.area * scale / M2_PER_KM2, 3),
        }
        features.append(feature(shape, properties))
    return collection(features, members)


def affected_geojson(judgement: Judgement) -> dict[str, Any]:
    """Return the union of the candidate windows, one Feature per connected part, the one with most candidates first."""
    import geopandas

    composite = judgement.composite
    members = {**collection_members(judgement), "affected_note": AFFECTED_NOTE}
    if not len(judgement.candidates):
        return collection([], members)
    boxes = window_boxes(composite.lattice, composite.rectangle, judgement.candidates)
    windows = geopandas.GeoDataFrame(geometry=boxes, crs=composite.lattice.crs)
    parts = windows.dissolve().explode(ignore_index=True)
    inside = windows.set_geometry(windows.representative_point()).sjoin(parts, predicate="within")
    parts["candidates"] = inside["index_right"].value_counts().reindex(parts.index, fill_value=0)
    parts = parts.sort_values("candidates", ascending=False, kind="stable")
    scale = _m2_per_square_unit(judgement)
    features = []
    lonlat = lonlat_polygons(parts.geometry, composite.lattice.crs)
    for count, planar, shape in zip(parts["candidates"], parts.geometry, lonlat, strict=True):
        area = planar.area * scale / M2_PER_KM2
        properties = {
            "event_id": composite.event_id,
            "track": str(composite.track),
            "candidates": int(count),
            "area_km2": number(area, 3),
            "candidates_per_km2": number(count / area, 2),
        }
        features.append(feature(shape, properties))
    return collection(features, members)


def _polygons_only(geometry: BaseGeometry) -> BaseGeometry:
    """Drop the points and lines that remain where a block only touches the AOI's rim."""
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type in ("Polygon", "MultiPolygon")]
    united: BaseGeometry = shapely.union_all(parts)
    return united


def _m2_per_square_unit(judgement: Judgement) -> float:
    """Return how many square metres a square unit of the lattice's CRS has (1 in UTM)."""
    lattice = judgement.composite.lattice
    return window_area_m2(lattice, judgement.composite.rectangle) / (WINDOW_PX * lattice.pixel) ** 2
