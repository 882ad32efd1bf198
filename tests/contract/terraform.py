"""Terraform as the tests run it, and whether it can run here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
TERRAFORM = os.environ.get("TERRAFORM", "terraform")
CANNOT_RUN = ("Failed to query available provider packages", "Missing required provider", "Could not load plugin")


def terraform(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [TERRAFORM, f"-chdir={INFRA}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)


def is_there() -> bool:
    return shutil.which(TERRAFORM, path=os.environ["PATH"]) is not None or (ROOT / TERRAFORM).exists()


@pytest.fixture(scope="module")
def able() -> None:
    """Skips where there is no terraform, or none that can have the provider; an invalid configuration fails."""
    if not is_there():
        pytest.skip(f"NOTHING of Terraform was checked: {TERRAFORM} is not on this machine (set TERRAFORM=)")
    answer = terraform("validate", "-no-color")
    if answer.returncode:
        terraform("init", "-backend=false", "-input=false")  # fetches the provider where it can
        answer = terraform("validate", "-no-color")
    if answer.returncode and any(reason in answer.stdout + answer.stderr for reason in CANNOT_RUN):
        pytest.skip(f"NOTHING of Terraform was checked: {TERRAFORM} cannot have the google provider here")
    assert answer.returncode == 0, answer.stderr
