"""What a training runs on, for the record: versions, machine, revision, times."""

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
ROOT = Path(__file__).parents[2]


def environment() -> dict[str, Any]:
    """Return what `environment.json` says; the revision is None outside a git checkout."""
    return {
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := version_of(name))},
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


def version_of(package: str) -> str | None:
    """Return the version of an installed package, None where it is not installed."""
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
