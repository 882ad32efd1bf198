"""What a training runs on: TensorFlow set up for this process; versions, machine and revision for the record."""

import ctypes
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import tensorflow as tf

PACKAGES = ("keras", "numpy", "tensorflow", "tensorflow-cpu")
ROOT = Path(__file__).parents[1]


def environment() -> dict[str, Any]:
    """Return what `environment.json` says; the revision is None outside a git checkout."""
    return {
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "machine": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "devices": [f"{d.device_type} {d.name}" for d in tf.config.list_physical_devices()],
        "revision": _revision(),
    }


def times(earlier: Path, *, goes_on: bool) -> dict[str, str]:
    """Return when a training was started and, where it goes on, when it was last resumed.

    Args:
        earlier: the `environment.json` of the process before, if there was one.
        goes_on: whether a checkpoint of it is there.
    """
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if goes_on and earlier.exists():
        return {"started": json.loads(earlier.read_text())["started"], "resumed": now}
    return {"started": now}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _revision() -> str | None:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


class NoGpu(RuntimeError):
    """TensorFlow sees none where one was asked for; on the processor the training would take many times as long, unnoticed."""


def prepare(threads: int, *, needs_gpu: bool = False) -> None:
    """Set up TensorFlow for this process, before it is used: threads, memory of GPUs as it is needed, freed memory kept.

    Raises:
        NoGpu: one is needed, and there is none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if needs_gpu and not gpus:
        raise NoGpu(
            "a GPU was asked for, and TensorFlow sees none: ask for as many as the machine has, and install `tensorflow` with CUDA instead "
            f"of `tensorflow-cpu` (here: {', '.join(name for name in PACKAGES if _version(name))})"
        )
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1 if threads == 1 else 2)
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let glibc keep what TensorFlow frees: otherwise every batch maps its buffers anew, half of the time in page faults."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        # MMAP_MAX, ARENA_MAX, TRIM_THRESHOLD, TOP_PAD
        for option, value in ((-4, 0), (-8, 1), (-1, 2**31 - 1), (-2, 2**28)):
            libc.mallopt(option, value)
