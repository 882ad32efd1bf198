"""Faults on purpose: messages that come twice, late or shuffled, and acknowledgements that get lost."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_OPTIONS: dict[str, dict[str, type]] = {
    "duplicate": {"copies": int},
    "shuffle": {"window": float, "seed": int},
    "drop_ack": {},
    "delay": {"seconds": float},
}
_DEFAULTS: dict[str, dict[str, float]] = {
    "duplicate": {"copies": 2},
    "shuffle": {"window": 1.0, "seed": 0},
    "drop_ack": {},
    "delay": {"seconds": 1.0},
}


class BadFault(ValueError):
    """A fault that cannot be read; the text names the field."""


@dataclass(slots=True)
class Fault:
    """One fault on deliveries.

    Attributes:
        action: duplicate, shuffle, delay (all three take hold as a message reaches a subscription) or drop_ack
            (as a push succeeds).
        subscription: searched in the full subscription name.
        times: how many messages (drop_ack: pushes) it still strikes, or None for all.
        options: the numbers of the action: copies; window (s) and seed; seconds.
    """

    action: str
    subscription: re.Pattern[str]
    times: int | None
    options: dict[str, float]

    def strikes(self, action: str, subscription: str) -> bool:
        """Whether it takes hold now; counts down `times`."""
        if action != self.action or self.times == 0 or not self.subscription.search(subscription):
            return False
        if self.times is not None:
            self.times -= 1
        return True


def parse_faults(document: object) -> list[Fault]:
    """Read the body of `POST /_local/faults`; an empty list clears all.

    Raises:
        BadFault: it is no list of faults, or a field is unknown, missing or of the wrong kind.
    """
    if not isinstance(document, list):
        raise BadFault("the body must be a JSON list of faults")
    return [_fault(index, entry) for index, entry in enumerate(document)]


def _fault(index: int, entry: object) -> Fault:
    if not isinstance(entry, Mapping):
        raise BadFault(f"fault {index} is no object")
    if entry.get("on") != "deliver":
        raise BadFault(f"fault {index}: on={entry.get('on')!r}; this service knows 'deliver'")
    action = entry.get("action")
    if action not in _OPTIONS:
        raise BadFault(f"fault {index}: action={action!r}; one of {', '.join(_OPTIONS)}")
    unknown = set(entry) - {"on", "action", "subscription", "times", *_OPTIONS[action]}
    if unknown:
        raise BadFault(f"fault {index}: unknown field {sorted(unknown)[0]!r} for action {action!r}")
    times = entry.get("times")
    if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 0):
        raise BadFault(f"fault {index}: times={times!r}; a whole number or null")
    try:
        pattern = re.compile(entry.get("subscription", ""))
    except (re.error, TypeError) as error:
        raise BadFault(f"fault {index}: subscription is no regular expression: {error}") from error
    options = dict(_DEFAULTS[action])
    for name, kind in _OPTIONS[action].items():
        value = entry.get(name, options[name])
        allowed = (int,) if kind is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed) or value < 0:
            raise BadFault(f"fault {index}: {name}={value!r}; a {kind.__name__}, 0 or more")
        options[name] = value
    if action == "duplicate" and options["copies"] < 1:
        raise BadFault(f"fault {index}: copies=0 would lose the message; 1 or more")
    return Fault(action, pattern, times, options)
