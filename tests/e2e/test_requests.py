"""What people and other systems ask for by messages: manual requests, corrections, nonsense; and exports that go wrong."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud import pubsub_v1

from infra.local.provision import PROJECT
from infra.local.stack import Stack
from infra.local.stories import NOTICE, NOTO_ORIGIN
from tests.e2e.story import (
    anonymous,
    ask,
    complete,
    contents,
    dead_letters,
    exports_of,
    late_stack,
    look,
    problems_of,
    results_of,
    shared_archive,
    status_of,
    waiting,
)

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, the stack alone may take minutes to start


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with late_stack(tmp_path_factory.mktemp("requests"), shared_archive(tmp_path_factory)) as running:
        ask(running, "plain_once")
        yield running


def the_only(names: dict[str, bytes], prefix: str) -> str:
    found = [name for name in names if name.startswith(prefix)]
    assert len(found) == 1, found
    return found[0]


def test_unknown_event_with_area_and_time_gets_watch_and_products(stack: Stack) -> None:
    results = results_of(stack, "plain_once")
    product = json.loads(results[the_only(results, "detections/plain_once/A112/60-12/")])
    assert product["finality"] == "final"
    assert product["data_notice"] == NOTICE
    assert product["outcome"] == "detections"
    assert product["features"]
    assert stack.bucket("state").blob("watches/open/plain_once.json").exists()
    ledger = json.loads(stack.bucket("state").blob("earthquakes/plain_once.json").download_as_bytes())
    assert ledger["source"] == "manual"
    assert len(exports_of(stack, "plain_once")) == 1


@pytest.mark.parametrize(
    ("event_id", "missing"),
    [
        ("without_area", {"aoi": None}),
        ("without_time", {"post_start": None}),
        ("without_both", {"aoi": None, "post_start": None}),
    ],
)
def test_unknown_event_without_area_or_time_is_a_problem_that_names_it(
    stack: Stack, event_id: str, missing: dict[str, None]
) -> None:
    ask(stack, event_id, **missing)
    (problem,) = problems_of(stack, event_id)
    assert problem["code"] == "impossible_request"
    assert event_id in problem["text"]
    assert all(field in problem["text"] for field in missing)
    assert [shown["text"] for shown in status_of(stack, event_id)["problems"]] == [problem["text"]]
    assert results_of(stack, event_id).keys() == {f"status/{event_id}.json"}
    assert not [name for name in contents(stack, "state") if event_id in name and not name.startswith("problems/")]
    assert waiting(stack) == 0


def test_only_the_tracks_asked_for_are_exported(stack: Stack) -> None:
    ask(stack, "only_descending", tracks=["D046"])
    assert {Path(name).parts[2] for name in results_of(stack, "only_descending", "detections/")} == {"D046"}
    assert [entry["track"] for entry in status_of(stack, "only_descending")["tracks"]] == ["D046"]
    assert len(exports_of(stack, "only_descending")) == 1


def test_only_the_stages_asked_for_are_made_and_a_borrowed_model_is_said(stack: Stack) -> None:
    ask(stack, "other_stage", stages=["60-24"])
    results = results_of(stack, "other_stage")
    name = the_only(results, "detections/")
    assert Path(name).parts[3] == "60-24"
    assert name.endswith("-provisional.geojson")  # 13 of 24 days have gone by
    assert json.loads(results[name])["stack_mismatch"] is True
    assert status_of(stack, "other_stage")["tracks"][0]["finality"] == "provisional"


def test_force_judges_again_under_a_new_run_and_keeps_the_old_products(stack: Stack) -> None:
    ask(stack, "forced_one", post_start=(NOTO_ORIGIN + timedelta(minutes=1)).isoformat())
    before = results_of(stack, "forced_one")
    old = the_only(before, "detections/")
    ask(stack, "forced_one", aoi=None, post_start=None, tracks=None, force=True)
    after = results_of(stack, "forced_one")
    new = next(name for name in after if name.startswith("detections/") and name != old)
    kept = [name for name in before if name.startswith(("detections/", "support/"))]
    assert [name for name in kept if after.get(name) != before[name]] == []
    assert json.loads(after[new])["features"] == json.loads(before[old])["features"]
    assert json.loads(after["latest/forced_one/A112/60-12.json"])["geojson"] == new
    assert len(exports_of(stack, "forced_one")) == 1
    look(stack, "forced_one")
    assert results_of(stack, "forced_one").keys() == after.keys()


def test_cancellation_marks_the_status_and_leaves_the_products(stack: Stack) -> None:
    event_id = "taken_back"
    ask(stack, event_id, post_start=(NOTO_ORIGIN + timedelta(minutes=2)).isoformat())
    before = results_of(stack, event_id)
    stack.clock.set(stack.clock.now() + timedelta(minutes=1))
    stack.publish(
        "earthquakes", {"kind": "cancelled", "version": 1, "event_id": event_id, "reason": "no earthquake at all"}
    )
    stack.settle()
    status = status_of(stack, event_id)
    assert status["state"] == "cancelled"
    assert "no earthquake at all" in status["tracks"][0]["text"]
    assert stack.bucket("state").blob(f"watches/closed/{event_id}.json").exists()
    assert not stack.bucket("state").blob(f"watches/open/{event_id}.json").exists()
    look(stack, event_id)
    after = results_of(stack, event_id)
    assert [name for name in before if not name.startswith("status/") and after.get(name) != before[name]] == []
    assert after.keys() == before.keys()


MALFORMED: list[tuple[str, bytes, dict[str, str], str]] = [
    ("earthquakes", b"no json {", {}, "no JSON"),
    ("earthquakes", b"[1]", {}, "no JSON object"),
    ("earthquakes", b'{"kind": "rumour"}', {}, "rumour"),
    ("earthquakes", b'{"kind": "manual", "version": 1}', {}, "event_id"),
    ("earthquakes", b'{"kind": "manual", "event_id": "../etc/passwd"}', {}, "../etc/passwd"),
    ("earthquakes", b'{"kind": "manual", "event_id": "us1234", "post_start": "2024-01-01T00:00:00"}', {}, "offset"),
    ("earthquakes", b'{"kind": "manual", "event_id": "us1234", "tracks": ["X999"]}', {}, "X999"),
    ("watches", b'{"kind": "manual", "event_id": "us1234"}', {}, "manual"),
    ("composite-shards", b"{}", {"eventType": "OBJECT_FINALIZE", "objectId": "shards/thumbs.db"}, "shards/thumbs.db"),
    (
        "composite-shards",
        b'{"kind": "rescan", "event_id": "us1234", "track": "A001", "stage": "60-12", "composite_id": "x"}',
        {},
        "twelve hex",
    ),
]


def test_malformed_messages_come_to_rest_in_the_dead_letters_with_their_bytes_and_the_reason(stack: Stack) -> None:
    before = {bucket: contents(stack, bucket).keys() for bucket in ("state", "results", "composites")}
    with pubsub_v1.PublisherClient() as publisher:
        for topic, data, attributes, _ in MALFORMED:
            publisher.publish(publisher.topic_path(PROJECT, topic), data, **attributes).result(timeout=30)
    stack.settle()
    assert waiting(stack) == 0  # acknowledged: the functions answered 2xx
    for topic in ("earthquakes", "watches", "composite-shards"):
        sent = [(data, attributes, words) for there, data, attributes, words in MALFORMED if there == topic]
        letters = dead_letters(topic, len(sent))
        assert sorted(letter.data for letter in letters) == sorted(data for data, _, _ in sent)
        for data, attributes, words in sent:
            letter = next(letter for letter in letters if letter.data == data)
            assert words in letter.attributes["reason"]
            assert letter.attributes["code"] == "malformed_message"
            assert letter.attributes["source_message_id"]
            assert attributes.items() <= dict(letter.attributes).items()
    assert {bucket: contents(stack, bucket).keys() for bucket in before} == before


@pytest.mark.parametrize(
    ("event_id", "fault", "tasks"),
    [  # Earth Engine's client itself tries a full queue three times
        ("queue_once", {"action": "queue_full", "times": 3}, ["SUCCEEDED"]),
        ("fails_once", {"action": "fail", "message": "Computation timed out."}, ["FAILED", "SUCCEEDED"]),
        ("loses_once", {"action": "lose"}, ["PENDING", "SUCCEEDED"]),
    ],
)
def test_export_that_goes_wrong_once_is_made_and_no_attempt_twice(
    stack: Stack, event_id: str, fault: dict[str, Any], tasks: list[str]
) -> None:
    stack.set_faults("earth_engine", [{"on": "export", "description": event_id, **fault}])
    ask(stack, event_id)
    assert not results_of(stack, event_id, "detections/")
    assert status_of(stack, event_id)["tracks"][0]["state"] == "exporting"
    assert complete(stack, event_id) == anonymous(stack, "plain_once")
    made = exports_of(stack, event_id)
    assert [task["metadata"]["state"] for task in made] == tasks
    assert len({task["requestId"] for task in made}) == len(made)
    assert status_of(stack, event_id)["tracks"][0]["state"] == "done"


def test_export_that_always_fails_is_given_up_and_says_why(stack: Stack) -> None:
    event_id, words = "always_fails", "Computation timed out."
    stack.set_faults(
        "earth_engine", [{"on": "export", "description": event_id, "action": "fail", "message": words, "times": 9}]
    )
    ask(stack, event_id)
    for _ in range(3):
        look(stack, event_id)
    assert [task["metadata"]["state"] for task in exports_of(stack, event_id)] == ["FAILED"] * 3
    (row,) = status_of(stack, event_id)["tracks"]
    assert row["state"] == "failed"
    assert words in row["text"]
    (problem,) = problems_of(stack, event_id)
    assert problem["code"] == "export_failed"
    assert words in problem["text"]
    assert results_of(stack, event_id).keys() == {f"status/{event_id}.json"}
    stack.set_faults("earth_engine", [])
    ask(stack, event_id, aoi=None, post_start=None, tracks=None, force=True)
    complete(stack, event_id)
    assert status_of(stack, event_id)["tracks"][0]["state"] == "done"
