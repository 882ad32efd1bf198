"""The whole service as one WSGI application, with the control routes that only the local one has."""

import fcntl
import json
from pathlib import Path

from flask import Flask, Response, jsonify, request

from infra.local.clock import Clock
from infra.local.storage.bucket_routes import add_bucket_routes
from infra.local.storage.errors import invalid
from infra.local.storage.faults import Faults
from infra.local.storage.notifications import Notifications
from infra.local.storage.object_routes import add_object_routes
from infra.local.storage.outbox import Outbox
from infra.local.storage.sessions import Sessions
from infra.local.storage.store import ObjectStore
from infra.local.storage.upload_routes import add_upload_routes
from infra.local.storage.wire import Services, make_flask


def assemble(root: Path, clock: Clock, base_url: str, *, may_notify: bool) -> Services:
    """Open a root, new or left by an earlier run.

    Args:
        root: folder for everything.
        clock: gives the stamps.
        base_url: the service's own address.
        may_notify: whether there is a Pub/Sub service to publish to.

    Raises:
        ValueError: the root holds notification configurations, and there is nowhere to publish; or another service
            works on this root.
    """
    root.mkdir(parents=True, exist_ok=True)
    lock = (root / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # goes with the process, however it ends
    except BlockingIOError as error:
        lock.close()
        raise ValueError(f"another storage service works on {root}") from error
    outbox = Outbox(root)
    notifications = Notifications(root, outbox, base_url, enabled=may_notify)
    return Services(
        store=ObjectStore(root, clock, notifications),
        sessions=Sessions(root),
        notifications=notifications,
        outbox=outbox,
        faults=Faults(),
        base_url=base_url,
        lock=lock,
    )


def create_app(services: Services) -> Flask:
    """Return the application."""
    app = make_flask()
    add_bucket_routes(app, services)
    add_object_routes(app, services)
    add_upload_routes(app, services)

    @app.get("/_local/state")
    def state() -> Response:
        counts = {bucket.name: services.store.count(bucket.name) for bucket in services.store.buckets()}
        return jsonify(
            service="storage",
            objects=sum(counts.values()),
            objects_by_bucket=counts,
            open_uploads=services.sessions.open,
            pending_notifications=services.outbox.pending,
            faults=services.faults.left(),
        )

    @app.post("/_local/faults")
    def faults() -> Response:
        try:
            bodies = json.loads(request.get_data())
        except ValueError as error:
            raise invalid(f"Parse Error: {error}") from error
        services.faults.replace(bodies)
        return jsonify(faults=services.faults.left())

    return app
