"""Tasks on disk: what was started is still known after a restart."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Journal:
    """One JSON file per task, replaced whole; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, record: dict[str, Any]) -> None:
        """Keep a task's present state."""
        if self._folder is None:
            return
        path = self._folder / f"{name.replace('/', '_')}.json"
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(record), encoding="utf-8")
        os.replace(draft, path)

    def records(self) -> Iterator[dict[str, Any]]:
        """All tasks kept, oldest first."""
        if self._folder is not None:
            kept = [json.loads(path.read_text(encoding="utf-8")) for path in self._folder.glob("*.json")]
            yield from sorted(kept, key=lambda record: record["number"])
