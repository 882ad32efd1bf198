"""Pages of object names: prefix, delimiter, offsets and page tokens.

Reference: https://cloud.google.com/storage/docs/json_api/v1/objects/list
"""

import base64
import binascii
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from infra.local.storage.errors import invalid

MAX_RESULTS = 1000
_BEYOND = "\U0010ffff"  # a noncharacter: sorts behind every name that goes on after a prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a listing.

    Attributes:
        names: objects.
        prefixes: what names have in common up to the delimiter; each counts as one result.
        next_token: None on the last page.
    """

    names: list[str]
    prefixes: list[str]
    next_token: str | None


def list_page(
    names: Sequence[str],
    *,
    prefix: str = "",
    delimiter: str = "",
    start_offset: str = "",
    end_offset: str = "",
    token: str | None = None,
    limit: int = MAX_RESULTS,
) -> Page:
    """Return one page of sorted names.

    Args:
        names: all names of the bucket, sorted.
        prefix: only names that begin so.
        delimiter: names that hold it behind the prefix are folded into `Page.prefixes`; empty = none are.
        start_offset: only names from here on.
        end_offset: only names before this; empty = no end.
        token: `Page.next_token` of the page before.
        limit: results at most.

    Raises:
        StorageError: 400, not a token of ours, or a limit below 1.
    """
    if limit < 1:
        raise invalid(f"Invalid value for maxResults: {limit} is below 1")
    found: list[str] = []
    folded: list[str] = []
    index = bisect_left(names, max(prefix, start_offset, _resume(token)))
    while index < len(names) and names[index].startswith(prefix) and (not end_offset or names[index] < end_offset):
        name = names[index]
        if len(found) + len(folded) == min(limit, MAX_RESULTS):
            return Page(names=found, prefixes=folded, next_token=_token(name))
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            found.append(name)
            index += 1
        else:
            folded.append(name[: cut + len(delimiter)])
            index = bisect_left(names, folded[-1] + _BEYOND, lo=index)
    return Page(names=found, prefixes=folded, next_token=None)


def _token(resume: str) -> str:
    return base64.urlsafe_b64encode(resume.encode()).decode()


def _resume(token: str | None) -> str:
    """Return the first name of the page, which is what a token holds."""
    if token is None:
        return ""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise invalid(f"Invalid value for pageToken: {token!r}") from error
