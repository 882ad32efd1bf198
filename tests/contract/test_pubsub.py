"""What Pub/Sub does, asked through the unmodified client of each implementation: ours, and Google's emulator jar.

Tests marked `beyond_jar` ask for what the jar does not do; they run on ours only.
"""

import base64
import json
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import pubsub_v1
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1 import PublisherClient as RawPublisher
from google.pubsub_v1 import types

from infra.local.clock import Clock
from tests.contract import pubsub_service
from tests.contract.pubsub_service import PubSubService

PROJECT = "projects/quakeslide-local"
# Deprecated for production; in a test it is how to ask whether nothing is there.
pytestmark = pytest.mark.filterwarnings("ignore:The return_immediately flag is deprecated:DeprecationWarning")


@dataclass(frozen=True, slots=True)
class Bus:
    """Clients of one implementation, and short ways to ask it."""

    service: PubSubService
    publisher: pubsub_v1.PublisherClient
    subscriber: pubsub_v1.SubscriberClient

    def topic(self) -> str:
        return self.publisher.create_topic(name=f"{PROJECT}/topics/t{uuid.uuid4().hex}").name

    def subscription(self, topic: str, **fields: Any) -> str:
        name = f"{PROJECT}/subscriptions/s{uuid.uuid4().hex}"
        return self.subscriber.create_subscription(request=types.Subscription(name=name, topic=topic, **fields)).name

    def publish(self, topic: str, *messages: types.PubsubMessage) -> list[str]:
        """One publish request, without the batching and the retries of the higher client."""
        raw = RawPublisher(transport=self.publisher.transport)
        return list(raw.publish(topic=topic, messages=list(messages), retry=None).message_ids)

    def pull(self, subscription: str, least: int = 1, seconds: float = 8) -> list[types.ReceivedMessage]:
        """Pull until at least so many messages are there."""
        found: list[types.ReceivedMessage] = []
        end = time.monotonic() + seconds
        while len(found) < least and time.monotonic() < end:
            reply = self.subscriber.pull(subscription=subscription, max_messages=100, return_immediately=True)
            found += reply.received_messages
            time.sleep(0.02)
        assert len(found) >= least, f"{len(found)} of {least} messages in {seconds} s"
        return found

    def pull_none(self, subscription: str) -> bool:
        reply = self.subscriber.pull(subscription=subscription, max_messages=1, return_immediately=True)
        return not reply.received_messages

    def ack(self, subscription: str, messages: list[types.ReceivedMessage]) -> None:
        self.subscriber.acknowledge(subscription=subscription, ack_ids=[m.ack_id for m in messages])

    def nack(self, subscription: str, messages: list[types.ReceivedMessage]) -> None:
        ids = [m.ack_id for m in messages]
        self.subscriber.modify_ack_deadline(subscription=subscription, ack_ids=ids, ack_deadline_seconds=0)


def text(data: str, **fields: Any) -> types.PubsubMessage:
    return types.PubsubMessage(data=data.encode(), **fields)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "bus" in metafunc.fixturenames:
        only_ours = metafunc.definition.get_closest_marker("beyond_jar") is not None
        metafunc.parametrize("bus", ["ours"] if only_ours else ["ours", "jar"], indirect=True, scope="module")


def _beyond_jar() -> str:
    tests = [f for n, f in globals().items() if n.startswith("test_")]
    return ", ".join(f.__name__ for f in tests if any(m.name == "beyond_jar" for m in getattr(f, "pytestmark", [])))


@pytest.fixture(scope="module")
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    if request.param == "jar":
        jar = pubsub_service.find_jar()
        if jar is None:
            pytest.skip(
                f"NOT COVERED: this contract on Google's implementation: no java, or no emulator jar in "
                f"{pubsub_service.JAR_VARIABLE} or beside gcloud. With it, too, ours alone would answer for: {_beyond_jar()}"
            )
        service = pubsub_service.googles_jar(jar)
    else:
        service = pubsub_service.ours()
    with service as running, pubsub_service.clients(running.host) as (publisher, subscriber):
        yield Bus(running, publisher, subscriber)


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    made = Clock(tmp_path / "clock")
    made.set(datetime.fromisoformat("2024-01-01T07:10:00+00:00"))
    return made


@pytest.fixture
def replayed(clock: Clock) -> Iterator[Bus]:
    """Our service under a clock that stands still."""
    with (
        pubsub_service.ours(clock.path) as running,
        pubsub_service.clients(running.host) as (publisher, subscriber),
    ):
        yield Bus(running, publisher, subscriber)


class Endpoint:
    """A push endpoint that remembers what came, and answers with what `answer` says of it."""

    def __init__(self, answer: Callable[[dict], int]) -> None:
        self.bodies: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.most_at_once = self._at_once = 0
        lock = threading.Lock()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    endpoint.bodies.append(body)
                    endpoint.headers.append(dict(self.headers))
                    endpoint._at_once += 1
                    endpoint.most_at_once = max(endpoint.most_at_once, endpoint._at_once)
                status = answer(body)
                with lock:
                    endpoint._at_once -= 1
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/{PROJECT}/topics/t?of=test"

    def data(self) -> list[str]:
        return [base64.b64decode(body["message"]["data"]).decode() for body in self.bodies]

    def wait(self, least: int, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while len(self.bodies) < least:
            assert time.monotonic() < end, f"{len(self.bodies)} of {least} pushes in {seconds} s"
            time.sleep(0.01)


@contextmanager
def endpoint(answer: Callable[[dict], int] = lambda _: 204) -> Iterator[Endpoint]:
    made = Endpoint(answer)
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join()


@contextmanager
def streaming(bus: Bus, subscription: str, receive: Callable[[Any], None], **options: Any) -> Iterator[None]:
    stream = bus.subscriber.subscribe(subscription, receive, **options)
    try:
        yield
    finally:
        stream.cancel()
        stream.result(timeout=60)


def push_to(made: Endpoint, **fields: Any) -> types.PushConfig:
    return types.PushConfig(push_endpoint=made.url, **fields)


def retry(minimum: int, maximum: int) -> types.RetryPolicy:
    return types.RetryPolicy(minimum_backoff=timedelta(seconds=minimum), maximum_backoff=timedelta(seconds=maximum))


# --- topics and subscriptions ------------------------------------------------------------------------------------
def test_topic_lives_from_create_to_delete(bus: Bus) -> None:
    topic = bus.topic()
    assert bus.publisher.get_topic(topic=topic).name == topic
    assert topic in [t.name for t in bus.publisher.list_topics(request={"project": PROJECT, "page_size": 2})]
    with pytest.raises(exceptions.AlreadyExists):
        bus.publisher.create_topic(name=topic)
    bus.publisher.delete_topic(topic=topic)
    for ask in (bus.publisher.get_topic, bus.publisher.delete_topic):
        with pytest.raises(exceptions.NotFound):
            ask(topic=topic)


@pytest.mark.parametrize("last", ["ab", "1abc", "googabc", "a" * 256, "a b c", ""])
def test_name_against_the_rules_is_refused(bus: Bus, last: str) -> None:
    with pytest.raises(exceptions.InvalidArgument, match=r"Invalid \[topics\] name: \(name=projects/"):
        bus.publisher.create_topic(name=f"{PROJECT}/topics/{last}")
    with pytest.raises(exceptions.InvalidArgument, match=r"Invalid \[subscriptions\] name"):
        bus.subscriber.get_subscription(subscription=f"{PROJECT}/subscriptions/{last}")


def test_subscription_lives_from_create_to_delete(bus: Bus) -> None:
    topic = bus.topic()
    name = bus.subscription(topic, retry_policy=types.RetryPolicy())
    made = bus.subscriber.get_subscription(subscription=name)
    assert (made.topic, made.ack_deadline_seconds) == (topic, 10)
    assert made.retry_policy.minimum_backoff == timedelta(seconds=10)
    assert made.retry_policy.maximum_backoff == timedelta(seconds=600)
    assert list(bus.publisher.list_topic_subscriptions(topic=topic)) == [name]
    assert name in [s.name for s in bus.subscriber.list_subscriptions(request={"project": PROJECT, "page_size": 2})]
    with pytest.raises(exceptions.AlreadyExists):
        bus.subscriber.create_subscription(name=name, topic=topic)
    bus.subscriber.delete_subscription(subscription=name)
    for ask in (bus.subscriber.get_subscription, bus.subscriber.delete_subscription):
        with pytest.raises(exceptions.NotFound):
            ask(subscription=name)


def test_what_does_not_exist_is_not_found(bus: Bus) -> None:
    no_topic, no_subscription = f"{PROJECT}/topics/missing", f"{PROJECT}/subscriptions/missing"
    topic = bus.topic()
    asks: list[Callable[[], Any]] = [
        lambda: bus.subscription(no_topic),
        lambda: bus.publish(no_topic, text("x")),
        lambda: bus.subscriber.pull(subscription=no_subscription, max_messages=1),
        lambda: bus.subscriber.acknowledge(subscription=no_subscription, ack_ids=["x:1-1"]),
        lambda: bus.subscriber.modify_push_config(subscription=no_subscription, push_config=types.PushConfig()),
        lambda: bus.subscription(topic, dead_letter_policy=types.DeadLetterPolicy(dead_letter_topic=no_topic)),
    ]
    for ask in asks:
        with pytest.raises(exceptions.NotFound):
            ask()


def test_limits_of_a_subscription_are_kept(bus: Bus) -> None:
    topic = bus.topic()
    with pytest.raises(exceptions.InvalidArgument):
        bus.subscription(topic, ack_deadline_seconds=601)
    for attempts in (4, 101):
        policy = types.DeadLetterPolicy(dead_letter_topic=topic, max_delivery_attempts=attempts)
        with pytest.raises(exceptions.OutOfRange, match=f"max_delivery_attempts.*You passed {attempts}"):
            bus.subscription(topic, dead_letter_policy=policy)
    for minimum, maximum in ((601, 601), (20, 10)):
        with pytest.raises(exceptions.InvalidArgument, match="_backoff"):
            bus.subscription(topic, retry_policy=retry(minimum, maximum))
    with pytest.raises(exceptions.InvalidArgument):
        bus.subscription(topic, push_config=types.PushConfig(push_endpoint="no address"))


def test_update_changes_what_its_mask_names(bus: Bus) -> None:
    topic = bus.topic()
    name = bus.subscription(topic, retry_policy=retry(10, 20))

    def update(*mask: str, **fields: Any) -> types.Subscription:
        wanted = types.Subscription(name=name, **fields)
        return bus.subscriber.update_subscription(subscription=wanted, update_mask=FieldMask(paths=mask))

    updated = update("ack_deadline_seconds", ack_deadline_seconds=30, retry_policy=retry(50, 60))
    assert (updated.ack_deadline_seconds, updated.retry_policy.maximum_backoff) == (30, timedelta(seconds=20))
    policy = types.DeadLetterPolicy(dead_letter_topic=topic, max_delivery_attempts=7)
    assert update("dead_letter_policy", dead_letter_policy=policy).dead_letter_policy.max_delivery_attempts == 7
    assert "retry_policy" not in update("retry_policy")
    for mask in ([], ["topic"], ["filter"], ["nonsense"]):
        with pytest.raises(exceptions.InvalidArgument):
            update(*mask, filter="attributes:a", topic=topic)
    assert bus.subscriber.get_subscription(subscription=name).ack_deadline_seconds == 30


def test_subscription_outlives_its_topic(bus: Bus) -> None:
    topic = bus.topic()
    name = bus.subscription(topic)
    bus.publish(topic, text("kept"))
    bus.publisher.delete_topic(topic=topic)
    assert bus.subscriber.get_subscription(subscription=name).topic == "_deleted-topic_"
    assert [m.message.data for m in bus.pull(name)] == [b"kept"]


# --- publish, pull, acknowledge ----------------------------------------------------------------------------------
def test_message_arrives_whole_once_per_subscription(bus: Bus) -> None:
    topic = bus.topic()
    first, second = bus.subscription(topic), bus.subscription(topic)
    before = datetime.now().astimezone()
    ids = bus.publish(topic, text("a", attributes={"k": "v", "empty": ""}), text("", attributes={"only": "this"}))
    late = bus.subscription(topic)
    for name in (first, second):
        received = sorted(bus.pull(name, 2), key=lambda m: ids.index(m.message.message_id))
        assert [m.message.message_id for m in received] == ids
        assert (received[0].message.data, received[0].message.attributes) == (b"a", {"k": "v", "empty": ""})
        assert (received[1].message.data, received[1].message.attributes) == (b"", {"only": "this"})
        assert abs(received[0].message.publish_time - before) < timedelta(seconds=30)
        bus.ack(name, received)
        assert bus.pull_none(name)
    assert bus.pull_none(late)


def test_publish_refuses_empty_and_too_many_messages(bus: Bus) -> None:
    topic = bus.topic()
    name = bus.subscription(topic)
    for messages in ([], [text("x"), types.PubsubMessage()], [text("x")] * 1001):
        with pytest.raises(exceptions.InvalidArgument):
            bus.publish(topic, *messages)
    assert bus.pull_none(name)
    assert len(bus.publish(topic, *[text("x")] * 1000)) == 1000


def test_refused_message_comes_again_with_a_new_ack_id(bus: Bus) -> None:
    topic = bus.topic()
    name = bus.subscription(topic)
    bus.publish(topic, text("again"))
    once = bus.pull(name)
    assert bus.pull_none(name)
    bus.nack(name, once)
    twice = bus.pull(name)
    assert twice[0].message.message_id == once[0].message.message_id
    assert twice[0].ack_id != once[0].ack_id
    bus.ack(name, twice)
    assert bus.pull_none(name)


def test_message_comes_again_when_its_deadline_has_passed(bus: Bus) -> None:
    topic = bus.topic()
    name = bus.subscription(topic)
    bus.publish(topic, text("late"))
    ids = [m.ack_id for m in bus.pull(name)]
    bus.subscriber.modify_ack_deadline(subscription=name, ack_ids=ids, ack_deadline_seconds=5)
    assert bus.pull_none(name)
    assert bus.pull(name, seconds=20)[0].message.data == b"late"


def test_pull_waits_for_a_message(bus: Bus) -> None:
    topic = bus.topic()
    name = bus.subscription(topic)
    timer = threading.Timer(0.3, bus.publish, [topic, text("soon")])
    timer.start()
    reply = bus.subscriber.pull(subscription=name, max_messages=1, timeout=30)
    timer.join()
    assert [m.message.data for m in reply.received_messages] == [b"soon"]


def test_nonsense_ack_id_is_refused(bus: Bus) -> None:
    name = bus.subscription(bus.topic())
    with pytest.raises(exceptions.InvalidArgument, match=r"nvalid ack .*\(ack_id=foo\)"):
        bus.subscriber.acknowledge(subscription=name, ack_ids=["foo"])
    with pytest.raises(exceptions.InvalidArgument, match="No ack ids specified"):
        bus.subscriber.acknowledge(subscription=name, ack_ids=[])
    with pytest.raises(exceptions.InvalidArgument):
        bus.subscriber.pull(subscription=name, max_messages=0)


def test_streaming_pull_delivers_all_and_redelivers_the_refused(bus: Bus) -> None:
    topic = bus.topic()
    name = bus.subscription(topic)
    seen: list[bytes] = []
    is_done: Future[None] = Future()

    def receive(message: Any) -> None:
        seen.append(message.data)
        if message.data == b"0" and seen.count(b"0") == 1:
            message.nack()
            return
        message.ack()
        if len(set(seen)) == 60 and seen.count(b"0") == 2 and not is_done.done():
            is_done.set_result(None)

    flow = pubsub_v1.types.FlowControl(max_messages=7)
    with streaming(bus, name, receive, flow_control=flow):
        for future in [bus.publisher.publish(topic, str(i).encode()) for i in range(60)]:
            future.result(timeout=60)
        is_done.result(timeout=60)
    assert bus.pull_none(name)


def test_messages_of_a_key_keep_their_order_even_when_replayed(bus: Bus) -> None:
    topic = bus.topic()
    name = bus.subscription(topic, enable_message_ordering=True)
    bus.publish(topic, *[text(f"{key}{i}", ordering_key=key) for i in range(4) for key in ("a", "b")])
    received = bus.pull(name, 8)
    for key in ("a", "b"):
        mine = [m.message.data.decode() for m in received if m.message.ordering_key == key]
        assert mine == [f"{key}{i}" for i in range(4)]
    mine = [m for m in received if m.message.ordering_key == "a"]
    bus.nack(name, mine)
    again = [m.message.data.decode() for m in bus.pull(name, 4)]
    assert again == ["a0", "a1", "a2", "a3"]


def test_undeliverable_message_goes_to_the_dead_letter_topic(bus: Bus) -> None:
    topic, dead_topic = bus.topic(), bus.topic()
    dead = bus.subscription(dead_topic)
    policy = types.DeadLetterPolicy(dead_letter_topic=dead_topic, max_delivery_attempts=5)
    name = bus.subscription(topic, dead_letter_policy=policy)
    bus.publish(topic, text("poison", attributes={"k": "v"}))
    for attempt in range(1, 6):
        received = bus.pull(name)
        assert received[0].delivery_attempt == attempt
        bus.nack(name, received)
    assert bus.pull_none(name)  # the jar forwards a message only when it is asked for the next one
    message = bus.pull(dead)[0].message
    assert message.data == b"poison"
    source = dict(message.attributes)
    assert source.pop("k") == "v"
    assert datetime.fromisoformat(source.pop("CloudPubSubDeadLetterSourceTopicPublishTime")).tzinfo is not None
    assert source == {
        "CloudPubSubDeadLetterSourceSubscription": name.rsplit("/", 1)[1],
        "CloudPubSubDeadLetterSourceSubscriptionProject": "quakeslide-local",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
    }
    assert bus.pull_none(name)


# --- push --------------------------------------------------------------------------------------------------------
def test_push_sends_the_wrapped_message_and_success_acknowledges_it(bus: Bus) -> None:
    topic = bus.topic()
    statuses = [102, 200, 201, 202, 204]
    with endpoint(lambda body: int(body["message"]["attributes"]["answer"])) as made:
        name = bus.subscription(topic, push_config=push_to(made))
        ids = bus.publish(topic, *[text("pushed", attributes={"answer": str(status)}) for status in statuses])
        made.wait(5)
        time.sleep(0.5)  # a message not acknowledged would come again after 0.1 s
        assert len(made.bodies) == 5
        bus.subscriber.delete_subscription(subscription=name)
    assert sorted(body["message"]["messageId"] for body in made.bodies) == sorted(ids)
    for body, header in zip(made.bodies, made.headers, strict=True):
        assert body["subscription"] == name
        assert header["Content-Type"].startswith("application/json")
        message = body["message"]
        assert base64.b64decode(message["data"]) == b"pushed"
        assert message["attributes"].keys() == {"answer"}
        assert message["messageId"] == message["message_id"]
        assert message["publishTime"] == message["publish_time"]
        assert datetime.fromisoformat(message["publishTime"]).tzinfo is not None


def test_push_is_tried_again_after_any_other_answer(bus: Bus) -> None:
    topic = bus.topic()
    seen: set[str] = set()

    def answer(body: dict) -> int:
        status = body["message"]["attributes"]["first"]
        return 204 if status in seen else seen.add(status) or int(status)

    with endpoint(answer) as made:
        name = bus.subscription(topic, push_config=push_to(made))
        bus.publish(topic, *[text(s, attributes={"first": s}) for s in ("301", "400", "404", "500")])
        made.wait(8)
        assert sorted(made.data()) == sorted(["301", "400", "404", "500"] * 2)
        bus.subscriber.delete_subscription(subscription=name)


def test_subscription_turns_from_pull_to_push_and_back(bus: Bus) -> None:
    topic = bus.topic()
    name = bus.subscription(topic)
    bus.publish(topic, text("1"))
    with endpoint() as made:
        bus.subscriber.modify_push_config(subscription=name, push_config=push_to(made))
        made.wait(1)
        bus.subscriber.modify_push_config(subscription=name, push_config=types.PushConfig())
        bus.publish(topic, text("2"))
        assert [m.message.data for m in bus.pull(name)] == [b"2"]
        assert made.data() == ["1"]


# --- beyond the jar ----------------------------------------------------------------------------------------------
@pytest.mark.beyond_jar
def test_filter_decides_what_arrives(bus: Bus) -> None:
    topic = bus.topic()
    name = bus.subscription(topic, filter='attributes.kind = "sweep" OR hasPrefix(attributes.kind, "w")')
    kinds = ("sweep", "watch", "manual")
    bus.publish(topic, *[text(kind, attributes={"kind": kind}) for kind in kinds], text("none"))
    assert sorted(m.message.data for m in bus.pull(name, 2)) == [b"sweep", b"watch"]
    with pytest.raises(exceptions.InvalidArgument, match="Invalid filter syntax: position 30: expected parentheses"):
        bus.subscription(topic, filter="attributes:a AND attributes:b OR attributes:c")


@pytest.mark.beyond_jar
def test_errors_speak_as_the_real_service_does(bus: Bus) -> None:
    topic = bus.topic()
    short = topic.rsplit("/", 1)[1]
    with pytest.raises(exceptions.AlreadyExists, match=rf"Resource already exists in the project \(resource={short}\)"):
        bus.publisher.create_topic(name=topic)
    with pytest.raises(exceptions.NotFound, match=r"Resource not found \(resource=missing\)"):
        bus.publisher.get_topic(topic=f"{PROJECT}/topics/missing")
    with pytest.raises(exceptions.InvalidArgument, match="must contain either non-empty data, or at least one attr"):
        bus.publish(topic, types.PubsubMessage())
    with pytest.raises(exceptions.InvalidArgument, match="ack_deadline_seconds is too small"):
        bus.subscription(topic, ack_deadline_seconds=9)
    with pytest.raises(exceptions.InvalidArgument, match="message_count is too large"):
        bus.publish(topic, *[text("x")] * 1001)
    with pytest.raises(exceptions.InvalidArgument, match="request_size is too large"):
        bus.publish(topic, text("x" * 10_000_001))
    for attributes in ({"googx": "v"}, {"k": "v" * 1025}, {"k" * 257: "v"}, {f"k{i}": "v" for i in range(101)}):
        with pytest.raises(exceptions.InvalidArgument, match="attribute"):
            bus.publish(topic, text("x", attributes=attributes))


@pytest.mark.beyond_jar
def test_what_is_not_played_is_refused_by_name(bus: Bus) -> None:
    topic = bus.topic()
    with pytest.raises(exceptions.MethodNotImplemented, match="enable_exactly_once_delivery"):
        bus.subscription(topic, enable_exactly_once_delivery=True)
    with pytest.raises(exceptions.MethodNotImplemented, match="message_retention_duration"):
        bus.subscription(topic, message_retention_duration=timedelta(days=1))
    raw = types.PushConfig(push_endpoint="http://127.0.0.1:1", no_wrapper=types.PushConfig.NoWrapper())
    with pytest.raises(exceptions.MethodNotImplemented, match="no_wrapper"):
        bus.subscription(topic, push_config=raw)
    with pytest.raises(exceptions.MethodNotImplemented, match="kms_key_name"):
        bus.publisher.create_topic(request=types.Topic(name=f"{PROJECT}/topics/keyed", kms_key_name="k"))
    with pytest.raises(exceptions.MethodNotImplemented, match="Subscriber/ListSnapshots"):
        bus.subscriber.list_snapshots(project=PROJECT)
    for address in ("https://127.0.0.1/x", "http://192.0.2.1/x", "http://example.org/x", "http://127.0.0.1:99999/"):
        with pytest.raises(exceptions.InvalidArgument, match="Invalid push endpoint given"):
            bus.subscription(topic, push_config=types.PushConfig(push_endpoint=address))


@pytest.mark.beyond_jar
def test_push_subscription_cannot_be_pulled(bus: Bus) -> None:
    with endpoint() as made:
        name = bus.subscription(bus.topic(), push_config=push_to(made))
        with pytest.raises(exceptions.FailedPrecondition):
            bus.subscriber.pull(subscription=name, max_messages=1)
        bus.subscriber.delete_subscription(subscription=name)


@pytest.mark.beyond_jar
def test_push_counts_attempts_and_carries_a_local_token(bus: Bus) -> None:
    topic = bus.topic()
    policy = types.DeadLetterPolicy(dead_letter_topic=bus.topic(), max_delivery_attempts=5)
    token = types.PushConfig.OidcToken(service_account_email="pusher@quakeslide-local.iam", audience="")
    with endpoint(lambda body: 500 if body["deliveryAttempt"] < 3 else 204) as made:
        push = push_to(made, oidc_token=token, attributes={"x-goog-version": "v1"})
        name = bus.subscription(topic, push_config=push, dead_letter_policy=policy)
        bus.publish(topic, text("x"))
        made.wait(3)
        bus.service.wait_quiet()
        assert [body["deliveryAttempt"] for body in made.bodies] == [1, 2, 3]
        assert bus.service.state()["subscriptions"][name]["acked"] == 1
        bus.subscriber.delete_subscription(subscription=name)
    scheme, _, jwt = made.headers[0]["Authorization"].partition(" ")
    head, claims, signature = jwt.split(".")
    assert (scheme, signature) == ("Bearer", "")
    assert json.loads(base64.urlsafe_b64decode(head + "=="))["alg"] == "none"
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (decoded["aud"], decoded["email"]) == (made.url, "pusher@quakeslide-local.iam")


@pytest.mark.beyond_jar
def test_pushes_run_in_parallel_but_one_at_a_time_for_a_key(bus: Bus) -> None:
    are_four = threading.Event()

    def answer(_: dict) -> int:
        time.sleep(0.1)
        return 200

    def answer_four(body: dict) -> int:
        if made.most_at_once >= 4:
            are_four.set()
        are_four.wait(10)  # how far apart pushes arrive depends on how busy the machine is
        return answer(body)

    topic, ordered_topic = bus.topic(), bus.topic()
    with endpoint(answer_four) as made, endpoint(answer) as ordered:
        bus.subscription(topic, push_config=push_to(made), ack_deadline_seconds=60)
        bus.subscription(ordered_topic, push_config=push_to(ordered), enable_message_ordering=True)
        bus.publish(topic, *[text(str(i)) for i in range(20)])
        bus.publish(ordered_topic, *[text(str(i), ordering_key="k") for i in range(4)])
        made.wait(20)
        ordered.wait(4)
        bus.service.wait_quiet()
        assert 4 <= made.most_at_once <= 8
        assert (ordered.most_at_once, ordered.data()) == (1, ["0", "1", "2", "3"])
        assert {body["message"]["orderingKey"] for body in ordered.bodies} == {"k"}


@pytest.mark.beyond_jar
def test_message_stays_when_the_dead_letter_topic_is_gone(bus: Bus) -> None:
    topic, dead_topic = bus.topic(), bus.topic()
    policy = types.DeadLetterPolicy(dead_letter_topic=dead_topic, max_delivery_attempts=5)
    name = bus.subscription(topic, dead_letter_policy=policy)
    bus.publisher.delete_topic(topic=dead_topic)
    bus.publish(topic, text("kept"))
    for _ in range(6):
        bus.nack(name, bus.pull(name))
    assert bus.pull(name)[0].delivery_attempt == 7


@pytest.mark.beyond_jar
def test_acknowledged_message_behind_a_refused_one_of_its_key_is_replayed(bus: Bus) -> None:
    topic = bus.topic()
    name = bus.subscription(topic, enable_message_ordering=True)
    bus.publish(topic, *[text(str(i), ordering_key="k") for i in range(3)])
    received = bus.pull(name, 3)
    bus.ack(name, received[1:])
    bus.nack(name, received[:1])
    again = bus.pull(name, 3)
    assert [m.message.data for m in again] == [b"0", b"1", b"2"]
    bus.ack(name, again)
    assert bus.pull_none(name)


@pytest.mark.beyond_jar
def test_retry_is_due_on_the_replayed_clock_with_doubling_back_off(replayed: Bus, clock: Clock) -> None:
    topic, start = replayed.topic(), clock.now()
    answers = iter([500, 500, 500, 500])
    with endpoint(lambda _: next(answers, 204)) as made:
        name = replayed.subscription(topic, push_config=push_to(made), retry_policy=retry(100, 300))
        replayed.publish(topic, text("x"))
        for attempt, wait in enumerate([100, 200, 300, 300], start=1):
            made.wait(attempt)
            state = replayed.service.wait_quiet()["subscriptions"][name]
            due = clock.now() + timedelta(seconds=wait)
            assert datetime.fromisoformat(state["next_retry"]) == due
            assert (state["backlog"], state["outstanding"], len(made.bodies)) == (1, 0, attempt)
            clock.set(due - timedelta(microseconds=1))
            time.sleep(0.15)
            assert len(made.bodies) == attempt
            clock.set(due)
        made.wait(5)
        state = replayed.service.wait_quiet()["subscriptions"][name]
    assert (state["backlog"], state["next_retry"], state["acked"]) == (0, None, 1)
    assert clock.now() == start + timedelta(seconds=900)
    assert {body["message"]["publishTime"] for body in made.bodies} == {"2024-01-01T07:10:00.000Z"}


@pytest.mark.beyond_jar
def test_faults_duplicate_and_shuffle_what_is_delivered(bus: Bus) -> None:
    topic = bus.topic()
    is_read = threading.Event()
    with endpoint(lambda _: 204 if is_read.wait(30) else 500) as made:
        name = bus.subscription(topic, push_config=push_to(made), ack_deadline_seconds=60)
        on = {"on": "deliver", "subscription": name}
        shuffle = {"action": "shuffle", "window": 0.3, "seed": 7, "times": None}
        bus.service.set_faults([on | {"action": "duplicate", "copies": 2}, on | shuffle])
        bus.publish(topic, *[text(str(i)) for i in range(10)])
        assert not bus.service.state()["quiet"]
        is_read.set()
        made.wait(20)
        bus.service.wait_quiet()
        bus.service.set_faults([])
    assert sorted(made.data()) == sorted([str(i) for i in range(10)] * 2)
    assert made.data() != sorted(made.data())


@pytest.mark.beyond_jar
def test_faults_drop_an_acknowledgement_and_delay(bus: Bus) -> None:
    topic = bus.topic()
    with endpoint() as made:
        name = bus.subscription(topic, push_config=push_to(made))
        on = {"on": "deliver", "subscription": name, "times": 1}
        bus.service.set_faults([on | {"action": "drop_ack"}, on | {"action": "delay", "seconds": 0.3}])
        start = time.monotonic()
        bus.publish(topic, text("x"))
        made.wait(1)
        assert time.monotonic() - start >= 0.3
        made.wait(2)
        state = bus.service.wait_quiet()
        bus.service.set_faults([])
    assert (len(made.bodies), state["subscriptions"][name]["acked"]) == (2, 1)


@pytest.mark.beyond_jar
@pytest.mark.parametrize(
    "fault",
    [
        {"on": "start", "action": "delay"},
        {"on": "deliver", "action": "explode"},
        {"on": "deliver", "action": "delay", "copies": 2},
        {"on": "deliver", "action": "duplicate", "copies": 0},
        {"on": "deliver", "action": "drop_ack", "subscription": "("},
        {"on": "deliver", "action": "drop_ack", "times": -1},
    ],
)
def test_bad_fault_is_refused(bus: Bus, fault: dict) -> None:
    with pytest.raises(OSError, match="400"):
        bus.service.set_faults([fault])


@pytest.mark.beyond_jar
def test_service_that_lost_a_part_ends_instead_of_hanging(replayed: Bus, clock: Clock) -> None:
    nowhere = types.PushConfig(push_endpoint="http://127.0.0.1:9/")
    replayed.subscription(replayed.topic(), push_config=nowhere)
    assert clock.path is not None
    clock.path.unlink()  # no push can be judged due any more
    assert replayed.service.process.wait(timeout=60) == 1


@pytest.mark.beyond_jar
def test_start_that_cannot_succeed_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "infra.local.pubsub"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        wrong = [("--port", port), ("--control-port", port), ("--clock", str(tmp_path / "none"))]
        started = [
            subprocess.Popen([*command, *pair], cwd=pubsub_service.ROOT, stderr=subprocess.PIPE, text=True)
            for pair in wrong
        ]
        for process, (option, value) in zip(started, wrong, strict=True):
            _, told = process.communicate(timeout=120)
            assert process.returncode == 1
            assert option in told.splitlines()[-1]
            assert value in told.splitlines()[-1]
            assert "Traceback" not in told


@pytest.mark.beyond_jar
def test_termination_is_prompt_and_clean_amid_deliveries() -> None:
    is_over = threading.Event()

    def hang(_: dict) -> int:
        is_over.wait(60)
        return 200

    def ask(subscription: str) -> Iterator[types.StreamingPullRequest]:
        yield types.StreamingPullRequest(subscription=subscription, stream_ack_deadline_seconds=60)
        is_over.wait(60)

    with endpoint(hang) as made, pubsub_service.ours(is_watched=True) as service:
        with pubsub_service.clients(service.host) as (publisher, subscriber):
            bus = Bus(service, publisher, subscriber)
            topic = bus.topic()
            bus.subscription(topic, push_config=push_to(made), ack_deadline_seconds=60)
            stream = subscriber.streaming_pull(requests=ask(bus.subscription(topic)))
            bus.publish(topic, text("x"))
            assert next(stream).received_messages[0].message.data == b"x"
            made.wait(1)
            start = time.monotonic()
            service.process.terminate()
            assert service.process.wait(timeout=30) == 0
            took = time.monotonic() - start
            with pytest.raises(exceptions.GoogleAPICallError):
                next(stream)
            is_over.set()
        assert service.process.stderr is not None
        told = service.process.stderr.read()
    assert took < 20  # a process of Python's development mode takes its time to end; the deliveries would last 60 s
    assert "Warning" not in told
    assert "Traceback" not in told
