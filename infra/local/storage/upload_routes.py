"""Routes that write bytes: media, multipart and resumable uploads, copies."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request

from infra.local.storage.errors import invalid, not_implemented
from infra.local.storage.files import measure, receive
from infra.local.storage.multipart import split_multipart
from infra.local.storage.names import check_object_name
from infra.local.storage.preconditions import DESTINATION, SOURCE, Preconditions
from infra.local.storage.resources import StoredObject, claimed_checksums, object_properties
from infra.local.storage.sessions import ContentRange, Session
from infra.local.storage.wire import Services, json_body, parameters, reply, whole_number

_DEFAULT_TYPE = "application/octet-stream"
_BUCKET = "/storage/v1/b/<quoted:bucket>/o"
_COPY = f"{_BUCKET}/<quoted:name>/<any(rewriteTo, copyTo):verb>/b/<quoted:to_bucket>/o/<quoted:to_name>"


def add_upload_routes(app: Flask, services: Services) -> None:
    """Add the routes."""
    store, sessions, faults = services.store, services.sessions, services.faults

    def write(
        bucket: str,
        name: str,
        path: Path,
        properties: Mapping[str, Any],
        checksums: Mapping[str, str],
        preconditions: Preconditions,
    ) -> StoredObject:
        """Make the file an object."""
        draft = measure(path)
        for field, computed in (("crc32c", draft.crc32c), ("md5Hash", draft.md5_hash)):
            if checksums.get(field, computed) != computed:
                raise invalid(f"Provided {field} {checksums[field]!r} doesn't match calculated {field} {computed!r}.")
        return store.commit(bucket, name, draft, {"contentType": _DEFAULT_TYPE, **properties}, preconditions)

    def written(stored: StoredObject) -> Response:
        faults.after_commit(stored.name)
        return reply(stored.resource(services.base_url))

    @app.post(f"/upload{_BUCKET}")
    def upload(bucket: str) -> Response:
        given = parameters("uploadType", "name", "contentEncoding", *DESTINATION)
        store.bucket(bucket)
        if "Content-Encoding" in request.headers:
            raise not_implemented("the header Content-Encoding on uploads; say contentEncoding in the metadata")
        kind = given.get("uploadType")
        preconditions = Preconditions.from_query(given)
        if kind == "resumable":
            return begin(bucket, given, preconditions)
        if kind not in ("media", "multipart"):
            raise invalid(f"Invalid value for uploadType: {kind!r}; expected media, multipart or resumable")
        path = store.new_path()
        try:
            metadata: dict[str, Any] = {}
            media_type: str | None = request.content_type
            if kind == "media":
                with path.open("wb") as file:
                    receive(request.stream, file)
            else:
                metadata, media_type = split_multipart(request.stream, request.content_type or "", path)
            properties = named_properties(metadata, given, media_type)
            name = check_object_name(given.get("name", metadata.get("name")))
            checksums = claimed_checksums(metadata) | header_checksums()
            faults.before_commit(name)
            stored = write(bucket, name, path, properties, checksums, preconditions)
        finally:
            path.unlink(missing_ok=True)
        return written(stored)

    def begin(bucket: str, given: Mapping[str, str], preconditions: Preconditions) -> Response:
        metadata = json_body()
        name = check_object_name(given.get("name", metadata.get("name")))
        properties = named_properties(metadata, given, request.headers.get("X-Upload-Content-Type"))
        preconditions.check_object(store.live(bucket, name), reading=False)
        session = sessions.begin(bucket, name, properties, claimed_checksums(metadata), preconditions)
        address = f"{services.base_url}{request.path}?uploadType=resumable&upload_id={session.id}"
        return Response(status=200, headers={"Location": address, "X-GUploader-UploadID": session.id})

    @app.put(f"/upload{_BUCKET}")
    def resume(bucket: str) -> Response:
        given = parameters("uploadType", "upload_id", "name", *DESTINATION)
        session = sessions.get(bucket, given.get("upload_id", ""))
        with session.lock:
            if session.result is not None:
                return reply(session.result.resource(services.base_url))
            place = ContentRange.parse(request.headers.get("Content-Range"), request.content_length or 0)
            if not session.add(place, request.stream):
                return incomplete(session)
            faults.before_commit(session.name)
            checksums = {**session.checksums, **header_checksums()}
            stored = sessions.finish(
                session,
                lambda: write(bucket, session.name, session.path, session.properties, checksums, session.preconditions),
            )
        return written(stored)

    @app.post(_COPY)
    def copy(bucket: str, name: str, verb: str, to_bucket: str, to_name: str) -> Response:
        given = parameters(
            "sourceGeneration", "rewriteToken", "maxBytesRewrittenPerCall", "projection", *SOURCE, *DESTINATION
        )
        if "rewriteToken" in given:
            raise invalid("Invalid rewriteToken: every rewrite here is done in one call")
        source = store.get(
            bucket,
            name,
            whole_number(given, "sourceGeneration"),
            Preconditions.from_query(given, SOURCE),
            reading=False,
        )
        store.bucket(to_bucket)
        # a resource in the body replaces the source's properties, none keeps them
        properties = object_properties(json_body()) or source.properties
        draft = store.copy_draft(source)
        try:
            faults.before_commit(to_name)
            stored = store.commit(to_bucket, to_name, draft, properties, Preconditions.from_query(given))
        finally:
            draft.path.unlink(missing_ok=True)
        faults.after_commit(stored.name)
        resource = stored.resource(services.base_url)
        if verb == "copyTo":
            return reply(resource)
        size = str(stored.size)
        done = {"kind": "storage#rewriteResponse", "done": True, "totalBytesRewritten": size, "objectSize": size}
        return reply({**done, "resource": resource})


def incomplete(session: Session) -> Response:
    """Return 308 with the bytes that need not be sent again."""
    received = session.received
    headers = {"X-GUploader-UploadID": session.id} | ({"Range": f"bytes=0-{received - 1}"} if received else {})
    response = jsonify()
    response.status_code = 308
    response.set_data(b"")
    response.headers.update(headers)
    return response


def named_properties(metadata: Mapping[str, Any], given: Mapping[str, str], media_type: str | None) -> dict[str, Any]:
    """Return the properties of an upload; the metadata's own content type wins over that of the media."""
    properties = object_properties(metadata)
    if media_type is not None:
        properties.setdefault("contentType", media_type)
    if "contentEncoding" in given:
        properties["contentEncoding"] = given["contentEncoding"]
    return properties


def header_checksums() -> dict[str, str]:
    """Return what `X-Goog-Hash: crc32c=...,md5=...` claims; 400 for another algorithm."""
    claimed = {}
    for item in filter(None, request.headers.get("X-Goog-Hash", "").split(",")):
        algorithm, _, value = item.strip().partition("=")
        if algorithm not in ("crc32c", "md5"):
            raise invalid(f"Invalid X-Goog-Hash: unknown algorithm {algorithm!r}")
        claimed["crc32c" if algorithm == "crc32c" else "md5Hash"] = value
    return claimed
