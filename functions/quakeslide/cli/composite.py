"""`quakeslide composite`: build one composite of a watched event by hand, or say what it would be."""

from datetime import UTC, datetime

import click

from quakeslide.adapters.earth_engine import EarthEngineExporter, EarthEngineScenes, connect
from quakeslide.adapters.gcs_store import GcsStore
from quakeslide.domain.budget import HOUR_S, UNLIMITED, Budget
from quakeslide.domain.object_names import checked_event_id
from quakeslide.domain.sentinel1 import Stage, Track
from quakeslide.domain.terrain import Backscatter, Terrain
from quakeslide.usecases.composite_by_hand import by_hand, export_by_hand

HELP = """Build one composite of a watched event by hand: plan it from the scenes that are there now, and start its export.

--plan only prints what would be exported. What is exported is judged like any other composite, and booked like one; the watch goes on as
it would. Asked for again, what was exported or is being exported is not exported anew; what failed is tried again. Nobody follows the
export: if its products do not come, run the command again.

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
@click.option("--beyond-budget", is_flag=True, help="Export even where the event's or the day's budget is used up.")
@click.option(
    "--backscatter",
    envvar="BACKSCATTER",
    type=click.Choice([one.value for one in Backscatter]),
    default=Backscatter.SIGMA0.value,
    show_default=True,
    help="What the post-event bands hold [env: BACKSCATTER].",
)
@click.option(
    "--mask-buffer-m", envvar="MASK_BUFFER_M", default=0, show_default=True, help="Widens layover and shadow, 0 to 500."
)
@click.option("--now", help="Take this as the time, RFC 3339; else the real time.")
@click.option(
    "--shard-px", default=2048, show_default=True, help="Side of a shard in px, a multiple of 256 up to 2048."
)
@click.option("--data-notice", envvar="DATA_NOTICE", default="", help="Copied into every product [env: DATA_NOTICE].")
@click.option("--eecu-hours-per-event", envvar="EECU_HOURS_PER_EVENT", default=200.0, hidden=True)
@click.option("--eecu-hours-per-day", envvar="EECU_HOURS_PER_DAY", default=500.0, hidden=True)
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
    beyond_budget: bool,
    backscatter: str,
    mask_buffer_m: int,
    now: str | None,
    shard_px: int,
    data_notice: str,
    eecu_hours_per_event: float,
    eecu_hours_per_day: float,
    project: str,
    state_bucket: str,
    composites_bucket: str,
    earth_engine_url: str,
) -> None:
    """Plan a composite and start its export."""
    try:
        wanted = checked_event_id(event_id), Track.parse(track), Stage.parse(stage)
        terrain = Terrain(backscatter=Backscatter(backscatter), mask_buffer_m=mask_buffer_m)
        moment = datetime.fromisoformat(now) if now else datetime.now(UTC)
        if moment.tzinfo is None:
            raise ValueError(f"--now {now!r} has no UTC offset; write 2024-01-03T00:00:00Z")
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    connect(project, earth_engine_url)
    state, composites = GcsStore(state_bucket), GcsStore(composites_bucket)
    plan = by_hand(
        *wanted,
        series=series,
        now=moment,
        state=state,
        archive=EarthEngineScenes(),
        shard_px=shard_px,
        data_notice=data_notice,
        terrain=terrain,
    )
    click.echo("\n".join(plan.lines()))
    if only_plan or plan.composite is None:
        raise SystemExit(0 if plan.composite else 3)
    caps = Budget(per_event_s=eecu_hours_per_event * HOUR_S, per_day_s=eecu_hours_per_day * HOUR_S)
    exporter = EarthEngineExporter(composites_bucket)
    budget = UNLIMITED if beyond_budget else caps
    click.echo(
        export_by_hand(plan.composite, moment, state=state, composites=composites, exporter=exporter, budget=budget)
    )
