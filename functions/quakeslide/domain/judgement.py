"""What a model said of one composite: every window's score and every 320 m block's visibility, before any product is made of it.

Windows are 64 x 64 px at stride 32, blocks 32 x 32 px on the lattice: window (r, c) covers blocks (r, c), (r, c+1), (r+1, c), (r+1, c+1).
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from quakeslide.domain.composite import Composite
from quakeslide.domain.model_card import ModelCard

Float32 = NDArray[np.float32]
THUMB_PX = 8  # side of a thumbnail pixel in composite pixels: 80 m


class Blind(IntEnum):
    """Why a block could not be judged; SEEN where it could."""

    SEEN = 0
    LAYOVER = 1
    SHADOW = 2
    NO_PASS = 3
    NO_DATA = 4
    FLAT = 5


class Unscored(IntEnum):
    """Why a window has no score; SCORED where it has one. Windows without a score are never sent to the model."""

    SCORED = 0
    MISSING = 1  # valid fraction under 0.75
    FLAT = 2  # the ground is nearly level, see `windows.LEAST_SLOPE_DEG`
    OUTSIDE = 3  # no part of it lies in the area of interest: sea, or not asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class CellScores:
    """The part of a judgement that one cell contributes; the stored cell is the truth, merging reads only stored cells.

    Attributes:
        scores: float32 [rows, cols], NaN where the window was not scored.
        unscored: uint8 [rows, cols], an `Unscored` per window.
        valid_fraction: float32 [rows, cols], share of pixels not missing.
        blind_fraction: float32 [rows, cols], share of pixels in layover or shadow.
        diff_vv_db, diff_vh_db: float32 [rows, cols], mean over the window's seen pixels. These and the next five are known of
            candidates only and NaN elsewhere, as where the band is missing.
        slope_deg, incidence_deg: float32 [rows, cols], medians.
        water_fraction: float32 [rows, cols], share that looks like calm water, see `evidence`.
        snow_fraction: float32 [rows, cols], share that changed as snow changes it.
        pre_vh_db: float32 [rows, cols], mean VH before the earthquake.
        blocks: uint8 [rows + 1, cols + 1], a `Blind` per 32 px block of the cell's pixels.
        thumb_post_vv_db: float32 [8 px means of the cell's pixels], for pictures.
    """

    scores: Float32
    unscored: NDArray[np.uint8]
    valid_fraction: Float32
    blind_fraction: Float32
    diff_vv_db: Float32
    diff_vh_db: Float32
    slope_deg: Float32
    incidence_deg: Float32
    water_fraction: Float32
    snow_fraction: Float32
    pre_vh_db: Float32
    blocks: NDArray[np.uint8]
    thumb_post_vv_db: Float32


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A whole composite, judged by one model version.

    Attributes:
        composite: what was judged.
        card: the model that judged.
        run_id: names the judgement.
        is_final: whether the composite is its stage's final one.
        cells: arrays as in CellScores, over the whole composite ([R, C] windows, [R + 1, C + 1] blocks).
        in_aoi: bool [R, C], window centres inside the AOI.
        aoi_share: float32 [R + 1, C + 1], share of each block's area that lies in the AOI.
        candidates: int [n, 2], (row, col) of in-AOI windows scoring above the threshold, by row then column.
        detections: int [m, 2], candidates that survive non-maximum suppression, best first.
    """

    composite: Composite
    card: ModelCard
    run_id: str
    is_final: bool
    cells: CellScores
    in_aoi: NDArray[np.bool_]
    aoi_share: Float32
    candidates: NDArray[np.int_]
    detections: NDArray[np.int_]

    @property
    def finality(self) -> str:
        """`provisional` or `final`, as it stands in object names."""
        return "final" if self.is_final else "provisional"
