"""Files: streams to disk in blocks, checksums of what lies there, JSON written whole or not at all."""

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import google_crc32c

BLOCK = 1 << 20  # bytes held in memory at a time, per request


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Bytes that wait to become an object.

    Attributes:
        path: the file; taken away by the commit.
        size: bytes.
        crc32c: base64 of the big-endian checksum.
        md5_hash: base64.
    """

    path: Path
    size: int
    crc32c: str
    md5_hash: str


def receive(stream: IO[bytes], target: IO[bytes]) -> int:
    """Copy a stream to a file in blocks and return the number of bytes."""
    size = 0
    while block := stream.read(BLOCK):
        target.write(block)
        size += len(block)
    return size


def measure(path: Path) -> Draft:
    """Read a file once and return it with its size and checksums."""
    crc32c, md5, size = google_crc32c.Checksum(), hashlib.md5(usedforsecurity=False), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            crc32c.update(block)
            md5.update(block)
            size += len(block)
    encode = base64.b64encode
    return Draft(path=path, size=size, crc32c=encode(crc32c.digest()).decode(), md5_hash=encode(md5.digest()).decode())


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically: readers, and a restart after SIGKILL, see the old or the new one.

    There is no fsync: what is to survive is the death of this process, not of the machine.
    """
    draft = path.with_name(path.name + ".draft")
    draft.write_text(json.dumps(value, allow_nan=False), encoding="utf-8")
    os.replace(draft, path)


def read_json_files(folder: Path) -> list[Any]:
    """Return the content of every JSON file of a folder, by file name; drafts left by a crash are removed."""
    for draft in folder.glob("*.draft"):
        draft.unlink()
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
