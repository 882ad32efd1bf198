"""Errors in the shape Google's APIs give them: an HTTP status, a canonical code and a sentence."""

CANONICAL = {
    400: (3, "INVALID_ARGUMENT"),
    404: (5, "NOT_FOUND"),
    405: (12, "UNIMPLEMENTED"),
    429: (8, "RESOURCE_EXHAUSTED"),
    500: (13, "INTERNAL"),
}


class EarthEngineError(Exception):
    """A request or a task that Earth Engine refuses.

    Attributes:
        message: what and where, as the client shows it.
        status: HTTP status of the reply.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status

    @property
    def code(self) -> int:
        """The number an operation's `error.code` carries (google.rpc.Code)."""
        return CANONICAL[self.status][0]

    def body(self) -> dict[str, object]:
        """The JSON body of the HTTP reply."""
        return {"error": {"code": self.status, "message": self.message, "status": CANONICAL[self.status][1]}}


def unsupported(what: str) -> EarthEngineError:
    """The refusal of something the real Earth Engine has and this one has not."""
    return EarthEngineError(f"local Earth Engine does not support {what}")
