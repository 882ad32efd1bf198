"""Requests to one signature joined along the first axis and run as one, after TensorFlow Serving.

batching_session.cc joins and splits, shared_batch_scheduler.h of TensorFlow decides which requests run together: a batch is run when it is
full, or when its first request has waited `batch_timeout_micros` and a thread is free.
"""

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from serving.local_server.batching_config import FILE, BatchLimits
from serving.local_server.errors import ENDING, Refusal, invalid
from serving.local_server.metrics import Metrics

Arrays = Mapping[str, NDArray[np.generic]]
Run = Callable[[Arrays, Sequence[str]], list[NDArray[np.generic]]]


@dataclass(kw_only=True)
class Task:
    """One request in a batch."""

    feeds: Arrays
    rows: int
    done: "Future[list[NDArray[np.generic]]]" = field(default_factory=Future)


@dataclass(kw_only=True)
class Batch:
    """Requests that run together."""

    tasks: list[Task] = field(default_factory=list)
    rows: int = 0
    since: float = 0.0

    def add(self, task: Task) -> None:
        """Append a request; the first one starts the batch's time."""
        if not self.tasks:
            self.since = time.monotonic()
        self.tasks.append(task)
        self.rows += task.rows


class BatchThreads:
    """The threads that run batches of all models, the batch that has waited longest first."""

    def __init__(self, count: int | None) -> None:
        """Start them: so many, or one for each core."""
        self.changed = threading.Condition()
        self.is_ending = False
        self.queues: weakref.WeakSet[BatchQueue] = weakref.WeakSet()
        numbers = range(count or os.cpu_count() or 1)
        self._threads = [threading.Thread(target=self._work, daemon=True, name=f"batch-{number}") for number in numbers]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Run what waits, refuse what comes, and return when no graph runs any more."""
        with self.changed:
            self.is_ending = True
            self.changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (found := self._next()) is not None:
            queue, batch = found
            queue.process(batch)
            del found, queue, batch  # a version that is dropped while this thread waits must go

    def _next(self) -> "tuple[BatchQueue, Batch] | None":
        with self.changed:
            while True:
                if self.is_ending and not any(queue.batches[0].tasks for queue in self.queues):
                    return None
                now = time.monotonic()
                waiting = [
                    (queue.batches[0].since, id(queue), queue) for queue in self.queues if queue.batches[0].tasks
                ]
                ready = [(since, number, queue) for since, number, queue in waiting if queue.is_ready(now)]
                if ready:
                    queue = min(ready)[2]
                    return queue, queue.take()
                times = [since + queue.limits.wait_s - now for since, _, queue in waiting]
                del waiting, ready
                self.changed.wait(min(times, default=None))


class BatchQueue:
    """Batches of one signature of one version."""

    def __init__(
        self, threads: BatchThreads, limits: BatchLimits, run: Run, fetches: Sequence[str], metrics: Metrics
    ) -> None:
        self.limits = limits
        self.batches = deque([Batch()])  # the last one is open
        self._threads, self._run, self._fetches, self._metrics = threads, run, fetches, metrics
        with threads.changed:
            threads.queues.add(self)

    def submit(self, feeds: Arrays) -> list[NDArray[np.generic]]:
        """Wait for a request's part of a batch's result.

        Raises:
            Refusal: INVALID_ARGUMENT where it cannot be batched, UNAVAILABLE where too many wait, and what the graph says.
        """
        task = Task(feeds=feeds, rows=_common_rows(feeds))
        with self._threads.changed:
            if self._threads.is_ending:
                raise Refusal(grpc.StatusCode.UNAVAILABLE, ENDING)
            if task.rows > self.limits.rows:
                raise invalid(f"Task size {task.rows} is larger than maximum input batch size {self.limits.rows}")
            if self.batches[-1].rows + task.rows > self.limits.rows:
                if len(self.batches) >= self.limits.enqueued:
                    raise Refusal(
                        grpc.StatusCode.UNAVAILABLE,
                        "The batch scheduling queue to which this task was submitted is full; currently "
                        f"{len(self.batches)} batches enqueued and max_enqueued_batches is {self.limits.enqueued}",
                    )
                self.batches.append(Batch())
            self.batches[-1].add(task)
            self._threads.changed.notify()
        return task.done.result()

    def is_ready(self, now: float) -> bool:
        """Say whether the first batch is closed, full, or has waited long enough."""
        first = self.batches[0]
        return len(self.batches) > 1 or first.rows >= self.limits.rows or now - first.since >= self.limits.wait_s

    def take(self) -> Batch:
        """Remove the first batch."""
        batch = self.batches.popleft()
        if not self.batches:
            self.batches.append(Batch())
        return batch

    def process(self, batch: Batch) -> None:
        """Run a batch and answer its requests, all of them with the error if there is one."""
        error = Refusal(grpc.StatusCode.INTERNAL, "the thread of the batch ended")  # then its traceback is on stderr
        try:
            parts = self._parts(batch)
            for number, task in enumerate(batch.tasks):
                task.done.set_result([part[number] for part in parts])
        except Refusal as refusal:
            error = refusal
        finally:
            for task in batch.tasks:
                if not task.done.done():
                    task.done.set_exception(error)

    def _parts(self, batch: Batch) -> list[list[NDArray[np.generic]]]:
        """Return, for each output, its rows by request."""
        padding = next((size for size in self.limits.sizes if size >= batch.rows), batch.rows) - batch.rows
        joined = {}
        for name in batch.tasks[0].feeds:
            arrays = [task.feeds[name] for task in batch.tasks]
            if len({array.shape[1:] for array in arrays}) > 1:
                raise Refusal(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    f"Tensors with name '{name}' from different tasks have different shapes and padding is turned off. Set "
                    "pad_variable_length_inputs to true, or ensure that all tensors with the same name have equal "
                    "dimensions starting with the first dim.",
                )
            joined[name] = np.concatenate([*arrays, *[arrays[-1][:1]] * padding])
        outputs = self._run(joined, self._fetches)
        self._metrics.batch_ran()
        ends = np.cumsum([task.rows for task in batch.tasks])
        for output in outputs:
            if output.ndim == 0:
                raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")
            if len(output) != batch.rows + padding:
                raise Refusal(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the input "
                    "tensors",
                )
        return [np.split(output, ends)[: len(batch.tasks)] for output in outputs]


class BatchingSession:
    """Runs a version's graph by batches, a queue for every choice of inputs and outputs."""

    def __init__(self, threads: BatchThreads, limits: BatchLimits, run: Run, metrics: Metrics) -> None:
        self._make = lambda fetches: BatchQueue(threads, limits, run, fetches, metrics)
        self._queues: dict[tuple[Any, ...], BatchQueue] = {}
        self._lock = threading.Lock()

    def run(self, feeds: Arrays, fetches: Sequence[str]) -> list[NDArray[np.generic]]:
        """Run a request with others; see `BatchQueue.submit`."""
        key = (frozenset(feeds), tuple(fetches))
        with self._lock:
            queue = self._queues.get(key) or self._queues.setdefault(key, self._make(tuple(fetches)))
        return queue.submit(feeds)


def _common_rows(feeds: Arrays) -> int:
    """Return the size of the first axis, which all inputs must share; batching_util.h, ComputeTensorBatchSize."""
    if not feeds:
        raise invalid("Batching Run() must have at least one input tensor")
    if any(array.ndim == 0 for array in feeds.values()):
        raise invalid("Batching Run() input tensors must have at least one dimension")
    sizes = {len(array) for array in feeds.values()}
    if len(sizes) > 1:
        raise invalid("Batching Run() input tensors must have equal 0th-dimension size")
    return sizes.pop()


class Batching:
    """Which versions are batched, by what limits, and the threads they share."""

    def __init__(self, threads: BatchThreads, limits: BatchLimits | None, metrics: Metrics) -> None:
        """Batch every version by the same limits, or, with None, each version that brings its own file by that."""
        self._threads, self._limits, self._metrics = threads, limits, metrics

    def close(self) -> None:
        """See `BatchThreads.close`."""
        self._threads.close()

    def session(self, folder: Path, run: Run) -> BatchingSession | None:
        """Return what runs the requests to the version in a folder; None where each runs by itself.

        Raises:
            ValueError: the version's file cannot be used.
        """
        limits = self._limits
        if limits is None and (folder / FILE).is_file():
            limits = BatchLimits.read(folder / FILE)
        return None if limits is None else BatchingSession(self._threads, limits, run, self._metrics)
