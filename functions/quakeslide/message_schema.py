"""The contract of the messages: a JSON Schema for each kind, held against every message sent and received.

The schemas stand in `message_schema.json`, one definition for each kind, for consumers in other languages too.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

SCHEMAS = Path(__file__).with_name("message_schema.json")


@cache
def _validators() -> dict[str, Draft202012Validator]:
    definitions = json.loads(SCHEMAS.read_text(encoding="utf-8"))["$defs"]
    return {kind: Draft202012Validator(schema) for kind, schema in definitions.items()}


def check(kind: str, body: Any) -> None:
    """Hold a message against its kind's schema.

    Raises:
        ValueError: it breaks the contract; the text names the field.
    """
    error = best_match(_validators()[kind].iter_errors(body))
    if error is not None:
        where = "/".join(str(part) for part in error.absolute_path) or "the message"
        raise ValueError(f"{where}: {error.message[:200]}")
