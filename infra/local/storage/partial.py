"""Partial responses: `fields=items(name,generation),nextPageToken`.

Reference: https://cloud.google.com/storage/docs/json_api#partial-response
"""

import re
from typing import Any

from infra.local.storage.errors import invalid

_TOKEN = re.compile(r"[A-Za-z_][\w-]*|[*(),/]")

Selection = dict[str, "Selection | None"]  # None = everything below


def select_fields(resource: Any, fields: str) -> Any:
    """Return a copy of the resource with only the selected fields.

    Raises:
        StorageError: 400, the selection cannot be read.
    """
    tokens = _TOKEN.findall(fields)
    try:
        if "".join(tokens) != fields.replace(" ", ""):
            raise ValueError("a character that no field name has")
        selection = _list(tokens)
        if tokens:
            raise ValueError(f"unexpected {tokens[0]!r}")
    except (ValueError, IndexError) as error:
        raise invalid(f"Invalid field selection {fields}") from error
    return _apply(resource, selection)


def _list(tokens: list[str]) -> Selection:
    """Take `path,path,...` off the front of the tokens."""
    selection = dict([_path(tokens)])
    while tokens and tokens[0] == ",":
        tokens.pop(0)
        name, below = _path(tokens)
        selection[name] = _union(selection[name], below) if name in selection else below
    return selection


def _union(one: Selection | None, other: Selection | None) -> Selection | None:
    """Return what either of two selections of the same field takes in."""
    if one is None or other is None:
        return None
    return {
        name: _union(one[name], other[name]) if name in one and name in other else {**one, **other}[name]
        for name in {**one, **other}
    }


def _path(tokens: list[str]) -> tuple[str, Selection | None]:
    """Take `name`, `name/path` or `name(list)` off the front of the tokens."""
    name = tokens.pop(0)
    if name in "(),/":
        raise ValueError(f"unexpected {name!r}")
    if tokens and tokens[0] == "/":
        tokens.pop(0)
        return name, dict([_path(tokens)])
    if tokens and tokens[0] == "(":
        tokens.pop(0)
        below = _list(tokens)
        if tokens.pop(0) != ")":
            raise ValueError("unbalanced parentheses")
        return name, below
    return name, None


def _apply(value: Any, selection: Selection) -> Any:
    if isinstance(value, list):
        return [_apply(item, selection) for item in value]
    if not isinstance(value, dict):
        return value
    chosen = value if "*" in selection else {name: value[name] for name in selection if name in value}
    result = {}
    for name, item in chosen.items():
        below = selection.get(name, selection.get("*"))
        result[name] = item if below is None else _apply(item, below)
    return result
