"""Starts Pub/Sub implementations as processes and gives clients of them; imported by the tests of whatever needs a queue."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from google.cloud import pubsub_v1

ROOT = Path(__file__).parents[2]
JAR_VARIABLE = "PUBSUB_EMULATOR_JAR"
_JAR_PLACES = (
    "/usr/lib/google-cloud-sdk",
    "/usr/lib64/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/opt/homebrew/share/google-cloud-sdk",
    "/snap/google-cloud-sdk/current",
    str(Path.home() / "google-cloud-sdk"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PubSubService:
    """A running implementation.

    Attributes:
        lane: ours or jar.
        host: the value of PUBSUB_EMULATOR_HOST.
        control: address of the control port (ours only).
        process: the server.
    """

    lane: str
    host: str
    control: str
    process: subprocess.Popen[str]

    def state(self) -> dict:
        """What `GET /_local/state` says."""
        with urllib.request.urlopen(f"{self.control}/_local/state", timeout=10) as response:
            return json.load(response)

    def set_faults(self, faults: list[dict]) -> None:
        """Put faults in force; an empty list clears them."""
        request = urllib.request.Request(f"{self.control}/_local/faults", json.dumps(faults).encode())
        with urllib.request.urlopen(request, timeout=10):
            pass

    def wait_quiet(self, seconds: float = 60) -> dict:
        """Wait until no push is due or under way; returns the state.

        Raises:
            TimeoutError: it does not come to rest.
        """
        end = time.monotonic() + seconds
        while not (state := self.state())["quiet"]:
            if time.monotonic() > end:
                raise TimeoutError(f"Pub/Sub is not quiet after {seconds} s: {state}")
            time.sleep(0.02)
        return state


@contextmanager
def ours(clock: Path | None = None, *, is_watched: bool = False) -> Iterator[PubSubService]:
    """Our service, in the environment of the local stack where it is made.

    Args:
        clock: file of the replayed instant; real time without.
        is_watched: run it so that it tells of every resource left open, and keep what it tells in `process.stderr`.
    """
    python = ROOT / "build/envs/local/bin/python"
    command = [
        str(python) if python.exists() else sys.executable,
        *(["-X", "dev"] if is_watched else []),
        "-m",
        "infra.local.pubsub",
    ]
    command += ["--port", "0", "--control-port", "0", *(["--clock", str(clock)] if clock else [])]
    told = subprocess.PIPE if is_watched else None
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=told, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"{' '.join(command)} ended before it was ready"
            ready = json.loads(line)
            yield PubSubService(
                lane="ours",
                host=f"127.0.0.1:{ready['port']}",
                control=f"http://127.0.0.1:{ready['control_port']}",
                process=process,
            )
        finally:
            process.terminate()
            process.wait(timeout=60)


@contextmanager
def googles_jar(jar: Path) -> Iterator[PubSubService]:
    """Google's emulator."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    main = "com.google.cloud.pubsub.testing.v1.Main"
    command = ["java", "-Xmx256m", "-cp", str(jar), main, "--host=127.0.0.1", f"--port={port}"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            _wait_for_port(port, process)
            yield PubSubService(lane="jar", host=f"127.0.0.1:{port}", control="", process=process)
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait_for_port(port: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert process.poll() is None, f"the jar ended with {process.returncode} before it was ready"
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"the jar does not listen on port {port} after 30 s")


def find_jar() -> Path | None:
    """Google's emulator jar, from PUBSUB_EMULATOR_JAR or where gcloud keeps it; None without it or without java."""
    if shutil.which("java") is None:
        return None
    if named := os.environ.get(JAR_VARIABLE):
        path = Path(named)
        assert path.is_file(), f"{JAR_VARIABLE}={named} is no file"
        return path
    gcloud = shutil.which("gcloud")
    places = [Path(gcloud).resolve().parents[1]] if gcloud else []
    for place in (*places, *map(Path, _JAR_PLACES)):
        found = sorted((place / "platform/pubsub-emulator/lib").glob("cloud-pubsub-emulator-*-all.jar"))
        if found:
            return found[-1]
    return None


@contextmanager
def clients(host: str) -> Iterator[tuple[pubsub_v1.PublisherClient, pubsub_v1.SubscriberClient]]:
    """The unmodified client library's publisher and subscriber for a service, closed at the end."""
    before = os.environ.get("PUBSUB_EMULATOR_HOST")
    os.environ["PUBSUB_EMULATOR_HOST"] = host
    try:
        publisher = pubsub_v1.PublisherClient(
            publisher_options=pubsub_v1.types.PublisherOptions(enable_message_ordering=True)
        )
        subscriber = pubsub_v1.SubscriberClient()
    finally:
        if before is None:
            del os.environ["PUBSUB_EMULATOR_HOST"]
        else:
            os.environ["PUBSUB_EMULATOR_HOST"] = before
    with subscriber:
        yield publisher, subscriber
        publisher.stop()
        publisher.transport.close()
