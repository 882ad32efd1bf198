"""The clock of the local stack: real time, or a replayed instant kept in a file.

Every local service is given the same file with `--clock`; the runner writes it, the services only read it. So a replay of
twelve days is a series of jumps that all services see at once, and no product code knows of it.
"""

import os
from datetime import UTC, datetime
from pathlib import Path


class Clock:
    """Tells the time of the local stack.

    Attributes:
        path: file holding one RFC 3339 instant in UTC, or None for real time.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path

    def now(self) -> datetime:
        """Return the current instant of the stack, aware, UTC."""
        if self.path is None:
            return datetime.now(UTC)
        return datetime.fromisoformat(self.path.read_text(encoding="ascii").strip()).astimezone(UTC)

    def set(self, instant: datetime) -> None:
        """Move the replayed clock; readers see the old or the new instant, never half of one.

        Raises:
            ValueError: the clock is the real one, the instant is naive, or it lies before the present one.
        """
        if self.path is None:
            raise ValueError("the real clock cannot be set; give the stack a clock file")
        if instant.tzinfo is None:
            raise ValueError(f"naive time {instant.isoformat()}: a replayed instant needs a UTC offset")
        if self.path.exists() and instant < self.now():
            raise ValueError(f"the replayed clock stands at {self.now().isoformat()}; it never goes back")
        draft = self.path.with_suffix(".draft")
        draft.write_text(instant.astimezone(UTC).isoformat(), encoding="ascii")
        os.replace(draft, self.path)
