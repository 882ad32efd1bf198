"""Trains tasks on this machine, some at a time, each worker a process of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Lock
from typing import IO

from training.campaign.plan import Task, record_failure
from training.campaign.worker import ROOT, RUNS_PER_WORKER

LOG_CHARS = 4000
VISIBLE = "CUDA_VISIBLE_DEVICES"


class _Worker:
    """A worker process with its log."""

    def __init__(self, threads: int, gpu: str | None) -> None:
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed with the worker
        visible = {} if gpu is None else {VISIBLE: gpu}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "training.campaign.worker", str(threads), *([] if gpu is None else ["gpu"])],
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

    def kill(self) -> None:
        """End the process in the middle of what it does: its checkpoint stays, its claim is let go."""
        self._process.kill()

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


class _Crew:
    """The workers that live, to be ended all at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._workers: set[_Worker] = set()
        self.is_dismissed = False

    def engage(self, threads: int, gpu: str | None) -> _Worker | None:
        """Start a worker, None where the crew has been dismissed."""
        with self._lock:
            if self.is_dismissed:
                return None
            worker = _Worker(threads, gpu)
            self._workers.add(worker)
            return worker

    def end(self, worker: _Worker) -> str:
        """End a worker that has nothing to do or is dead; return how it ended and the last lines it wrote."""
        with self._lock:
            self._workers.discard(worker)
        return worker.end()

    def dismiss(self) -> None:
        """Kill all workers; there will be no others."""
        with self._lock:
            self.is_dismissed = True
            for worker in self._workers:
                worker.kill()


def gpus_to_share(count: int, environ: Mapping[str, str]) -> list[str]:
    """Return the names of so many GPUs, of those alone that CUDA_VISIBLE_DEVICES leaves to this process.

    Raises:
        ValueError: it leaves fewer.
    """
    if VISIBLE not in environ:
        return [str(number) for number in range(count)]
    names = [name.strip() for name in environ[VISIBLE].split(",")]
    left = [name for name in names if name not in ("", "-1")]
    if len(left) < count:
        raise ValueError(f"{count} GPUs are to be shared out, {VISIBLE}={environ[VISIBLE]} leaves {len(left)}")
    return left[:count]


def train_in_processes(tasks: Sequence[Task], *, jobs: int, threads: int, gpus: int = 0) -> Generator[tuple[Task, str]]:
    """Train tasks and yield each with its outcome as it ends: finished, kept, claimed or failed.

    An interrupt, or whoever takes no more of them, ends the workers at once: what they trained goes on from its checkpoint another time.

    Args:
        tasks: in the order in which they are begun.
        jobs: workers.
        threads: of each worker.
        gpus: worker k sees only number k modulo this of the GPUs that are visible here; 0 hides none.

    Raises:
        ValueError: fewer GPUs than that are visible here.
    """
    devices = gpus_to_share(gpus, os.environ) if gpus else []
    waiting: SimpleQueue[Task] = SimpleQueue()
    for task in tasks:
        waiting.put(task)
    ended: SimpleQueue[tuple[Task, str] | BaseException] = SimpleQueue()
    crew = _Crew()

    def work(number: int) -> None:
        # a terminal sends Ctrl-C to every process of a command; workers inherit this mask, so it is for this process alone to end them
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        worker: _Worker | None = None
        while True:
            try:
                task = waiting.get_nowait()
            except Empty:
                break
            worker = worker or crew.engage(threads, devices[number % gpus] if gpus else None)
            outcome = worker.train(task) if worker else None
            if worker is None or crew.is_dismissed:  # a worker that was killed is no failure of its run
                break
            if outcome is None:
                record_failure(task.folder, crew.end(worker))
                worker = None
            elif worker.done >= RUNS_PER_WORKER:
                crew.end(worker)
                worker = None
            ended.put((task, outcome or "failed"))
        if worker:
            crew.end(worker)

    def tell(future: Future[None]) -> None:
        if error := future.exception():
            ended.put(error)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            for number in range(jobs):
                pool.submit(work, number).add_done_callback(tell)
            for _ in tasks:
                found = ended.get()
                if isinstance(found, BaseException):
                    raise found
                yield found
        finally:
            crew.dismiss()
