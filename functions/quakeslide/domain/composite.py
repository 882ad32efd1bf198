"""A composite: one track, one stage, one explicit list of scenes, on the event's lattice; and its cut into shards and cells.

Bands as the paper's Table 2 (medians in dB, post minus pre) plus what the products need: `geometry` (0 seen, 1 layover, 2 shadow,
3 unknown), `slope` and `localIncidence` in degrees, `nPre` and `nPost` in data-takes per pixel.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from quakeslide.domain import object_names
from quakeslide.domain.lattice import STRIDE_PX, WINDOW_PX, Lattice, Rectangle, cut_for
from quakeslide.domain.sentinel1 import Polarisation, Stage, Track
from quakeslide.domain.terrain import PLAIN, Terrain

EXPRESSION_VERSION = 1  # rises whenever the meaning of the exported bands changes
MISSING = -9999.0  # inside Earth Engine and in the GeoTIFF; NaN from the reader on. Never 0: 0 dB is a value
MAX_SHARD_PX = 2048
GEOGRAPHIC = "EPSG:4326"  # the one lattice in degrees, for parity with the published tool

MODEL_BANDS = {
    Polarisation.VV: ("postVV", "diffVV"),
    Polarisation.VV_VH: ("postVV", "postVH", "diffVV", "diffVH"),
}
PRODUCT_BANDS = ("geometry", "slope", "localIncidence", "nPre", "nPost")
SEEN, LAYOVER, SHADOW, UNKNOWN = 0, 1, 2, 3  # values of the band `geometry`


def bands_of(polarisation: Polarisation) -> tuple[str, ...]:
    """Return all bands of a composite in file order."""
    return MODEL_BANDS[polarisation] + PRODUCT_BANDS


def digest(*parts: Any) -> str:
    """Return the first 12 hex digits of the sha256 of the parts as canonical JSON: how every id here is made."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def composite_id(
    *,
    track: Track,
    stage: Stage,
    scene_ids: tuple[str, ...],
    lattice: Lattice,
    rectangle: Rectangle,
    post_start: datetime,
    series: str = "",
    cut: str = "",
    terrain: Terrain = PLAIN,
) -> str:
    """Name a composite by what it is about; the same inputs give the same id in any process, at any time.

    All are as in `Composite`, but for `cut`: the digest of the area outside which nothing is exported, empty where the whole rectangle is.
    """
    grid = [lattice.crs, lattice.origin_x, lattice.origin_y, lattice.pixel]
    box = [rectangle.row, rectangle.col, rectangle.height, rectangle.width]
    start = post_start.isoformat()
    # growths may share a rectangle, later times everything but the split; a cut and the treatment of terrain change pixels
    further = [part for part in (series, cut, *terrain.parts) if part]
    return digest(str(track), str(stage), sorted(scene_ids), grid, box, start, EXPRESSION_VERSION, *further)


@lru_cache(maxsize=256)
def _cut(aoi: BaseGeometry, lattice: Lattice, rectangle: Rectangle) -> str:
    """Return the digest of the area where the export is cut along it; every object name of a composite asks again."""
    if cut_for(aoi, lattice, rectangle) is None:
        return ""
    corners = shapely.get_coordinates(aoi).round(7).tolist()  # 1 cm; the manifest's numbers are read back exactly
    return digest("cut", corners)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One GeoTIFF of an export.

    Attributes:
        i, j: row and column of the shard in the cut.
        row, col: pixel offset of its top-left corner from the composite's corner.
        height, width: in px.
        name: object name in the composites bucket.
    """

    i: int
    j: int
    row: int
    col: int
    height: int
    width: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The windows whose top-left pixel lies in shard (i, j), and the pixels they need.

    Attributes:
        i, j: of the owning shard.
        window_row, window_col: index of its first window in the composite.
        window_rows, window_cols: how many windows, at least one each way.
    """

    i: int
    j: int
    window_row: int
    window_col: int
    window_rows: int
    window_cols: int

    @property
    def pixels(self) -> tuple[int, int, int, int]:
        """Half-open pixel box (row, col, height, width) that its windows cover, from the composite's corner."""
        height = (self.window_rows - 1) * STRIDE_PX + WINDOW_PX
        width = (self.window_cols - 1) * STRIDE_PX + WINDOW_PX
        return self.window_row * STRIDE_PX, self.window_col * STRIDE_PX, height, width


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """What one export holds: written to its manifest before the export starts, read by the detector.

    Attributes:
        event_id: canonical id of the earthquake.
        track, stage, polarisation: what it is made of.
        pre_scenes, post_scenes: full scene ids, sorted.
        lattice, rectangle: its pixels.
        shard_px: side of a shard, a multiple of 256.
        t0: origin time of the earthquake (or the manual post_start).
        post_start: first instant of the post-event stack, t0 unless set by hand or by a later shock.
        aoi: polygon in lon/lat degrees; only windows centred in it are judged.
        aoi_source: `manual`, `shakemap` or `radius`.
        weak_pre: fewer than three pre-event passes.
        place: the earthquake in words, for titles.
        data_notice: copied into every product, `SIMULATED ...` in the demo.
        series: composites of one series supersede one another; empty for the event's first area and time, `g1` for a growth of
            the area, `w1` for a later start of the post-event stack, `w1g1` for both.
        terrain: what backscatter the bands hold, and how wide layover and shadow are drawn.
    """

    event_id: str
    track: Track
    stage: Stage
    polarisation: Polarisation
    pre_scenes: tuple[str, ...]
    post_scenes: tuple[str, ...]
    lattice: Lattice
    rectangle: Rectangle
    shard_px: int
    t0: datetime
    post_start: datetime
    aoi: BaseGeometry
    aoi_source: str
    weak_pre: bool
    place: str
    data_notice: str
    series: str = ""
    terrain: Terrain = PLAIN

    def __post_init__(self) -> None:
        if not object_names.SERIES.fullmatch(self.series):
            raise ValueError(f"{self.series!r} is no series; they are spelled like g1, w1 or w1g1")
        if self.shard_px % 256 or not 256 <= self.shard_px <= MAX_SHARD_PX:
            raise ValueError(f"shard size {self.shard_px} px is no multiple of 256 up to {MAX_SHARD_PX}")
        if not self.pre_scenes or not self.post_scenes:
            raise ValueError("a composite needs at least one pre-event and one post-event scene")
        if self.terrain.mask_buffer_m and self.lattice.crs == GEOGRAPHIC:
            raise ValueError(f"a mask buffer in metres needs pixels in metres, not {GEOGRAPHIC}")

    @property
    def composite_id(self) -> str:
        """Name of the composite, a function of its inputs."""
        return composite_id(
            track=self.track,
            stage=self.stage,
            scene_ids=self.pre_scenes + self.post_scenes,
            lattice=self.lattice,
            rectangle=self.rectangle,
            post_start=self.post_start,
            series=self.series,
            cut=_cut(self.aoi, self.lattice, self.rectangle),
            terrain=self.terrain,
        )

    @property
    def bands(self) -> tuple[str, ...]:
        """All bands in file order."""
        return bands_of(self.polarisation)

    @property
    def path(self) -> str:
        """`{event}/{track}/{stage}/{composite_id}`, as it stands in every object name."""
        return f"{self.event_id}/{self.track}/{self.stage}/{self.composite_id}"

    @property
    def prefix(self) -> str:
        """Object-name prefix that the export is given."""
        return f"shards/{self.path}/composite"

    def shards(self) -> Iterator[Shard]:
        """Yield the files that Earth Engine will write, named by ten-digit pixel offsets, one file without a suffix."""
        height, width, side = self.rectangle.height, self.rectangle.width, self.shard_px
        single = height <= side and width <= side
        for i, row in enumerate(range(0, height, side)):
            for j, col in enumerate(range(0, width, side)):
                suffix = "" if single else f"-{row:010d}-{col:010d}"
                yield Shard(
                    i=i,
                    j=j,
                    row=row,
                    col=col,
                    height=min(side, height - row),
                    width=min(side, width - col),
                    name=f"{self.prefix}{suffix}.tif",
                )

    def cells(self) -> Iterator[Cell]:
        """Yield the cells; a ragged last shard of 32 px owns no window and so has none."""
        rows, cols = self.rectangle.window_shape
        step = self.shard_px // STRIDE_PX
        for i, row in enumerate(range(0, rows, step)):
            for j, col in enumerate(range(0, cols, step)):
                yield Cell(
                    i=i,
                    j=j,
                    window_row=row,
                    window_col=col,
                    window_rows=min(step, rows - row),
                    window_cols=min(step, cols - col),
                )

    def shards_of(self, cell: Cell) -> list[Shard]:
        """Return the shards that hold the cell's pixels: its own and the lower and right neighbours it reaches into."""
        row, col, height, width = cell.pixels
        return [
            shard
            for shard in self.shards()
            if shard.row < row + height
            and row < shard.row + shard.height
            and shard.col < col + width
            and col < shard.col + shard.width
        ]
