"""One suite for the ports ObjectStore and Bus, run on the fakes and on the adapters against the local services."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from google.cloud import pubsub_v1, storage

from quakeslide.adapters.gcs_store import GcsStore
from quakeslide.adapters.pubsub_bus import PubsubBus
from quakeslide.errors import BusUnavailable, StoreUnavailable
from quakeslide.ports import Bus, ObjectStore
from tests.contract import pubsub_service
from tests.contract.storage_service import StorageService, client_of
from tests.fakes import MemoryBus, MemoryStore

PROJECT = "quakeslide-local"
TEXT = "text/plain"


@dataclass(frozen=True)
class Cloud:
    """A running Cloud Storage and a client of it."""

    service: StorageService
    client: storage.Client


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with StorageService(tmp_path_factory.mktemp("storage")) as service, client_of(service.url) as client:
        yield Cloud(service, client)


@pytest.fixture
def gcs(cloud: Cloud) -> Iterator[GcsStore]:
    """An empty bucket."""
    name = f"quakeslide-local-{len(list(cloud.client.list_buckets()))}"
    cloud.client.create_bucket(name)
    yield GcsStore(name, cloud.client)
    cloud.service.set_faults()


@pytest.fixture(params=["memory", "gcs"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    return MemoryStore() if request.param == "memory" else request.getfixturevalue("gcs")


def test_what_is_not_there_is_none(store: ObjectStore) -> None:
    assert store.read("a/b.json") is None


def test_create_writes_once(store: ObjectStore) -> None:
    assert store.create("a/b.json", b"first", TEXT)
    assert not store.create("a/b.json", b"second", TEXT)
    stored = store.read("a/b.json")
    assert stored is not None
    assert stored.data == b"first"
    assert stored.generation > 0


@pytest.mark.parametrize("data", [b"", b"\x00\xff" * 3, bytes(range(256)) * 20_000])
def test_bytes_come_back_as_they_were(store: ObjectStore, data: bytes) -> None:
    assert store.create("x", data, "application/octet-stream")
    stored = store.read("x")
    assert stored is not None
    assert stored.data == data
    assert [listed.size for listed in store.list("x")] == [len(data)]


def test_replace_needs_the_generation_that_was_read(store: ObjectStore) -> None:
    assert store.replace("a", b"1", TEXT, 0), "generation 0: none exists"
    first = store.read("a")
    assert first is not None
    assert not store.replace("a", b"x", TEXT, 0)
    assert not store.replace("a", b"x", TEXT, first.generation + 1)
    assert store.replace("a", b"2", TEXT, first.generation)
    assert not store.replace("a", b"x", TEXT, first.generation), "that generation is gone"
    second = store.read("a")
    assert second is not None
    assert second.data == b"2"
    assert second.generation > first.generation


def test_replace_of_what_is_not_there_is_refused(store: ObjectStore) -> None:
    assert not store.replace("gone", b"x", TEXT, 7)
    assert store.read("gone") is None


def test_same_bytes_again_are_another_generation(store: ObjectStore) -> None:
    store.create("a", b"1", TEXT)
    (before,) = store.list("a")
    assert store.replace("a", b"1", TEXT, before.generation)
    (after,) = store.list("a")
    assert after.generation > before.generation


def test_delete_is_repeatable_and_frees_the_name(store: ObjectStore) -> None:
    store.create("a", b"1", TEXT)
    (before,) = store.list("a")
    store.delete("a")
    store.delete("a")
    store.delete("never/was")
    assert store.read("a") is None
    assert list(store.list("")) == []
    assert store.create("a", b"2", TEXT)
    (after,) = store.list("a")
    assert after.generation > before.generation, "generations never come back"


def test_delete_of_one_generation_leaves_a_newer_one(store: ObjectStore) -> None:
    store.create("a", b"1", TEXT)
    (first,) = store.list("a")
    store.replace("a", b"2", TEXT, first.generation)
    store.delete("a", first.generation)
    stored = store.read("a")
    assert stored is not None
    assert stored.data == b"2"
    store.delete("a", stored.generation)
    store.delete("a", stored.generation)
    assert store.read("a") is None


def test_list_is_by_name_within_the_prefix(store: ObjectStore) -> None:
    names = ["b/10", "b/2", "b/a/1", "b0", "B/1", "b/ä", "b/z"]
    for name in names:
        assert store.create(name, name.encode(), TEXT)
    found = list(store.list("b/"))
    assert [listed.name for listed in found] == sorted(name for name in names if name.startswith("b/"))
    assert [listed.size for listed in found] == [len(listed.name.encode()) for listed in found]
    for listed in found:
        stored = store.read(listed.name)
        assert stored is not None
        assert stored.generation == listed.generation
    assert [listed.name for listed in store.list("")] == sorted(names)
    assert list(store.list("nothing/")) == []


def test_open_reads_anywhere(store: ObjectStore) -> None:
    data = bytes(n % 251 for n in range(3_000_000))
    store.create("big.tif", data, "image/tiff")
    (listed,) = store.list("big.tif")
    with store.open("big.tif", listed.generation) as file:
        assert file.read(4) == data[:4]
        for offset, size in ((2_500_000, 1000), (10, 70), (1_048_570, 12), (2_999_990, 100)):
            assert file.seek(offset) == offset
            assert file.read(size) == data[offset : offset + size]
        assert file.tell() == len(data)
        assert file.seek(-5, 2) == len(data) - 5
        assert file.read() == data[-5:]
        assert file.read(1) == b""


def test_of_twelve_concurrent_creates_one_wins(store: ObjectStore) -> None:
    for round_number in range(4):
        name, barrier, won = f"race/{round_number}", threading.Barrier(12), []

        def create(number: int, name: str = name, barrier: threading.Barrier = barrier, won: list[int] = won) -> None:
            barrier.wait()
            if store.create(name, str(number).encode(), TEXT):
                won.append(number)

        _at_once(create, 12)
        assert len(won) == 1
        stored = store.read(name)
        assert stored is not None
        assert stored.data == str(won[0]).encode()


def test_of_concurrent_swaps_none_is_lost(store: ObjectStore) -> None:
    store.create("counter", b"0", TEXT)

    def count(_: int) -> None:
        for _ in range(5):
            while True:
                stored = store.read("counter")
                assert stored is not None
                if store.replace("counter", str(int(stored.data) + 1).encode(), TEXT, stored.generation):
                    break

    _at_once(count, 4)
    stored = store.read("counter")
    assert stored is not None
    assert stored.data == b"20"


def _at_once(work: Callable[[int], None], count: int) -> None:
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001  (told after the join)
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_retried_write_that_meets_its_own_success_has_won(gcs: GcsStore, cloud: Cloud) -> None:
    drop = {"on": "object_written", "name": "^a$", "action": "drop"}
    cloud.service.set_faults(drop)
    assert gcs.create("a", b"mine", TEXT)
    assert cloud.service.state()["faults"] == []
    created = gcs.read("a")
    assert created is not None
    assert created.data == b"mine"
    cloud.service.set_faults(drop)
    assert gcs.replace("a", b"mine too", TEXT, created.generation)
    replaced = gcs.read("a")
    assert replaced is not None
    assert replaced.data == b"mine too"


def test_retried_write_that_meets_anothers_success_has_lost(gcs: GcsStore, cloud: Cloud) -> None:
    assert gcs.create("a", b"theirs", TEXT)
    cloud.service.set_faults({"on": "object_written", "name": "^a$", "action": "error"})
    assert not gcs.create("a", b"mine", TEXT)
    stored = gcs.read("a")
    assert stored is not None
    assert stored.data == b"theirs"


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.read("a"),
        lambda store: store.create("a", b"", TEXT),
        lambda store: store.replace("a", b"", TEXT, 1),
        lambda store: store.delete("a"),
        lambda store: list(store.list("a")),
    ],
    ids=["read", "create", "replace", "delete", "list"],
)
def test_missing_bucket_is_named(cloud: Cloud, use: Callable[[ObjectStore], object]) -> None:
    with pytest.raises(StoreUnavailable, match="quakeslide-local-nowhere"):
        use(GcsStore("quakeslide-local-nowhere", cloud.client))


@dataclass(frozen=True)
class Line:
    """A bus and what came out at its other end."""

    bus: Bus
    received: Callable[[str], list[tuple[bytes, dict[str, str]]]]


@pytest.fixture(scope="module")
def queue() -> Iterator[pubsub_service.PubSubService]:
    with pubsub_service.ours() as service:
        yield service


@pytest.fixture
def pubsub(queue: pubsub_service.PubSubService, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", queue.host)
    with pubsub_service.clients(queue.host) as (publisher, subscriber):
        path = {name: publisher.topic_path(PROJECT, name) for name in ("earthquakes", "watches")}
        sub = {name: subscriber.subscription_path(PROJECT, f"{name}-s") for name in path}
        for name, topic_path in path.items():
            publisher.create_topic(name=topic_path)
            subscriber.create_subscription(name=sub[name], topic=topic_path)

        def received(topic: str) -> list[tuple[bytes, dict[str, str]]]:
            pulled = subscriber.pull(subscription=sub[topic], max_messages=100, timeout=10).received_messages
            subscriber.acknowledge(subscription=sub[topic], ack_ids=[one.ack_id for one in pulled])
            return sorted((one.message.data, dict(one.message.attributes)) for one in pulled)

        bus = PubsubBus(PROJECT)
        yield Line(bus, received)
        bus.close()
        for name, topic_path in path.items():
            subscriber.delete_subscription(subscription=sub[name])
            publisher.delete_topic(topic=topic_path)


@pytest.fixture(params=["memory", "pubsub"])
def line(request: pytest.FixtureRequest) -> Line:
    if request.param == "pubsub":
        return request.getfixturevalue("pubsub")
    bus = MemoryBus()
    return Line(bus, lambda topic: sorted((data, dict(a)) for to, data, a in bus.published if to == topic))


def test_message_arrives_with_its_attributes_on_its_topic(line: Line) -> None:
    line.bus.publish("earthquakes", b'{"kind": "manual"}', {"kind": "manual", "event_id": "us1"})
    line.bus.publish("watches", b"\x00\xff", {})
    assert line.received("earthquakes") == [(b'{"kind": "manual"}', {"kind": "manual", "event_id": "us1"})]
    assert line.received("watches") == [(b"\x00\xff", {})]


def test_attributes_may_be_called_anything(line: Line) -> None:
    """A dead letter keeps its message's attributes, whatever their sender called them."""
    names = ("topic", "data", "timeout", "retry", "ordering_key", "self", "messages", "request", "naïve")
    attributes = {name: name.upper() for name in names}
    line.bus.publish("watches", b"x", attributes)
    assert line.received("watches") == [(b"x", attributes)]


def test_published_is_there_when_the_call_returns(line: Line) -> None:
    for number in range(20):
        line.bus.publish("watches", str(number).encode(), {})
    assert len(line.received("watches")) == 20


def test_topic_that_is_not_there_is_named(pubsub: Line) -> None:
    with pytest.raises(BusUnavailable, match="projects/quakeslide-local/topics/nowhere"):
        pubsub.bus.publish("nowhere", b"x", {})
    with pytest.raises(BusUnavailable, match="topics/watches"):
        pubsub.bus.publish("watches", b"", {})  # Pub/Sub refuses a message without data and attributes


def test_bus_that_does_not_answer_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9")
    bus, start = PubsubBus(PROJECT, deadline_s=0.5), time.monotonic()
    with pytest.raises(BusUnavailable, match="topics/watches"):
        bus.publish("watches", b"x", {})
    assert time.monotonic() - start < 10
    bus.close()


def test_ordinary_publisher_is_not_needed(pubsub: Line) -> None:
    """The bus honours PUBSUB_EMULATOR_HOST as Google's own publisher does."""
    assert "PUBSUB_EMULATOR_HOST" in os.environ
    other = pubsub_v1.PublisherClient()
    other.publish(other.topic_path(PROJECT, "watches"), b"theirs").result(timeout=10)
    pubsub.bus.publish("watches", b"ours", {})
    assert [data for data, _ in pubsub.received("watches")] == [b"ours", b"theirs"]
    other.stop()
    other.transport.close()
