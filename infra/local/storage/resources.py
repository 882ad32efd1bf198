"""Objects and buckets as values, and as the JSON resources that clients see.

Reference: https://cloud.google.com/storage/docs/json_api/v1/objects#resource
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from infra.local.storage.errors import invalid, not_implemented

_TEXTS = ("contentType", "contentEncoding", "contentDisposition", "contentLanguage", "cacheControl", "customTime")
_CHECKSUMS = ("crc32c", "md5Hash")
# sent back by clients that have read the resource before; the real service does not let them be written either
_OUTPUT_ONLY = frozenset(
    {
        "kind",
        "id",
        "selfLink",
        "mediaLink",
        "name",
        "bucket",
        "generation",
        "metageneration",
        "size",
        "etag",
        "timeCreated",
        "updated",
        "timeStorageClassUpdated",
        "timeFinalized",
    }
)
_LACKING = frozenset(
    {
        "acl",
        "owner",
        "temporaryHold",
        "eventBasedHold",
        "retention",
        "retentionExpirationTime",
        "kmsKeyName",
        "componentCount",
        "customerEncryption",
        "contexts",
        "softDeleteTime",
        "hardDeleteTime",
        "timeDeleted",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One live object.

    Attributes:
        bucket: its bucket.
        name: its name, any UTF-8.
        generation: rises with every write of the bytes, over all buckets.
        metageneration: 1 at first, rises with every change of the properties.
        size: bytes.
        crc32c: base64 of the big-endian checksum.
        md5_hash: base64.
        time_created: RFC 3339, UTC.
        updated: RFC 3339, UTC, of the last change of bytes or properties.
        properties: what the writer said of it: contentType, metadata, cacheControl, ...
    """

    bucket: str
    name: str
    generation: int
    metageneration: int
    size: int
    crc32c: str
    md5_hash: str
    time_created: str
    updated: str
    properties: Mapping[str, Any]

    @property
    def etag(self) -> str:
        """Changes with generation and metageneration."""
        return base64.b64encode(f"{self.generation}/{self.metageneration}".encode()).decode()

    def resource(self, base_url: str) -> dict[str, Any]:
        """Return the object resource; `base_url` is the service's own address, for the links."""
        path = f"storage/v1/b/{self.bucket}/o/{quote(self.name, safe='~')}"
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "selfLink": f"{base_url}/{path}",
            "mediaLink": f"{base_url}/download/{path}?generation={self.generation}&alt=media",
            "name": self.name,
            "bucket": self.bucket,
            "generation": str(self.generation),
            "metageneration": str(self.metageneration),
            "storageClass": "STANDARD",
            "size": str(self.size),
            "md5Hash": self.md5_hash,
            "crc32c": self.crc32c,
            "etag": self.etag,
            "timeCreated": self.time_created,
            "updated": self.updated,
            "timeStorageClassUpdated": self.time_created,
            "timeFinalized": self.time_created,
            **self.properties,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One bucket.

    Attributes:
        name: its name.
        time_created: RFC 3339, UTC.
        properties: stored without effect: location, labels, iamConfiguration, storageClass.
    """

    name: str
    time_created: str
    properties: Mapping[str, Any]

    def resource(self, base_url: str) -> dict[str, Any]:
        """Return the bucket resource."""
        return {
            "kind": "storage#bucket",
            "id": self.name,
            "selfLink": f"{base_url}/storage/v1/b/{self.name}",
            "name": self.name,
            "metageneration": "1",
            "etag": "MQ==",
            "location": "US",
            "storageClass": "STANDARD",
            "timeCreated": self.time_created,
            "updated": self.time_created,
            **self.properties,
        }


def bucket_properties(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be said of a new bucket; anything with an effect that we lack is refused by name (501)."""
    for field in body:
        if field not in ("name", "location", "labels", "iamConfiguration", "storageClass"):
            raise not_implemented(f"the bucket field {field!r}")
    return {field: value for field, value in body.items() if field != "name"}


def object_properties(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the writable properties in an object resource, None where one is to be removed.

    Raises:
        StorageError: 400 for a field that no object has or a value of the wrong type, 501 for one that we lack.
    """
    properties: dict[str, Any] = {}
    for field, value in body.items():
        if field in _TEXTS:
            if value is not None and not isinstance(value, str):
                raise invalid(f"Invalid value for {field}: {value!r} is no string")
            properties[field] = value
        elif field == "metadata":
            properties[field] = _custom_metadata(value)
        elif field == "storageClass":
            if value not in (None, "STANDARD"):
                raise not_implemented(f"storageClass {value!r}")
        elif field in _LACKING:
            raise not_implemented(f"the object field {field!r}")
        elif field not in _OUTPUT_ONLY and field not in _CHECKSUMS:
            raise invalid(f'Invalid JSON payload received. Unknown name "{field}": no object has this field.')
    return properties


def claimed_checksums(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the checksums that the writer states, under `crc32c` and `md5Hash`."""
    claimed = {field: body[field] for field in _CHECKSUMS if body.get(field) is not None}
    for field, value in claimed.items():
        if not isinstance(value, str):
            raise invalid(f"Invalid value for {field}: {value!r} is no base64 string")
    return claimed


def merge_properties(old: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a patch: None removes, custom metadata is merged key by key, anything else replaces."""
    merged = dict(old)
    for field, value in change.items():
        if field == "metadata" and value is not None:
            value = {key: text for key, text in {**merged.get(field, {}), **value}.items() if text is not None}
        merged[field] = value
    return {field: value for field, value in merged.items() if value not in (None, {})}


def _custom_metadata(value: Any) -> dict[str, str | None] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not all(text is None or isinstance(text, str) for text in value.values()):
        raise invalid(f"Invalid value for metadata: {value!r} is no map of strings")
    return value
