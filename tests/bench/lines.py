"""A process that is timed: one JSON line in names an image and where its scores go, one out says how long it took."""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


def serve(prepare: Callable[[Image], Callable[[], NDArray[np.float32]]]) -> None:
    """Answer lines until there are no more.

    Args:
        prepare: takes an image, float32 [H, W, C], and returns what is timed: a function that returns scores, float32 of any shape.
    """
    say({"ready": True})
    known, call = "", None
    for line in sys.stdin:
        request = json.loads(line)
        if request["image"] != known:
            known, call = request["image"], prepare(np.load(request["image"]))
        assert call is not None
        wall, cpu = time.perf_counter(), time.process_time()
        scores = call()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if "scores" in request:
            np.save(Path(request["scores"]), scores.reshape(-1))
        say({"wall": wall, "cpu": cpu, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def say(document: dict[str, object]) -> None:
    """Write one line at once."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()
