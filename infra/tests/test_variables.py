# ruff: noqa: D103
"""Variables and settings by name, without Terraform: each described and checked, none that is needed left out."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from quakeslide import settings

INFRA = Path(__file__).parents[1]
KINDS = (settings.PollSettings, settings.ExportSettings, settings.DetectSettings)
FUNCTIONS = (INFRA / "functions.tf").read_text(encoding="utf-8")
BUCKETS = (
    "STATE_BUCKET",
    "COMPOSITES_BUCKET",
    "RESULTS_BUCKET",
    "MODELS_BUCKET",
)  # made of topology.json's short names
ENVIRONMENTS = sorted(path.parent for path in (INFRA / "environments").glob("*/main.tf"))

# Settings that the cloud leaves at their defaults, and why.
NOT_DEPLOYED = {
    "EARTH_ENGINE_URL": "only the local stack has an Earth Engine of its own",
    "SHARD_PX": "2048 px fits the detector's memory and the model server's; smaller shards are for tests",
}
# Variables of the system that the environments leave at their defaults, and why.
NOT_PASSED = {
    "bucket_prefix": "one project holds one system, so the project's id is prefix enough; `make smoke` looks there",
    "bundle_folder": "make builds the zips where the default looks",
    "data_notice": "says what an environment is, so it is written in its main.tf or nowhere",
    "earth_engine_project_role": "for organisations that forbid the predefined role; then written in main.tf",
    "force_destroy": "what may be lost is a property of the environment, not a setting",
    "model_folder": "make builds the models where the default looks",
}


def blocks(path: Path) -> dict[str, str]:
    """Return the text of every variable of a file, by name."""
    found = re.finditer(r'^variable "(\w+)" \{\n(.*?)^\}', path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return {match[1]: match[2] for match in found}


CHECKED = [INFRA / "variables.tf", *sorted((INFRA / "modules").glob("*/variables.tf"))]


@pytest.mark.parametrize("path", sorted(INFRA.rglob("variables.tf")), ids=lambda path: path.parent.name)
def test_every_variable_is_described_and_they_are_in_order(path: Path) -> None:
    found = blocks(path)
    assert found
    assert list(found) == sorted(found)
    for name, block in found.items():
        assert re.search(r"^  description = \".+\"$", block, re.MULTILINE), name


@pytest.mark.parametrize("path", CHECKED, ids=lambda path: path.parent.name)
def test_every_variable_but_a_switch_is_validated(path: Path) -> None:
    """Those of the environments go to the system unchanged, and are validated there."""
    unchecked = [
        name
        for name, block in blocks(path).items()
        if "validation {" not in block and not re.search(r"^  type\s+= bool$", block, re.MULTILINE)
    ]
    assert unchecked == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_setting_of_a_function_comes_from_terraform_or_has_a_reason_not_to(kind: type[settings.Settings]) -> None:
    names = {item.metadata["env"] for item in fields(kind)}
    given = {name for name in names if re.search(rf"\b{name}\s+=", FUNCTIONS)} | (names & set(BUCKETS))
    assert names - given - set(NOT_DEPLOYED) == set(), "give it a variable in functions.tf, or a reason in NOT_DEPLOYED"
    assert given & set(NOT_DEPLOYED) == set()


def test_no_reason_outlives_its_setting_or_variable() -> None:
    assert set(NOT_DEPLOYED) <= {item.metadata["env"] for kind in KINDS for item in fields(kind)}
    assert set(NOT_PASSED) <= set(blocks(INFRA / "variables.tf"))


@pytest.mark.parametrize("folder", ENVIRONMENTS, ids=lambda folder: folder.name)
def test_an_environment_lets_its_operator_set_what_the_system_takes(folder: Path) -> None:
    text = (folder / "main.tf").read_text(encoding="utf-8")
    call = text[text.index('module "quakeslide"') : text.index('output "quakeslide"')]
    passed = set(re.findall(r"^  (\w+)\s+=", call, re.MULTILINE)) - {"source"}
    system = blocks(INFRA / "variables.tf")
    assert passed <= set(system)
    assert set(system) - passed - set(NOT_PASSED) == set(), (
        "pass it on in both environments, or give a reason in NOT_PASSED"
    )
    used = set(re.findall(r"\bvar\.(\w+)", text))
    assert set(blocks(folder / "variables.tf")) == used


@pytest.mark.parametrize("folder", ENVIRONMENTS, ids=lambda folder: folder.name)
def test_a_variable_passed_on_as_null_takes_the_systems_default(folder: Path) -> None:
    """`nullable = false` does that; without it null itself would arrive."""
    system = blocks(INFRA / "variables.tf")
    for name, block in blocks(folder / "variables.tf").items():
        if "default     = null" in block and name in system:
            takes_null = re.search(r"^  default\s+= null$", system[name], re.MULTILINE)
            assert takes_null or "nullable    = false" in system[name], name
