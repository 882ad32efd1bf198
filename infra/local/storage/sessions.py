"""Resumable uploads: a session on disk that grows chunk by chunk and outlives a restart.

    ROOT/uploads/ID.json   what is to be made of it, or, once done, what was made
    ROOT/uploads/ID.part   the bytes so far

Reference: https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from infra.local.storage.errors import invalid, not_found
from infra.local.storage.files import BLOCK, read_json_files, receive, write_json
from infra.local.storage.preconditions import Preconditions
from infra.local.storage.resources import StoredObject

_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
CHUNK_UNIT = 256 * 1024  # bytes; every chunk but the last is a multiple of this


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Where the body of a request belongs in the object; `bytes FIRST-LAST/TOTAL`, `*` where unknown or nothing.

    Attributes:
        first: offset of the body's first byte; None for a body that is empty by intention.
        total: size of the object; None while unknown.
    """

    first: int | None
    total: int | None

    @classmethod
    def parse(cls, header: str | None, body_size: int) -> "ContentRange":
        """Read the header; without one the body is the whole object. 400 if it does not agree with the body."""
        if header is None:
            return cls(0, body_size)
        match = _CONTENT_RANGE.fullmatch(header)
        if match is None:
            raise invalid(f"Failed to parse Content-Range header: {header!r}")
        total = None if match[3] == "*" else int(match[3])
        if match[1] is None:
            if body_size:
                raise invalid(f"Content-Range {header!r} announces no bytes, the body has {body_size}")
            return cls(None, total)
        first, end = int(match[1]), int(match[2]) + 1
        if end - first != body_size or (total is not None and end > total):
            raise invalid(f"Content-Range {header!r} does not agree with a body of {body_size} bytes")
        if total is None and body_size % CHUNK_UNIT:
            raise invalid(f"A chunk that is not the last must be a multiple of {CHUNK_UNIT} bytes; got {body_size}")
        return cls(first, total)


@dataclass(slots=True, kw_only=True)
class Session:
    """One resumable upload.

    Attributes:
        id: unguessable.
        bucket: where the object is to be.
        name: the object.
        properties: its properties.
        checksums: what the writer says they are.
        preconditions: checked when the session begins and again at the commit.
        path: the bytes so far.
        result: the object, once made.
    """

    id: str
    bucket: str
    name: str
    properties: Mapping[str, Any]
    checksums: Mapping[str, str]
    preconditions: Preconditions
    path: Path
    result: StoredObject | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def received(self) -> int:
        """Bytes that need not be sent again."""
        return self.path.stat().st_size

    def add(self, place: ContentRange, stream: IO[bytes]) -> bool:
        """Append what is new in a chunk and tell whether the object is complete.

        Bytes that are there already are skipped; a chunk behind a gap is left unread, and the client learns from
        `received` where to go on.
        """
        if place.first is not None and place.first <= self.received:
            known = self.received - place.first
            while known and (block := stream.read(min(known, BLOCK))):
                known -= len(block)
            with self.path.open("ab") as file:
                receive(stream, file)
        return place.total is not None and self.received == place.total


class Sessions:
    """All resumable uploads under one root."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "uploads"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sessions: dict[str, Session] = {}
        for record in read_json_files(self._folder):
            session = self._revive(record)
            # without bytes and without a result: the crash came between the commit and the record of it
            if session.result is not None or session.path.exists():
                self._sessions[session.id] = session
        for path in self._folder.glob("*.part"):
            if path.stem not in self._sessions:
                path.unlink()

    def begin(
        self,
        bucket: str,
        name: str,
        properties: Mapping[str, Any],
        checksums: Mapping[str, str],
        preconditions: Preconditions,
    ) -> Session:
        """Open a session."""
        session_id = uuid4().hex
        session = Session(
            id=session_id,
            bucket=bucket,
            name=name,
            properties=properties,
            checksums=checksums,
            preconditions=preconditions,
            path=self._folder / f"{session_id}.part",
        )
        session.path.touch()
        self._save(session)
        self._sessions[session_id] = session
        return session

    def get(self, bucket: str, session_id: str) -> Session:
        """Return a session; 404 if there is none."""
        session = self._sessions.get(session_id)
        if session is None or session.bucket != bucket:
            raise not_found(f"No such upload: {session_id}")
        return session

    def finish(self, session: Session, commit: Callable[[], StoredObject]) -> StoredObject:
        """Make the object and remember it, so that a repeated last chunk is answered with it.

        A refused commit (412, wrong checksum) ends the session.
        """
        try:
            session.result = commit()
        finally:
            session.path.unlink(missing_ok=True)
            if session.result is None:
                del self._sessions[session.id]
                self._record(session.id).unlink()
        self._save(session)
        return session.result

    @property
    def open(self) -> int:
        """Sessions that have not made their object yet."""
        return sum(session.result is None for session in list(self._sessions.values()))

    def _record(self, session_id: str) -> Path:
        return self._folder / f"{session_id}.json"

    def _save(self, session: Session) -> None:
        record = {
            "id": session.id,
            "bucket": session.bucket,
            "name": session.name,
            "properties": session.properties,
            "checksums": session.checksums,
            "preconditions": asdict(session.preconditions),
            "result": session.result and asdict(session.result),
        }
        write_json(self._record(session.id), record)

    def _revive(self, record: dict[str, Any]) -> Session:
        result = record.pop("result")
        return Session(
            **{**record, "preconditions": Preconditions(**record["preconditions"])},
            path=self._folder / f"{record['id']}.part",
            result=StoredObject(**result) if result else None,
        )
