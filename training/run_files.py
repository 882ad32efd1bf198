"""The files in a run's folder, by whoever writes and reads them."""

import json
import os
from pathlib import Path
from typing import Any

WEIGHTS = "weights.npz"
CARD = "card.json"
"""Beside the weights; see `training.model_folder`."""
METRICS = "metrics.json"
"""Written last: its presence says that the run is finished."""
CONFIG = "config.json"
ENVIRONMENT = "environment.json"
CHECKPOINT = "checkpoint.npz"
"""After every epoch, until the run is finished."""
HISTORY = "history.json"
PROGRESS = "progress.json"
"""While it runs, for the table of a campaign."""
FAILURE = "failure.json"
"""Why the last try ended."""


def write_json(path: Path, document: dict[str, Any], *, indent: int = 1) -> None:
    """Replace a file at one stroke: who reads it meanwhile sees the old one or the new one, whole."""
    draft = path.with_name(f"{path.name}.draft")
    draft.write_text(json.dumps(document, indent=indent) + "\n", encoding="utf-8")
    os.replace(draft, path)
