"""Counts and latencies under TensorFlow Serving's own names, in Prometheus' text format as prometheus_exporter.cc writes it.

Only what happened here is counted. TensorFlow Serving has these and many more of TensorFlow itself:

    :tensorflow:serving:request_count     by model_name, status; of REST, every call below /v1
    :tensorflow:serving:request_latency   us, of answered requests, by model_name, API (gRPC `Predict`, REST `predict`), entrypoint
    :tensorflow:serving:runtime_latency   us in a session by model_name, API, runtime; waiting for a batch included
    :tensorflow:serving:batching_session:wrapped_run_count    runs of graphs for batches
"""

import bisect
import itertools
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from serving.local_server.errors import Refusal

PREFIX = ":tensorflow:serving:"
REQUESTS, REQUEST_LATENCY, RUNTIME_LATENCY, BATCH_RUNS = (
    PREFIX + name
    for name in ("request_count", "request_latency", "runtime_latency", "batching_session:wrapped_run_count")
)
LIMITS_US = [10 * 1.8**power for power in range(33)]
"""servables/tensorflow/util.cc: scale 10, growth 1.8, 33 buckets, and one for what is above."""

Labels = tuple[tuple[str, str], ...]


class Histogram:
    """How many values lie in which bucket, and their sum."""

    def __init__(self) -> None:
        self.counts = [0] * (len(LIMITS_US) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count a value; one on a limit lies above it, as in TensorFlow's histograms."""
        self.counts[bisect.bisect_right(LIMITS_US, value)] += 1
        self.sum += value


class Metrics:
    """Everything that is counted; safe from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[str, Counter[Labels]] = {REQUESTS: Counter(), BATCH_RUNS: Counter()}
        self._latencies: dict[str, defaultdict[Labels, Histogram]] = {
            REQUEST_LATENCY: defaultdict(Histogram),
            RUNTIME_LATENCY: defaultdict(Histogram),
        }

    @contextmanager
    def request(self, model: str, api: str, entrypoint: str) -> Iterator[None]:
        """Count the request that is answered or refused in the block; its latency if it is answered."""
        status = "OK"
        start = time.perf_counter()
        try:
            yield
        except Refusal as refusal:
            status = refusal.code.name
            raise
        finally:
            seconds = time.perf_counter() - start
            with self._lock:
                self._counters[REQUESTS][("model_name", model), ("status", status)] += 1
                if status == "OK":
                    labels = (("model_name", model), ("API", api), ("entrypoint", entrypoint))
                    self._latencies[REQUEST_LATENCY][labels].add(seconds * 1e6)

    def ran(self, model: str, seconds: float) -> None:
        """Count the time that a request spent in a session."""
        labels = (("model_name", model), ("API", "Predict"), ("runtime", "TF1"))  # predict_util.cc
        with self._lock:
            self._latencies[RUNTIME_LATENCY][labels].add(seconds * 1e6)

    def batch_ran(self) -> None:
        """Count one run of a graph for a batch."""
        with self._lock:
            self._counters[BATCH_RUNS][()] += 1

    def page(self) -> str:
        """Return all of it as Prometheus reads it."""
        lines = []
        with self._lock:
            for name, counter in self._counters.items():
                lines.append(f"# TYPE {name} counter")
                lines += [f"{name}{{{_written(labels)}}} {count}" for labels, count in counter.items()]
            for name, histograms in self._latencies.items():
                lines.append(f"# TYPE {name} histogram")
                for labels, histogram in histograms.items():
                    lines += _lines(name, _written(labels), histogram)
        return "\n".join(lines) + "\n"


def _lines(name: str, labels: str, histogram: Histogram) -> list[str]:
    limits = [*(f"{limit:g}" for limit in LIMITS_US), "+Inf"]
    below = list(itertools.accumulate(histogram.counts))
    buckets = [f'{name}_bucket{{{labels},le="{limit}"}} {count}' for limit, count in zip(limits, below, strict=True)]
    return [*buckets, f"{name}_sum{{{labels}}} {histogram.sum:g}", f"{name}_count{{{labels}}} {below[-1]}"]


def _written(labels: Labels) -> str:
    escaped = ((name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in labels)
    return ",".join(f'{name}="{value}"' for name, value in escaped)
