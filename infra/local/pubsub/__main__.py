"""Starts the service: `python -m infra.local.pubsub --port 0 --control-port 0 [--clock FILE]`."""

import argparse
import json
import logging
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from infra.local.clock import Clock
from infra.local.pubsub.broker import Broker
from infra.local.pubsub.control import ControlServer
from infra.local.pubsub.push import Pusher
from infra.local.pubsub.services import PubSub

_CALLS = 64  # a thread each: open streams and waiting pulls hold theirs


log = logging.getLogger(__name__)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.pubsub", description="A local Pub/Sub on loopback.")
    parser.add_argument("--port", type=int, default=0, help="gRPC port; 0 picks a free one")
    parser.add_argument(
        "--control-port", type=int, default=0, help="HTTP port for state and faults; 0 picks a free one"
    )
    parser.add_argument("--clock", type=Path, help="file with the replayed instant (RFC 3339); real time without")
    return parser.parse_args()


def _bound(port: int, option: str, error: Exception) -> SystemExit:
    return SystemExit(f"pubsub: cannot listen on 127.0.0.1:{port} ({option}): {error}")


def main() -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code, 1 where a part of the service failed."""
    options = _arguments()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="pubsub %(levelname)s %(message)s")
    stop, failures = threading.Event(), list[type[BaseException]]()

    def thread_failed(failure: threading.ExceptHookArgs) -> None:
        # Half a service would look like messages that never come: better none.
        log.error("%s failed", failure.thread and failure.thread.name, exc_info=failure.exc_value)
        failures.append(failure.exc_type)
        stop.set()

    threading.excepthook = thread_failed
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    clock = Clock(options.clock)
    try:
        clock.now()
    except (OSError, ValueError) as error:
        raise SystemExit(f"pubsub: cannot read the clock (--clock {options.clock}): {error}") from error
    broker = Broker(clock)
    calls = ThreadPoolExecutor(_CALLS, thread_name_prefix="grpc")
    sizes = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)]
    server = grpc.server(calls, handlers=[PubSub(broker)], options=sizes)
    try:
        port = server.add_insecure_port(f"127.0.0.1:{options.port}")
    except RuntimeError as error:
        raise _bound(options.port, "--port", error) from error
    try:
        control = ControlServer(broker, options.control_port)
    except OSError as error:
        raise _bound(options.control_port, "--control-port", error) from error
    pusher = Pusher(broker)
    server.start()
    pusher.start()
    control.start()
    print(json.dumps({"service": "pubsub", "port": port, "control_port": control.port}), flush=True)
    stop.wait()
    pusher.close()
    server.stop(grace=None).wait()
    calls.shutdown()
    control.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
