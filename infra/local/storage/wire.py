"""What all routes share: raw paths, strict parameters, JSON in and out, partial responses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import unquote

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import InternalServerError, MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter

from infra.local.storage.errors import StorageError, invalid, not_implemented
from infra.local.storage.faults import Faults
from infra.local.storage.multipart import parse_json_object
from infra.local.storage.notifications import Notifications
from infra.local.storage.outbox import Outbox
from infra.local.storage.partial import select_fields
from infra.local.storage.sessions import Sessions
from infra.local.storage.store import ObjectStore

# Sent by clients on any route. `userProject` has no effect where nobody pays.
_EVERYWHERE = ("alt", "fields", "prettyPrint", "userProject")
# Parameters of the real service of which we have only these values. `full` shows the same as `noAcl`: as in a bucket
# with uniform access, no object has an access list of its own.
_ONLY_DEFAULT = {
    "projection": ("noAcl", "full"),
    "versions": ("false", "False"),
    "softDeleted": ("false", "False"),
    "includeTrailingDelimiter": ("false", "False"),
    "includeFoldersAsPrefixes": ("false", "False"),
}
_LACKING = ("predefinedAcl", "predefinedDefaultObjectAcl", "kmsKeyName", "destinationKmsKeyName", "matchGlob", "filter")
_LACKING_HEADERS = ("x-goog-encryption-", "x-goog-copy-source-encryption-", "if-match", "if-none-match")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the routes work with.

    Attributes:
        base_url: the service's own address, for links in resources.
        lock: held open, so that no second service works on the same root.
    """

    store: ObjectStore
    sessions: Sessions
    notifications: Notifications
    outbox: Outbox
    faults: Faults
    base_url: str
    lock: IO[str]


class QuotedSegment(BaseConverter):
    """One path segment, still percent-encoded in the path: an object's name may hold any character, `/` too."""

    part_isolating = True
    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        """Decode the segment; what is not UTF-8 is refused later, where an error still becomes a reply."""
        return unquote(value, errors="surrogateescape")


def make_flask() -> Flask:
    """Return an application without routes that sees raw paths and answers errors as Cloud Storage does."""
    app = Flask("storage", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.converters["quoted"] = QuotedSegment
    app.url_map.merge_slashes = False
    inner = app.wsgi_app

    def with_raw_path(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # WSGI decodes the path, after which `a%2Fb` cannot be told from `a/b`
        environ["PATH_INFO"] = environ["REQUEST_URI"].partition("?")[0]
        return inner(environ, start_response)

    app.wsgi_app = with_raw_path  # type: ignore[method-assign]

    @app.errorhandler(StorageError)
    def refused(error: StorageError) -> Response:
        if error.code == 304:
            return Response(status=304)
        response = jsonify(error.body())
        response.status_code = error.code
        response.headers.update(error.headers)
        return response

    @app.errorhandler(NotFound)
    @app.errorhandler(MethodNotAllowed)
    def unknown_route(error: NotFound | MethodNotAllowed) -> Response:
        return refused(not_implemented(f"the route {request.method} {request.path}"))

    @app.errorhandler(InternalServerError)
    def broken(error: InternalServerError) -> Response:
        return refused(
            StorageError(500, "backendError", f"The local Cloud Storage failed: {error.original_exception!r}")
        )

    @app.before_request
    def refuse_paths_and_headers() -> None:
        for value in (request.view_args or {}).values():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise invalid(f"Invalid path {request.path}: not UTF-8") from error
        for name, _ in request.headers:
            if name.lower().startswith(_LACKING_HEADERS):
                raise not_implemented(f"the header {name}")

    return app


def parameters(*allowed: str, alt: tuple[str, ...] = ("json",)) -> dict[str, str]:
    """Return the query parameters of the request; 400 or 501 names one that this route does not take."""
    given = request.args.to_dict()
    for name, value in given.items():
        if name in _LACKING:
            raise not_implemented(f"the query parameter {name}")
        if name not in allowed and name not in _EVERYWHERE:
            raise invalid(f"Unknown query parameter {name!r} for {request.method} {request.path}")
        if value not in _ONLY_DEFAULT.get(name, (value,)):
            raise not_implemented(f"the query parameter {name}={value}")
    if given.get("alt", "json") not in alt:
        raise invalid(f"Invalid value for alt: {given['alt']!r} for {request.method} {request.path}")
    return given


def whole_number(given: Mapping[str, str], name: str) -> int | None:
    """Return a parameter as a number, None if it is not given; 400 if it is none."""
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise invalid(f"Invalid value for {name}: {text!r} is no whole number.")
    return int(text)


def json_body() -> dict[str, Any]:
    """Return the JSON object in the request's body; an empty body is an empty object."""
    text = request.get_data()
    return parse_json_object(text) if text else {}


def reply(resource: Mapping[str, Any]) -> Response:
    """Answer with a resource, cut down to the `fields` that were asked for."""
    fields = request.args.get("fields")
    return jsonify(select_fields(resource, fields) if fields else resource)
