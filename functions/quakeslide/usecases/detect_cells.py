"""A shard is there: score the cells that were waiting for it, and merge when all are scored.

A cell is scored by the handler of whichever of its shards has the greatest (generation, name) once all are listed; others just
acknowledge. No coordinator, no lock, no counter: what a crash leaves undone, the redelivery or the sweep's rescan does.
"""

from collections.abc import Mapping

from quakeslide.documents.cell import CONTENT_TYPE, StoredCell, write_cell
from quakeslide.domain.composite import Cell, Composite
from quakeslide.domain.judgement import Unscored
from quakeslide.messages import ShardWritten
from quakeslide.telemetry import bind, say
from quakeslide.usecases.merge_detections import is_merged, merge
from quakeslide.usecases.run import Detector, Run, start_run
from quakeslide.usecases.score_cell import score_cell


def detect_cells(message: ShardWritten, detector: Detector) -> None:
    """Score the cells whose last shard this is; merge when no cell of the run is missing.

    Raises:
        QuakeslideError: see `start_run`, `score_cell` and `merge`.
    """
    bind(track=str(message.track), stage=str(message.stage), composite_id=message.composite_id)
    run = start_run(message, detector)
    generations = listed_shards(run.composite, detector)
    missing = run.missing_cells(detector.state)
    for cell in missing:
        if is_last_shard_of(cell, message, run.composite, generations):
            store_cell(run, cell, generations, detector)
    if is_merged(run, detector) or run.missing_cells(detector.state):
        return
    merge(run, detector)


def listed_shards(composite: Composite, detector: Detector) -> dict[str, int]:
    """Return the generation of every shard of the composite that is there; other objects under its prefix are not ours."""
    expected = {shard.name for shard in composite.shards()}
    listed = detector.composites.list(composite.prefix)
    return {one.name: one.generation for one in listed if one.name in expected}


def is_last_shard_of(cell: Cell, message: ShardWritten, composite: Composite, generations: Mapping[str, int]) -> bool:
    """Say whether all shards of the cell are listed and the message is about the one written last."""
    names = [shard.name for shard in composite.shards_of(cell)]
    if not all(name in generations for name in names):
        return False
    return max((generations[name], name) for name in names) == (message.generation, message.name)


def store_cell(run: Run, cell: Cell, generations: Mapping[str, int], detector: Detector) -> None:
    """Score a cell and store it, unless somebody else has meanwhile: the stored cell is the truth."""
    used = {shard.name: generations[shard.name] for shard in run.composite.shards_of(cell)}
    scores = score_cell(run.composite, cell, run.card, used, pixels=detector.pixels, model=detector.model)
    data = write_cell(StoredCell(scores=scores, generations=used))
    detector.state.create(run.cell_name(cell), data, CONTENT_TYPE)
    counts = {reason.name.lower(): int((scores.unscored == reason).sum()) for reason in Unscored}
    say("cell scored", cell=f"{cell.i}-{cell.j}", windows=int(scores.unscored.size), run_id=run.run_id, **counts)
