import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from quakeslide.ports import Stored
from quakeslide.usecases import outbox
from tests.fakes import MemoryStore

NOW = datetime(2024, 1, 1, 7, 30, tzinfo=UTC)
PATIENT = NOW + timedelta(minutes=2)


class Crash(BaseException):
    """The process is killed: nothing in the code may catch it."""


@dataclass
class Acts:
    """What was done, and when to die."""

    done: list[str] = field(default_factory=list)
    dies: str = ""

    def __call__(self) -> None:
        if self.dies == "before":
            self.dies = ""
            raise Crash
        self.done.append("acted")
        if self.dies == "after":
            self.dies = ""
            raise Crash


@dataclass
class DyingStore(MemoryStore):
    """Dies before or after its n-th operation."""

    dies_at: int = 0
    is_after: bool = False
    operations: int = 0

    def read(self, name: str) -> Stored | None:
        self._step(False)
        found = super().read(name)
        self._step(True)
        return found

    def replace(self, name: str, data: bytes, content_type: str, generation: int) -> bool:
        self._step(False)
        done = super().replace(name, data, content_type, generation)
        self._step(True)
        return done

    def _step(self, is_after: bool) -> None:
        self.operations += not is_after
        if self.operations == self.dies_at and is_after == self.is_after:
            self.dies_at = 0
            raise Crash


def state_of(store: MemoryStore, intent: str = "i") -> str:
    return json.loads(store.objects[f"outbox/{intent}.json"].data)["state"]


def test_intent_is_acted_on_once():
    store, acts = MemoryStore(), Acts()
    assert not outbox.is_done(store, "i")
    assert outbox.once(store, "i", NOW, acts)
    assert outbox.is_done(store, "i")
    for later in (NOW, PATIENT, NOW + timedelta(days=400)):
        assert not outbox.once(store, "i", later, acts)
    assert acts.done == ["acted"]


def test_intents_do_not_hinder_each_other():
    store, acts = MemoryStore(), Acts()
    assert outbox.once(store, "i", NOW, acts)
    assert outbox.once(store, "j", NOW, acts)
    assert len(acts.done) == 2


def test_intent_stands_written_while_it_is_acted_on():
    store, seen = MemoryStore(), []
    outbox.once(store, "i", NOW, lambda: seen.append(state_of(store)))
    assert seen == ["pending"]
    assert state_of(store) == "done"


def test_who_comes_meanwhile_does_not_act():
    store, inner, answers = MemoryStore(), Acts(), []
    assert outbox.once(store, "i", NOW, lambda: answers.append(outbox.once(store, "i", NOW, inner)))
    assert (answers, inner.done) == ([False], [])


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("dies_at", range(1, 4))
def test_crash_at_any_operation_of_the_store_ends_acted_on(dies_at: int, is_after: bool):
    store, acts = DyingStore(dies_at=dies_at, is_after=is_after), Acts()
    with pytest.raises(Crash):
        outbox.once(store, "i", NOW, acts)
    before = len(acts.done)
    has_intent = "outbox/i.json" in store.objects
    assert before <= has_intent, "nothing is done without its intent being written"
    outbox.once(store, "i", NOW + timedelta(seconds=119), acts)
    assert len(acts.done) == (before if has_intent else 1), "a pending intent may be another process's for two minutes"
    outbox.once(store, "i", PATIENT, acts)
    outbox.once(store, "i", PATIENT, acts)
    assert 1 <= len(acts.done) <= 2, "at least once; twice only where the crash came between the act and its mark"
    assert outbox.is_done(store, "i")


@pytest.mark.parametrize("dies", ["before", "after"])
def test_crash_while_acting_is_repeated_with_the_same_intent(dies: str):
    store, acts = MemoryStore(), Acts(dies=dies)
    with pytest.raises(Crash):
        outbox.once(store, "i", NOW, acts)
    assert state_of(store) == "pending"
    assert not outbox.is_done(store, "i")
    assert not outbox.once(store, "i", PATIENT - timedelta(seconds=1), acts)
    assert outbox.once(store, "i", PATIENT, acts)
    assert outbox.is_done(store, "i")
    assert list(store.objects) == ["outbox/i.json"]


def test_failing_act_leaves_the_intent_pending_and_patience_starts_anew():
    store = MemoryStore()

    def fail() -> None:
        raise OSError("no bus")

    for moment in (NOW, PATIENT):
        with pytest.raises(OSError, match="no bus"):
            outbox.once(store, "i", moment, fail)
        assert state_of(store) == "pending"
    acts = Acts()
    assert not outbox.once(store, "i", PATIENT + timedelta(seconds=119), acts), (
        "the second try counts from its own time"
    )
    assert outbox.once(store, "i", PATIENT + timedelta(minutes=2), acts)


def test_of_two_who_lost_patience_one_acts():
    class Raced(MemoryStore):
        """Another process takes over between our read and our swap."""

        rival: Acts | None = None

        def read(self, name: str) -> Stored | None:
            found = super().read(name)
            if self.rival is not None:
                rival, self.rival = self.rival, None
                assert outbox.once(self, "i", PATIENT, rival)
            return found

    store, rival, ours = Raced(), Acts(), Acts()
    with pytest.raises(Crash):
        outbox.once(store, "i", NOW, Acts(dies="before"))
    store.rival = rival
    assert not outbox.once(store, "i", PATIENT, ours)
    assert (len(rival.done), len(ours.done)) == (1, 0)


def test_intent_that_vanishes_is_not_acted_on_twice():
    class Cleared(MemoryStore):
        def read(self, name: str) -> Stored | None:
            self.delete(name)
            return super().read(name)

    store, acts = Cleared(), Acts()
    assert outbox.once(store, "i", NOW, acts)
    outbox.once(store, "i", NOW, Acts())
    assert acts.done == ["acted"]


def test_intent_with_a_path_in_it_is_refused_before_anything_is_done():
    store, acts = MemoryStore(), Acts()
    with pytest.raises(ValueError, match="no outbox id"):
        outbox.once(store, "../i", NOW, acts)
    assert (acts.done, store.writes) == ([], [])
