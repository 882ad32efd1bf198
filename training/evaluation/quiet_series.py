"""What a model makes of real radar on which nothing happened, noted in its card: counts with their interval, never a bare rate."""

import json
from pathlib import Path

import click

from training.model_folder import UnusableModel, read_card
from training.run_files import CARD, write_json

HELP = """Note the alarms of the quiet mountains in the card of the model that raised them.

\b
Example:
  make quiet && python -m training quiet-series build/quiet/alarms.json serving/models/vv_vh_ascending_60_12
"""


@click.command("quiet-series", help=HELP)
@click.argument("alarms", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def quiet_series_command(alarms: Path, folder: Path) -> None:
    """Note the alarms of the quiet mountains in the card of the model that raised them."""
    try:
        note = note_alarms(alarms, folder)
    except UnusableModel as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{folder / CARD}: {note['alarms']} of {note['windows']} windows raised an alarm")


def note_alarms(alarms: Path, folder: Path) -> dict[str, object]:
    """Write `quiet_series` into a card and return it: what `make quiet` found, dates without alarms left out.

    Raises:
        UnusableModel: other weights raised those alarms.
    """
    card = read_card(folder)
    try:
        found = json.loads(alarms.read_text(encoding="utf-8"))
        loud = {row["date"]: [row["alarms"], row["windows"]] for row in found.pop("by_date") if row["alarms"]}
        model = found.pop("model")
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableModel(f"{alarms} is not what `make quiet` writes: {error!r}") from error
    if model["sha256"] != card["sha256"]:
        raise UnusableModel(
            f"{alarms} tells of weights {model['sha256'][:12]}, {folder} holds {card['sha256'][:12]}: "
            "export this model and let `make quiet` run again"
        )
    note = {**found, "dates_with_alarms": loud}
    write_json(folder / CARD, {**card, "quiet_series": note}, indent=2)
    return note
