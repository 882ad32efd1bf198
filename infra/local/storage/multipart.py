"""Multipart uploads: metadata and media in one body, taken apart while it streams to disk.

Reference: https://cloud.google.com/storage/docs/uploading-objects#rest-upload-objects (multipart/related, RFC 2387)
"""

import json
import os
from pathlib import Path
from typing import IO, Any

from werkzeug.http import parse_options_header

from infra.local.storage.errors import invalid
from infra.local.storage.files import receive

_MAX_HEAD_LINE = 1 << 16  # bytes; metadata lines longer than this are no upload of ours


def split_multipart(stream: IO[bytes], content_type: str, path: Path) -> tuple[dict[str, Any], str | None]:
    """Write the media part of a body to a file, without its boundary.

    Args:
        stream: the request body.
        content_type: of the request; names the boundary.
        path: where the media bytes go.

    Returns:
        The object resource of the first part and the content type of the second.

    Raises:
        StorageError: 400, the body is not two parts between boundaries.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if kind != "multipart/related" or not boundary:
        raise invalid(f"Invalid Content-Type for a multipart upload: {content_type!r}")
    delimiter = f"--{boundary}".encode()
    if _line(stream) != delimiter:
        raise invalid("Malformed multipart body: it does not begin with its boundary")
    head = _headers(stream)
    if not head.get("content-type", "").startswith("application/json"):
        raise invalid("Malformed multipart body: the first part is no application/json")
    lines = []
    while (line := _line(stream)) != delimiter:
        lines.append(line)
    metadata = parse_json_object(b"\n".join(lines))
    media_type = _headers(stream).get("content-type")
    with path.open("w+b") as file:
        receive(stream, file)
        _cut_end(file, b"\r\n" + delimiter + b"--")
    return metadata, media_type


def parse_json_object(text: bytes) -> dict[str, Any]:
    """Return a JSON object; 400 for anything else, and for NaN, which JSON does not have."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    try:
        value = json.loads(text, parse_constant=refuse)
    except ValueError as error:
        raise invalid(f"Parse Error: {error}") from error
    if not isinstance(value, dict):
        raise invalid(f"Parse Error: expected a JSON object, got {type(value).__name__}")
    return value


def _line(stream: IO[bytes]) -> bytes:
    line = stream.readline(_MAX_HEAD_LINE)
    if not line.endswith(b"\n"):
        raise invalid("Malformed multipart body: it ends, or has an endless line, before the media part")
    return line.rstrip(b"\r\n")


def _headers(stream: IO[bytes]) -> dict[str, str]:
    headers = {}
    while line := _line(stream):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers


def _cut_end(file: IO[bytes], end: bytes) -> None:
    """Take the closing boundary, and what may follow it, off the end of the file."""
    size = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, size - len(end) - 1024))
    tail = file.read()
    place = tail.rfind(end)
    if place < 0:
        raise invalid("Malformed multipart body: the closing boundary is missing")
    file.truncate(start + place)
