"""Messages on their way to Pub/Sub: kept on disk until the publish was confirmed, sent by one background thread."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.storage.files import read_json_files, write_json

log = logging.getLogger(__name__)

Message = dict[str, Any]  # {"topic": "projects/P/topics/T", "attributes": {str: str}, "data": str}
_Waiting = tuple[float, int, float, Path, Message]  # due, tie-breaker, back-off, file, message

_CONFIRM_WITHIN = 10.0  # seconds
_FIRST_RETRY, _LAST_RETRY = 0.2, 5.0  # seconds; doubled after each failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Something that publishes messages.

    Attributes:
        publish: starts to publish one message.
        errors: what its future may raise if it is worth another try.
    """

    publish: Callable[[Message], "Future[str]"]
    errors: tuple[type[Exception], ...]


class Outbox:
    """Publishes each message at least once, not in order.

    A message whose topic is missing is tried again until the topic is there; the others do not wait for it.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / "outbox"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._order = itertools.count()
        self._pending = 0
        left = read_json_files(self._folder)
        self._number = itertools.count(max((message["number"] for message in left), default=0) + 1)
        for message in left:
            self._enqueue(self._path(message["number"]), message, _FIRST_RETRY, time.monotonic())
        self._pending = len(left)

    @property
    def pending(self) -> int:
        """Messages that are not yet confirmed."""
        with self._changed:
            return self._pending

    def around(self, messages: Iterable[Message], commit: Callable[[], object]) -> None:
        """Write the messages to disk, commit, queue them; if the commit fails, take them back."""
        written: list[tuple[Path, Message]] = []
        try:
            for message in messages:
                number = next(self._number)
                path = self._path(number)
                write_json(path, {**message, "number": number})
                written.append((path, message))
            commit()
        except OSError:
            for path, _ in written:
                path.unlink()
            raise
        with self._changed:
            self._pending += len(written)
            for path, message in written:
                self._enqueue(path, message, _FIRST_RETRY, time.monotonic())
            self._changed.notify()

    def start(self, connect: Callable[[], Publisher]) -> None:
        """Send from now on, in a daemon thread, which also connects: that import takes a second."""
        threading.Thread(target=self._run, args=(connect,), name="outbox", daemon=True).start()

    def _run(self, connect: Callable[[], Publisher]) -> None:
        publisher = connect()
        while True:
            batch = self._due()
            started = [(publisher.publish(message), back_off, path, message) for _, _, back_off, path, message in batch]
            for future, back_off, path, message in started:
                try:
                    future.result(timeout=_CONFIRM_WITHIN)
                except publisher.errors as error:
                    log.warning("publish to %s failed, next try in %.1f s: %s", message["topic"], back_off, error)
                    with self._changed:
                        due = time.monotonic() + back_off
                        self._enqueue(path, message, min(back_off * 2, _LAST_RETRY), due)
                else:
                    path.unlink()
                    with self._changed:
                        self._pending -= 1

    def _due(self) -> list[_Waiting]:
        """Wait until a message is due and return all that are."""
        with self._changed:
            while not self._waiting or self._waiting[0][0] > time.monotonic():
                self._changed.wait(self._waiting[0][0] - time.monotonic() if self._waiting else None)
            now = time.monotonic()
            batch: list[_Waiting] = []
            while self._waiting and self._waiting[0][0] <= now and len(batch) < 100:
                batch.append(heapq.heappop(self._waiting))
            return batch

    def _enqueue(self, path: Path, message: Message, back_off: float, due: float) -> None:
        heapq.heappush(self._waiting, (due, next(self._order), back_off, path, message))

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.json"
