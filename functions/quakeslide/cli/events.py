"""`quakeslide events`: every earthquake in the ledger."""

import json
import sys

import click
from rich.console import Console
from rich.table import Table

from quakeslide.adapters.gcs_store import GcsStore
from quakeslide.cli.ledger_reader import rank, read_ledger, read_standing, row, where

HELP = """List the earthquakes that were weighed: announced, cancelled, merged, or refused and why.

The alerts are PAGER's (losses) and that of USGS's ground-failure product (landslides). They rank; the rule never looks at them.

\b
Examples:
  quakeslide events
  quakeslide events --state announced --json
  quakeslide events --gravest
"""
WIDTH = 240  # of a table that goes into a file or a pipe
STATES = ("announced", "cancelled", "merged", "refused")


@click.command(help=HELP)
@click.option("--state", "wanted", type=click.Choice(STATES), help="Only these.")
@click.option("--gravest", is_flag=True, help="Gravest alert first, then strongest, instead of newest first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.option("--state-bucket", envvar="STATE_BUCKET", required=True, help="State bucket [env: STATE_BUCKET].")
def events(wanted: str | None, gravest: bool, as_json: bool, state_bucket: str) -> None:
    """Print the ledger."""
    state = GcsStore(state_bucket)
    entries = [entry for entry in read_ledger(state) if wanted in (None, entry.state)]
    if gravest:
        entries.sort(key=rank, reverse=True)
    rows = [row(entry, read_standing(state, entry.event_id)) for entry in entries]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    table = Table("event", "time", "M", "place", "losses", "landslides", "state", "watch", "why", box=None)
    for one in rows:
        magnitude = "" if one["magnitude"] is None else f"{one['magnitude']:.1f}"
        cells = (one["event_id"], one["time"][:16].replace("T", " "), magnitude, one["place"])
        table.add_row(*cells, one["alert"], one["landslide_alert"], one["state"], where(one), "; ".join(one["reasons"]))
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
