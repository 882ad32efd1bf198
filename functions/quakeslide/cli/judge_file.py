"""Judges a local raster: its main part as one composite, and what a stride of 32 px leaves over as strips flush with the edge."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from quakeslide.cli.raster import Raster, RasterPixels
from quakeslide.domain.composite import Cell, Composite
from quakeslide.domain.judgement import CellScores, Judgement
from quakeslide.domain.lattice import STRIDE_PX, Lattice, Rectangle, box_on_ground, to_lonlat
from quakeslide.domain.model_card import ModelCard
from quakeslide.domain.sentinel1 import OrbitPass, Stage, Track
from quakeslide.domain.suppression import suppress_as_published, suppress_boxes
from quakeslide.domain.windows import LEAST_SLOPE_DEG, Strip, flush_strips
from quakeslide.ports import LandslideModel
from quakeslide.usecases.judge_run import assemble
from quakeslide.usecases.run import run_id
from quakeslide.usecases.score_cell import score_cell

EVENT_ID = "local_file"
UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
SEGMENT_PX = (
    100  # a straight edge in the file's CRS is bent in lon/lat; so long pieces follow it to a fraction of a pixel
)
CELLS_AT_ONCE = 2  # one is read and described while the model works on the other


class UnknownTrack(Track):
    """A track of which only the pass is known; products show it in words."""

    def __str__(self) -> str:
        return "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One strip of the raster, as a composite of its own on its own lattice."""

    strip: Strip
    composite: Composite

    @property
    def name(self) -> str:
        """`main`, or the edge that its windows are flush with."""
        return {(0, 0): "main", (1, 0): "bottom", (0, 1): "right", (1, 1): "corner"}[
            bool(self.strip.row), bool(self.strip.col)
        ]


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
        composite = manifest if aoi is None else replace(manifest, aoi=aoi, aoi_source="manual")
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
            shard_px=raster.cell_px,
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
    least_slope_deg: float = LEAST_SLOPE_DEG,
) -> list[Judgement]:
    """Score every window and suppress across all parts together.

    Args:
        raster: the file.
        parts: of it, see `parts_of`.
        card: of the model.
        model: the model server.
        is_published_nms: suppress as the published notebook does.
        on_windows: told how many windows were just done.
        least_slope_deg: windows without slopes so steep are not judged.

    Returns:
        One judgement a part, the main one first.
    """
    judged = [
        assemble(
            part.composite,
            card,
            run_id(part.composite, card, None, least_slope_deg),
            True,
            _scored(raster, part, card, model, on_windows, least_slope_deg),
        )
        for part in parts
    ]
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


def _scored(
    raster: Raster,
    part: Part,
    card: ModelCard,
    model: LandslideModel,
    on_windows: Callable[[int], None],
    least_slope_deg: float,
) -> Iterator[tuple[Cell, CellScores]]:
    """Yield the cells of a part in order, a few under way at a time: memory does not grow with the file."""
    cut = replace(part.composite, shard_px=raster.cell_px)
    under_way: deque[tuple[Cell, Future[CellScores]]] = deque()

    def finished() -> tuple[Cell, CellScores]:
        cell, future = under_way.popleft()
        scores = future.result()
        on_windows(cell.window_rows * cell.window_cols)
        return cell, scores

    with RasterPixels(raster, part.strip.row, part.strip.col) as pixels, ThreadPoolExecutor(CELLS_AT_ONCE) as pool:
        score = partial(score_cell, pixels=pixels, model=model, least_slope_deg=least_slope_deg)
        for cell in cut.cells():
            under_way.append((cell, pool.submit(score, cut, cell, card, {})))
            if len(under_way) > CELLS_AT_ONCE:
                yield finished()
        while under_way:
            yield finished()


def count_windows(cells: Sequence[Cell]) -> int:
    """Return how many windows the cells hold."""
    return sum(cell.window_rows * cell.window_cols for cell in cells)


def _notice(raster: Raster, track: Track | None, post_start: datetime | None) -> str:
    unsaid = [] if track else ["the track"]
    unsaid += [] if post_start else ["the time of the earthquake (1970 stands for it)"]
    notice = f"Judged from the file {raster.path.name}"
    notice += f", which does not say {' and '.join(unsaid)}" if unsaid else ""
    return notice + "".join(f"; {assumption}" for assumption in raster.assumptions) + "."
