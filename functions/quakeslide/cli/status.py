"""`quakeslide status`: one earthquake and its watch."""

import json
import sys

import click
from rich.console import Console
from rich.table import Table

from quakeslide.adapters.gcs_store import GcsStore
from quakeslide.cli.events import WIDTH
from quakeslide.cli.ledger_reader import find_entry, read_standing, row, where
from quakeslide.domain.object_names import checked_event_id

HELP = """Show what is known of EVENT_ID, by any of its ids, and how far each track and stage got.

\b
Examples:
  quakeslide status us6000m0xl
  quakeslide status at00s6kml3 --json
"""


@click.command(help=HELP)
@click.argument("event_id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--state-bucket", envvar="STATE_BUCKET", required=True, help="State bucket [env: STATE_BUCKET].")
def status(event_id: str, as_json: bool, state_bucket: str) -> None:
    """Print one event."""
    try:
        checked_event_id(event_id)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    state = GcsStore(state_bucket)
    entry = find_entry(state, event_id)
    if entry is None:
        raise click.ClickException(f"{event_id} is in no ledger; `quakeslide events` lists what is")
    found = row(entry, read_standing(state, entry.event_id))
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    click.echo(f"{found['event_id']}  M {found['magnitude']}  {found['time']}  {found['place']}")
    click.echo(f"{found['state']}: {'; '.join(found['reasons'])}")
    click.echo(f"ids: {', '.join(found['ids'])}")
    click.echo(f"area: {found['area']}; watch: {where(found)}")
    for notice in found["notices"]:
        click.echo(notice)
    if found["tracks"]:
        table = Table("track", "stage", "readiness", "before", "after", "composite", "step", "", box=None)
        for one in found["tracks"]:
            cells = (one["track"], one["stage"], one["readiness"], str(one["pre"]), str(one["post"]))
            table.add_row(*cells, one["composite"] or "", one["step"] or "", one["text"] or one["finality"] or "")
        Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
