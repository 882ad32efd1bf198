from quakeslide.messages import Sweep, WatchDue, encode
from quakeslide.usecases.sweep import sweep
from tests.fakes import MemoryBus, MemoryStore
from tests.fakes_exporter import EVENT, World, after


def test_every_open_watch_gets_a_message_the_longest_unseen_first() -> None:
    state, bus = MemoryStore(), MemoryBus()
    for name in ("watches/open/us2bbb.json", "watches/open/us1aaa.json", "watches/closed/us0ccc.json"):
        state.create(name, b"{}", "")
    state.replace("watches/open/us2bbb.json", b"{ }", "", 1)  # looked at since
    assert sweep(state, bus) == 2
    assert bus.published == [("watches", *encode(WatchDue(event_id=e))) for e in ("us1aaa", "us2bbb")]


def test_sweep_of_nothing_is_quiet() -> None:
    bus = MemoryBus()
    assert sweep(MemoryStore(), bus) == 0
    assert bus.published == []


def test_sweep_message_looks_at_no_watch_itself() -> None:
    world = World()
    world.announce()
    world.send(Sweep(), after(hours=1))
    assert world.archive.asked == 1  # when it was announced
    assert [a["event_id"] for topic, _, a in world.bus.published if topic == "watches"] == [EVENT]
