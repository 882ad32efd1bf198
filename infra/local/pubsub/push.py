"""Push deliveries: https://cloud.google.com/pubsub/docs/push#receive_push.

A dispatcher hands ready messages to short-lived threads, at most `PARALLEL` of a subscription at a time. Each POSTs one
wrapped message; the subscription's ack deadline is the time the endpoint has, in real time.
"""

import base64
import contextlib
import http.client
import json
import logging
import socket
import threading
import time
from urllib.parse import urlsplit

from google.pubsub_v1 import types

from infra.local.clock import Clock
from infra.local.pubsub.backlog import Entry
from infra.local.pubsub.broker import Broker
from infra.local.pubsub.dead_letter import stamp

PARALLEL = 8
ACCEPTED = frozenset({102, 200, 201, 202, 204})
_TICK_S = 0.05  # how soon a moved clock or a passed deadline is noticed

log = logging.getLogger(__name__)


def wrapped(config: types.Subscription, entry: Entry) -> bytes:
    """The JSON body of a push; absent parts (data, attributes, ordering key) are left out as the real service does."""
    message = entry.message
    inner: dict[str, object] = {}
    if message.attributes:
        inner["attributes"] = dict(message.attributes)
    if message.data:
        inner["data"] = base64.b64encode(message.data).decode("ascii")
    inner |= {"messageId": message.message_id, "message_id": message.message_id}
    if message.ordering_key:
        inner["orderingKey"] = message.ordering_key
    inner |= {"publishTime": stamp(message), "publish_time": stamp(message)}
    body: dict[str, object] = {"message": inner, "subscription": config.name}
    if "dead_letter_policy" in config:
        body["deliveryAttempt"] = entry.attempts
    return json.dumps(body).encode()


def local_token(config: types.PushConfig, clock: Clock) -> str:
    """An unsigned JWT with the claims that the real service's OIDC token has; it proves nothing and says so."""
    issued = int(clock.now().timestamp())
    claims = {
        "aud": config.oidc_token.audience or config.push_endpoint,
        "email": config.oidc_token.service_account_email,
        "email_verified": True,
        "exp": issued + 3600,
        "iat": issued,
        "iss": "local-pubsub-unsigned",
        "sub": config.oidc_token.service_account_email,
    }
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    head, body = (base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode("ascii") for p in parts)
    return f"{head}.{body}."


class Pusher:
    """Delivers to all push subscriptions of a broker until it is closed."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._is_open = True
        self._connections: set[http.client.HTTPConnection] = set()
        self._deliveries: set[threading.Thread] = set()
        self._thread = threading.Thread(target=self._dispatch, name="push-dispatcher")

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def close(self) -> None:
        """Stop; deliveries under way are cut off."""
        with self._broker.changed:
            self._is_open = False
            self._broker.changed.notify_all()
            running = list(self._deliveries)
            for connection in self._connections:
                with contextlib.suppress(OSError):  # the endpoint was quicker
                    connection.sock.shutdown(socket.SHUT_RDWR)
        end = time.monotonic() + 1
        for thread in (self._thread, *running):
            thread.join(timeout=max(0.0, end - time.monotonic()))

    def _dispatch(self) -> None:
        with self._broker.changed:
            while self._is_open:
                for name, backlog in list(self._broker.backlogs.items()):
                    self._broker.expire(backlog)
                    free = PARALLEL - backlog.outstanding()
                    if backlog.is_push and free > 0:
                        for ack_id, entry in self._broker.lease(name, free):
                            self._start(backlog.config, ack_id, entry)
                self._broker.changed.wait(_TICK_S)

    def _start(self, config: types.Subscription, ack_id: str, entry: Entry) -> None:
        body = wrapped(config, entry)
        headers = {"Content-Type": "application/json", "User-Agent": "CloudPubSub-Google"}
        if "oidc_token" in config.push_config:
            headers["Authorization"] = f"Bearer {local_token(config.push_config, self._broker.clock)}"

        def deliver() -> None:
            reached = self._post(config, body, headers)
            self._broker.push_ended(config.name, ack_id, reached)
            with self._broker.changed:
                self._deliveries.discard(thread)

        thread = threading.Thread(target=deliver, name=f"push {ack_id}", daemon=True)
        self._deliveries.add(thread)
        thread.start()

    def _post(self, config: types.Subscription, body: bytes, headers: dict[str, str]) -> bool:
        url = urlsplit(config.push_config.push_endpoint)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=config.ack_deadline_seconds)
        try:
            connection.connect()
            with self._broker.changed:
                if not self._is_open:
                    return False
                self._connections.add(connection)
            connection.request("POST", target, body, headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            log.warning("push to %s failed: %s", config.push_config.push_endpoint, error)
            return False
        finally:
            with self._broker.changed:
                self._connections.discard(connection)
            connection.close()
        if status not in ACCEPTED:
            log.info("push to %s answered %d", config.push_config.push_endpoint, status)
        return status in ACCEPTED
