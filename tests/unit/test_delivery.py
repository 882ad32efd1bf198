import base64
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from quakeslide.errors import (
    BusUnavailable,
    LostRace,
    MalformedMessage,
    ModelMissing,
    PermanentError,
    StoreUnavailable,
    UnusableComposite,
)
from quakeslide.messages import Envelope, Manual, Message, WatchDue
from quakeslide.telemetry import bind
from quakeslide.usecases.delivery import deliver, open_envelope, record_problem
from tests.fakes import MemoryBus, MemoryStore

DEAD = {"earthquakes": "earthquakes-dead", "watches": "watches-dead"}


class Event(dict[str, Any]):
    """A CloudEvent as functions-framework makes it of a push."""

    data: Any


def event(body: dict[str, Any] | bytes, topic: str = "watches", **attributes: str) -> Event:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    made = Event(source=f"//pubsub.googleapis.com/projects/p/topics/{topic}")
    made.data = {
        "message": {
            "data": base64.b64encode(raw).decode(),
            "attributes": attributes,
            "messageId": "4711",
            "publishTime": "2024-01-01T07:30:00.123Z",
        },
        "subscription": "projects/p/subscriptions/s",
    }
    return made


WATCH = event({"kind": "watch", "event_id": "us1"}, kind="watch")


class BrokenBus(MemoryBus):
    def publish(self, topic, data, attributes):
        raise BusUnavailable(f"{topic} does not answer")


@dataclass
class World:
    """One function's surroundings."""

    state: MemoryStore = field(default_factory=MemoryStore)
    bus: MemoryBus = field(default_factory=MemoryBus)
    handled: list[tuple[Message, Envelope]] = field(default_factory=list)
    problems_shown: list[str] = field(default_factory=list)

    def deliver(self, event: Event, error: Exception | None = None, **facts: Any) -> None:
        def handle(message: Message, envelope: Envelope) -> None:
            self.handled.append((message, envelope))
            bind(**facts)
            if error is not None:
                raise error

        deliver(
            event,
            handle,
            state=self.state,
            bus=self.bus,
            dead_letter_topic=DEAD.__getitem__,
            on_problem=self.problems_shown.append,
        )

    def problems(self) -> list[dict[str, Any]]:
        return [json.loads(stored.data) for _, stored in sorted(self.state.objects.items())]


def test_message_reaches_its_handler_with_what_pubsub_says_of_it():
    world = World()
    world.deliver(WATCH)
    ((message, envelope),) = world.handled
    assert message == WatchDue(event_id="us1")
    assert (envelope.message_id, envelope.topic, dict(envelope.attributes)) == ("4711", "watches", {"kind": "watch"})
    assert envelope.publish_time.isoformat() == "2024-01-01T07:30:00.123000+00:00"
    assert not world.bus.published
    assert not world.state.objects


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x00\xff no JSON", "no JSON"),
        ({"kind": "watch"}, "field 'event_id' is missing"),
        ({"kind": "watch", "event_id": "../x"}, "is no event id"),
        ({"kind": "manual", "event_id": "us1"}, "kind 'manual' is not one of watches's"),
    ],
)
def test_malformed_message_is_dead_lettered_raw_with_its_reason_and_acknowledged(body, reason):
    world = World()
    world.deliver(event(body, colour="blue"))
    ((topic, data, attributes),) = world.bus.published
    assert topic == "watches-dead"
    assert data == (body if isinstance(body, bytes) else json.dumps(body).encode())
    assert reason in attributes["reason"]
    assert (attributes["code"], attributes["source_message_id"]) == ("malformed_message", "4711")
    assert attributes["colour"] == "blue"
    assert not world.handled
    assert not world.state.objects


def test_handler_may_find_a_message_malformed():
    world = World()
    world.deliver(WATCH, MalformedMessage("not for this function"))
    assert world.bus.published[0][2]["reason"] == "not for this function"


def test_message_of_attributes_alone_is_dead_lettered_too():
    world = World()
    notice = {"eventType": "OBJECT_DELETE", "objectId": "shards/x"}
    world.deliver(event(b"", **notice))
    ((_, data, attributes),) = world.bus.published
    assert data
    assert attributes.items() >= notice.items()


def test_reason_fits_into_an_attribute_and_stays_text():
    world = World()
    world.deliver(WATCH, MalformedMessage("ä" * 5000))
    reason = world.bus.published[0][2]["reason"]
    assert set(reason) == {"ä"}
    assert 1000 < len(reason.encode()) <= 1024


def test_dead_letter_that_cannot_be_published_is_raised():
    with pytest.raises(BusUnavailable, match="watches-dead does not answer"):
        World(bus=BrokenBus()).deliver(event(b"nonsense"))
    with pytest.raises(BusUnavailable):
        World(bus=BrokenBus()).deliver(WATCH, MalformedMessage("not for this function"))


def test_topic_without_a_dead_letter_topic_is_raised():
    with pytest.raises(KeyError, match="composite-shards"):
        World().deliver(event(b"nonsense", "composite-shards"))


def test_permanent_error_is_written_once_shown_and_acknowledged():
    world = World()
    error = UnusableComposite("shard 3 has no CRS")
    for _ in range(3):
        world.deliver(WATCH, error, track="A069", stage="60-12", composite_id="0123456789ab")
    ((name, _),) = world.state.objects.items()
    assert name.startswith("problems/us1/A069/60-12/unusable_composite-")
    assert world.state.writes == [name]
    (problem,) = world.problems()
    assert problem == {
        "version": 1,
        "event_id": "us1",
        "track": "A069",
        "stage": "60-12",
        "code": "unusable_composite",
        "text": "shard 3 has no CRS",
        "remedy": UnusableComposite.remedy,
        "composite_id": "0123456789ab",
        "since": "2024-01-01T07:30:00.123000+00:00",
    }
    assert world.problems_shown == ["us1"] * 3  # a crash may have come between record and status
    assert not world.bus.published


def test_other_errors_and_other_stages_are_problems_of_their_own():
    world = World()
    world.deliver(WATCH, ModelMissing("no model"), track="A069", stage="60-12")
    world.deliver(WATCH, ModelMissing("no model"), track="A069", stage="60-24")
    world.deliver(WATCH, ModelMissing("no other model"), track="A069", stage="60-24")
    world.deliver(WATCH, UnusableComposite("no model"), track="A069", stage="60-24")
    world.deliver(WATCH, ModelMissing("about all of it"))
    assert len(world.state.objects) == 5
    assert any(name.startswith("problems/us1/-/-/model_missing-") for name in world.state.objects)


def test_permanent_error_without_an_event_is_treated_as_malformed():
    world = World()
    world.deliver(event({"kind": "sweep"}), PermanentError("nobody knows whose"))
    ((topic, _, attributes),) = world.bus.published
    assert (topic, attributes["reason"]) == ("watches-dead", "nobody knows whose")
    assert not world.state.objects
    assert not world.problems_shown
    with pytest.raises(BusUnavailable):
        World(bus=BrokenBus()).deliver(event({"kind": "sweep"}), PermanentError("nobody knows whose"))


def test_event_bound_by_the_handler_counts():
    world = World()
    world.deliver(event({"kind": "sweep"}), PermanentError("broken"), event_id="us7")
    assert world.problems_shown == ["us7"]


@pytest.mark.parametrize("error", [LostRace("slower"), StoreUnavailable("no bucket"), RuntimeError("a bug")])
def test_anything_else_is_raised_and_nothing_is_written(error):
    world = World()
    with pytest.raises(type(error)) as caught:
        world.deliver(WATCH, error)
    assert caught.value is error
    assert not world.bus.published
    assert not world.state.objects


def test_problem_that_cannot_be_recorded_is_raised():
    class Broken(MemoryStore):
        def create(self, name, data, content_type):
            raise StoreUnavailable("state is not there")

    with pytest.raises(StoreUnavailable):
        World(state=Broken()).deliver(WATCH, PermanentError("broken"))


def test_redelivery_after_a_crash_between_record_and_status_shows_the_problem():
    world, error = World(), PermanentError("broken")
    record_problem(world.state, error, {"event_id": "us1"}, since="2024-01-01T07:30:00.123000+00:00")
    world.deliver(WATCH, error)
    assert world.problems_shown == ["us1"]
    assert len(world.state.objects) == 1


def test_facts_of_one_delivery_do_not_reach_the_next():
    world = World()
    world.deliver(WATCH, None, track="A069")
    world.deliver(event({"kind": "watch", "event_id": "us2"}), PermanentError("broken"))
    (problem,) = world.problems()
    assert (problem["event_id"], problem["track"]) == ("us2", "-")


def test_manual_message_is_read_by_its_topic():
    world = World()
    world.deliver(event({"kind": "manual", "event_id": "us1", "force": True}, "earthquakes"))
    assert world.handled[0][0] == Manual(event_id="us1", force=True)


def push(**changes: Any) -> Event:
    made = event({"kind": "sweep"})
    made.data["message"] = made.data["message"] | changes
    return made


def test_what_is_no_push_of_ours_is_refused():
    strange = event({"kind": "sweep"})
    strange["source"] = "//pubsub.googleapis.com/projects/p/subscriptions/s"
    with pytest.raises(ValueError, match=r"no Pub/Sub push: source .*end in /projects/P/topics/T"):
        open_envelope(strange)
    for data in (None, b"x", [], {}, {"message": None}):
        strange = event({"kind": "sweep"})
        strange.data = data
        with pytest.raises(ValueError, match="no Pub/Sub push"):
            open_envelope(strange)
    with pytest.raises(ValueError, match="4711: data is no base64"):
        open_envelope(push(data="%%%"))
    with pytest.raises(ValueError, match="no UTC offset"):
        open_envelope(push(publishTime="2024-01-01T00:00:00"))
    for lost in ("messageId", "publishTime"):
        strange = event({"kind": "sweep"})
        del strange.data["message"][lost]
        with pytest.raises(ValueError, match=f"no Pub/Sub push: message without {lost}"):
            open_envelope(strange)


def test_message_without_data_or_attributes_is_opened():
    strange = push()
    del strange.data["message"]["data"], strange.data["message"]["attributes"]
    envelope = open_envelope(strange)
    assert (envelope.raw, dict(envelope.attributes)) == (b"", {})
