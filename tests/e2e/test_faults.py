"""Functions killed, replies lost and services refusing, at every kind of write: the products are complete and the same in the end.

Every case is an event of its own on one stack, over the same scenes and pixels; cells are deleted before each, so that each is scored.
"""

import contextlib
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from google.cloud import pubsub_v1

from infra.local.provision import PROJECT
from infra.local.stack import Stack
from infra.local.stories import NOTO, NOTO_ORIGIN
from tests.e2e.story import (
    PATIENCE_LOOKS,
    READY,
    ask,
    complete,
    contents,
    exports_of,
    heard,
    late_stack,
    look,
    problems_of,
    results_of,
    shared_archive,
    status_of,
    subscribe,
    waiting,
)

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, the stack alone may take minutes to start

STATUS = r"^status/EVENT\.json"  # export_composites writes it first, last of all it does
EXPORTER = {  # its other writes, in order
    "earthquakes": r"^earthquakes/EVENT\.json",
    "watches": r"^watches/open/EVENT\.json",
    "manifests": r"^manifests/EVENT/.*/[0-9a-f]+\.json",
    "markers": r"^manifests/EVENT/.*\.final\.json",
    "outbox": r"^outbox/export-EVENT-\w+-1\.json",
    "operation": r"^outbox/export-EVENT-\w+-1\.operation\.json",
}
DETECTOR = {  # writes of detect_landslides, in order
    "first_cell": r"^cells/.*/0-0\.npz",
    "last_cell": r"^cells/.*/1-1\.npz",
    "score": r"^support/EVENT/.*/score\.tif",
    "latest": r"^latest/EVENT/",
    "summary": r"^summary/EVENT\.geojson",
    "page": r"^pages/EVENT/",
    "detections": r"^detections/EVENT/",
}
WRITES = EXPORTER | DETECTOR | {"status": STATUS}
MODEL_FAULTS = [("status", "unavailable"), ("predict", "resource_exhausted"), ("predict", "wrong_version")]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder, archive = tmp_path_factory.mktemp("faults"), shared_archive(tmp_path_factory)
    with late_stack(folder, archive, start=NOTO_ORIGIN - timedelta(hours=1)) as running:
        yield running


@pytest.fixture(scope="module")
def subscription(stack: Stack) -> str:
    return subscribe()


def worker(stack: Stack, function: str, *, killed: int | None = None) -> int:
    """Return the process that does a function's work; one that was killed is replaced within moments, and may be listed until then."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for pid in stack.children[function].worker_pids():
            if pid == killed:
                continue
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z":
                    return pid
        time.sleep(0.05)
    raise TimeoutError(f"{function} has no worker")


def kill_after(stack: Stack, function: str, pattern: str, *, killed: int | None = None) -> int:
    """Have a function's worker killed as soon as it has written an object of that name; return its process, not the one killed before."""
    pid = worker(stack, function, killed=killed)
    stack.set_faults("storage", [{"on": "object_written", "name": pattern, "action": "kill", "pid": pid, "times": 1}])
    return pid


def faults_left(stack: Stack) -> Any:
    """Return the storage faults that have not happened."""
    return stack.state_of("storage")["faults"]


def test_poller_killed_at_every_write_announces_exactly_once(stack: Stack) -> None:
    with pubsub_v1.SubscriberClient() as subscriber:
        path = subscriber.subscription_path(PROJECT, "witness")
        subscriber.create_subscription(name=path, topic=f"projects/{PROJECT}/topics/earthquakes")
        now = NOTO_ORIGIN + timedelta(minutes=25)
        # the announcement is taken back at once, or the radius of a magnitude 7.5 would be watched here
        for prefix in ("aliases/", "earthquakes/", "outbox/"):
            killed = kill_after(stack, "poll_earthquakes", f"^{prefix}")
            stack.clock.set(now)
            with pytest.raises(requests.ConnectionError):
                stack.scheduler.run_due()
            assert faults_left(stack) == []
            worker(stack, "poll_earthquakes", killed=killed)
            now += timedelta(minutes=3)
        for _ in range(2):
            stack.clock.set(now)
            assert "poll-earthquakes" in stack.scheduler.run_due()
            now += timedelta(minutes=3)
        stack.settle()
        received = subscriber.pull(subscription=path, max_messages=10, timeout=30).received_messages
    assert [item.message.attributes["kind"] for item in received] == ["announced"]
    assert received[0].message.attributes["event_id"] == NOTO
    intents = contents(stack, "state", f"outbox/{NOTO}-")
    assert [json.loads(data)["state"] for data in intents.values()] == ["done"]
    assert json.loads(contents(stack, "state", "earthquakes/")[f"earthquakes/{NOTO}.json"])["state"] == "announced"
    stack.clock.set(now)
    stack.publish("earthquakes", {"kind": "cancelled", "version": 1, "event_id": NOTO, "reason": "test"})
    stack.settle()
    assert status_of(stack, NOTO)["state"] == "cancelled"


@pytest.fixture(scope="module")
def plain(stack: Stack, subscription: str) -> dict[str, bytes]:
    """What an event leaves behind when nothing fails."""
    if stack.clock.now() < READY:
        stack.clock.set(READY)
    ask(stack, "fault_base")
    return complete(stack, "fault_base")


def forget_cells(stack: Stack) -> None:
    for blob in stack.bucket("state").list_blobs(prefix="cells/"):
        blob.delete()


def ends_as_if_nothing_had_happened(stack: Stack, event_id: str, plain: dict[str, bytes]) -> None:
    products = complete(stack, event_id)
    assert [task["metadata"]["state"] for task in exports_of(stack, event_id)] == ["SUCCEEDED"]
    assert problems_of(stack, event_id) == []
    assert products.keys() == plain.keys()
    assert [name for name in plain if products[name] != plain[name]] == []
    assert len(contents(stack, "state", "cells/")) == 4


def test_exporter_killed_after_each_of_its_writes_in_turn(stack: Stack, plain: dict[str, bytes]) -> None:
    event_id = "kill_turns"
    forget_cells(stack)
    killed = None
    for number, pattern in enumerate(EXPORTER.values()):
        killed = kill_after(stack, "export_composites", pattern.replace("EVENT", event_id), killed=killed)
        if number == 0:
            ask(stack, event_id)
        # every killed delivery is tried again beside the look, and all race for the watch; one from before the kill that wins gives
        # way to the intent that was left pending, and is gone then
        for _ in range(PATIENCE_LOOKS):
            if not faults_left(stack):
                break
            look(stack, event_id)
        assert faults_left(stack) == [], pattern
    ends_as_if_nothing_had_happened(stack, event_id, plain)


@pytest.mark.parametrize(("number", "where"), list(enumerate(["status", *DETECTOR])))
def test_function_killed_after_a_write(stack: Stack, plain: dict[str, bytes], number: int, where: str) -> None:
    event_id = f"kill__{number:04d}"
    forget_cells(stack)
    function = "detect_landslides" if where in DETECTOR else "export_composites"
    kill_after(stack, function, WRITES[where].replace("EVENT", event_id))
    ask(stack, event_id)
    assert faults_left(stack) == []
    ends_as_if_nothing_had_happened(stack, event_id, plain)


@pytest.mark.parametrize(("event_id", "action"), [("drop_every", "drop"), ("fail_every", "error")])
def test_storage_that_answers_503_once_at_every_write(
    stack: Stack, plain: dict[str, bytes], event_id: str, action: str
) -> None:
    forget_cells(stack)
    names = [pattern.replace("EVENT", event_id) for pattern in WRITES.values()]
    faults = [{"on": "object_written", "name": name, "action": action, "times": 1} for name in names]
    stack.set_faults("storage", faults)
    ask(stack, event_id)
    assert faults_left(stack) == []
    ends_as_if_nothing_had_happened(stack, event_id, plain)


def test_model_server_that_does_not_answer_well_is_asked_again_later(stack: Stack, plain: dict[str, bytes]) -> None:
    event_id = "model_tale"
    forget_cells(stack)
    try:
        for number, (call, action) in enumerate(MODEL_FAULTS):
            stack.set_faults("model_server", [{"on": call, "action": action, "times": 1000}])
            if number == 0:
                ask(stack, event_id)
            else:
                look(stack, event_id, timedelta(minutes=11))
            assert results_of(stack, event_id).keys() == {f"status/{event_id}.json"}
            assert contents(stack, "state", "cells/") == {}
            assert waiting(stack) > 0
    finally:
        stack.set_faults("model_server", [])
    ends_as_if_nothing_had_happened(stack, event_id, plain)


def test_every_product_was_told_of_once(stack: Stack, plain: dict[str, bytes], subscription: str) -> None:
    look(stack, "fault_base")
    names = [name for name in contents(stack, "results", "detections/")]
    told: list[Any] = heard(subscription)
    assert sorted(told) == sorted(names)
    assert len(names) == 1 + 1 + 1 + len(DETECTOR) + 2 + 1
