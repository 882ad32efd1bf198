"""Configuration files of the sources: JSON, checked against a schema, every fault named with its place."""

import json
from pathlib import Path
from typing import Any

import jsonschema

from training.patches.store import UnusableDataset

WINDOW_PROPERTIES: dict[str, Any] = {
    "pre_days": {"type": "integer", "minimum": 1},
    "post_days": {"type": "integer", "minimum": 1},
}
EVENT_NAME = {"type": "string", "pattern": "^[a-z][a-z0-9_-]{1,39}$"}


def read_configuration(path: Path, schema: dict[str, Any]) -> Any:
    """Return a configuration file's contents.

    Raises:
        UnusableDataset: it is missing, no JSON, or does not fit the schema; the message names every place that does not.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))  # editors of Windows begin a file with a mark
    except FileNotFoundError:
        raise UnusableDataset(f"{path}: there is no such file") from None
    except ValueError as error:  # UnicodeDecodeError among them
        raise UnusableDataset(f"{path} is no JSON in UTF-8: {error}") from error
    faults = sorted(jsonschema.Draft202012Validator(schema).iter_errors(document), key=lambda fault: fault.json_path)
    if faults:
        raise UnusableDataset("\n".join(f"{path}, {fault.json_path}: {fault.message}" for fault in faults))
    return document


def beside(path: Path, name: str) -> Path:
    """Return a file that a configuration names: relative to the configuration's folder.

    Raises:
        UnusableDataset: it is not there.
    """
    file = path.parent / name
    if not file.exists():
        raise UnusableDataset(f"{path} names {name}, but {file} is not there")
    return file
