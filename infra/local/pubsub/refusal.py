"""What the service answers instead of a result: a gRPC status with the text of the real service."""

import grpc


class Refused(Exception):
    """A request that is answered with an error status.

    Attributes:
        code: the gRPC status.
        text: its message, as the client shows it.
    """

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def not_found(name: str) -> Refused:
    """A topic or subscription that does not exist; the real service names it by its last part."""
    return Refused(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={name.rsplit('/', 1)[-1]}).")


def already_exists(name: str) -> Refused:
    """A topic or subscription whose name is taken."""
    short = name.rsplit("/", 1)[-1]
    return Refused(grpc.StatusCode.ALREADY_EXISTS, f"Resource already exists in the project (resource={short}).")


def invalid(text: str) -> Refused:
    """A request whose content cannot be accepted."""
    return Refused(grpc.StatusCode.INVALID_ARGUMENT, text)


def out_of_range(field: str, value: object, *, minimum: object = None, maximum: object = None) -> Refused:
    """A number outside its limits; give the limit that was broken."""
    side, word, limit = ("small", "minimum", minimum) if maximum is None else ("large", "maximum", maximum)
    return invalid(
        f"The value for {field} is too {side}. You passed {value} in the request, but the {word} value is {limit}."
    )


def unsupported(what: str) -> Refused:
    """A part of the real API that this service does not play; refused by name rather than ignored."""
    return Refused(grpc.StatusCode.UNIMPLEMENTED, f"The local Pub/Sub does not support {what}.")
