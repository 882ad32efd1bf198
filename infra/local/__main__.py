"""`python -m infra.local demo|quiet [MODEL]`: the local stack at work."""

import sys
from collections.abc import Callable

from infra.local import demo, quiet_campaign

COMMANDS: dict[str, tuple[Callable[..., int], int]] = {"demo": (demo.main, 0), "quiet": (quiet_campaign.main, 1)}
"""What to call, and with how many arguments at most."""


def main(arguments: list[str]) -> int:
    """Run one command."""
    name, *further = arguments or [""]
    command, at_most = COMMANDS.get(name, (None, 0))
    if command is None or len(further) > at_most:
        print("usage: python -m infra.local {demo|quiet [MODEL]}", file=sys.stderr)
        return 2
    return command(*further)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
