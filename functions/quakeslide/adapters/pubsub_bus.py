"""Pub/Sub as a Bus: publishes and waits until the service has the message."""

from collections.abc import Mapping

from google.api_core import exceptions as api
from google.cloud import pubsub_v1

from quakeslide.errors import BusUnavailable

DEADLINE_S = 30.0  # a publish that takes longer is given up; the outbox repeats it


class PubsubBus:
    """Publishes to the topics of one project (PUBSUB_EMULATOR_HOST is honoured).

    Args:
        project: id of the project that owns the topics.
    """

    def __init__(self, project: str) -> None:
        self._publisher = pubsub_v1.PublisherClient()
        self._project = project

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        """Publish and wait for the service's answer.

        Raises:
            BusUnavailable: the service did not take it in time.
        """
        path = self._publisher.topic_path(self._project, topic)
        try:
            self._publisher.publish(path, data, **attributes).result(timeout=DEADLINE_S)
        except (api.GoogleAPIError, TimeoutError) as error:
            raise BusUnavailable(f"{path}: {error}") from error
