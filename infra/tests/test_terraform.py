"""Terraform's own checks: format, validity of the system and of both environments, and every `*.tftest.hcl`."""

import re
import subprocess

import pytest

from tests.contract.terraform import INFRA, ROOT, TERRAFORM, able, terraform

__all__ = ["able"]  # the fixture: skips loudly where no terraform can run

ELSEWHERE = {"topology.tftest.hcl", "upgrade.tftest.hcl"}  # run by tests/contract/test_topology.py
TESTS = sorted({path.name for path in (INFRA / "tests").glob("*.tftest.hcl")} - ELSEWHERE)


def test_format(able: None) -> None:
    answer = terraform("fmt", "-check", "-recursive")
    assert answer.returncode == 0, f"run terraform fmt -recursive infra: {answer.stdout}"


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_environments_are_valid(able: None, environment: str) -> None:
    command = [TERRAFORM, f"-chdir={INFRA / 'environments' / environment}"]
    subprocess.run([*command, "init", "-backend=false", "-input=false"], cwd=ROOT, capture_output=True, check=False)
    answer = subprocess.run([*command, "validate", "-no-color"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("name", TESTS)
def test_terraform_test(able: None, name: str) -> None:
    answer = terraform("test", "-no-color", f"-filter=tests/{name}")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert re.search(r"Success! [1-9][0-9]* passed, 0 failed", answer.stdout)
