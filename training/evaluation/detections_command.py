"""`python -m training detections`: a model's boxes on whole scenes, simulated or from disk, against their landslides."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from quakeslide.domain.lattice import WINDOW_PX
from training.evaluation.detections import MapScores, match, scan
from training.evaluation.maps import METRIC, Map, map_from_disk, maps_for, refuse_learnt
from training.model_folder import fill_db, load_model, read_card
from training.simulator.events import EVENTS


def score_maps(folder: Path, maps: Iterator[Map], threshold: float | None) -> dict[str, Any]:
    """Return the scores of each map and of all together; of each map, whether layover and shadow were taken off its landslides.

    Raises:
        UnusableModel: see `load_model`.
    """
    card, model = read_card(folder), load_model(folder)
    limit = card["threshold"] if threshold is None else threshold
    rows: dict[str, Any] = {}
    total = MapScores()
    for one in maps:
        found = scan(model, one.image, fill_db(card))
        boxes = boxes_on_map(found.kept(limit), one.transform)
        scores = match(boxes, one.landslides, window_m2=one.window_m2, not_scored=found.not_scored)
        rows[one.name] = {**scores.as_dict(), "without_layover_and_shadow": one.is_filtered}
        total += scores
    pixels = card.get("pixel_geometry")
    return {
        "model": card["name"],
        "sha256": card["sha256"],
        "threshold": limit,
        "pixel_geometry": {"model": pixels, "maps": METRIC},
        "pixel_geometry_mismatch": None if pixels is None else pixels != METRIC,
        "maps": rows,
        "all": total.as_dict(),
    }


def warn(scores: dict[str, Any]) -> None:
    """Say on stderr what makes scores other than they seem."""
    if scores["pixel_geometry_mismatch"]:
        click.secho(
            f"the model learnt from pixels {scores['pixel_geometry']['model']}, the maps have {METRIC}: "
            "away from the equator it meets other shapes than it learnt",
            fg="red",
            err=True,
        )
    for name, row in scores["maps"].items():
        if not row["without_layover_and_shadow"]:
            click.secho(
                f"{name} has no band `geometry`: landslides in layover and shadow, which no pixel shows, count as missed",
                fg="yellow",
                err=True,
            )


def boxes_on_map(corners: NDArray[np.int_], transform: Affine) -> list[BaseGeometry]:
    """Return the windows at corners int [n, 2], (row, col) px, in the map's metres."""
    boxes = []
    for row, column in corners:
        x, y = zip(*(transform @ (column + d, row + d) for d in (0, WINDOW_PX)), strict=True)
        boxes.append(shapely.box(min(x), min(y), max(x), max(y)))
    return boxes


def map_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that choose maps, simulated or from disk, and the threshold."""
    options = (
        click.option("--event", type=click.Choice(sorted(EVENTS)), help="Simulated event."),
        click.option(
            "--seeds", type=click.IntRange(1), default=5, show_default=True, help="Scenes of the simulated event."
        ),
        click.option("--scene-px", type=click.IntRange(128), default=1024, show_default=True),
        click.option(
            "--composite", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="GeoTIFF in a metric CRS."
        ),
        click.option("--threshold", type=click.FloatRange(0, 1), help="The card's where it is not given."),
    )
    for option in reversed(options):
        command = option(command)
    return command


DETECTIONS_HELP = """Score a model's detections on whole scenes: windows, suppression, boxes held against landslides.

Give a composite with its inventory, or a simulated event that the model did not learn from: sumatra or haiti. The composite's band
`geometry`, if it has one, takes layover and shadow off the inventory.

\b
Examples:
  python -m training detections serving/models/vv_vh_ascending_60_12 --event sumatra --seeds 5
  python -m training detections MODEL --composite composite.tif --inventory landslides.gpkg
"""


@click.command("detections", help=DETECTIONS_HELP)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@map_options
@click.option("--inventory", type=click.Path(exists=True, path_type=Path), help="Polygons, any format of GeoPandas.")
def detections_command(
    folder: Path,
    event: str | None,
    seeds: int,
    scene_px: int,
    composite: Path | None,
    inventory: Path | None,
    threshold: float | None,
) -> None:
    """Score a model's detections on whole scenes."""
    if (event is None) == (composite is None) or (composite is None) != (inventory is None):
        raise click.UsageError("give either --event, or --composite and --inventory")
    try:
        card = read_card(folder)
        if composite and inventory:
            maps = iter([map_from_disk(composite, inventory, tuple(card["bands"]))])
        else:
            refuse_learnt(card, str(event))
            maps = maps_for(card, str(event), seeds, scene_px)
        scores = score_maps(folder, maps, threshold)
    except ValueError as error:  # model, map or inventory are unusable, or the map is smaller than one window
        raise click.ClickException(str(error)) from error
    warn(scores)
    click.echo(json.dumps(scores, indent=1))
