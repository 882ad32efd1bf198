"""Start the local Earth Engine: `python -m infra.local.earth_engine --archive DIR --storage http://127.0.0.1:PORT`."""

import argparse
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from waitress import create_server

from infra.local.clock import Clock
from infra.local.earth_engine.archive import Archive
from infra.local.earth_engine.faults import Faults
from infra.local.earth_engine.journal import Journal
from infra.local.earth_engine.operations import Operations
from infra.local.earth_engine.routes import create_app

LOOPBACK = {"127.0.0.1", "localhost"}


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.earth_engine", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--archive", type=Path, required=True, help="folder of images, COPERNICUS/S1_GRD/... below it")
    parser.add_argument("--storage", required=True, help="address of the local Cloud Storage, for exports")
    parser.add_argument("--clock", type=Path, help="file with the replayed instant; real time without it")
    parser.add_argument("--state", type=Path, help="folder that keeps tasks over a restart; made if missing")
    parser.add_argument("--workers", type=int, default=2, help="exports that run at a time")
    options = parser.parse_args(arguments)
    if not options.archive.is_dir():
        parser.error(f"--archive {options.archive}: no such folder")
    if urlsplit(options.storage).hostname not in LOOPBACK:
        parser.error(f"--storage {options.storage}: only a loopback address is allowed")
    return options


def main(arguments: list[str]) -> None:
    """Serve until terminated."""
    options = parse_arguments(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    os.environ["STORAGE_EMULATOR_HOST"] = options.storage
    os.environ["GDAL_CACHEMAX"] = "64"  # MB; the default of 5 % of memory belongs to the other services
    # graphs of many scenes are deep; a thread's stack is only reserved, not used
    sys.setrecursionlimit(20_000)
    threading.stack_size(64 * 1024 * 1024)
    clock, faults = Clock(options.clock), Faults()
    archive = Archive(options.archive, clock)
    with tempfile.TemporaryDirectory(prefix="earth-engine-") as scratch:

        def stop(signum: int, frame: FrameType | None) -> None:
            # at once: neither a running export nor a request in progress is waited for
            shutil.rmtree(scratch, ignore_errors=True)
            os._exit(0)

        signal.signal(signal.SIGTERM, stop)
        journal = Journal(options.state)
        operations = Operations(archive, clock, faults, Path(scratch), options.workers, journal)
        server = create_server(create_app(archive, operations, faults), host="127.0.0.1", port=options.port, threads=32)
        print(json.dumps({"service": "earth_engine", "port": server.effective_port}), flush=True)
        server.run()


if __name__ == "__main__":
    main(sys.argv[1:])
