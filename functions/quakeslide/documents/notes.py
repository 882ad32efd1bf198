"""The small documents, read and written as JSON objects where they are used; each kind with its version."""

import json
from collections.abc import Mapping
from typing import Any

from quakeslide.documents.version import Kind

INTENT = Kind(name="an intent of the outbox")  # state, since
OPERATION = Kind(name="a note of an export's operation")  # operation
# eecu_s by export; days (in an event's book) on which each was booked: the first release did not say
BOOK = Kind(name="a book of compute time", version=2, migrations={1: lambda body: body | {"days": {}}})
MEASURED = Kind(name="a list of finished exports")  # finished: export, pixel_scenes, eecu_s
PROBLEM = Kind(name="a problem record")
FINAL_MARKER = Kind(name="a final marker")
POINTER = Kind(name="a pointer to products", key="format")  # its `version` is the model's


def write_note(kind: Kind, fields: Mapping[str, Any], *, indent: int | None = None) -> bytes:
    """Return a small document's bytes, the same for the same fields."""
    return json.dumps(kind.stamped(fields), sort_keys=True, indent=indent).encode()
