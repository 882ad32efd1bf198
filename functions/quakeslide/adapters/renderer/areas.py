"""`blind.geojson` and `affected.geojson`: areas of the 320 m lattice, dissolved.

The extent that a responder reads is the union of candidate windows before suppression, with its density of candidates; where no
statement is made stands beside it, by reason. Areas are outlined from the grid of blocks, so that their cost is that of their rims;
GeoPandas keeps the table.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from quakeslide.domain.judgement import Blind, Judgement
from quakeslide.domain.lattice import STRIDE_PX, WINDOW_PX, affine_of, box_on_ground
from quakeslide.domain.report import block_reasons, blocks_under, collection_members, projected_aoi, window_area_m2
from quakeslide.domain.rfc7946 import collection, feature, lonlat_polygons, number

REASONS = {
    Blind.LAYOVER: ("layover", "steep slopes facing the radar fold over each other in the image"),
    Blind.SHADOW: ("shadow", "steep slopes facing away from the radar get no signal"),
    Blind.NO_PASS: ("no_pass", "the satellite has not imaged this on both sides of the earthquake"),
    Blind.NO_DATA: ("no_data", "too few usable pixels"),
    Blind.FLAT: ("flat", "nearly level ground is not judged: floods and harvests change it, landslides rarely"),
}
AFFECTED_NOTE = "Windows overlap by half, so candidates are counted in windows, not in landslides."
M2_PER_KM2 = 1e6


def blind_geojson(judgement: Judgement, edges: Sequence[Judgement] = ()) -> dict[str, Any]:
    """Return the parts of the AOI that this track could not judge, one Feature per reason.

    Blocks of 320 m, cut at the AOI's rim; what lies outside the composite's rectangle is in none.

    Args:
        judgement: of the composite.
        edges: of strips flush with a foreign raster's edge; they tell of what lies beyond the composite's blocks.
    """
    import geopandas

    crs = judgement.composite.lattice.crs
    done: BaseGeometry = shapely.Polygon()
    parts: dict[str, list[Any]] = {"reason": [], "geometry": []}
    for one in (judgement, *edges):
        found = _outlines(one, block_reasons(one).astype(np.int16), Blind.SEEN)
        parts["reason"] += [int(reason) for reason, _ in found]
        parts["geometry"] += [outline.difference(done) for _, outline in found]
        whole = one.composite.rectangle
        ground = box_on_ground(one.composite.lattice, whole.row, whole.col, whole.height, whole.width)
        done = shapely.union(done, ground)
    areas = geopandas.GeoDataFrame(parts, geometry="geometry", crs=crs).dissolve(by="reason", sort=True)
    aoi = shapely.union_all([projected_aoi(one) for one in (judgement, *edges)])
    areas.geometry = areas.geometry.intersection(aoi).map(_polygons_only)
    areas = areas[~areas.geometry.is_empty]
    scale = _m2_per_square_unit(judgement)
    features = []
    for code, planar, shape in zip(areas.index, areas.geometry, lonlat_polygons(areas.geometry, crs), strict=True):
        reason, words = REASONS[Blind(code)]
        properties = {
            "event_id": judgement.composite.event_id,
            "track": str(judgement.composite.track),
            "reason": reason,
            "words": words,
            "area_km2": number(planar.area * scale / M2_PER_KM2, 3),
        }
        features.append(feature(shape, properties))
    return collection(features, collection_members(judgement))


def affected_geojson(judgement: Judgement, edges: Sequence[Judgement] = ()) -> dict[str, Any]:
    """Return the union of the candidate windows, one Feature per connected part, the one with most candidates first.

    Args:
        judgement: of the composite.
        edges: as for `blind_geojson`; their windows count too.
    """
    import geopandas

    crs = judgement.composite.lattice.crs
    members = {**collection_members(judgement), "affected_note": AFFECTED_NOTE}
    outlines, middles = [], []
    for one in (judgement, *edges):
        hit = np.zeros(one.in_aoi.shape, np.bool_)
        hit[one.candidates[:, 0], one.candidates[:, 1]] = True
        outlines += [outline for _, outline in _outlines(one, blocks_under(hit).astype(np.int16), 0)]
        middles.append(_middles(one))
    if not outlines:
        return collection([], members)
    parts = geopandas.GeoDataFrame(geometry=shapely.get_parts(shapely.union_all(outlines)), crs=crs)
    windows = geopandas.GeoDataFrame(geometry=np.concatenate(middles), crs=crs)
    inside = windows.sjoin(parts, predicate="within")
    parts["candidates"] = inside["index_right"].value_counts().reindex(parts.index, fill_value=0)
    parts = parts.sort_values("candidates", ascending=False, kind="stable")
    scale = _m2_per_square_unit(judgement)
    features = []
    lonlat = lonlat_polygons(parts.geometry, crs)
    for count, planar, shape in zip(parts["candidates"], parts.geometry, lonlat, strict=True):
        area = planar.area * scale / M2_PER_KM2
        properties = {
            "event_id": judgement.composite.event_id,
            "track": str(judgement.composite.track),
            "candidates": int(count),
            "area_km2": number(area, 3),
            "candidates_per_km2": number(count / area, 2),
        }
        features.append(feature(shape, properties))
    return collection(features, members)


def _outlines(judgement: Judgement, blocks: NDArray[np.int16], background: int) -> list[tuple[int, BaseGeometry]]:
    """Return value and outline, in the lattice's CRS, of each patch of equal blocks ([R + 1, C + 1]) but the background."""
    a, _, west, _, e, north = affine_of(judgement.composite.lattice, judgement.composite.rectangle)
    grid = Affine(a * STRIDE_PX, 0.0, west, 0.0, e * STRIDE_PX, north)
    patches = rasterio.features.shapes(blocks, mask=blocks != background, transform=grid)
    return [(int(value), shapely.geometry.shape(patch)) for patch, value in patches]


def _middles(judgement: Judgement) -> NDArray[np.object_]:
    """Return the centres of the candidate windows as points in the lattice's CRS."""
    a, _, west, _, e, north = affine_of(judgement.composite.lattice, judgement.composite.rectangle)
    row, col = judgement.candidates.T * STRIDE_PX + WINDOW_PX / 2
    points: NDArray[np.object_] = shapely.points(west + a * col, north + e * row)
    return points


def _polygons_only(geometry: BaseGeometry) -> BaseGeometry:
    """Drop the points and lines that remain where a block only touches the AOI's rim."""
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type in ("Polygon", "MultiPolygon")]
    united: BaseGeometry = shapely.union_all(parts)
    return united


def _m2_per_square_unit(judgement: Judgement) -> float:
    """Return how many square metres a square unit of the lattice's CRS has (1 in UTM)."""
    lattice = judgement.composite.lattice
    return window_area_m2(lattice, judgement.composite.rectangle) / (WINDOW_PX * lattice.pixel) ** 2
