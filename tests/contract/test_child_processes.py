"""The stack's children, as the operating system sees them."""

import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from infra.local.processes import Child, ReservedPort, StartFailed, wait_until_free

ROOT = Path(__file__).parents[2]
SERVICE = "import os, time; print('{\"port\": %d}' % os.getpgid(0), flush=True); time.sleep(60)"
RUNNER = f"""
import sys, time
from pathlib import Path
from infra.local.processes import Child
child = Child("service", [sys.executable, "-c", {SERVICE!r}], {{}}, Path("."), Path(sys.argv[1]))
child.ready_line()
print(child.pid, flush=True)
time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_child_is_the_command_itself_in_a_group_of_its_own(tmp_path: Path) -> None:
    child = Child("service", [sys.executable, "-c", SERVICE], {}, tmp_path, tmp_path / "log")
    try:
        assert child.ready_line()["port"] == child.pid
    finally:
        child.end()
    assert not is_alive(child.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_child_ends_with_a_runner_that_was_killed(tmp_path: Path) -> None:
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, tmp_path / "log"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert runner.stdout is not None
    pid = int(runner.stdout.readline())
    assert is_alive(pid)
    runner.kill()
    runner.communicate()
    until = time.monotonic() + 60
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(pid)


def test_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    child = Child("service", [tmp_path / "nothing"], {}, tmp_path, tmp_path / "log")
    with pytest.raises(StartFailed, match=r"service did not start(.|\n)*nothing"):
        child.ready_line()
    child.end()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a server listen where another socket is bound")
def test_reserved_port_is_for_the_server_that_names_it() -> None:
    with closing(ReservedPort()) as port:
        for _ in range(2):  # a server may be started anew
            wait_until_free(port.number)
            with socket.socket() as another, pytest.raises(OSError, match="in use"):
                another.bind(("127.0.0.1", port.number))
            with socket.create_server(("127.0.0.1", port.number)):  # sets SO_REUSEADDR, as gunicorn does
                socket.create_connection(("127.0.0.1", port.number), 10).close()
