"""Scores one cell: reads its pixels, asks the model, says what radar saw. The command line judges files by the same code."""

from collections.abc import Mapping

import numpy as np

from quakeslide.domain.composite import Cell, Composite
from quakeslide.domain.judgement import CellScores
from quakeslide.domain.model_card import ModelCard
from quakeslide.domain.visibility import looks_linear, see
from quakeslide.domain.windows import VALID_FRACTION_MIN
from quakeslide.errors import ModelUnavailable, UnusableComposite
from quakeslide.ports import CompositePixels, LandslideModel, WindowScores


def score_cell(
    composite: Composite,
    cell: Cell,
    card: ModelCard,
    generations: Mapping[str, int],
    *,
    pixels: CompositePixels,
    model: LandslideModel,
) -> CellScores:
    """Score the windows of one cell.

    Args:
        composite: what is judged.
        cell: the part of it.
        card: the model and version that judges.
        generations: of the shards to read.
        pixels: reads shards.
        model: the model server.

    Raises:
        UnusableComposite: post-event values are no dB, or see `CompositePixels`.
        ModelUnavailable, ModelMissing: see `LandslideModel`; also a score that is no number.
    """
    image = pixels.read(composite, generations, cell.pixels, composite.bands)
    bands = {band: image[..., place] for place, band in enumerate(composite.bands)}
    for band in card.bands:
        if band.startswith("post") and looks_linear(bands[band]):
            raise UnusableComposite(
                f"{composite.path}, cell {cell.i}-{cell.j}: no value of {band} is negative: linear power, not dB"
            )
    tile = np.stack([bands[band] for band in card.bands], axis=2)
    shape = (cell.window_rows, cell.window_cols)
    if np.isnan(tile).any(axis=2).all():  # nothing to send: every window is blind
        answer = WindowScores(scores=np.full(shape, np.nan, np.float32), valid_fraction=np.zeros(shape, np.float32))
    else:
        answer = model.score(tile, name=card.name, version=card.version)
    may_score = answer.valid_fraction >= VALID_FRACTION_MIN
    if answer.scores.shape != shape or np.isnan(answer.scores[may_score]).any():
        raise ModelUnavailable(
            f"{card.name} version {card.version}: scores of {composite.path}, cell {cell.i}-{cell.j} are no numbers"
        )
    return see(bands, np.where(may_score, answer.scores, np.float32(np.nan)), answer.valid_fraction)
