"""Trains tasks on this machine, some at a time, each worker a process of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from training.campaign.plan import Task, record_failure

ROOT = Path(__file__).parents[2]
RUNS_PER_WORKER = 8
"""Then a fresh process: TensorFlow gives memory of earlier graphs back only at its end."""
LOG_CHARS = 4000


class _Worker:
    """A worker process with its log."""

    def __init__(self, threads: int, gpu: int | None) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed with the worker
        visible = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": str(gpu)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "training.campaign.worker", str(threads)],
            cwd=ROOT,
            env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, **visible},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.done = 0

    def train(self, task: Task) -> str | None:
        """Return the outcome, or None where the process ended instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(task.to_json() + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return None
        line = self._process.stdout.readline()
        self.done += 1
        return str(json.loads(line)["outcome"]) if line else None

    def end(self) -> str:
        """End the process; return how it ended and the last lines it wrote."""
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            try:
                stream.close()
            except BrokenPipeError:  # a line that a dead worker never read
                continue
        code = self._process.wait()
        self._log.seek(0)
        log = self._log.read().decode(errors="replace")[-LOG_CHARS:]
        self._log.close()
        return f"the worker ended with {code}\n{log}"


def train_all(tasks: Sequence[Task], *, jobs: int, threads: int, gpus: int = 0) -> Iterator[tuple[Task, str]]:
    """Train tasks and yield each with its outcome as it ends: finished, kept, claimed or failed.

    Args:
        tasks: in the order in which they are begun.
        jobs: workers.
        threads: of each worker.
        gpus: worker k sees only GPU k modulo this; 0 hides none.
    """
    waiting: SimpleQueue[Task] = SimpleQueue()
    for task in tasks:
        waiting.put(task)
    ended: SimpleQueue[tuple[Task, str]] = SimpleQueue()

    def work(number: int) -> None:
        worker: _Worker | None = None
        while True:
            try:
                task = waiting.get_nowait()
            except Empty:
                break
            worker = worker or _Worker(threads, number % gpus if gpus else None)
            outcome = worker.train(task)
            if outcome is None:
                record_failure(task.folder, worker.end())
                worker = None
            elif worker.done >= RUNS_PER_WORKER:
                worker.end()
                worker = None
            ended.put((task, outcome or "failed"))
        if worker:
            worker.end()

    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(work, number) for number in range(jobs)]
        for _ in tasks:
            yield ended.get()
        for future in as_completed(futures):
            future.result()
