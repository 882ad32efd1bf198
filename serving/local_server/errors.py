"""The one error that handlers raise: a canonical status, answered over gRPC and REST alike."""

import grpc

HTTP_STATUS = {
    # servers' mapping of canonical codes: tensorflow_serving/model_servers/http_server.cc, ToHTTPStatusCode
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}
ENDING = "the server is ending"
CODES_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


class Refusal(Exception):
    """An answer that is an error status.

    Attributes:
        code: canonical status code.
        message: TensorFlow Serving's text where it has one.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message

    @property
    def http_status(self) -> int:
        """HTTP status that TensorFlow Serving's REST API gives for the code."""
        return HTTP_STATUS.get(self.code, 500)


def invalid(message: str) -> Refusal:
    """Return an INVALID_ARGUMENT refusal."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> Refusal:
    """Return a NOT_FOUND refusal."""
    return Refusal(grpc.StatusCode.NOT_FOUND, message)
