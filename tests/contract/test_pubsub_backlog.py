"""Delivery without a process: random histories of a backlog, and an endpoint that does not answer in time."""

import itertools
import socket
import time
from datetime import UTC, datetime, timedelta

from google.pubsub_v1 import types
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infra.local.clock import Clock
from infra.local.pubsub.backlog import Backlog, Entry
from infra.local.pubsub.broker import Broker
from infra.local.pubsub.push import Pusher

TOPIC, NAME = "projects/p/topics/ttt", "projects/p/subscriptions/sss"
START = datetime(2024, 1, 1, tzinfo=UTC)
steps = st.lists(st.tuples(st.sampled_from(["lease", "ack", "refuse", "expire"]), st.integers(0, 5)), max_size=40)


def _config(*, is_ordered: bool) -> types.Subscription:
    policy = types.RetryPolicy(minimum_backoff=timedelta(seconds=1), maximum_backoff=timedelta(seconds=8))
    return types.Subscription(name=NAME, topic=TOPIC, enable_message_ordering=is_ordered, retry_policy=policy)


@settings(max_examples=60)
@example(["a", "a", "a"], True, [("lease", 5), ("ack", 1), ("refuse", 0)])
@example(["a", "a"], True, [("lease", 1), ("refuse", 0), ("lease", 5)])
@given(st.lists(st.sampled_from(["", "a", "b"]), min_size=1, max_size=6), st.booleans(), steps)
def test_no_history_loses_a_message_or_breaks_the_order_of_a_key(
    keys: list[str], is_ordered: bool, history: list[tuple[str, int]]
) -> None:
    backlog = Backlog(_config(is_ordered=is_ordered), itertools.count(1))
    for key in keys:
        backlog.add(types.PubsubMessage(data=b"x", ordering_key=key))
    acknowledged: set[int] = set()
    held: list[str] = []
    now, instant = START, 0.0

    def of_the_key(entry: Entry) -> list[int]:
        return [n for n, key in enumerate(keys, start=1) if is_ordered and key and key == keys[entry.sequence - 1]]

    def lease(limit: int) -> list[Entry]:
        leased = backlog.lease(limit, now, instant, seconds=10)
        for place, entry in enumerate(leased):
            before = [backlog.entries[n] for n in of_the_key(entry) if n < entry.sequence and n in backlog.entries]
            assert all(earlier.acked or earlier in leased[:place] for earlier in before)
            assert not entry.acked
        held.extend(backlog.ack_id(entry) for entry in leased)
        return leased

    def settle(action: str, ack_id: str) -> None:
        entry = backlog.held_by(ack_id)
        if entry is not None and action == "ack":
            backlog.acknowledge(entry)
            acknowledged.add(entry.sequence)
        elif entry is not None:
            backlog.refuse(entry, now, instant)
            replayed = [backlog.entries[n] for n in of_the_key(entry) if n > entry.sequence]
            assert not any(later.acked or later.leased_until is not None for later in replayed)

    for action, number in history:
        now, instant = now + timedelta(seconds=number), instant + number
        if action == "lease":
            lease(number)
        elif action == "expire":
            for entry in backlog.expired(instant):
                settle("refuse", backlog.ack_id(entry))
        elif held:
            settle(action, held.pop(number % len(held)))
    for _ in range(2 * len(keys) + 2):  # a well-behaved client afterwards
        now, instant = now + timedelta(seconds=60), instant + 60
        for entry in backlog.expired(instant):
            settle("refuse", backlog.ack_id(entry))
        for entry in lease(10):
            settle("ack", backlog.ack_id(entry))
    assert backlog.entries == {}
    assert acknowledged == set(range(1, len(keys) + 1))


@given(st.integers(1, 200))
def test_back_off_doubles_between_its_bounds(attempts: int) -> None:
    backlog = Backlog(_config(is_ordered=False), itertools.count(1))
    entry = backlog.add(types.PubsubMessage(data=b"x"))
    entry.attempts = attempts
    backlog.refuse(entry, START, 0.0)
    assert entry.due == START + timedelta(seconds=min(8, 2 ** (attempts - 1)))


def test_endpoint_has_the_ack_deadline_to_answer() -> None:
    broker = Broker(Clock())
    broker.create_topic(types.Topic(name=TOPIC))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        push = types.PushConfig(push_endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")
        broker.create_subscription(types.Subscription(name=NAME, topic=TOPIC, push_config=push))
        backlog = broker.backlog(NAME)
        backlog.config.ack_deadline_seconds = 1  # the API allows 10 at the least; the test does not wait so long
        pusher = Pusher(broker)
        pusher.start()
        start = time.monotonic()
        broker.publish(TOPIC, [types.PubsubMessage(data=b"x")], 1)
        first, _ = silent.accept()
        second, _ = silent.accept()
        took = time.monotonic() - start
        [entry] = backlog.entries.values()
        pusher.close()
        first.close()
        second.close()
    assert 1 <= took < 8  # far from the 10 s that it would be by default
    assert entry.attempts >= 2
    assert backlog.acknowledged == 0
