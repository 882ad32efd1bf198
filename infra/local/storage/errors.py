"""Errors as the JSON API writes them: a status code, a reason word and a sentence."""

from collections.abc import Mapping
from typing import Any


class StorageError(Exception):
    """A refusal that reaches the client.

    Attributes:
        code: HTTP status.
        reason: Cloud Storage's word for it, such as `conditionNotMet`.
        message: the sentence for people; names what was wrong and where.
        headers: what the reply carries beside the message.
    """

    def __init__(self, code: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """Return the error object that goes into the reply."""
        detail = {"message": self.message, "domain": "global", "reason": self.reason}
        return {"error": {"code": self.code, "message": self.message, "errors": [detail]}}


def invalid(message: str) -> StorageError:
    """Return a 400 for a value that can never be right."""
    return StorageError(400, "invalid", message)


def not_found(message: str) -> StorageError:
    """Return a 404."""
    return StorageError(404, "notFound", message)


def conflict(message: str) -> StorageError:
    """Return a 409."""
    return StorageError(409, "conflict", message)


def not_implemented(what: str) -> StorageError:
    """Return a 501 for something the real service has and this one lacks."""
    return StorageError(501, "notImplemented", f"The local Cloud Storage does not implement {what}.")
