"""The local Cloud Storage as the unmodified client library sees it."""

import base64
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPResponse
from itertools import chain
from pathlib import Path
from socket import create_connection
from urllib.parse import quote

import google_crc32c
import pytest
import requests
from google.api_core import exceptions
from google.cloud import storage

from tests.contract.storage_service import ROOT, StorageService, client_of

MIB = 1 << 20


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageService]:
    with StorageService(tmp_path_factory.mktemp("storage")) as running:
        yield running


@pytest.fixture(scope="module")
def client(service: StorageService) -> Iterator[storage.Client]:
    with client_of(service.url) as made:
        yield made


@pytest.fixture
def bucket(client: storage.Client, service: StorageService, request: pytest.FixtureRequest) -> Iterator[storage.Bucket]:
    made = client.create_bucket(f"test-{abs(hash(request.node.name)):x}")
    yield made
    service.set_faults()


def path_of(bucket: storage.Bucket) -> str:
    return f"{bucket.client._connection.API_BASE_URL}/storage/v1/b/{bucket.name}"


# --- buckets ---


def test_bucket_lives_until_it_is_deleted_empty(client: storage.Client) -> None:
    bucket = client.create_bucket("quakeslide-local-life")
    assert client.bucket("quakeslide-local-life").exists()
    assert "quakeslide-local-life" in [found.name for found in client.list_buckets()]
    with pytest.raises(exceptions.Conflict, match="already own it"):
        client.create_bucket("quakeslide-local-life")
    blob = bucket.blob("x")
    blob.upload_from_string(b"")
    with pytest.raises(exceptions.Conflict, match="not empty"):
        bucket.delete()
    blob.delete()
    bucket.delete()
    assert not bucket.exists()
    with pytest.raises(exceptions.NotFound, match="The specified bucket does not exist"):
        bucket.blob("x").upload_from_string(b"")


@pytest.mark.parametrize("name", ["ab", "UPPER", "a/b/c", "..", "a..b", "-abc", "a" * 64])
def test_bad_bucket_name_is_refused(service: StorageService, name: str) -> None:
    reply = requests.post(f"{service.url}/storage/v1/b", json={"name": name}, timeout=10)
    assert reply.status_code == 400
    assert repr(name) in reply.json()["error"]["message"]


# --- objects ---


@pytest.mark.parametrize(
    "name",
    [
        "plain.txt",
        "a/b/../../../../escape",
        "../x",
        "/abs",
        "a//b",
        "é ü/#?&%2F+",
        "x" * 1024,
        "a/rewriteTo/b/c/o/d",
        "o",
    ],
)
def test_any_legal_name_is_written_read_and_listed(bucket: storage.Bucket, service: StorageService, name: str) -> None:
    bucket.blob(name).upload_from_string(name.encode(), content_type="text/plain", if_generation_match=0)
    found = bucket.get_blob(name)
    assert found.download_as_bytes() == name.encode()
    assert [blob.name for blob in bucket.list_blobs()] == [name]
    inside = {path.relative_to(service.root).parts[0] for path in service.root.rglob("*")}
    assert inside == {"buckets", "incoming", "lock", "notifications", "outbox", "uploads"}


@pytest.mark.parametrize("name", [".", "..", "a\nb", "x" * 1025, ".well-known/acme-challenge/x"])
def test_bad_object_name_is_refused(bucket: storage.Bucket, name: str) -> None:
    with pytest.raises(exceptions.BadRequest, match="Invalid object name"):
        bucket.blob(name).upload_from_string(b"")


def test_resource_says_what_was_written(bucket: storage.Bucket) -> None:
    before = datetime.now(UTC)
    blob = bucket.blob("a.json")
    blob.metadata = {"track": "A069"}
    blob.cache_control = "no-store"
    blob.upload_from_string(b"{}", content_type="application/json")
    found = bucket.get_blob("a.json")
    assert (found.size, found.content_type, found.metageneration) == (2, "application/json", 1)
    assert (found.metadata, found.cache_control) == ({"track": "A069"}, "no-store")
    assert found.crc32c == base64.b64encode(google_crc32c.Checksum(b"{}").digest()).decode()
    assert found.md5_hash == "mZFLkyvTelC5g8XnyQrpOw=="
    assert abs((found.time_created - before).total_seconds()) < 60
    assert found.etag
    reply = requests.get(f"{path_of(bucket)}/o/a.json", params={"alt": "media"}, timeout=10)
    assert reply.headers["X-Goog-Hash"] == f"crc32c={found.crc32c},md5={found.md5_hash}"
    assert reply.headers["X-Goog-Generation"] == str(found.generation)
    assert reply.headers["X-Goog-Metageneration"] == "1"
    assert reply.headers["X-Goog-Stored-Content-Length"] == "2"
    assert reply.headers["Cache-Control"] == "no-store"


def test_stamps_come_from_the_replayed_clock_and_generations_do_not(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("2024-01-01T07:10:09+00:00")
    with StorageService(tmp_path / "root", clock=clock) as service, client_of(service.url) as client:
        bucket = client.create_bucket("quakeslide-local-clock")
        first, second = bucket.blob("a"), bucket.blob("a")
        first.upload_from_string(b"1")
        second.upload_from_string(b"2")
        assert first.time_created == second.time_created == datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC)
        assert second.generation > first.generation


def test_overwrite_makes_a_new_generation_and_the_old_one_is_gone(bucket: storage.Bucket) -> None:
    blob = bucket.blob("a")
    blob.upload_from_string(b"old")
    old = blob.generation
    blob.upload_from_string(b"newer")
    assert blob.generation > old
    assert bucket.blob("a", generation=blob.generation).download_as_bytes() == b"newer"
    with pytest.raises(exceptions.NotFound, match=str(old)):
        bucket.blob("a", generation=old).download_as_bytes()


def test_patch_merges_metadata_and_raises_the_metageneration(bucket: storage.Bucket) -> None:
    blob = bucket.blob("a")
    blob.metadata = {"keep": "1", "drop": "2"}
    blob.upload_from_string(b"bytes")
    generation = blob.generation
    blob.metadata = {"drop": None, "add": "3"}
    blob.content_type = "image/png"
    blob.patch(if_metageneration_match=1)
    found = bucket.get_blob("a")
    assert (found.metadata, found.content_type) == ({"keep": "1", "add": "3"}, "image/png")
    assert (found.generation, found.metageneration) == (generation, 2)
    assert found.download_as_bytes() == b"bytes"


def test_ranges(bucket: storage.Bucket) -> None:
    blob = bucket.blob("a")
    blob.upload_from_string(bytes(range(100)))
    assert blob.download_as_bytes(start=10, end=19) == bytes(range(10, 20))
    assert blob.download_as_bytes(start=90) == bytes(range(90, 100))
    assert blob.download_as_bytes(start=95, end=500) == bytes(range(95, 100))
    url = f"{path_of(bucket)}/o/a?alt=media"
    tail = requests.get(url, headers={"Range": "bytes=-7"}, timeout=10)
    assert (tail.status_code, tail.headers["Content-Range"]) == (206, "bytes 93-99/100")
    assert tail.content == bytes(range(93, 100))
    with pytest.raises(exceptions.RequestRangeNotSatisfiable, match="100 bytes"):
        blob.download_as_bytes(start=100)
    with blob.open("rb", chunk_size=16) as file:
        file.seek(50)
        assert file.read(20) == bytes(range(50, 70))


def test_stored_gzip_is_passed_on_as_it_lies(bucket: storage.Bucket) -> None:
    import gzip

    packed = gzip.compress(b"text" * 100)
    blob = bucket.blob("a.txt")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed)
    assert blob.download_as_bytes() == b"text" * 100
    assert blob.download_as_bytes(raw_download=True) == packed
    bucket.blob("plain").upload_from_string(b"text" * 10_000)
    reply = requests.get(f"{path_of(bucket)}/o/plain?alt=media", headers={"Accept-Encoding": "gzip"}, timeout=10)
    assert "Content-Encoding" not in reply.headers


def test_copies_keep_bytes_and_properties_and_hold_to_preconditions(bucket: storage.Bucket) -> None:
    source = bucket.blob("a")
    source.metadata = {"k": "v"}
    source.upload_from_string(b"bytes", content_type="text/csv")
    copy = bucket.copy_blob(source, bucket, "copied", if_generation_match=0)
    assert copy.download_as_bytes() == b"bytes"
    rewritten = bucket.blob("rewritten")
    assert rewritten.rewrite(source) == (None, 5, 5)
    found = bucket.get_blob("rewritten")
    assert (found.content_type, found.crc32c) == ("text/csv", source.crc32c)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("copied").rewrite(source, if_generation_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("other").rewrite(source, if_source_generation_match=source.generation + 1)
    source.delete()
    assert copy.download_as_bytes() == b"bytes"


# --- preconditions ---


def test_preconditions_on_every_verb(bucket: storage.Bucket) -> None:
    blob = bucket.blob("a")
    with pytest.raises(exceptions.PreconditionFailed):
        blob.upload_from_string(b"", if_generation_match=1)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.upload_from_string(b"", if_generation_not_match=0)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.upload_from_string(b"", if_metageneration_match=1)
    blob.upload_from_string(b"", if_generation_match=0)
    right, wrong = blob.generation, blob.generation + 1
    for call in (blob.reload, blob.download_as_bytes, blob.patch, blob.delete):
        with pytest.raises(exceptions.PreconditionFailed, match="pre-conditions you specified did not hold"):
            call(if_generation_match=wrong)
        with pytest.raises(exceptions.PreconditionFailed):
            call(if_metageneration_match=2)
    for call in (blob.patch, blob.delete):
        with pytest.raises(exceptions.PreconditionFailed):
            call(if_generation_not_match=right)
    for call in (blob.reload, blob.download_as_bytes):
        with pytest.raises(exceptions.NotModified):
            call(if_generation_not_match=right)
        with pytest.raises(exceptions.NotModified):
            call(if_metageneration_not_match=1)
        call(if_generation_not_match=wrong, if_metageneration_match=1)
    blob.upload_from_string(b"2", if_generation_match=right)
    with pytest.raises(exceptions.PreconditionFailed):
        blob.upload_from_string(b"3", if_generation_match=right)
    assert blob.download_as_bytes() == b"2"
    blob.delete(if_generation_match=bucket.get_blob("a").generation)
    with pytest.raises(exceptions.NotFound, match="No such object"):
        blob.delete(if_generation_match=right)


@contextmanager
def twelve_clients(service: StorageService) -> Iterator[list[storage.Client]]:
    """Make the clients of twelve threads, in this one: making one changes the environment, which all threads share."""
    with ExitStack() as stack:
        yield [stack.enter_context(client_of(service.url)) for _ in range(12)]


@pytest.mark.parametrize("chunk_size", [None, 256 * 1024], ids=["multipart", "resumable"])
def test_of_twelve_concurrent_creates_exactly_one_wins(
    bucket: storage.Bucket, service: StorageService, chunk_size: int | None
) -> None:
    together = threading.Barrier(12)

    def create(writer: int, client: storage.Client) -> bool:
        blob = client.bucket(bucket.name).blob("once", chunk_size=chunk_size)
        body = bytes([writer]) * 300_000
        together.wait(timeout=60)
        try:
            blob.upload_from_file(io.BytesIO(body), size=None if chunk_size else len(body), if_generation_match=0)
        except exceptions.PreconditionFailed:
            return False
        return True

    with twelve_clients(service) as clients, ThreadPoolExecutor(12) as pool:
        won = list(pool.map(create, range(12), clients))
    assert won.count(True) == 1
    assert bucket.blob("once").download_as_bytes() == bytes([won.index(True)]) * 300_000
    assert service.state()["open_uploads"] == 0


def test_of_twelve_creates_that_end_in_the_same_instant_exactly_one_wins(
    bucket: storage.Bucket, service: StorageService
) -> None:
    host = service.url.removeprefix("http://")
    address = (host.partition(":")[0], int(host.partition(":")[2]))
    with ExitStack() as stack:
        sockets = [stack.enter_context(closing(create_connection(address, timeout=20))) for _ in range(12)]
        for turn in range(20):
            path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name={turn}&ifGenerationMatch=0"
            for connection in sockets:
                connection.sendall(
                    f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\nbytes...".encode()
                )
            for connection in sockets:
                connection.sendall(b".")
            codes = []
            for connection in sockets:
                reply = HTTPResponse(connection)
                reply.begin()
                reply.read()
                codes.append(reply.status)
            assert sorted(codes) == [200] + [412] * 11


def test_of_twelve_concurrent_swaps_none_is_lost(bucket: storage.Bucket, service: StorageService) -> None:
    bucket.blob("count").upload_from_string(b"0")

    def add_one(client: storage.Client) -> None:
        while True:
            blob = client.bucket(bucket.name).get_blob("count")
            try:
                number = int(blob.download_as_bytes(if_generation_match=blob.generation))
                blob.upload_from_string(str(number + 1), if_generation_match=blob.generation)
            except (exceptions.PreconditionFailed, exceptions.NotFound):
                continue
            return

    with twelve_clients(service) as clients, ThreadPoolExecutor(12) as pool:
        list(pool.map(add_one, clients))
    assert bucket.blob("count").download_as_bytes() == b"12"


# --- uploads ---


def test_media_upload(bucket: storage.Bucket) -> None:
    url = f"{path_of(bucket).replace('/storage/v1', '/upload/storage/v1')}/o"
    query = {"uploadType": "media", "name": "m/1"}
    reply = requests.post(url, params=query, data=b"abc", headers={"Content-Type": "text/plain"}, timeout=10)
    assert reply.json()["contentType"] == "text/plain"
    assert bucket.blob("m/1").download_as_bytes() == b"abc"


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, MIB])
def test_resumable_upload_of_unknown_length(bucket: storage.Bucket, size: int) -> None:
    body = os.urandom(size)
    blob = bucket.blob("r", chunk_size=256 * 1024)
    blob.upload_from_file(io.BytesIO(body), if_generation_match=0)
    assert blob.size == size
    assert blob.download_as_bytes() == body


def peak_memory(pid: int) -> int:
    """Most resident memory a process has had since the last reset, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak memory of a process from /proc")
def test_large_objects_pass_in_constant_memory(bucket: storage.Bucket, service: StorageService, tmp_path: Path) -> None:
    body = os.urandom(20 * MIB)
    blob = bucket.blob("chunked", chunk_size=MIB)
    blob.upload_from_file(io.BytesIO(body))
    Path(f"/proc/{service.process.pid}/clear_refs").write_text("5")  # resets the peak
    before = peak_memory(service.process.pid)
    blob = bucket.blob("chunked-again", chunk_size=MIB)
    blob.upload_from_file(io.BytesIO(body), if_generation_match=0)
    whole = bucket.blob("at once")
    whole.upload_from_file(io.BytesIO(body * 2), size=40 * MIB)
    blob.download_to_filename(tmp_path / "back")
    whole.download_to_filename(tmp_path / "whole")
    assert peak_memory(service.process.pid) - before < 24 * MIB
    assert (tmp_path / "back").read_bytes() == body
    assert whole.size == (tmp_path / "whole").stat().st_size == 40 * MIB


def begin_session(bucket: storage.Bucket, name: str, **query: str) -> str:
    url = f"{path_of(bucket).replace('/storage/v1', '/upload/storage/v1')}/o"
    reply = requests.post(url, params={"uploadType": "resumable", "name": name, **query}, json={}, timeout=10)
    assert reply.status_code == 200, reply.text
    return reply.headers["Location"]


def put(session: str, content_range: str, body: bytes = b"") -> requests.Response:
    return requests.put(session, data=body, headers={"Content-Range": content_range}, timeout=10)


def test_resumable_protocol(bucket: storage.Bucket) -> None:
    unit = 256 * 1024
    session = begin_session(bucket, "r")
    empty = put(session, "bytes */*")
    assert (empty.status_code, empty.headers.get("Range")) == (308, None)
    first = put(session, f"bytes 0-{unit - 1}/*", b"a" * unit)
    assert (first.status_code, first.headers["Range"]) == (308, f"bytes=0-{unit - 1}")
    gap = put(session, f"bytes {3 * unit}-{4 * unit - 1}/*", b"x" * unit)
    assert (gap.status_code, gap.headers["Range"]) == (308, f"bytes=0-{unit - 1}")
    overlap = put(session, f"bytes 0-{2 * unit - 1}/*", b"a" * unit + b"b" * unit)
    assert overlap.headers["Range"] == f"bytes=0-{2 * unit - 1}"
    ragged = put(session, f"bytes {2 * unit}-{2 * unit + 9}/*", b"c" * 10)
    assert ragged.status_code == 400
    assert "multiple of 262144" in ragged.text
    lying = put(session, f"bytes {2 * unit}-{2 * unit + 9}/{2 * unit + 10}", b"c" * 9)
    assert lying.status_code == 400
    last = put(session, f"bytes {2 * unit}-{2 * unit + 9}/{2 * unit + 10}", b"c" * 10)
    assert last.status_code == 200
    again = put(session, f"bytes */{2 * unit + 10}")
    assert again.json()["generation"] == last.json()["generation"]
    assert bucket.blob("r").download_as_bytes() == b"a" * unit + b"b" * unit + b"c" * 10
    assert put(session + "x", "bytes */*").status_code == 404


def test_precondition_is_checked_again_when_the_session_ends(bucket: storage.Bucket) -> None:
    session = begin_session(bucket, "r", ifGenerationMatch="0")
    bucket.blob("r").upload_from_string(b"meanwhile")
    reply = put(session, "bytes 0-3/4", b"late")
    assert reply.status_code == 412
    assert reply.json()["error"]["errors"][0]["reason"] == "conditionNotMet"
    assert bucket.blob("r").download_as_bytes() == b"meanwhile"


def test_wrong_checksum_writes_nothing(bucket: storage.Bucket) -> None:
    for field in ("crc32c", "md5_hash"):
        blob = bucket.blob("bad")
        setattr(blob, field, "AAAAAA==")
        with pytest.raises(exceptions.BadRequest, match="doesn't match calculated"):
            blob.upload_from_string(b"bytes", checksum=None)
    session = begin_session(bucket, "bad")
    headers = {"Content-Range": "bytes 0-3/4", "X-Goog-Hash": "crc32c=AAAAAA=="}
    assert requests.put(session, data=b"late", headers=headers, timeout=10).status_code == 400
    assert not bucket.blob("bad").exists()


# --- listing ---


def test_paging_of_2500_names(bucket: storage.Bucket, service: StorageService) -> None:
    names = [f"cells/{index % 7}/{index:04d}.npz" for index in range(2500)]
    bucket.blob(names[0]).upload_from_string(b"")
    # copies over a bare connection: the quickest way to many objects
    with closing(HTTPConnection(service.url.removeprefix("http://"))) as connection:
        first, *others = [f"/storage/v1/b/{bucket.name}/o/{quote(name, safe='')}" for name in names]
        for other in others:
            connection.request("POST", f"{first}/copyTo{other.removeprefix('/storage/v1')}")
            reply = connection.getresponse()
            assert reply.status == 200, reply.read()
            reply.read()
    listing = bucket.list_blobs(fields="items(name,size),nextPageToken")
    pages = [[blob.name for blob in page] for page in listing.pages]
    assert [len(page) for page in pages] == [1000, 1000, 500]
    assert list(chain.from_iterable(pages)) == sorted(names)
    assert [blob.name for blob in bucket.list_blobs(prefix="cells/3/", page_size=100)] == sorted(names[3::7])
    folded = bucket.list_blobs(prefix="cells/", delimiter="/", page_size=2)
    assert list(folded) == []
    assert folded.prefixes == {f"cells/{index}/" for index in range(7)}
    some = bucket.list_blobs(start_offset="cells/6/", end_offset="cells/6/0100", max_results=3)
    assert [blob.name for blob in some] == sorted(names[6::7])[:3]
    assert service.state()["objects_by_bucket"][bucket.name] == 2500


def test_partial_response_holds_only_the_fields_asked_for(bucket: storage.Bucket) -> None:
    bucket.blob("a").upload_from_string(b"")
    reply = requests.get(f"{path_of(bucket)}/o?fields=kind,items(name,size),items/bucket", timeout=10).json()
    assert reply == {"kind": "storage#objects", "items": [{"bucket": bucket.name, "name": "a", "size": "0"}]}
    assert requests.get(f"{path_of(bucket)}/o?fields=items(name", timeout=10).status_code == 400


# --- refusals ---


@pytest.mark.parametrize(
    ("method", "path", "code", "named"),
    [
        ("GET", "/o?colour=red", 400, "'colour'"),
        ("GET", "/o?versions=true", 501, "versions=true"),
        ("GET", "/o?matchGlob=**", 501, "matchGlob"),
        ("GET", "/o?maxResults=0", 400, "maxResults"),
        ("GET", "/o?pageToken=!", 400, "pageToken"),
        ("GET", "/o/a?projection=some", 501, "projection=some"),
        ("GET", "/o/a?ifGenerationMatch=x", 400, "ifGenerationMatch"),
        ("GET", "/o/a?alt=xml", 400, "alt"),
        ("GET", "/o/a/acl", 501, "/o/a/acl"),
        ("GET", "/o/%ff", 400, "not UTF-8"),
        ("PUT", "/o/a", 501, "PUT"),
        ("POST", "/o/a/compose", 501, "compose"),
        ("PATCH", "", 501, "PATCH"),
    ],
)
def test_unknown_things_are_refused_by_name(
    bucket: storage.Bucket, method: str, path: str, code: int, named: str
) -> None:
    reply = requests.request(method, path_of(bucket) + path, timeout=10)
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (code, code)
    assert named in error["message"]
    assert error["errors"][0]["reason"] == {400: "invalid", 501: "notImplemented"}[code]


def test_unknown_fields_headers_and_json_are_refused_by_name(bucket: storage.Bucket) -> None:
    bucket.blob("a").upload_from_string(b"")
    url = f"{path_of(bucket)}/o/a"
    for body, code, named in (
        (b'{"colour": "red"}', 400, '"colour"'),
        (b'{"temporaryHold": true}', 501, "'temporaryHold'"),
        (b'{"storageClass": "NEARLINE"}', 501, "'NEARLINE'"),
        (b'{"contentType": 3}', 400, "contentType"),
        (b'{"metadata": {"a": NaN}}', 400, "NaN"),
        (b"[]", 400, "JSON object"),
        (b"{", 400, "Parse Error"),
    ):
        reply = requests.patch(url, data=body, timeout=10)
        assert reply.status_code == code, reply.text
        assert named in reply.json()["error"]["message"]
    reply = requests.get(url, headers={"X-Goog-Encryption-Algorithm": "AES256"}, timeout=10)
    assert (reply.status_code, "X-Goog-Encryption-Algorithm" in reply.text) == (501, True)
    reply = requests.get(f"{url}?alt=media", headers={"Range": "bytes=0-1,3-4"}, timeout=10)
    assert (reply.status_code, "bytes=0-1,3-4" in reply.text) == (501, True)


# --- crash safety and faults ---


def test_restart_after_a_kill_finds_everything_committed_and_nothing_else(tmp_path: Path) -> None:
    unit = 256 * 1024
    with StorageService(tmp_path) as service, client_of(service.url) as client:
        bucket = client.create_bucket("quakeslide-local-state")
        blob = bucket.blob("a/b")
        blob.metadata = {"k": "v"}
        blob.upload_from_string(b"first")
        blob.upload_from_string(b"second")
        bucket.blob("gone").upload_from_string(b"x")
        bucket.blob("gone").delete()
        session = begin_session(bucket, "half", ifGenerationMatch="0")
        assert put(session, f"bytes 0-{unit - 1}/*", b"a" * unit).status_code == 308
        service.kill()
        generation, old_url = blob.generation, service.url
    # what a crash between the rename of the bytes and the commit leaves behind
    torn = tmp_path / "buckets/quakeslide-local-state/bytes/1"
    torn.write_bytes(b"never committed")
    (tmp_path / "buckets/quakeslide-local-state/objects/0.json.draft").write_text("{")
    with StorageService(tmp_path) as service, client_of(service.url) as client:
        bucket = client.bucket("quakeslide-local-state")
        assert [found.name for found in bucket.list_blobs()] == ["a/b"]
        found = bucket.get_blob("a/b")
        assert (found.generation, found.metadata) == (generation, {"k": "v"})
        assert found.download_as_bytes() == b"second"
        assert not torn.exists()
        last = put(session.replace(old_url, service.url), f"bytes {unit}-{unit}/{unit + 1}", b"b")
        assert last.status_code == 200
        assert bucket.blob("half").download_as_bytes() == b"a" * unit + b"b"
        found.upload_from_string(b"third", if_generation_match=generation)
        assert found.generation > generation


def test_second_service_on_the_same_root_is_refused(service: StorageService) -> None:
    command = [str(service.process.args[0]), "-m", "infra.local.storage", "--root", str(service.root)]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 2
    assert f"another storage service works on {service.root}" in second.stderr


def test_refused_uploads_leave_no_bytes_behind(bucket: storage.Bucket, service: StorageService) -> None:
    bucket.blob("a").upload_from_string(b"1", if_generation_match=0)
    url = f"{path_of(bucket).replace('/storage/v1', '/upload/storage/v1')}/o"
    for query, body, content_type in (
        ("uploadType=media&name=a&ifGenerationMatch=0", b"2", "text/plain"),
        ("uploadType=media&name=.", b"2", "text/plain"),
        ("uploadType=multipart&name=a", b"no boundary", "multipart/related; boundary=x"),
        ("uploadType=multipart&name=a", b"--x\r\n\r\n", "multipart/related; boundary=x"),
    ):
        reply = requests.post(f"{url}?{query}", data=body, headers={"Content-Type": content_type}, timeout=10)
        assert reply.status_code in (400, 412), reply.text
    session = begin_session(bucket, "b", ifGenerationMatch="0")
    bucket.blob("b").upload_from_string(b"1")
    assert put(session, "bytes 0-0/1", b"2").status_code == 412
    assert list((service.root / "incoming").iterdir()) == []
    assert not (service.root / "uploads" / f"{session[-32:]}.part").exists()
    assert sorted(path.name for path in (service.root / "buckets" / bucket.name / "bytes").iterdir()) == sorted(
        str(blob.generation) for blob in bucket.list_blobs()
    )


def test_kill_fault_strikes_after_the_commit(bucket: storage.Bucket, service: StorageService) -> None:
    with subprocess.Popen(["sleep", "60"]) as victim:
        service.set_faults({"on": "object_written", "name": "^cells/.*npz$", "action": "kill", "pid": victim.pid})
        bucket.blob("manifest.json").upload_from_string(b"")
        assert victim.poll() is None
        bucket.blob("cells/0-0.npz").upload_from_string(b"scores")
        assert victim.wait(timeout=5) == -9
    assert bucket.blob("cells/0-0.npz").download_as_bytes() == b"scores"
    assert service.state()["faults"] == []


def test_after_a_dropped_reply_the_clients_retry_meets_its_own_success(
    bucket: storage.Bucket, service: StorageService
) -> None:
    service.set_faults({"on": "object_written", "name": "once", "action": "drop"})
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("once").upload_from_string(b"mine", if_generation_match=0)
    assert bucket.blob("once").download_as_bytes() == b"mine"


def test_after_a_dropped_reply_a_resumable_upload_is_answered_with_the_object(
    bucket: storage.Bucket, service: StorageService
) -> None:
    service.set_faults({"on": "object_written", "name": "once", "action": "drop"})
    blob = bucket.blob("once", chunk_size=256 * 1024)
    blob.upload_from_file(io.BytesIO(b"mine" * 100_000), if_generation_match=0)
    assert service.state()["faults"] == []
    assert bucket.get_blob("once").generation == blob.generation


def test_error_fault_writes_nothing_and_delay_keeps_the_caller_waiting(
    bucket: storage.Bucket, service: StorageService
) -> None:
    service.set_faults(
        {"on": "object_written", "name": "^a$", "action": "error", "times": 2},
        {"on": "object_written", "name": "^a$", "action": "delay", "seconds": 0.4},
    )
    for _ in range(2):
        with pytest.raises(exceptions.ServiceUnavailable, match="injected fault"):
            bucket.blob("a").upload_from_string(b"", retry=None)
    assert not bucket.blob("a").exists()
    started = datetime.now(UTC)
    bucket.blob("a").upload_from_string(b"", retry=None)
    assert (datetime.now(UTC) - started).total_seconds() > 0.4
    assert service.state()["faults"] == []


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"on": "night"}, "'on'"),
        ({"on": "object_written", "name": "a", "action": "explode"}, "'explode'"),
        ({"on": "object_written", "name": "(", "action": "drop"}, "regular expression"),
        ({"on": "object_written", "name": "a", "action": "kill"}, "'pid' is missing"),
        ({"on": "object_written", "name": "a", "action": "kill", "pid": 1}, "above 1"),
        ({"on": "object_written", "name": "a", "action": "drop", "seconds": 1}, "'seconds'"),
        ({"on": "object_written", "name": "a", "action": "drop", "times": 0}, "'times'"),
    ],
)
def test_wrong_fault_is_refused_by_name(service: StorageService, fault: dict, named: str) -> None:
    reply = requests.post(f"{service.url}/_local/faults", json=[fault], timeout=10)
    assert reply.status_code == 400
    assert named in reply.json()["error"]["message"]
    assert service.state()["faults"] == []
