"""Child processes of the stack: started with a log each, waited for until they answer, and always ended."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LAUNCHER = Path(__file__).with_name("end_with_parent.py")
START_PATIENCE_S = 240.0  # a model server needs 15 s alone and minutes where others want the processors too


class StartFailed(RuntimeError):
    """A service did not come up; the text ends with the last lines of its log."""


class Child:
    """One service process in a process group of its own.

    Attributes:
        name: of the service.
        log: its standard error (and a function's standard output).
    """

    def __init__(
        self, name: str, command: Sequence[str | Path], env: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                [*_ending_with_this_process(), *map(str, command)],
                cwd=folder,
                env={
                    "PATH": os.environ.get("PATH", ""),
                    "HOME": os.environ.get("HOME", ""),
                    "PYTHONUNBUFFERED": "1",
                    **env,
                },
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=sink,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id, also of the process group."""
        return self._process.pid

    def worker_pids(self) -> list[int]:
        """Process ids of its children: gunicorn's workers, which do a function's work."""
        tasks = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in tasks.read_text().split()]

    def ready_line(self, patience_s: float = START_PATIENCE_S) -> dict[str, Any]:
        """Wait for the JSON line in which a service tells its port.

        Raises:
            StartFailed: it ended or said nothing in time.
        """
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], patience_s)
        line = self._process.stdout.readline() if readable else b""
        try:
            ready: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            raise StartFailed(f"{self.name} did not start:\n{self.last_words()}") from None
        return ready

    def wait_for_port(self, port: int, patience_s: float = START_PATIENCE_S) -> None:
        """Wait until something listens on the loopback port.

        Raises:
            StartFailed: it ended or did not listen in time.
        """
        end = time.monotonic() + patience_s
        while time.monotonic() < end and self._process.poll() is None:
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise StartFailed(f"{self.name} did not start:\n{self.last_words()}")

    def last_words(self, lines: int = 15) -> str:
        """Return the end of the log."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return f"{self.log}:\n" + "\n".join(text.splitlines()[-lines:])

    def is_alive(self) -> bool:
        """Say whether the process still runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """End the whole process group: asked first, killed after five seconds."""
        for sign, patience_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, sign)
            try:
                self._process.wait(patience_s)
                break
            except subprocess.TimeoutExpired:
                continue
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # a worker that outlives its master would go on answering on its port
        if self._process.stdout:
            self._process.stdout.close()


def wait_until_free(port: int, patience_s: float = 10) -> None:
    """Wait until nothing answers on the loopback port any more.

    Raises:
        StartFailed: something still does.
    """
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
        time.sleep(0.02)
    raise StartFailed(f"port {port} is still answered {patience_s:.0f} s after its server was ended")


class ReservedPort:
    """A loopback port that no other process is given until it is closed; for servers that cannot choose one themselves.

    A socket stays bound to it without listening. Linux then gives the port to nobody who asks for any, while a server that names it
    and sets SO_REUSEADDR, as gunicorn does, may listen on it. Elsewhere that server would be refused, and nothing stays bound.

    Attributes:
        number: of the port.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number = int(self._socket.getsockname()[1])
        if sys.platform != "linux":
            self.close()

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


def free_port() -> int:
    """Return a loopback port that is free now; for servers that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ending_with_this_process() -> list[str]:
    return [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid())] if sys.platform == "linux" else []
