"""Who works on a run: a lock on a file in its folder, which the system lets go when its holder dies, however it dies.

Across machines it holds where the file system passes locks on (NFS version 4, Filestore); over a bucket mounted with gcsfuse it does
not: there give each machine a part of its own (`fit --part 1/4`).
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

CLAIM = "claim"
LOOK_S = 1.0
"""Longer than anybody looks into a claim: `holder` locks it too, for a moment, and is not to be taken for one who works."""


@contextmanager
def claim(folder: Path) -> Iterator[bool]:
    """Give True to one holder at a time, False after about a second to all others; the folder is made if absent."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / CLAIM).open("a") as file:
        if not _lock(file):
            yield False
            return
        file.truncate(0)
        file.write(f"{os.uname().nodename} {os.getpid()}\n")
        file.flush()
        yield True


def _lock(file: IO[str]) -> bool:
    end = time.monotonic() + LOOK_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)


def holder(folder: Path) -> str | None:
    """Return machine and process id of who holds a run, None where nobody does."""
    try:
        with (folder / CLAIM).open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip() or "somebody"
    except FileNotFoundError:
        return None
    return None
