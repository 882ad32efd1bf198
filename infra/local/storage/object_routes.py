"""Routes that read, list, patch and delete objects."""

import re
from collections.abc import Iterator
from typing import IO

from flask import Flask, Response, request

from infra.local.storage.errors import StorageError, not_implemented
from infra.local.storage.files import BLOCK
from infra.local.storage.listing import MAX_RESULTS, list_page
from infra.local.storage.preconditions import DESTINATION, Preconditions
from infra.local.storage.resources import StoredObject, object_properties
from infra.local.storage.wire import Services, json_body, parameters, reply, whole_number

_RANGE = re.compile(r"bytes=(?:(\d+)-(\d*)|-(\d+))")
_OBJECT = "/storage/v1/b/<quoted:bucket>/o/<quoted:name>"


def add_object_routes(app: Flask, services: Services) -> None:
    """Add the routes."""
    store = services.store

    @app.get("/storage/v1/b/<quoted:bucket>/o")
    def list_objects(bucket: str) -> Response:
        given = parameters(
            *("prefix", "delimiter", "startOffset", "endOffset", "pageToken", "maxResults"),
            *("projection", "versions", "softDeleted", "includeTrailingDelimiter", "includeFoldersAsPrefixes"),
        )
        names, objects = store.objects(bucket)
        limit = whole_number(given, "maxResults")
        page = list_page(
            names,
            prefix=given.get("prefix", ""),
            delimiter=given.get("delimiter", ""),
            start_offset=given.get("startOffset", ""),
            end_offset=given.get("endOffset", ""),
            token=given.get("pageToken"),
            limit=MAX_RESULTS if limit is None else limit,
        )
        body: dict[str, object] = {"kind": "storage#objects"}
        if page.names:
            body["items"] = [objects[name].resource(services.base_url) for name in page.names]
        if page.prefixes:
            body["prefixes"] = page.prefixes
        if page.next_token is not None:
            body["nextPageToken"] = page.next_token
        return reply(body)

    @app.get(_OBJECT)
    @app.get(f"/download{_OBJECT}")
    def get_object(bucket: str, name: str) -> Response:
        given = parameters("generation", "projection", *DESTINATION, alt=("json", "media"))
        generation, preconditions = whole_number(given, "generation"), Preconditions.from_query(given)
        if given.get("alt") == "media":
            return download(*store.open(bucket, name, generation, preconditions))
        return reply(store.get(bucket, name, generation, preconditions).resource(services.base_url))

    @app.patch(_OBJECT)
    def patch_object(bucket: str, name: str) -> Response:
        given = parameters("generation", "projection", *DESTINATION)
        generation, preconditions = whole_number(given, "generation"), Preconditions.from_query(given)
        stored = store.patch(bucket, name, generation, object_properties(json_body()), preconditions)
        return reply(stored.resource(services.base_url))

    @app.delete(_OBJECT)
    def delete_object(bucket: str, name: str) -> Response:
        given = parameters("generation", *DESTINATION)
        store.delete(bucket, name, whole_number(given, "generation"), Preconditions.from_query(given))
        return Response(status=204)


def download(stored: StoredObject, file: IO[bytes]) -> Response:
    """Return the bytes asked for as a stream; 206 for a range, 416 where it lies behind the end."""
    try:
        start, stop = requested_range(stored)
    except StorageError:
        file.close()
        raise
    encoding = stored.properties.get("contentEncoding", "")
    if encoding == "gzip" and "gzip" not in request.headers.get("Accept-Encoding", ""):
        file.close()
        raise not_implemented("decompressive transcoding (object with contentEncoding gzip, client without)")
    response = Response(
        stream(file, start, stop), status=206 if "Range" in request.headers else 200, direct_passthrough=True
    )
    response.call_on_close(file.close)
    headers = response.headers
    headers["Content-Type"] = stored.properties.get("contentType", "application/octet-stream")
    headers["Content-Length"] = str(stop - start)
    headers["Accept-Ranges"] = "bytes"
    headers["ETag"] = stored.etag
    headers["X-Goog-Generation"] = str(stored.generation)
    headers["X-Goog-Metageneration"] = str(stored.metageneration)
    headers["X-Goog-Hash"] = f"crc32c={stored.crc32c},md5={stored.md5_hash}"
    headers["X-Goog-Storage-Class"] = "STANDARD"
    headers["X-Goog-Stored-Content-Length"] = str(stored.size)
    headers["X-Goog-Stored-Content-Encoding"] = encoding or "identity"
    for name, field in (
        ("Content-Encoding", "contentEncoding"),
        ("Content-Disposition", "contentDisposition"),
        ("Content-Language", "contentLanguage"),
        ("Cache-Control", "cacheControl"),
    ):
        if field in stored.properties:
            headers[name] = stored.properties[field]
    if response.status_code == 206:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{stored.size}"
    return response


def requested_range(stored: StoredObject) -> tuple[int, int]:
    """Return the half-open byte range of the request: all of the object where it names none."""
    header = request.headers.get("Range")
    if header is None:
        return 0, stored.size
    match = _RANGE.fullmatch(header)
    if match is None or (match[2] and int(match[2]) < int(match[1])):
        raise not_implemented(f"the header Range: {header}")
    if match[3] is not None:
        start, stop = max(0, stored.size - int(match[3])), stored.size
    else:
        start = int(match[1])
        stop = min(int(match[2]) + 1, stored.size) if match[2] else stored.size
    if start >= stop:
        message = f"Range {header} lies behind the end of {stored.bucket}/{stored.name}, {stored.size} bytes"
        raise StorageError(416, "requestedRangeNotSatisfiable", message, {"Content-Range": f"bytes */{stored.size}"})
    return start, stop


def stream(file: IO[bytes], start: int, stop: int) -> Iterator[bytes]:
    """Yield the bytes of a half-open range in blocks."""
    file.seek(start)
    left = stop - start
    while left:
        block = file.read(min(left, BLOCK))
        left -= len(block)
        yield block
