"""How the feed stands: when it was last read, since when it has been down, and up to when changes were caught up with.

One small document in the state bucket. It is written when something changes and every ten minutes, not every poll.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from quakeslide.documents.version import Kind
from quakeslide.json_values import instant

NAME = "feed/state.json"
FEED = Kind(name="the feed's state")
WRITE_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """The feed as the pollers know it.

    Attributes:
        read_at: schedule time of a successful read, at most ten minutes older than the last one.
        caught_up_at: schedule time of the last complete catch-up: the cursor of `updatedafter`.
        down_since: first failed poll of the running outage; None while the feed answers.
        failures: polls that failed in a row.
        reason: the last failure in words.
    """

    read_at: datetime | None
    caught_up_at: datetime
    down_since: datetime | None = None
    failures: int = 0
    reason: str = ""


def write_feed_state(feed: FeedState) -> bytes:
    """Return the document's bytes."""
    times = {
        name: moment.isoformat() if moment else None
        for name, moment in (
            ("read_at", feed.read_at),
            ("caught_up_at", feed.caught_up_at),
            ("down_since", feed.down_since),
        )
    }
    return json.dumps(FEED.stamped({**asdict(feed), **times}), sort_keys=True).encode()


def read_feed_state(data: bytes) -> FeedState:
    """Read what `write_feed_state` of this or an earlier release wrote.

    Raises:
        NewerDocument, DamagedDocument: see `Kind.read`.
    """
    body = FEED.read(data, NAME)
    with FEED.intact(NAME):
        return FeedState(
            read_at=instant(body["read_at"]) if body["read_at"] else None,
            caught_up_at=instant(body["caught_up_at"]),
            down_since=instant(body["down_since"]) if body["down_since"] else None,
            failures=int(body["failures"]),
            reason=str(body["reason"]),
        )
