"""The processes that are timed: each on the cores it may use, asked one at a time."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / "build" / "envs"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 600


class BrokenProcess(RuntimeError):
    """A process that is timed ended, or said what it should not; the message names it and its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One run.

    Attributes:
        wall, cpu: seconds; of all processes that worked for it.
        peak_mb: resident memory of the process at its highest until now, MB.
    """

    wall: float
    cpu: float
    peak_mb: float


@contextmanager
def pinned(cores: Sequence[int]) -> Iterator[None]:
    """Let processes started in the block run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment() -> dict[str, str]:
    """Return the environment of a timed process."""
    path = ":".join(str(ROOT / folder) for folder in ("", "functions", "build/messages"))
    return {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "2"}


class Child:
    """A process with a log; a context manager that ends it."""

    def __init__(self, name: str, command: Sequence[Any], log: Path, cores: Sequence[int]) -> None:
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors, pinned(cores):
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate(timeout=30)

    def read(self) -> dict[str, Any]:
        """Return the next line of the process.

        Raises:
            BrokenProcess: it ended instead.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise BrokenProcess(f"{self.name} ended with {self.process.wait(10)}: see {self.log}")
        document: dict[str, Any] = json.loads(line)
        return document

    @property
    def cpu(self) -> float:
        """Seconds of CPU used since the process started."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    @property
    def peak_mb(self) -> float:
        """Resident memory at its highest, MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024


class Worker(Child):
    """A process that speaks `lines`."""

    def __init__(
        self, name: str, command: Sequence[Any], log: Path, cores: Sequence[int], server: "ModelServer | None" = None
    ) -> None:
        super().__init__(name, command, log, cores)
        self._server = server

    def score(self, image: Path, scores: Path | None = None) -> Timing:
        """Have an image scored; CPU of the model server that it asks is counted in."""
        before = self._server.cpu if self._server else 0.0
        assert self.process.stdin is not None
        request = {"image": str(image)} | ({"scores": str(scores)} if scores else {})
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        timing = Timing(**self.read())
        more = self._server.cpu - before if self._server else 0.0
        return Timing(wall=timing.wall, cpu=timing.cpu + more, peak_mb=timing.peak_mb)


class ModelServer(Child):
    """The genuine model server where it is on PATH, else ours."""

    is_genuine = shutil.which("tensorflow_model_server") is not None

    def __init__(self, models: Path, folder: Path, cores: Sequence[int]) -> None:
        log = folder / "model_server.log"
        self.port = 0
        if self.is_genuine:
            self.port = _free_port()
            config = folder / "models.config"
            entries = [
                f'config {{ name: "{path.name}" base_path: "{path.resolve()}" model_platform: "tensorflow" }}'
                for path in sorted(models.iterdir())
                if path.is_dir()
            ]
            folder.mkdir(parents=True, exist_ok=True)
            config.write_text("model_config_list {\n" + "\n".join(entries) + "\n}\n", encoding="utf-8")
            command = ["tensorflow_model_server", f"--port={self.port}", f"--model_config_file={config}"]
            command += [f"--tensorflow_session_parallelism={len(cores)}", "--enable_serialization_as_tensor_content"]
        else:
            python = ENVIRONMENTS / "serving" / "bin" / "python"
            command = [python, "-m", "serving.local_server", "--models", models, "--port", "0", "--rest-port", "0"]
            command += ["--tensorflow_session_parallelism", len(cores)]
        super().__init__("model server", command, log, cores)

    def wait(self) -> None:
        """Wait until all models are loaded."""
        if not self.is_genuine:
            self.port = int(self.read()["port"])
            return
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise BrokenProcess(f"{self.name} ended with {self.process.returncode}: see {self.log}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise BrokenProcess(f"{self.name} does not listen on port {self.port}: see {self.log}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_to_end(name: str, command: Sequence[Any], log: Path, cores: Sequence[int], may_end: Sequence[int]) -> Timing:
    """Run a process and return its own time and memory.

    Args:
        name: for messages.
        command: its words.
        log: takes what it writes.
        cores: it may use.
        may_end: exit codes that are no failure.

    Raises:
        BrokenProcess: another exit code.
    """
    with log.open("wb") as output, pinned(cores):
        start = time.perf_counter()
        words = [str(word) for word in command]
        process = subprocess.Popen(words, cwd=ROOT, env=environment(), stdout=output, stderr=output)
        # The memory this process had when it forked counts for the child, too: it is kept small, see `raster`.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in may_end:
        raise BrokenProcess(f"{name} ended with {process.returncode}: see {log}")
    return Timing(wall=wall, cpu=usage.ru_utime + usage.ru_stime, peak_mb=usage.ru_maxrss / 1024)
