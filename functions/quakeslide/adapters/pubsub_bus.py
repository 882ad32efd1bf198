"""Pub/Sub as a Bus: publishes and waits until the service has the message."""

from collections.abc import Mapping, Sequence

from google.api_core import exceptions as api
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.cloud import pubsub_v1
from google.pubsub_v1 import PublisherClient as GeneratedClient

from quakeslide.errors import BusUnavailable

DEADLINE_S = 30.0  # a publish that takes longer is given up; the outbox repeats it
AT_ONCE = 500  # messages in one request, of 1000 that Pub/Sub takes (https://cloud.google.com/pubsub/quotas)
RETRY_MAY_HELP = (
    api.Aborted,
    api.Cancelled,
    api.DeadlineExceeded,
    api.InternalServerError,
    api.ResourceExhausted,
    api.ServiceUnavailable,
    api.Unknown,
)  # as the client's own default, which tries for ten minutes


class PubsubBus:
    """Publishes to the topics of one project (PUBSUB_EMULATOR_HOST is honoured).

    Args:
        project: id of the project that owns the topics.
        deadline_s: how long a publish is tried.
    """

    def __init__(self, project: str, deadline_s: float = DEADLINE_S) -> None:
        self._publisher = pubsub_v1.PublisherClient()
        self._project = project
        self._deadline_s = deadline_s

    def close(self) -> None:
        """Close the connection."""
        self._publisher.stop()
        self._publisher.transport.close()

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        """Publish and wait for the service's answer.

        Raises:
            BusUnavailable: the service did not take it in time.
        """
        self.publish_all(topic, [(data, attributes)])

    def publish_all(self, topic: str, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> None:
        """Publish many small messages in few requests.

        Raises:
            BusUnavailable: the service did not take a request in time; those before it are out.
        """
        for first in range(0, len(messages), AT_ONCE):
            batch = [
                pubsub_v1.types.PubsubMessage(data=data, attributes=attributes)
                for data, attributes in messages[first : first + AT_ONCE]
            ]
            self._send(self._publisher.topic_path(self._project, topic), batch)

    def _send(self, path: str, batch: list[pubsub_v1.types.PubsubMessage]) -> None:
        retry = Retry(if_exception_type(*RETRY_MAY_HELP), timeout=self._deadline_s)
        try:
            # The generated client's own method: the hand-written one takes attributes as keyword arguments, so that a dead letter
            # with an attribute called `topic` or `timeout` could not be published; and it sends from a thread of its own.
            GeneratedClient.publish(self._publisher, topic=path, messages=batch, retry=retry, timeout=self._deadline_s)
        except (api.GoogleAPIError, GoogleAuthError) as error:
            raise BusUnavailable(f"{path}: {error}") from error
