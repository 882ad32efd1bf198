"""Starts the local USGS as a process; imported by the tests of the feed."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from tests.contract.replayed_clock import turn

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "usgs"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsgsService:
    """A running service with its clock.

    Attributes:
        url: of its root.
        clock: file of the replayed instant.
    """

    url: str
    clock: Path

    @property
    def feed(self) -> str:
        return f"{self.url}/earthquakes/feed/v1.0/summary/4.5_week.geojson"

    def go_to(self, instant: datetime) -> None:
        turn(self.clock, instant)

    def set_faults(self, *faults: dict[str, Any]) -> None:
        reply = requests.post(f"{self.url}/_local/faults", json=list(faults), timeout=10)
        assert reply.ok, reply.text

    def seen(self) -> dict[str, int]:
        counts: dict[str, int] = requests.get(f"{self.url}/_local/state", timeout=10).json()["requests"]
        return counts


@contextmanager
def usgs(folder: Path, *recordings: Path, start: datetime) -> Iterator[UsgsService]:
    """Replay recorded details, plain or gzipped."""
    detail = folder / "recording" / "detail"
    detail.mkdir(parents=True)
    for path in recordings:
        body = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        (detail / path.name.removesuffix(".gz")).write_bytes(body)
    clock = folder / "clock"
    clock.write_text(start.isoformat())
    python = ROOT / "build/envs/local/bin/python"
    command = [str(python) if python.exists() else sys.executable, "-m", "infra.local.usgs", "--port", "0"]
    command += ["--recording", str(detail.parent), "--clock", str(clock)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, "the local USGS ended before it was ready"
            yield UsgsService(url=f"http://127.0.0.1:{json.loads(line)['port']}", clock=clock)
        finally:
            process.terminate()
            process.wait(timeout=60)
