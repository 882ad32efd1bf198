"""What a training ran on: versions, machine, revision of the code."""

import os
import platform
import subprocess
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
