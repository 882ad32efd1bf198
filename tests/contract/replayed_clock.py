"""Turns the clock file of local services that are running; unlike the runner's it may go back."""

import os
from datetime import datetime
from pathlib import Path


def turn(clock: Path, instant: datetime) -> None:
    """Set a clock file at one stroke: a service that looks meanwhile sees the old or the new instant, never half of one."""
    draft = clock.with_suffix(".draft")
    draft.write_text(instant.isoformat(), encoding="ascii")
    os.replace(draft, clock)
