"""A run's stored cells as one judgement, and where its products lie. The command line assembles files by the same code."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quakeslide.documents.cell import read_cell, shape_of
from quakeslide.domain import object_names
from quakeslide.domain.area_share import block_shares
from quakeslide.domain.composite import Cell, Composite
from quakeslide.domain.judgement import THUMB_PX, CellScores, Judgement
from quakeslide.domain.lattice import STRIDE_PX
from quakeslide.domain.model_card import ModelCard
from quakeslide.domain.suppression import suppress_on_lattice
from quakeslide.domain.windows import candidates, centres_in
from quakeslide.errors import LostRace
from quakeslide.ports import ObjectStore
from quakeslide.usecases.run import Run


def is_final(composite: Composite, composites: ObjectStore) -> bool:
    """Say whether the exporter marked the composite as its stage's final one."""
    name = object_names.final_marker(composite.event_id, composite.track, composite.stage, composite.composite_id)
    return composites.read(name) is not None


def judge(run: Run, final: bool, state: ObjectStore) -> Judgement:
    """Put a run's stored cells together, one after another.

    Raises:
        LostRace: a cell is missing.
    """

    def stored_cells() -> Iterator[tuple[Cell, CellScores]]:
        for cell in run.composite.cells():
            name = run.cell_name(cell)
            stored = state.read(name)
            if stored is None:
                raise LostRace(f"{name} is missing; a run is merged only when all its cells are stored")
            yield cell, read_cell(stored.data, cell, name).scores

    return assemble(run.composite, run.card, run.run_id, final, stored_cells())


def assemble(
    composite: Composite, card: ModelCard, run_id: str, final: bool, cells: Iterable[tuple[Cell, CellScores]]
) -> Judgement:
    """Lay the cells side by side, find candidates in the AOI and suppress those that overlap a better one.

    Args:
        composite: what was judged.
        card: the model that judged.
        run_id: names the judgement.
        final: whether the composite is its stage's final one.
        cells: every cell of the composite with its scores; only one is held at a time.
    """
    rows, cols = composite.rectangle.window_shape
    whole = Cell(i=0, j=0, window_row=0, window_col=0, window_rows=rows, window_cols=cols)
    arrays: dict[str, NDArray[Any]] = {}
    for cell, scores in cells:
        for field in CellScores.__dataclass_fields__:
            part = getattr(scores, field)
            array = arrays.setdefault(field, np.empty(shape_of(whole, field), part.dtype))
            per_window = STRIDE_PX // THUMB_PX if field.startswith("thumb_") else 1
            row, col = cell.window_row * per_window, cell.window_col * per_window
            array[row : row + part.shape[0], col : col + part.shape[1]] = (
                part  # neighbours share a row of blocks and agree
            )
    merged = CellScores(**arrays)
    in_aoi = centres_in(composite.aoi, composite.lattice, composite.rectangle)
    found = candidates(merged.scores, in_aoi, card.threshold)
    kept = suppress_on_lattice(found, merged.scores[found[:, 0], found[:, 1]])
    return Judgement(
        composite=composite,
        card=card,
        run_id=run_id,
        is_final=final,
        cells=merged,
        in_aoi=in_aoi,
        aoi_share=block_shares(composite.aoi, composite.lattice, composite.rectangle),
        candidates=found,
        detections=found[kept],
    )


def support_name(judgement: Judgement, file: str) -> str:
    """Return where a file of `support/` lies."""
    composite = judgement.composite
    return object_names.support(
        composite.event_id, composite.track, composite.stage, judgement.run_id, judgement.finality, file
    )


def detections_name(run: Run, final: bool) -> str:
    """Return where the notified GeoJSON lies."""
    composite = run.composite
    finality = "final" if final else "provisional"
    return object_names.detections(composite.event_id, composite.track, composite.stage, run.run_id, finality)
