"""`python -m infra.local demo|quiet`: the local stack at work."""

import sys

from infra.local import demo, quiet_campaign

COMMANDS = {"demo": demo.main, "quiet": quiet_campaign.main}


def main(arguments: list[str]) -> int:
    """Run one command."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(f"usage: python -m infra.local {{{'|'.join(COMMANDS)}}}", file=sys.stderr)
        return 2
    return COMMANDS[arguments[0]]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
