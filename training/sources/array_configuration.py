"""What a configuration for `arrays` may say."""

from pathlib import Path
from typing import Any

from training.patches.store import BANDS, UnusableDataset
from training.sources.configuration import EVENT_NAME, WINDOW_PROPERTIES

_KEY = {"type": "string", "minLength": 1}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["pre_days", "post_days", "bands", "arrays"],
    "properties": {
        **WINDOW_PROPERTIES,
        "bands": {"type": "array", "minItems": 2, "uniqueItems": True, "items": {"enum": [*BANDS, "ignored"]}},
        "channels": {"enum": ["last", "first"]},
        "pixel_geometry": {"enum": ["epsg4326_10m", "utm_10m"]},
        "arrays": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["file", "pass"],
                "properties": {
                    "file": {"type": "string"},
                    "patches": _KEY,
                    "label": {"enum": [0, 1]},
                    "labels": _KEY,
                    "landslide": _KEY,
                    "event": EVENT_NAME,
                    "events": _KEY,
                    "cells": _KEY,
                    "pass": {"enum": ["ASCENDING", "DESCENDING"]},
                    "track": {"type": "string", "pattern": "^[AD][0-9]{3}$"},
                },
            },
        },
    },
}


def refuse_entry(configuration: Path, number: int, entries: list[dict[str, Any]]) -> None:
    """Refuse an entry that contradicts itself or repeats one before.

    Raises:
        UnusableDataset: it does.
    """
    entry, place = entries[number], f"{configuration}, $.arrays[{number}]"
    for names in (("label", "labels", "landslide"), ("event", "events")):
        if sum(name in entry for name in names) != 1:
            raise UnusableDataset(f"{place}: exactly one of {', '.join(names)} is needed")
    if "track" in entry and entry["track"][0] != entry["pass"][0]:
        raise UnusableDataset(f"{place}: track {entry['track']} is not {entry['pass']}")
    array = entry["file"], entry.get("patches")
    if any((other["file"], other.get("patches")) == array for other in entries[:number]):
        raise UnusableDataset(f"{place}: the patches of {entry['file']} are listed twice")
