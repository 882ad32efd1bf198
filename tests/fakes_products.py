"""Made-up judgements: what the product tests render."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry import Point, box
from shapely.geometry.base import BaseGeometry

from quakeslide.domain import windows
from quakeslide.domain.area_share import block_shares
from quakeslide.domain.composite import Composite
from quakeslide.domain.judgement import CellScores, Judgement, Unscored
from quakeslide.domain.lattice import lattice_for, rectangle_for
from quakeslide.domain.model_card import ModelCard
from quakeslide.domain.sentinel1 import Polarisation, Stage, Track
from quakeslide.domain.suppression import suppress_on_lattice

NOTO_AOI = Point(137.2, 37.45).buffer(0.06)
T0 = datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC)
CARD = ModelCard(
    name="vv_vh_ascending_60_12",
    version=1,
    bands=("postVV", "postVH", "diffVV", "diffVH"),
    fill_db={"postVV": -11.0, "postVH": -18.0, "diffVV": 0.0, "diffVH": 0.0},
    pixel_geometry="utm_10m",
    threshold=0.6,
    platt=(0.8, -0.5),
    variant="paper",
    sha256="ab" * 32,
    data_notice="demo model from simulated scenes, not fit for operations",
)


def composite_of(
    aoi: BaseGeometry = NOTO_AOI, *, track: str = "A069", notice: str = "SIMULATED radar scenes"
) -> Composite:
    lattice = lattice_for(aoi)
    return Composite(
        event_id="us6000m0xl",
        track=Track.parse(track),
        stage=Stage.parse("60-12"),
        polarisation=Polarisation.VV_VH,
        pre_scenes=("COPERNICUS/S1_GRD/PRE1", "COPERNICUS/S1_GRD/PRE2"),
        post_scenes=("COPERNICUS/S1_GRD/POST1",),
        lattice=lattice,
        rectangle=rectangle_for(aoi, lattice),
        shard_px=512,
        t0=T0,
        post_start=T0,
        aoi=aoi,
        aoi_source="manual",
        weak_pre=True,
        place="2024 Noto Peninsula, Japan Earthquake",
        data_notice=notice,
    )


def judge(composite: Composite, cells: CellScores, card: ModelCard = CARD, *, is_final: bool = False) -> Judgement:
    in_aoi = windows.centres_in(composite.aoi, composite.lattice, composite.rectangle)
    found = windows.candidates(cells.scores, in_aoi, card.threshold)
    kept = suppress_on_lattice(found, cells.scores[found[:, 0], found[:, 1]])
    return Judgement(
        composite=composite,
        card=card,
        run_id="0123456789ab",
        is_final=is_final,
        cells=cells,
        in_aoi=in_aoi,
        aoi_share=block_shares(composite.aoi, composite.lattice, composite.rectangle),
        candidates=found,
        detections=found[kept],
    )


def cells_of(composite: Composite, *, seed: int = 7, slides: int = 12) -> CellScores:
    """Hills, a handful of bright scores, some layover, shadow and a corner without a pass."""
    rng = np.random.default_rng(seed)
    rows, cols = composite.rectangle.window_shape
    y, x = np.mgrid[: rows * 4 + 4, : cols * 4 + 4] / 30.0
    hills = (np.sin(x * 2.1 + seed) + np.cos(y * 1.7) + np.sin(3 * x + 2 * y)).astype(np.float32)
    scores = (rng.random((rows, cols)) * 0.4).astype(np.float32)
    for row, col in zip(rng.integers(0, rows, slides), rng.integers(0, cols, slides), strict=True):
        scores[row : row + 2, col : col + 2] = (0.62 + 0.36 * rng.random()) - np.float32(0.01) * rng.random((1, 1))
    blocks = np.zeros((rows + 1, cols + 1), np.uint8)
    blocks[3:7, 8:10], blocks[20:24, 22:24] = 1, 2
    blocks[:9, -9:] = 3
    scores[:8, -8:] = np.nan
    scores[rows // 2, cols // 2] = np.nan
    valid = np.where(np.isnan(scores), 0.3, 1.0).astype(np.float32)
    blind = np.zeros((rows, cols), np.float32)
    blind[2:7, 7:10] = 0.4
    thumb = (-11 + 3 * hills + rng.normal(0, 0.7, hills.shape)).astype(np.float32)
    thumb[:36, -36:] = np.nan
    return CellScores(
        scores=scores,
        valid_fraction=valid,
        blind_fraction=blind,
        diff_vv_db=np.full((rows, cols), 2.4, np.float32),
        diff_vh_db=np.full((rows, cols), np.nan, np.float32),
        slope_deg=np.full((rows, cols), 24.0, np.float32),
        incidence_deg=np.full((rows, cols), 38.0, np.float32),
        blocks=blocks,
        thumb_post_vv_db=thumb,
        unscored=np.where(np.isnan(scores), Unscored.MISSING, Unscored.SCORED).astype(np.uint8),
        water_fraction=np.zeros((rows, cols), np.float32),
        snow_fraction=np.zeros((rows, cols), np.float32),
        pre_vh_db=np.full((rows, cols), np.nan, np.float32),
    )


def example(aoi: BaseGeometry = NOTO_AOI, *, track: str = "A069", seed: int = 7, slides: int = 12) -> Judgement:
    composite = composite_of(aoi, track=track)
    return judge(composite, cells_of(composite, seed=seed, slides=slides))


def quiet() -> Judgement:
    """Everything judged, nothing found."""
    return example(slides=0)


def blind() -> Judgement:
    """Nothing could be judged."""
    composite = composite_of()
    cells = cells_of(composite)
    nothing = np.full_like(cells.scores, np.nan)
    return judge(
        composite,
        replace(
            cells,
            scores=nothing,
            valid_fraction=np.zeros_like(nothing),
            diff_vv_db=nothing,
            slope_deg=nothing,
            incidence_deg=nothing,
            blocks=np.full_like(cells.blocks, 3),
            thumb_post_vv_db=np.full_like(cells.thumb_post_vv_db, np.nan),
            unscored=np.full_like(cells.unscored, Unscored.MISSING),
        ),
    )


def across_the_antimeridian() -> Judgement:
    return example(box(179.93, -17.05, 180.07, -16.95))


def from_lonlat(geometry: BaseGeometry, crs: str) -> BaseGeometry:
    """Project without the product's own code."""
    project = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform
    projected: BaseGeometry = shapely.transform(geometry, project, interleaved=False)
    return projected
