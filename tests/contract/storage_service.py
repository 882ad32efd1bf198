"""Starts the local Cloud Storage as a process and gives clients of it; imported by the tests of whatever needs a bucket."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

ROOT = Path(__file__).parents[2]
PROJECT = "quakeslide-local"


class StorageService:
    """One running service; `with` ends it.

    Attributes:
        root: where it keeps everything; a second service on the same root finds it again.
        url: the value of STORAGE_EMULATOR_HOST.
        process: the server.
    """

    def __init__(self, root: Path, *, clock: Path | None = None, pubsub: str | None = None) -> None:
        self.root = root
        # the environment of the local stack where it is made: its lock must suffice
        python = ROOT / "build/envs/local/bin/python"
        command = [str(python) if python.exists() else sys.executable, "-m", "infra.local.storage"]
        command += ["--port", "0", "--root", str(root)]
        command += ["--clock", str(clock)] if clock else []
        command += ["--pubsub", pubsub] if pubsub else []
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"{' '.join(command)} ended before it was ready"
        ready = json.loads(line)
        assert ready["service"] == "storage"
        self.url = f"http://127.0.0.1:{ready['port']}"

    def __enter__(self) -> "StorageService":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(timeout=60)

    def state(self) -> dict[str, Any]:
        """What `GET /_local/state` says."""
        reply = requests.get(f"{self.url}/_local/state", timeout=10)
        reply.raise_for_status()
        return reply.json()

    def set_faults(self, *faults: dict[str, Any]) -> None:
        """Put faults in force; none clears them."""
        reply = requests.post(f"{self.url}/_local/faults", json=list(faults), timeout=10)
        assert reply.ok, reply.text

    def wait_quiet(self, seconds: float = 60) -> None:
        """Wait until every notification is published.

        Raises:
            TimeoutError: some are still pending.
        """
        end = time.monotonic() + seconds
        while pending := self.state()["pending_notifications"]:
            if time.monotonic() > end:
                raise TimeoutError(f"{pending} notifications are still pending after {seconds} s")
            time.sleep(0.02)


@contextmanager
def client_of(url: str) -> Iterator[storage.Client]:
    """The unmodified client library, told where to go as the functions are; closed at the end."""
    before = os.environ.get("STORAGE_EMULATOR_HOST")
    os.environ["STORAGE_EMULATOR_HOST"] = url
    try:
        client = storage.Client(project=PROJECT, credentials=AnonymousCredentials())
    finally:
        if before is None:
            del os.environ["STORAGE_EMULATOR_HOST"]
        else:
            os.environ["STORAGE_EMULATOR_HOST"] = before
    try:
        yield client
    finally:
        client.close()
