"""`python -m training precision-effect`: what bfloat16 does to the decisions of a trained model, and to its speed on this machine.

A difference between two scores matters where it takes a window over the threshold, or puts another box first among those that
overlap. So both are counted, on whole scenes and by the graphs that are served.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from quakeslide.domain.suppression import suppress_on_lattice
from quakeslide.domain.windows import VALID_FRACTION_MIN
from training.evaluation.detections import match
from training.evaluation.detections_command import boxes_on_map, map_options
from training.evaluation.maps import Map, UnusableMap, map_from_disk, maps_for
from training.model_folder import UnusableModel, fill_db, load_model, read_card
from training.served.precision import DEFAULT, Precision
from training.served.shared_convolutions import STRIDE_PX
from training.served.tile_graph import ServingGraph

OTHER: Precision = "bfloat16"
Scored = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Scores and shares of seen pixels of the lattice windows, float32 [rows, columns]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Decisions in float32 beside those in the other precision, counted.

    Attributes:
        windows: that were scored.
        above: windows above the threshold in float32.
        fell, rose: windows that the other precision takes below and above it.
        boxes, other_boxes: after suppression.
        boxes_in_both: at the same place.
        right_boxes, other_right_boxes: on landslides, where landslides are known.
        largest, total: of the absolute differences between scores.
    """

    windows: int = 0
    above: int = 0
    fell: int = 0
    rose: int = 0
    boxes: int = 0
    other_boxes: int = 0
    boxes_in_both: int = 0
    right_boxes: int = 0
    other_right_boxes: int = 0
    largest: float = 0.0
    total: float = 0.0

    def __add__(self, other: "Effect") -> "Effect":
        mine, others = asdict(self), asdict(other)
        summed = {name: mine[name] + others[name] for name in mine}
        return Effect(**summed | {"largest": max(self.largest, other.largest)})


def effect(exact: Scored, other: Scored, threshold: float, one: Map) -> Effect:
    """Compare the scores of one map in two precisions.

    Args:
        exact: in float32.
        other: in the other precision; shares of seen pixels are the same.
        threshold: a window above it is a candidate.
        one: the map, for its landslides.
    """
    is_scored = exact[1] >= VALID_FRACTION_MIN
    above, other_above = ((scores > np.float32(threshold)) & is_scored for scores, _ in (exact, other))
    kept, other_kept = (_kept(scores, mask) for scores, mask in ((exact[0], above), (other[0], other_above)))
    right, other_right = (
        match(boxes_on_map(windows * STRIDE_PX, one.transform), one.landslides, window_m2=one.window_m2).right_boxes
        for windows in (kept, other_kept)
    )
    difference = np.abs(exact[0] - other[0])[is_scored].astype(np.float64)
    return Effect(
        windows=int(is_scored.sum()),
        above=int(above.sum()),
        fell=int((above & ~other_above).sum()),
        rose=int((other_above & ~above).sum()),
        boxes=len(kept),
        other_boxes=len(other_kept),
        boxes_in_both=len(set(map(tuple, kept.tolist())) & set(map(tuple, other_kept.tolist()))),
        right_boxes=right,
        other_right_boxes=other_right,
        largest=float(difference.max(initial=0.0)),
        total=float(difference.sum()),
    )


def _kept(scores: NDArray[np.float32], is_candidate: NDArray[np.bool_]) -> NDArray[np.int_]:
    windows = np.argwhere(is_candidate)
    return windows[suppress_on_lattice(windows, scores[is_candidate])]


def measure(folder: Path, maps: Iterator[Map], threshold: float | None, rounds: int) -> dict[str, Any]:
    """Score maps in both precisions; time both in turn on the first of them.

    Args:
        folder: of the model.
        maps: with the card's bands.
        threshold: None for the card's.
        rounds: of timing, after one that is not counted; the median stands for all.

    Raises:
        UnusableModel: see `load_model`.
    """
    card, model = read_card(folder), load_model(folder)
    limit = card["threshold"] if threshold is None else threshold
    tiles = {
        precision: partial(_score, ServingGraph(model, fill_db(card), precision).served["tile"])
        for precision in (DEFAULT, OTHER)
    }
    total, names = Effect(), []
    seconds: dict[Precision, Any] = {}
    for one in maps:
        seconds = seconds or _in_turn(tiles, one.image, rounds)
        total += effect(tiles[DEFAULT](one.image), tiles[OTHER](one.image), limit, one)
        names.append(one.name)
    counts = {name: value for name, value in asdict(total).items() if name not in ("largest", "total")}
    return {
        "model": card["name"],
        "sha256": card["sha256"],
        "precision": OTHER,
        "threshold": limit,
        "maps": names,
        **counts,
        "largest_difference": total.largest,
        "mean_difference": total.total / total.windows if total.windows else None,
        "rounds": rounds,
        "seconds": seconds,
        "speed_ratio": {kind: seconds[DEFAULT][kind] / seconds[OTHER][kind] for kind in ("wall", "cpu")},
    }


def _score(tile: Any, image: NDArray[np.float32]) -> Scored:
    out = tile(image=tf.constant(image))
    return out["scores"].numpy(), out["valid_fraction"].numpy()


def _in_turn(
    ways: Mapping[Precision, Callable[[NDArray[np.float32]], Scored]], image: NDArray[np.float32], rounds: int
) -> dict[Precision, dict[str, float]]:
    """Return medians of seconds, wall and CPU of the process, of ways that take turns, so that what else runs here troubles all alike."""
    taken: dict[Precision, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, score in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            score(image)
            taken[way].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        way: {kind: median(times) for kind, times in zip(("wall", "cpu"), zip(*found[1:], strict=True), strict=True)}
        for way, found in taken.items()
    }


HELP = f"""Count the decisions of a model that {OTHER} changes, on whole scenes, and time it beside {DEFAULT}.

Give a composite, or a simulated event. Ratios of speed above 1 mean that {OTHER} is faster on this machine.

\b
Examples:
  python -m training precision-effect serving/models/vv_vh_ascending_60_12 --event sumatra
  python -m training precision-effect MODEL --composite composite.tif --rounds 5
"""


@click.command("precision-effect", help=HELP)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@map_options
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Timings of each precision.")
def precision_effect_command(
    folder: Path,
    event: str | None,
    seeds: int,
    scene_px: int,
    composite: Path | None,
    threshold: float | None,
    rounds: int,
) -> None:
    """Measure the effect of the other precision."""
    if (event is None) == (composite is None):
        raise click.UsageError("give either --event or --composite")
    try:
        card = read_card(folder)
        on_disk = [map_from_disk(composite, None, tuple(card["bands"]))] if composite else None
        maps = iter(on_disk) if on_disk else maps_for(card, str(event), seeds, scene_px)
        found = measure(folder, maps, threshold, rounds)
    except (UnusableModel, UnusableMap) as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(found, indent=1))
