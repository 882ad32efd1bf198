"""Judges a local raster: its main part as one composite, and what a stride of 32 px leaves over as strips flush with the edge."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from quakeslide.cli.raster import Raster, RasterPixels
from quakeslide.domain.composite import Cell, Composite
from quakeslide.domain.judgement import Judgement
from quakeslide.domain.lattice import STRIDE_PX, Lattice, Rectangle, box_on_ground, to_lonlat
from quakeslide.domain.model_card import ModelCard
from quakeslide.domain.sentinel1 import OrbitPass, Stage, Track
from quakeslide.domain.suppression import suppress_as_published, suppress_boxes
from quakeslide.domain.windows import Strip, flush_strips
from quakeslide.ports import LandslideModel
from quakeslide.usecases.judge_run import assemble
from quakeslide.usecases.run import run_id
from quakeslide.usecases.score_cell import score_cell

EVENT_ID = "local_file"
UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
SEGMENT_PX = (
    100  # a straight edge in the file's CRS is bent in lon/lat; so long pieces follow it to a fraction of a pixel
)
CELL_PX = 512  # small cells keep memory low and the progress bar moving; the calls to the model are the same


class UnknownTrack(Track):
    """A track of which only the pass is known; products show it in words."""

    def __str__(self) -> str:
        return "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One strip of the raster, as a composite of its own on its own lattice."""

    strip: Strip
    composite: Composite


def parts_of(
    raster: Raster,
    *,
    name: str,
    track: Track | None,
    post_start: datetime | None,
    aoi: BaseGeometry | None,
    manifest: Composite | None,
) -> list[Part]:
    """Describe a raster as composites.

    Args:
        raster: the file.
        name: of the model, whose pass and stage are taken where the manifest does not say.
        track: None where unknown.
        post_start: likewise.
        aoi: judged area in lon/lat degrees, or None for the whole raster.
        manifest: of the composite that the file holds, or None; replaces all but the AOI.
    """
    if manifest is not None:
        composite = replace(manifest, shard_px=CELL_PX)
        if aoi is not None:
            composite = replace(composite, aoi=aoi, aoi_source="manual")
        whole = Strip(row=0, col=0, height=manifest.rectangle.height, width=manifest.rectangle.width)
        return [Part(strip=whole, composite=composite)]
    *_, orbit_pass, pre, post = name.rsplit("_", 3)
    lattice = Lattice(crs=raster.crs, origin_x=raster.left, origin_y=raster.top, pixel=raster.pixel)
    parts = []
    for strip in flush_strips(raster.height, raster.width):
        ground = box_on_ground(lattice, strip.row, strip.col, strip.height, strip.width)
        composite = Composite(
            event_id=EVENT_ID,
            track=track or UnknownTrack(orbit_pass=OrbitPass(orbit_pass.upper()), relative_orbit=1),
            stage=Stage(pre_days=int(pre), post_days=int(post)),
            polarisation=raster.polarisation,
            pre_scenes=(f"unknown, before, in {raster.path.name}",),
            post_scenes=(f"unknown, after, in {raster.path.name}",),
            lattice=replace(lattice, origin_x=ground.bounds[0], origin_y=ground.bounds[3]),
            rectangle=Rectangle(row=0, col=0, height=strip.height, width=strip.width),
            shard_px=CELL_PX,
            t0=post_start or UNKNOWN_TIME,
            post_start=post_start or UNKNOWN_TIME,
            aoi=aoi
            if aoi is not None
            else to_lonlat(shapely.segmentize(ground, SEGMENT_PX * raster.pixel), raster.crs),
            aoi_source="manual",
            weak_pre=False,
            place=raster.path.name,
            data_notice=_notice(raster, track, post_start),
        )
        parts.append(Part(strip=strip, composite=composite))
    return parts


def judge_file(
    raster: Raster,
    parts: Sequence[Part],
    card: ModelCard,
    model: LandslideModel,
    *,
    is_published_nms: bool,
    on_windows: Callable[[int], None],
) -> list[Judgement]:
    """Score every window and suppress across all parts together.

    Args:
        raster: the file.
        parts: of it, see `parts_of`.
        card: of the model.
        model: the model server.
        is_published_nms: suppress as the published notebook does.
        on_windows: told how many windows were just scored.

    Returns:
        One judgement a part, the main one first.
    """
    judged = [_judge_part(raster, part, card, model, on_windows) for part in parts]
    if len(judged) == 1 and not is_published_nms:
        return judged
    offsets = [
        one.candidates * STRIDE_PX + (part.strip.row, part.strip.col) for part, one in zip(parts, judged, strict=True)
    ]
    scores = [one.cells.scores[one.candidates[:, 0], one.candidates[:, 1]] for one in judged]
    corners, of_part = np.concatenate(offsets), np.repeat(np.arange(len(judged)), [len(found) for found in offsets])
    kept = suppress_as_published(corners) if is_published_nms else suppress_boxes(corners, np.concatenate(scores))
    index = np.concatenate([np.arange(len(found)) for found in offsets])
    return [
        replace(one, detections=one.candidates[_of(place, kept, of_part, index)]) for place, one in enumerate(judged)
    ]


def _of(place: int, kept: NDArray[np.int_], of_part: NDArray[np.int_], index: NDArray[np.int_]) -> NDArray[np.int_]:
    """Return which candidates of one part were kept, in the order in which they were chosen."""
    mine: NDArray[np.int_] = index[kept[of_part[kept] == place]]
    return mine


def _judge_part(
    raster: Raster, part: Part, card: ModelCard, model: LandslideModel, on_windows: Callable[[int], None]
) -> Judgement:
    composite, strip = part.composite, part.strip
    pixels = RasterPixels(raster, strip.row, strip.col)
    cells = {}
    for cell in composite.cells():
        cells[cell] = score_cell(composite, cell, card, {}, pixels=pixels, model=model)
        on_windows(cell.window_rows * cell.window_cols)
    return assemble(composite, card, run_id(composite, card, None), True, cells)


def count_windows(cells: Sequence[Cell]) -> int:
    """Return how many windows the cells hold."""
    return sum(cell.window_rows * cell.window_cols for cell in cells)


def _notice(raster: Raster, track: Track | None, post_start: datetime | None) -> str:
    unsaid = [] if track else ["the track"]
    unsaid += [] if post_start else ["the time of the earthquake (1970 stands for it)"]
    notice = f"Judged from the file {raster.path.name}"
    notice += f", which does not say {' and '.join(unsaid)}" if unsaid else ""
    return notice + "".join(f"; {assumption}" for assumption in raster.assumptions) + "."
