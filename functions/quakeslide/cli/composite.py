"""`quakeslide composite`: build one composite of a watched event by hand, or say what it would be."""

import uuid
from datetime import UTC, datetime

import click

from quakeslide.adapters.earth_engine import EarthEngineExporter, EarthEngineScenes, connect
from quakeslide.adapters.gcs_store import GcsStore
from quakeslide.domain.composite import Composite
from quakeslide.domain.object_names import checked_event_id
from quakeslide.domain.sentinel1 import Stage, Track
from quakeslide.usecases.composite_by_hand import by_hand

HELP = """Build one composite of a watched event by hand: plan it from the scenes that are there now, and start its export.

--plan only prints what would be exported. What is exported is judged like any other composite; the watch goes on as it would.

\b
Examples:
  quakeslide composite --event us6000m0xl --track A069 --stage 60-12 --plan
  quakeslide composite --event us6000m0xl --track A069 --stage 60-12
"""


@click.command(help=HELP)
@click.option("--event", "event_id", required=True, help="Event id; it must be watched.")
@click.option("--track", required=True, help="Such as A069.")
@click.option("--stage", required=True, help="Such as 60-12.")
@click.option("--series", default="", help="A growth of the area or a later start, such as g1; else the first.")
@click.option("--plan", "only_plan", is_flag=True, help="Print what would be exported and stop.")
@click.option("--now", help="Take this as the time, RFC 3339; else the real time.")
@click.option(
    "--shard-px", default=2048, show_default=True, help="Side of a shard in px, a multiple of 256 up to 2048."
)
@click.option("--data-notice", envvar="DATA_NOTICE", default="", help="Copied into every product [env: DATA_NOTICE].")
@click.option("--project", envvar="PROJECT", required=True, help="Google Cloud project [env: PROJECT].")
@click.option("--state-bucket", envvar="STATE_BUCKET", required=True, help="[env: STATE_BUCKET]")
@click.option("--composites-bucket", envvar="COMPOSITES_BUCKET", required=True, help="[env: COMPOSITES_BUCKET]")
@click.option(
    "--earth-engine-url", envvar="EARTH_ENGINE_URL", default="", help="Local service [env: EARTH_ENGINE_URL]."
)
def composite(
    event_id: str,
    track: str,
    stage: str,
    series: str,
    only_plan: bool,
    now: str | None,
    shard_px: int,
    data_notice: str,
    project: str,
    state_bucket: str,
    composites_bucket: str,
    earth_engine_url: str,
) -> None:
    """Plan a composite and start its export."""
    try:
        wanted = checked_event_id(event_id), Track.parse(track), Stage.parse(stage)
        moment = datetime.fromisoformat(now) if now else datetime.now(UTC)
        if moment.tzinfo is None:
            raise ValueError(f"--now {now!r} has no UTC offset; write 2024-01-03T00:00:00Z")
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    connect(project, earth_engine_url)
    store = GcsStore(composites_bucket)
    plan = by_hand(
        *wanted,
        series=series,
        now=moment,
        state=GcsStore(state_bucket),
        archive=EarthEngineScenes(),
        shard_px=shard_px,
        data_notice=data_notice,
    )
    click.echo("\n".join(plan.lines()))
    if only_plan or plan.composite is None:
        raise SystemExit(0 if plan.composite else 3)
    operation = plan.start(store, EarthEngineExporter(composites_bucket), request_id(plan.composite))
    click.echo(f"exporting: {operation}")


def request_id(composite: Composite) -> str:
    """Return a request id of this call's own: asking again by hand exports again."""
    return f"hand-{composite.composite_id}-{uuid.uuid4().hex[:12]}"
