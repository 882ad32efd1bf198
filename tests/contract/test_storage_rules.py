"""The rules inside the local Cloud Storage that have a reference to be compared with, without a process."""

import io
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.storage.errors import StorageError
from infra.local.storage.listing import list_page
from infra.local.storage.multipart import split_multipart
from infra.local.storage.partial import select_fields
from infra.local.storage.preconditions import Preconditions

NAMES = st.sets(st.text(alphabet="ab/é", min_size=1, max_size=5), max_size=25).map(sorted)
SHORT = st.text(alphabet="ab/é", max_size=2)


@given(
    names=NAMES,
    prefix=SHORT,
    delimiter=st.sampled_from(["", "/", "b/"]),
    start=SHORT,
    end=SHORT,
    limit=st.integers(1, 4),
)
def test_pages_together_are_the_plain_listing(
    names: list[str], prefix: str, delimiter: str, start: str, end: str, limit: int
) -> None:
    expected_names, expected_prefixes = [], []
    for name in names:
        if not name.startswith(prefix) or name < start or (end and name >= end):
            continue
        head, found, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
        if not found:
            expected_names.append(name)
        elif prefix + head + delimiter not in expected_prefixes:
            expected_prefixes.append(prefix + head + delimiter)
    listed: list[str] = []
    folded: list[str] = []
    token = None
    while True:
        page = list_page(
            names, prefix=prefix, delimiter=delimiter, start_offset=start, end_offset=end, token=token, limit=limit
        )
        listed += page.names
        folded += page.prefixes
        token = page.next_token
        if token is None:
            break
        assert len(page.names) + len(page.prefixes) == limit
    assert (listed, folded) == (expected_names, expected_prefixes)


# which of them refuse a write where no object is live, and where generation 7, metageneration 2 is
@pytest.mark.parametrize(
    ("conditions", "refuses_absent", "refuses_live"),
    [
        ({}, False, False),
        ({"ifGenerationMatch": "0"}, False, True),
        ({"ifGenerationMatch": "7"}, True, False),
        ({"ifGenerationMatch": "8"}, True, True),
        ({"ifGenerationNotMatch": "0"}, True, False),
        ({"ifGenerationNotMatch": "7"}, True, True),
        ({"ifGenerationNotMatch": "8"}, True, False),
        ({"ifMetagenerationMatch": "2"}, True, False),
        ({"ifMetagenerationMatch": "1"}, True, True),
        ({"ifMetagenerationNotMatch": "2"}, True, True),
        ({"ifMetagenerationNotMatch": "1"}, True, False),
        ({"ifGenerationMatch": "7", "ifMetagenerationMatch": "1"}, True, True),
    ],
)
def test_preconditions_as_documented(conditions: dict[str, str], refuses_absent: bool, refuses_live: bool) -> None:
    checked = Preconditions.from_query(conditions)
    refused = pytest.raises(StorageError, match="pre-conditions you specified did not hold")
    with refused if refuses_absent else nullcontext():
        checked.check(None, None, reading=False)
    with refused if refuses_live else nullcontext():
        checked.check(7, 2, reading=False)


@given(media=st.binary(max_size=100), boundary=st.sampled_from(["b", "===1==", "a b"]))
def test_multipart_media_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, media: bytes, boundary: str
) -> None:
    mark = f"--{boundary}".encode()
    media = media + b"\r\n" + mark + b"--" + media  # bytes that look like the end
    body = mark + b'\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n{"name": "a"}\r\n' + mark
    body += b"\r\nContent-Type: image/tiff\r\n\r\n" + media + b"\r\n" + mark + b"--\r\n"
    path: Path = tmp_path_factory.getbasetemp() / "media"
    found = split_multipart(io.BytesIO(body), f'multipart/related; boundary="{boundary}"', path)
    assert found == ({"name": "a"}, "image/tiff")
    assert path.read_bytes() == media


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("a", {"a": 1}),
        ("b", {"b": [{"c": 2, "d": {"e": 3, "f": 4}}]}),
        ("b(c)", {"b": [{"c": 2}]}),
        ("b/d/e", {"b": [{"d": {"e": 3}}]}),
        ("b/d(e), a", {"a": 1, "b": [{"d": {"e": 3}}]}),
        ("b/c,b/d/f", {"b": [{"c": 2, "d": {"f": 4}}]}),
        ("b/d/*", {"b": [{"d": {"e": 3, "f": 4}}]}),
        ("b/c,b", {"b": [{"c": 2, "d": {"e": 3, "f": 4}}]}),
        ("absent", {}),
    ],
)
def test_partial_responses(fields: str, expected: dict) -> None:
    assert select_fields({"a": 1, "b": [{"c": 2, "d": {"e": 3, "f": 4}}]}, fields) == expected


@pytest.mark.parametrize("fields", ["a(", "a(b", "a)", ",a", "a,", "a//b", "a b!", "/"])
def test_unreadable_partial_response_is_refused(fields: str) -> None:
    with pytest.raises(StorageError, match="Invalid field selection"):
        select_fields({}, fields)
