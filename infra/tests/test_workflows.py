# ruff: noqa: D103
"""GitHub's and Cloud Build's workflows: valid YAML, commands that make knows, identity without keys, nothing undeclared.

YAML is read by Terraform (`yamldecode`), for no YAML library is among the locked packages of the tests; without Terraform this skips.
"""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.contract.terraform import ROOT, TERRAFORM, is_there

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))
BUILT_IN = {"PROJECT_ID", "PROJECT_NUMBER", "BUILD_ID", "COMMIT_SHA", "BRANCH_NAME", "LOCATION"}  # of Cloud Build


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Every workflow by its path."""
    if not is_there():
        pytest.skip(f"NO workflow was checked: {TERRAFORM} is not on this machine (set TERRAFORM=)")
    paths = [*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("infra/cloudbuild/*.yaml"), ROOT / "cloudbuild.yaml"]
    wanted = ", ".join(
        f"{json.dumps(path.relative_to(ROOT).as_posix())} = yamldecode(file({json.dumps(str(path))}))" for path in paths
    )
    empty = tmp_path_factory.mktemp("empty")
    answer = subprocess.run(
        [TERRAFORM, f"-chdir={empty}", "console"],
        input=f"jsonencode({{ {wanted} }})\n", cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(json.loads(answer.stdout))
    return found


def github(documents: dict[str, Any]) -> dict[str, Any]:
    return {Path(name).stem: body for name, body in documents.items() if name.startswith(".github/")}


def cloud_build(documents: dict[str, Any]) -> dict[str, Any]:
    return {name: body for name, body in documents.items() if not name.startswith(".github/")}


def commands(documents: dict[str, Any]) -> list[str]:
    """Return every shell line that a workflow runs."""
    jobs = [job for body in github(documents).values() for job in body["jobs"].values()]
    github_lines = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    steps = [step for body in cloud_build(documents).values() for step in body["steps"]]
    build_lines = [argument for step in steps for argument in step["args"]]
    return [line.strip() for text in github_lines + build_lines for line in text.splitlines()]


def test_both_have_test_plan_and_deploy(documents: dict[str, Any]) -> None:
    assert set(github(documents)) == {"test", "plan", "deploy"}
    assert {Path(name).stem for name in cloud_build(documents)} == {"test", "plan", "deploy", "cloudbuild"}


def test_make_knows_what_they_run(documents: dict[str, Any]) -> None:
    runs = [line for line in commands(documents) if line.startswith("make ")]
    assert {line.split()[1] for line in runs} == {"test", "test-infra", "plan", "deploy", "smoke"}
    for line in runs:
        words = line.split()[1:]
        assert {word for word in words if "=" not in word} <= TARGETS, line
        for word in words:
            if "=" in word:
                assert f"$({word.partition('=')[0]})" in MAKEFILE, f"make does not read {word}"


@pytest.mark.parametrize("target", ["plan", "deploy", "destroy", "smoke"])
def test_make_passes_project_region_and_environment_on(target: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    command = ["make", "-n", target, "PROJECT=my-project", "REGION=europe-west1", "ENVIRONMENT=prod", "YES=--yes"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment)
    (line,) = [line for line in answer.stdout.splitlines() if "-m infra." in line]
    assert '--project "my-project" --region "europe-west1"' in line
    if target != "smoke":
        assert f"infra.deploy {target} " in line
        assert '--environment "prod" --yes' in line


@pytest.mark.parametrize("target", ["plan", "deploy", "destroy", "smoke"])
def test_make_asks_for_the_project(target: str) -> None:
    answer = subprocess.run(["make", "-n", target, "PROJECT=p"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode != 0
    assert f"say which project and region: make {target} PROJECT=my-project REGION=europe-west1" in answer.stderr


def test_github_has_an_identity_only_where_it_needs_one_and_never_a_key(documents: dict[str, Any]) -> None:
    for name, body in github(documents).items():
        assert body["permissions"]["contents"] == "read", name
        needs_identity = name != "test"
        assert ("id-token" in body["permissions"]) is needs_identity, name
        (job,) = body["jobs"].values()
        assert job["timeout-minutes"] <= 180
        uses = [step["uses"] for step in job["steps"] if "uses" in step]
        assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@v\d+", action) for action in uses), uses
        checkout = next(step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@"))
        assert checkout["with"]["persist-credentials"] is False
        logins = [
            step["with"] for step in job["steps"] if step.get("uses", "").startswith("google-github-actions/auth@")
        ]
        assert len(logins) == needs_identity
        for login in logins:
            assert set(login) == {"project_id", "workload_identity_provider", "service_account"}
        assert "secrets." not in json.dumps(body)


def test_a_fork_gets_no_plan_and_a_deployment_its_reviewers(documents: dict[str, Any]) -> None:
    found = github(documents)
    (plan,) = found["plan"]["jobs"].values()
    assert "head.repo.full_name == github.repository" in plan["if"]
    (deploy,) = found["deploy"]["jobs"].values()
    assert deploy["environment"] == "${{ inputs.environment }}"
    assert found["deploy"]["concurrency"]["cancel-in-progress"] is False
    environments = {path.name for path in (ROOT / "infra" / "environments").iterdir()}
    started_by = (
        found["deploy"].get("on") or found["deploy"]["true"]
    )  # YAML 1.1 reads `on` as a truth value, GitHub does not
    assert set(started_by["workflow_dispatch"]["inputs"]["environment"]["options"]) == environments


def test_nothing_untrusted_is_put_into_a_shell(documents: dict[str, Any]) -> None:
    """Expressions are filled in before the shell reads the line: values go through the environment instead."""
    assert [line for line in commands(documents) if "${{" in line] == []


def test_cloud_build_declares_every_substitution(documents: dict[str, Any]) -> None:
    for name, body in cloud_build(documents).items():
        text = json.dumps([body["steps"], body.get("images", [])]).replace("$$", "")
        used = set(re.findall(r"\$\{?([A-Z_][A-Z_]*)", text))
        declared = set(body.get("substitutions", {}))
        assert declared == {word for word in used if word.startswith("_")}, name
        assert {word for word in used if not word.startswith("_")} <= BUILT_IN, name
        assert re.fullmatch(r"\d+s", body["timeout"]), name
