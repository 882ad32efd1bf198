"""`quakeslide trigger`: ask the running system to look at an event, by a manual message."""

import json
from pathlib import Path

import click
from shapely.geometry.base import BaseGeometry

from quakeslide.adapters.pubsub_bus import PubsubBus
from quakeslide.domain.object_names import checked_event_id
from quakeslide.domain.sentinel1 import Stage, Track
from quakeslide.errors import UnreadableInput
from quakeslide.json_values import area, instant
from quakeslide.messages import Manual, encode

TOPIC = "earthquakes"

HELP = """Ask for EVENT_ID to be looked at, by a message on the topic `earthquakes`.

What is left out stays as the event has it. An event that is not in the ledger needs --aoi and --post-start. An aftershock that is
linked to its main shock's watch gets a watch of its own when it is asked for.

\b
Examples:
  quakeslide trigger us6000m0xl --stages 60-24
  quakeslide trigger quiet20240101 --aoi area.geojson --post-start 2024-01-01T00:00:00Z
"""


@click.command(help=HELP)
@click.argument("event_id")
@click.option("--aoi", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="GeoJSON polygon, lon/lat.")
@click.option("--tracks", help="Only these, such as A069,D012.")
@click.option("--stages", help="Only these, such as 60-12,60-24.")
@click.option("--post-start", help="First instant after the earthquake, such as 2024-01-01T07:10:09Z.")
@click.option("--pre-end", help="Last instant before it.")
@click.option("--force", is_flag=True, help="Make and judge everything anew.")
@click.option("--dry-run", is_flag=True, help="Print the message instead of sending it.")
@click.option("--project", envvar="PROJECT", required=True, help="Google Cloud project [env: PROJECT].")
def trigger(
    event_id: str,
    aoi: Path | None,
    tracks: str | None,
    stages: str | None,
    post_start: str | None,
    pre_end: str | None,
    force: bool,
    dry_run: bool,
    project: str,
) -> None:
    """Publish a manual message."""
    try:
        message = Manual(
            event_id=checked_event_id(event_id),
            aoi=read_area(aoi) if aoi else None,
            tracks=tuple(Track.parse(text.strip()) for text in tracks.split(",")) if tracks else None,
            stages=tuple(Stage.parse(text.strip()) for text in stages.split(",")) if stages else None,
            post_start=instant(post_start) if post_start else None,
            pre_end=instant(pre_end) if pre_end else None,
            force=force,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if dry_run:
        click.echo(encode(message)[0].decode())
        return
    PubsubBus(project).publish(TOPIC, *encode(message))
    click.echo(f"asked for {event_id}; `quakeslide follow` prints what comes of it")


def read_area(path: Path) -> BaseGeometry:
    """Return the polygon of a GeoJSON file, lon/lat degrees.

    Raises:
        UnreadableInput: it holds none.
    """
    try:
        return area(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableInput(f"{path}: {error}") from error
