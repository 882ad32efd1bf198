"""`quakeslide`: judge a file, trigger an event, build a composite, follow results."""

from typing import Any

import click

from quakeslide import __version__
from quakeslide.cli.composite import composite
from quakeslide.cli.detect import detect
from quakeslide.cli.events import events
from quakeslide.cli.follow import follow
from quakeslide.cli.status import status
from quakeslide.cli.trigger import trigger
from quakeslide.errors import QuakeslideError, UnreadableInput

HELP = """Landslides triggered by earthquakes, from Sentinel-1 radar.

\b
Examples:
  quakeslide detect COMPOSITE.tif --model-server 127.0.0.1:8500 --models build/models
  quakeslide trigger us6000m0xl --aoi area.geojson --post-start 2024-01-01T07:10:09Z
  quakeslide events --state announced
  quakeslide status us6000m0xl
  quakeslide follow

\b
Exit codes:
  0  done
  1  failed: a service did not answer, a model is missing
  2  wrong use: an option or a file that cannot be meant so
  3  nothing found (`detect`) or nothing heard (`follow`)
"""


class WrongUse(click.ClickException):
    """A file that cannot be meant so; a ClickException's own exit code is 1, "failed"."""

    exit_code = 2


class Commands(click.Group):
    """A group that shows errors raised on purpose without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except QuakeslideError as error:
            kind = WrongUse if isinstance(error, UnreadableInput) else click.ClickException
            raise kind(f"{error}\n{error.remedy}".rstrip()) from error


@click.group(cls=Commands, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="quakeslide")
def main() -> None:
    """Everything is in the subcommands."""


main.add_command(composite)
main.add_command(detect)
main.add_command(trigger)
main.add_command(follow)
main.add_command(status)
main.add_command(events)

if __name__ == "__main__":
    main()
