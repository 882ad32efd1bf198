"""Export tasks: started once per requestId, run by a small pool, followed by polling."""

import hashlib
import queue
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from infra.local.clock import Clock
from infra.local.earth_engine.archive import Archive
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.export import Cancelled, run_export
from infra.local.earth_engine.export_request import ExportRequest, parse_export
from infra.local.earth_engine.faults import Faults
from infra.local.earth_engine.journal import Journal
from infra.local.earth_engine.operation import METADATA, Operation, digest_of, restored


class Operations:
    """The store of tasks and the pool that runs them.

    Attributes:
        started: number of tasks ever made.
    """

    def __init__(
        self, archive: Archive, clock: Clock, faults: Faults, scratch: Path, workers: int, journal: Journal
    ) -> None:
        self.archive, self.clock, self.faults, self.scratch, self.journal = archive, clock, faults, scratch, journal
        self.started = 0
        self._operations: dict[str, Operation] = {}
        self._by_request: dict[tuple[str, str], Operation] = {}
        self._lock = threading.RLock()
        self._queue: queue.SimpleQueue[Operation] = queue.SimpleQueue()
        for record in journal.records():
            self._add(restored(record))
        for _ in range(workers):
            self._hire()

    def start(self, project: str, body: Any) -> dict[str, Any]:
        """Make a task; the same request again gives the same one.

        Raises:
            EarthEngineError: the request is refused, its id belongs to another request, or the queue is full.
        """
        request = parse_export(body)
        if self.faults.take("queue_full", request.description):
            raise EarthEngineError(
                "Too many tasks already in the queue (3000). Please wait for some of them to complete.", 429
            )
        with self._lock:
            key = (project, request.request_id or uuid.uuid4().hex)
            known = self._by_request.get(key)
            if known is not None:
                if digest_of(known.payload) != digest_of(body):
                    raise EarthEngineError("A different Operation was already started with the given request_id.")
                return known.body()
            request.expression.check_images(self.archive)
            identity = hashlib.sha256("/".join(key).encode()).hexdigest()[:24].upper()
            name = f"projects/{project}/operations/{identity}"
            operation = Operation(name, self.started, key, body, request, self._metadata(request))
            operation.is_lost = self.faults.take("lose", request.description) is not None
            answer = operation.body()
            self.journal.write(name, operation.record())
            self._add(operation)
        return answer

    def _add(self, operation: Operation) -> None:
        self._operations[operation.name] = self._by_request[operation.key] = operation
        self.started += 1
        if not operation.is_lost and not operation.is_done:
            self._queue.put(operation)

    def get(self, name: str) -> dict[str, Any]:
        """One task.

        Raises:
            EarthEngineError: there is none of that name.
        """
        return self._find(name).body()

    def listed(self, project: str) -> list[dict[str, Any]]:
        """All tasks of a project, newest first."""
        with self._lock:
            found = [
                o for o in self._operations.values() if o.name.startswith(f"projects/{project}/") and not o.is_lost
            ]
        return [operation.body() for operation in reversed(found)]

    def cancel(self, name: str) -> None:
        """Ask a task to stop; one that has ended stays as it is."""
        operation = self._find(name)
        with self._lock:
            operation.cancelled.set()
            if operation.metadata["state"] == "PENDING":
                self._end(operation, "CANCELLED", {"code": 1, "message": "Cancelled."})
            elif operation.metadata["state"] == "RUNNING":
                self._update(operation, state="CANCELLING")

    def summary(self) -> dict[str, Any]:
        """State for the tests: tasks by name, how many wait, run and were ever made."""
        with self._lock:
            tasks = list(self._operations.values())
            states = [task.metadata["state"] for task in tasks if not task.is_lost]
            described = {
                task.name: {
                    **task.body(),
                    "requestId": task.request.request_id,
                    "destination": f"gs://{task.request.bucket}/{task.request.prefix}",
                    "lost": task.is_lost,
                }
                for task in tasks
            }
        return {
            "operations": described,
            "running": states.count("RUNNING") + states.count("CANCELLING"),
            "pending": states.count("PENDING"),
            "exports_started": self.started,
        }

    def _find(self, name: str) -> Operation:
        with self._lock:
            operation = self._operations.get(name)
        if operation is None or operation.is_lost:
            raise EarthEngineError(f"Operation {name.rpartition('/')[2]} not found.", 404)
        return operation

    def _now(self) -> str:
        return self.clock.now().isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _metadata(self, request: ExportRequest) -> dict[str, Any]:
        now = self._now()
        return {
            "@type": METADATA,
            "state": "PENDING",
            "description": request.description,
            "priority": 100,
            "createTime": now,
            "updateTime": now,
            "type": "EXPORT_IMAGE",
        }

    def _update(self, operation: Operation, **fields: Any) -> None:
        with self._lock:
            operation.metadata |= {**fields, "updateTime": self._now()}

    def _end(self, operation: Operation, state: str, error: dict[str, Any] | None, **fields: Any) -> None:
        with self._lock:
            operation.error = error
            self._update(operation, state=state, endTime=self._now(), **fields)
            self.journal.write(operation.name, operation.record())

    def _hire(self) -> None:
        threading.Thread(target=self._work, name="export", daemon=True).start()

    def _work(self) -> None:
        while True:
            operation = self._queue.get()
            with self._lock:
                if operation.metadata["state"] != "PENDING":
                    continue
                self._update(operation, state="RUNNING", startTime=self._now(), attempt=1, progress=0.0)
                self.journal.write(operation.name, operation.record())
            try:
                self._run(operation)
            finally:
                if not operation.is_done:
                    # a defect of ours: its trace ends this thread, so the task is closed and another thread takes over
                    self._end(operation, "FAILED", {"code": 13, "message": "An internal error has occurred"})
                    self._hire()

    def _run(self, operation: Operation) -> None:
        request, began = operation.request, time.thread_time()

        def progress(fraction: float) -> None:
            if operation.cancelled.is_set():
                raise Cancelled
            self._update(operation, progress=round(fraction, 4))

        def used() -> float:
            return round(time.thread_time() - began, 3)

        try:
            if delay := self.faults.take("delay", request.description):
                operation.cancelled.wait(delay.seconds)
            progress(0.0)
            if failure := self.faults.take("fail", request.description):
                raise EarthEngineError(failure.message, 500)
            project = operation.name.split("/")[1]
            run_export(request, self.archive, project, self.scratch, progress)
        except Cancelled:
            self._end(operation, "CANCELLED", {"code": 1, "message": "Cancelled."}, batchEecuUsageSeconds=used())
        except EarthEngineError as error:
            failure_body = {"code": error.code, "message": error.message}
            self._end(operation, "FAILED", failure_body, batchEecuUsageSeconds=used())
        else:
            folder = request.prefix.rpartition("/")[0]
            uri = f"https://console.developers.google.com/storage/browser/{request.bucket}/{folder}"
            usage = {"batchEecuUsageSeconds": used(), "progress": 1.0, "destinationUris": [uri]}
            self._end(operation, "SUCCEEDED", None, **usage)
