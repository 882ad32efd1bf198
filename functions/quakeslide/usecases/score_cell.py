"""Scores one cell: reads its pixels, leaves out what nobody needs to ask, asks the model, says what radar saw.

The command line judges files by the same code.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from quakeslide.domain.area_share import block_shares, windows_touching
from quakeslide.domain.composite import Cell, Composite
from quakeslide.domain.judgement import CellScores, Unscored
from quakeslide.domain.lattice import Rectangle
from quakeslide.domain.model_card import ModelCard
from quakeslide.domain.visibility import looks_linear, see, share_of_windows
from quakeslide.domain.windows import LEAST_SLOPE_DEG, why_unscored
from quakeslide.errors import ModelUnavailable, UnusableComposite
from quakeslide.ports import CompositePixels, LandslideModel

SAME = 1e-3  # valid fractions that differ by more are of other pixels: four pixels of a window


def score_cell(
    composite: Composite,
    cell: Cell,
    card: ModelCard,
    generations: Mapping[str, int],
    *,
    pixels: CompositePixels,
    model: LandslideModel,
    least_slope_deg: float = LEAST_SLOPE_DEG,
) -> CellScores:
    """Score the windows of one cell. Whether a window is scored follows from itself alone, however it is cut or sent.

    Args:
        composite: what is judged.
        cell: the part of it.
        card: the model and version that judges.
        generations: of the shards to read.
        pixels: reads shards.
        model: the model server.
        least_slope_deg: windows without slopes so steep are left out; 0 leaves out none.

    Raises:
        UnusableComposite: post-event values are no dB, or see `CompositePixels`.
        ModelUnavailable, ModelMissing: see `LandslideModel`; also scores that are no numbers in [0, 1], or of other pixels.
    """
    image = pixels.read(composite, generations, cell.pixels, composite.bands)
    bands = {band: image[..., place] for place, band in enumerate(composite.bands)}
    for band in card.bands:
        if band.startswith("post") and looks_linear(bands[band]):
            raise UnusableComposite(
                f"{composite.path}, cell {cell.i}-{cell.j}: no value of {band} is negative: linear power, not dB"
            )
    tile = np.moveaxis(np.stack([bands[band] for band in card.bands]), 0, -1)
    is_valid: NDArray[np.bool_] = np.asarray(~np.isnan(tile).any(axis=2))
    valid_fraction = share_of_windows(is_valid)
    slope = bands.get("slope", np.full(tile.shape[:2], np.nan, np.float32))
    unscored = why_unscored(
        valid_fraction, share_of_windows(~(slope < least_slope_deg)), windows_touching(_shares(composite, cell))
    )
    wanted = unscored == Unscored.SCORED
    scores = np.full(wanted.shape, np.nan, np.float32)
    if wanted.any():
        scores[wanted] = _ask(model, tile, wanted, valid_fraction, card, f"{composite.path}, cell {cell.i}-{cell.j}")
    return see(bands, scores, unscored, valid_fraction, card.threshold)


def _shares(composite: Composite, cell: Cell) -> NDArray[np.float32]:
    """Return the share of each of the cell's blocks that lies in the AOI."""
    row, col, height, width = cell.pixels
    whole = composite.rectangle
    return block_shares(
        composite.aoi,
        composite.lattice,
        Rectangle(row=whole.row + row, col=whole.col + col, height=height, width=width),
    )


def _ask(
    model: LandslideModel,
    tile: NDArray[np.float32],
    wanted: NDArray[np.bool_],
    valid_fraction: NDArray[np.float32],
    card: ModelCard,
    where: str,
) -> NDArray[np.float32]:
    """Return the scores of the wanted windows, float32 [n], and refuse an answer that cannot be right; see `score_cell`."""
    answer = model.score(tile, wanted, name=card.name, version=card.version)
    failed = f"{card.name} version {card.version}, scores of {where}"
    if answer.scores.shape != wanted.shape:
        raise ModelUnavailable(f"{failed}: {answer.scores.shape} windows came for {wanted.shape}")
    scores: NDArray[np.float32] = answer.scores[wanted]
    if not ((scores >= 0) & (scores <= 1)).all():
        raise ModelUnavailable(f"{failed} are no numbers from 0 to 1")
    if np.abs(answer.valid_fraction - valid_fraction)[wanted].max() > SAME:
        raise ModelUnavailable(f"{failed} are of other pixels: their valid fractions are not those of the tile")
    return scores
