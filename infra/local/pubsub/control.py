"""The control port: what the stack's runner and the tests may ask of the service beside the real API."""

import threading
import time
from typing import Any

from flask import Flask, Response, jsonify, request
from waitress import create_server, wasyncore

from infra.local.pubsub.broker import Broker
from infra.local.pubsub.faults import BadFault, parse_faults


def control_app(broker: Broker) -> Flask:
    """The Flask application of the control port."""
    app = Flask("pubsub-control")

    @app.get("/_local/state")
    def state() -> Response:
        with broker.changed:
            now, instant = broker.clock.now(), time.monotonic()
            pushed = [backlog for backlog in broker.backlogs.values() if backlog.is_push]
            return jsonify(
                topics=sorted(broker.topics),
                subscriptions={name: backlog.state() for name, backlog in sorted(broker.backlogs.items())},
                quiet=all(backlog.is_quiet(now, instant) for backlog in pushed),
            )

    @app.post("/_local/faults")
    def faults() -> tuple[Response, int]:
        try:
            parsed = parse_faults(request.get_json(force=True))
        except BadFault as error:
            return jsonify(error={"code": 400, "message": str(error), "status": "INVALID_ARGUMENT"}), 400
        with broker.changed:
            broker.faults = parsed
        return jsonify(faults=len(parsed)), 200

    return app


class ControlServer:
    """Serves the control port on loopback.

    Attributes:
        port: the port it listens on.
    """

    def __init__(self, broker: Broker, port: int) -> None:
        self._sockets: dict[int, Any] = {}
        self._server = create_server(control_app(broker), self._sockets, host="127.0.0.1", port=port, threads=4)
        self._thread = threading.Thread(target=self._server.run, name="control")
        self.port = int(self._server.effective_port)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Stop; the loop's own thread closes its sockets, so that it does not sleep on ones that are gone."""
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._sockets))
        self._thread.join(timeout=2)
        self._server.task_dispatcher.shutdown()
