"""Run the local Cloud Storage: `python -m infra.local.storage --root DIR --port 0 [--clock FILE] [--pubsub HOST:PORT]`."""

import argparse
import json
import logging
import socket
import sys
from functools import partial
from pathlib import Path

import waitress

from infra.local.clock import Clock
from infra.local.storage.app import assemble, create_app
from infra.local.storage.publisher import connect

_HOST = "127.0.0.1"


def main() -> None:
    """Serve until SIGTERM, which ends the process at once: what is committed is on disk."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.storage", description="Cloud Storage on one machine.")
    parser.add_argument("--port", type=int, default=0, help="0 = a free one")
    parser.add_argument("--root", type=Path, required=True, help="folder for buckets and objects; made if missing")
    parser.add_argument("--clock", type=Path, help="file with the replayed instant; none = real time")
    parser.add_argument("--pubsub", metavar="HOST:PORT", help="Pub/Sub service that notifications are published to")
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="storage %(levelname)s %(message)s")

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((_HOST, options.port))
    port = listener.getsockname()[1]
    try:
        services = assemble(
            options.root.resolve(),
            Clock(options.clock),
            f"http://{_HOST}:{port}",
            may_notify=options.pubsub is not None,
        )
    except ValueError as error:
        parser.error(str(error))
    if options.pubsub:
        services.outbox.start(partial(connect, options.pubsub))
    server = waitress.create_server(
        create_app(services),
        sockets=[listener],
        threads=32,
        connection_limit=1000,
        max_request_body_size=1 << 40,
        outbuf_high_watermark=4 << 20,
        asyncore_use_poll=True,
        ident=None,
    )
    print(json.dumps({"service": "storage", "port": port}), flush=True)
    server.run()


if __name__ == "__main__":
    main()
