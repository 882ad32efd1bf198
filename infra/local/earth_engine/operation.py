"""One export task: what was asked, how far it is, and how it is kept."""

import hashlib
import json
import threading
from dataclasses import dataclass, field
from typing import Any

from infra.local.earth_engine.export_request import ExportRequest, parse_export

METADATA = "type.googleapis.com/google.earthengine.v1.OperationMetadata"
EMPTY = "type.googleapis.com/google.protobuf.Empty"
TERMINAL = {"SUCCEEDED", "FAILED", "CANCELLED"}


def digest_of(payload: Any) -> str:
    """Tells a repeated request from another one."""
    return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()


@dataclass(slots=True)
class Operation:
    """One task.

    Attributes:
        name: `projects/P/operations/ID`.
        number: how many were made before it.
        key: project and requestId (or a random one).
        payload: the request's body.
        request: the same, read.
        metadata: as the client receives it.
        error: `{code, message}` once it failed or was cancelled.
        is_lost: a fault made the service forget it.
        cancelled: set to stop it.
    """

    name: str
    number: int
    key: tuple[str, str]
    payload: Any
    request: ExportRequest
    metadata: dict[str, Any]
    error: dict[str, Any] | None = None
    is_lost: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def is_done(self) -> bool:
        """True once nothing will change any more."""
        return self.metadata["state"] in TERMINAL

    def body(self) -> dict[str, Any]:
        """The operation as JSON."""
        body: dict[str, Any] = {"name": self.name, "metadata": dict(self.metadata)}
        if self.is_done:
            body["done"] = True
            body |= {"error": self.error} if self.error else {"response": {"@type": EMPTY}}
        return body

    def record(self) -> dict[str, Any]:
        """What is kept of it."""
        kept = ("name", "number", "key", "payload", "metadata", "error", "is_lost")
        return {field: getattr(self, field) for field in kept}


def restored(record: dict[str, Any]) -> Operation:
    """The task kept in a record; one that had not ended waits again."""
    operation = Operation(**{**record, "key": tuple(record["key"])}, request=parse_export(record["payload"]))
    if not operation.is_done:
        operation.metadata["state"] = "PENDING"
    return operation
