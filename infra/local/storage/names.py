"""Which bucket and object names exist, and how they are spelled as files: never by the name itself.

Reference: https://cloud.google.com/storage/docs/buckets#naming and https://cloud.google.com/storage/docs/objects#naming
"""

import hashlib
import re

from infra.local.storage.errors import invalid

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_MAX_OBJECT_NAME_BYTES = 1024


def check_bucket_name(name: object) -> str:
    """Return the name, or refuse it with 400; a good one is also a safe folder name."""
    if not isinstance(name, str) or not _BUCKET.fullmatch(name) or ".." in name:
        raise invalid(f"Invalid bucket name: {name!r}")
    return name


def check_object_name(name: object) -> str:
    """Return the name, or refuse it with 400."""
    if not isinstance(name, str) or not name:
        raise invalid(f"Required: an object name; got {name!r}")
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise invalid(f"Invalid object name {name!r}: not UTF-8") from error
    if size > _MAX_OBJECT_NAME_BYTES:
        raise invalid(f"Invalid object name: {size} bytes of UTF-8, at most {_MAX_OBJECT_NAME_BYTES} are allowed")
    if name in (".", "..") or "\r" in name or "\n" in name or name.startswith(".well-known/acme-challenge/"):
        raise invalid(f"Invalid object name: {name!r}")
    return name


def file_stem(name: str) -> str:
    """Return the file name that stands for an object name."""
    return hashlib.sha256(name.encode()).hexdigest()
