"""Cloud Scheduler under the stack's clock: fires what is due, once, with the time it was due at.

Like the real one it does not make up for missed runs: after a jump of the replayed clock only the latest due run is fired.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import requests
from google.cloud import pubsub_v1

from infra.local.clock import Clock

TIMEOUT_S = 180


class Scheduler:
    """Fires the schedules of a topology.

    Args:
        schedules: the topology's `schedules`.
        clock: of the stack.
        project: id of the topics' project.
        functions: base URL of each HTTP function.
    """

    def __init__(self, schedules: Mapping[str, Any], clock: Clock, project: str, functions: Mapping[str, str]) -> None:
        self._schedules = schedules
        self._clock = clock
        self._project = project
        self._functions = functions
        self._publisher = pubsub_v1.PublisherClient()
        self._fired: dict[str, datetime] = {}

    def run_due(self) -> list[str]:
        """Fire every schedule with a due time since it last fired; return their names.

        Raises:
            RuntimeError: a function answered with an error, which Cloud Scheduler would show as a failed run.
        """
        fired = []
        for name, schedule in self._schedules.items():
            due = self._latest_due(schedule["every_s"])
            if self._fired.get(name) == due:
                continue
            self._fired[name] = due
            if "topic" in schedule:
                path = self._publisher.topic_path(self._project, schedule["topic"])
                data = json.dumps(schedule["data"], sort_keys=True).encode()
                self._publisher.publish(path, data, **schedule["attributes"]).result(timeout=TIMEOUT_S)
            else:
                self._call(name, self._functions[schedule["function"]], due)
            fired.append(name)
        return fired

    def _latest_due(self, every_s: int) -> datetime:
        now = self._clock.now().timestamp()
        return datetime.fromtimestamp(now // every_s * every_s, UTC)

    def _call(self, name: str, url: str, due: datetime) -> None:
        stamp = due.isoformat().replace("+00:00", "Z")
        reply = requests.post(url, headers={"X-CloudScheduler-ScheduleTime": stamp}, timeout=TIMEOUT_S)
        if not reply.ok:
            raise RuntimeError(f"schedule {name}: {url} answered HTTP {reply.status_code}: {reply.text[:500]}")
