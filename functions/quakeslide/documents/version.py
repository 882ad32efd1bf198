"""Versions of stored documents: which one is written, and how an earlier one becomes it when it is read.

Every document says its version. What an earlier release wrote is brought up step by step by its kind's table of migrations, and
stored in the new form when it is next written. What a later release wrote is not guessed at, and never overwritten: after a rollback
the message is refused and delivered again until that release is back, so nothing is lost. A change of a document's form therefore
raises its version, even where a field is only added: tests hold the forms of the previous release (tests/data/previous).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from quakeslide.errors import DamagedDocument, NewerDocument

Body = dict[str, Any]
FIRST = 1  # also the version of a document that says none: the first release did not stamp pointers and cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of document.

    Attributes:
        name: in words, with its article.
        version: the one written.
        migrations: for each earlier version the function that makes the next one of it; may change the body given.
        key: the field that says the version.
    """

    name: str
    version: int = FIRST
    migrations: Mapping[int, Callable[[Body], Body]] = field(default_factory=dict)
    key: str = "version"

    def __post_init__(self) -> None:
        if set(self.migrations) != set(range(FIRST, self.version)):
            raise ValueError(f"{self.name}: migrations must lead from every earlier version to version {self.version}")

    def stamped(self, fields: Mapping[str, Any]) -> Body:
        """Return a document's fields with its version."""
        return {self.key: self.version, **fields}

    def read(self, data: bytes, where: str) -> Body:
        """Read a JSON document and bring it to the version of today.

        Args:
            data: the object's bytes.
            where: its name, for the error.

        Raises:
            NewerDocument: a later release wrote it.
            DamagedDocument: it is no JSON object, or says no possible version.
        """
        try:
            body = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise DamagedDocument(f"{where}: not {self.name}: {error}") from error
        if not isinstance(body, dict):
            raise DamagedDocument(f"{where}: not {self.name}: no JSON object")
        return self.migrated(body, where)

    def migrated(self, body: Body, where: str) -> Body:
        """Bring a document's fields to the version of today; see `read`."""
        version = body.get(self.key, FIRST)
        if not isinstance(version, int) or isinstance(version, bool) or version < FIRST:
            raise DamagedDocument(f"{where}: not {self.name}: {self.key} is {version!r}")
        if version > self.version:
            raise NewerDocument(f"{where}: {self.name} of version {version}; this release reads up to {self.version}")
        for step in range(version, self.version):
            with self.intact(where):
                body = self.migrations[step](body) | {self.key: step + 1}
        return body

    @contextmanager
    def intact(self, where: str) -> Iterator[None]:
        """Name the object where a field of it is missing or impossible.

        Raises:
            DamagedDocument: so it is.
        """
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"field {error} is missing" if isinstance(error, KeyError) else str(error)
            raise DamagedDocument(f"{where}: not {self.name}: {reason}") from error
