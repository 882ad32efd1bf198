"""`sample`: plan, export and fetch composites of the paper's earthquakes."""

from datetime import UTC, datetime
from pathlib import Path

import click
from google.cloud import storage

from quakeslide.adapters.earth_engine import connect
from quakeslide.domain.sentinel1 import Stage
from quakeslide.errors import QuakeslideError
from training.experiments import WINDOWS
from training.patches.store import UnusableDataset
from training.sources.cut_configuration import write_cut_configurations
from training.sources.earth_engine import (
    Sampler,
    area_of,
    fetch_all,
    inventory_of,
    plans,
    scenes_and_exporter,
)
from training.sources.event_list import FILE, read_events

HELP = """Export composites of earthquakes from Earth Engine and fetch them, with a configuration for `cut`.

Inventories are yours to get, from the authors that the list of events names. Take a bucket of its own: what arrives in the service's would
be judged. Exports are counted against the project's Earth Engine quota; --plan shows them without starting any.

\b
Examples:
  python -m training sample --project my-project --bucket my-training --plan
  python -m training sample --project my-project --bucket my-training --windows 60-12 --event hokkaido --inventories inventories
  python -m training cut --config build/training/real/60-12.json
"""


@click.command("sample", help=HELP)
@click.option("--project", envvar="PROJECT", required=True, help="Google Cloud project [env: PROJECT].")
@click.option("--bucket", required=True, help="Cloud Storage bucket that Earth Engine writes to.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/training/real"), show_default=True)
@click.option(
    "--event-list",
    type=click.Path(exists=True, path_type=Path),
    default=FILE,
    help="Events as JSON; the paper's eleven.",
)
@click.option("--event", "names", multiple=True, help="Only this event; may be repeated.")
@click.option(
    "--windows",
    multiple=True,
    type=click.Choice([f"{pre}-{post}" for pre, post in WINDOWS]),
    default=("60-12",),
    show_default=True,
)
@click.option(
    "--inventories",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of files such as hokkaido.gpkg.",
)
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be exported and stop.")
@click.option("--poll", "poll_s", default=30.0, show_default=True, help="Seconds between looks at running exports.")
@click.option(
    "--earth-engine-url", envvar="EARTH_ENGINE_URL", default="", help="Local service [env: EARTH_ENGINE_URL]."
)
def sample_command(
    project: str,
    bucket: str,
    out: Path,
    event_list: Path,
    names: tuple[str, ...],
    windows: tuple[str, ...],
    inventories: Path | None,
    only_plan: bool,
    poll_s: float,
    earth_engine_url: str,
) -> None:
    """Plan, export and fetch composites."""
    try:
        events = read_events(event_list)
    except UnusableDataset as error:
        raise click.ClickException(str(error)) from error
    if unknown := sorted(set(names) - {event.name for event in events}):
        known = ", ".join(event.name for event in events)
        raise click.UsageError(f"no event called {', '.join(unknown)}; {event_list} has {known}")
    try:
        connect(project, earth_engine_url)
        archive, exporter = scenes_and_exporter(bucket)
        composites, found = [], {}
        for event in events:
            if names and event.name not in names:
                continue
            if inventory := inventory_of(inventories, event):
                found[event.name] = inventory
            area = area_of(event, inventory)
            for plan in plans(event, area, [Stage.parse(w) for w in windows], archive, datetime.now(UTC)):
                click.echo(f"{plan.label}: {plan.reason}")
                composites += [plan.composite] if plan.composite else []
        click.echo(f"{len(composites)} composites")
        if only_plan or not composites:
            return
        failed = 0
        sampler = Sampler(out, exporter, storage.Client(project=project).bucket(bucket))
        for composite, state in fetch_all(sampler, composites, poll_s=poll_s):
            failed += state != "fetched"
            click.echo(f"{composite.path}: {state}")
        for path in write_cut_configurations(out, sampler, composites, found):
            click.echo(f"cut it with: python -m training cut --config {path}")
    except (QuakeslideError, UnusableDataset, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if failed:
        raise click.ClickException(f"{failed} of {len(composites)} exports failed; the same command tries them again")
