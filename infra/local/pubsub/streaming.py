"""StreamingPull: one open call, messages down, acknowledgements and flow control up."""

import threading
from collections.abc import Iterator

import grpc
from google.pubsub_v1 import types

from infra.local.pubsub.backlog import Entry
from infra.local.pubsub.broker import Broker
from infra.local.pubsub.checks import check_deadline
from infra.local.pubsub.refusal import Refused, invalid, not_found

_TICK_S = 0.1  # how soon a moved clock is noticed
_BATCH = 100


def received(ack_id: str, entry: Entry, with_attempt: bool) -> types.ReceivedMessage:
    """A delivery as a client receives it; attempts are counted for it only under a dead-letter policy."""
    return types.ReceivedMessage(
        ack_id=ack_id, message=entry.message, delivery_attempt=entry.attempts if with_attempt else 0
    )


class Stream:
    """One call of StreamingPull."""

    def __init__(self, broker: Broker, requests: Iterator[types.StreamingPullRequest], context: grpc.ServicerContext):
        self._broker = broker
        self._requests = requests
        self._context = context
        self._failure: Refused | None = None
        self._half_closed = False
        self._held: dict[str, int] = {}  # ack id -> bytes, of what the client has not answered yet
        context.add_callback(self._wake)

    def _wake(self) -> None:
        with self._broker.changed:
            self._broker.changed.notify_all()

    def responses(self) -> Iterator[types.StreamingPullResponse]:
        """Yield messages as they become ready, within the client's flow control, until the call ends.

        Raises:
            Refused: the first request is not valid, or a later one is not, or the subscription is gone.
        """
        first = next(self._requests, None)
        if first is None or not first.subscription:
            raise invalid("The first StreamingPullRequest must name a subscription.")
        check_deadline(first.stream_ack_deadline_seconds, "stream_ack_deadline_seconds", minimum=10)
        check_pull(self._broker, first.subscription)
        self._answer(first)
        reader = threading.Thread(target=self._read, args=(first.subscription,), name="stream-reader", daemon=True)
        reader.start()
        while self._context.is_active():
            batch = self._next_batch(first)
            if batch:
                yield batch

    def _next_batch(self, first: types.StreamingPullRequest) -> types.StreamingPullResponse | None:
        name, changed = first.subscription, self._broker.changed
        with changed:
            if self._failure is not None:
                raise self._failure
            if name not in self._broker.backlogs:
                raise not_found(name)
            self._held = {a: size for a, size in self._held.items() if self._broker.is_held(name, a)}
            room = (
                min(_BATCH, first.max_outstanding_messages - len(self._held))
                if first.max_outstanding_messages
                else _BATCH
            )
            if first.max_outstanding_bytes and sum(self._held.values()) >= first.max_outstanding_bytes:
                room = 0
            leased = (
                self._broker.lease(name, room, first.stream_ack_deadline_seconds)
                if room > 0 and not self._half_closed
                else []
            )
            if not leased:
                changed.wait(_TICK_S)
                return None
            config = self._broker.backlog(name).config
        self._held |= {ack_id: len(entry.message.data) for ack_id, entry in leased}
        return types.StreamingPullResponse(
            received_messages=[received(a, entry, "dead_letter_policy" in config) for a, entry in leased],
            subscription_properties=types.StreamingPullResponse.SubscriptionProperties(
                message_ordering_enabled=config.enable_message_ordering
            ),
        )

    def _read(self, name: str) -> None:
        try:
            for request in self._requests:
                if request.subscription:
                    raise invalid("Only the first StreamingPullRequest may name a subscription.")
                self._answer(request, name)
        except Refused as refused:
            self._failure = refused
        except grpc.RpcError:
            return  # the call was cancelled
        self._half_closed = True
        self._wake()

    def _answer(self, request: types.StreamingPullRequest, name: str = "") -> None:
        name = name or request.subscription
        if request.ack_ids:
            self._broker.acknowledge(name, list(request.ack_ids))
        if len(request.modify_deadline_ack_ids) != len(request.modify_deadline_seconds):
            raise invalid("modify_deadline_ack_ids and modify_deadline_seconds must have the same length.")
        for ack_id, seconds in zip(request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=True):
            self._broker.extend(name, [ack_id], seconds)


def check_pull(broker: Broker, name: str) -> None:
    """Refuse to pull from a subscription that does not exist, or that pushes."""
    with broker.changed:
        if broker.backlog(name).is_push:
            raise Refused(
                grpc.StatusCode.FAILED_PRECONDITION, "This method is not supported for this subscription type: push."
            )
