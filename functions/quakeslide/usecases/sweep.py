"""The hourly sweep: one message per open watch, so that a slow watch holds up no other."""

from quakeslide.domain import object_names
from quakeslide.messages import WatchDue, encode
from quakeslide.ports import Bus, ObjectStore
from quakeslide.telemetry import say

OPEN = object_names.watch("any").removesuffix("any.json")


def sweep(state: ObjectStore, bus: Bus) -> int:
    """Publish `watch` for every open watch, the one looked at longest ago first; return how many.

    Every look rewrites the watch, so the lowest generation was looked at longest ago. No outbox: a repeated look changes nothing.
    """
    listed = sorted(state.list(OPEN), key=lambda item: (item.generation, item.name))
    events = [item.name.removeprefix(OPEN).removesuffix(".json") for item in listed]
    bus.publish_all("watches", [encode(WatchDue(event_id=event_id)) for event_id in events])
    say("sweep", watches=len(listed))
    return len(listed)
