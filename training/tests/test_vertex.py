"""Specifications of Vertex AI jobs: the fields of the REST resource, and commands that together do every run once. Nothing is submitted."""

import json
import shlex

import jsonschema
import pytest
from click.testing import CliRunner

from training.__main__ import main
from training.campaign import selection
from training.campaign.commands import fit_command
from training.experiments import preset_runs

OPTIONS = ["--image", "eu-docker.pkg.dev/p/r/training:1", "--data", "gs://b/patches", "--runs", "gs://b/runs"]
CUSTOM_JOB_SPEC = {  # the parts used, after the REST reference of Vertex AI v1
    "type": "object",
    "required": ["workerPoolSpecs"],
    "additionalProperties": False,
    "properties": {
        "workerPoolSpecs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["machineSpec", "containerSpec", "replicaCount"],
                "properties": {
                    "machineSpec": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["machineType"],
                        "properties": {
                            "machineType": {"type": "string"},
                            "acceleratorType": {"type": "string", "pattern": "^[A-Z0-9_]+$"},
                            "acceleratorCount": {"type": "integer"},
                        },
                    },
                    "replicaCount": {"type": "string", "pattern": "^[0-9]+$"},  # int64: a string in JSON
                    "diskSpec": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {"bootDiskType": {"type": "string"}, "bootDiskSizeGb": {"type": "integer"}},
                    },
                    "containerSpec": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["imageUri"],
                        "properties": {
                            "imageUri": {"type": "string"},
                            "command": {"type": "array", "items": {"type": "string"}},
                            "args": {"type": "array", "items": {"type": "string"}},
                        },
                    },
                },
            },
        },
        "scheduling": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "timeout": {"type": "string", "pattern": "^[0-9]+s$"},
                "restartJobOnWorkerRestart": {"type": "boolean"},
                "strategy": {"enum": ["ON_DEMAND", "LOW_COST", "STANDARD", "SPOT", "FLEX_START"]},
            },
        },
    },
}


def specs(tmp_path, *options):
    result = CliRunner().invoke(main, ["vertex-spec", *OPTIONS, "--out", str(tmp_path), *options])
    assert result.exit_code == 0, result.output
    return [json.loads((tmp_path / name).read_text()) for name in sorted(p.name for p in tmp_path.glob("part-*.json"))]


def fit_options_of(spec):
    (script,) = spec["workerPoolSpecs"][0]["containerSpec"]["args"]
    copy, _, fit = script.rpartition(" && exec ")
    assert copy == "rm -rf /tmp/patches && cp -r /gcs/b/patches /tmp/patches"
    assert shlex.split(fit)[:4] == ["python", "-m", "training", "fit"]
    return fit_command.make_context("fit", shlex.split(fit)[4:]).params


def test_machines_together_do_every_run_of_the_grid_once(tmp_path):
    found = specs(
        tmp_path,
        "--machines",
        "4",
        "--accelerator",
        "NVIDIA_TESLA_T4",
        "--spot",
        "--",
        "--grid",
        "--precision",
        "mixed_float16",
    )
    assert len(found) == 4
    names = []
    for spec in found:
        jsonschema.validate(spec, CUSTOM_JOB_SPEC)
        options = fit_options_of(spec)
        assert (str(options["data"]), str(options["runs"]), options["gpus"]) == ("/tmp/patches", "/gcs/b/runs", 1)
        chosen = selection.chosen(**selection.choice_in(options))
        assert {run.precision for run in chosen} == {"mixed_float16"}
        names += [run.run_id("x") for run in chosen]
    assert len(names) == len(set(names)) == len(preset_runs("paper")) == 960


def test_a_machine_without_accelerator_asks_for_none(tmp_path):
    (spec,) = specs(tmp_path, "--", "--preset", "published")
    jsonschema.validate(spec, CUSTOM_JOB_SPEC)
    assert "acceleratorType" not in spec["workerPoolSpecs"][0]["machineSpec"]
    assert fit_options_of(spec)["gpus"] == 0


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--", "--gird"], "--gird"),
        (["--", "--grid", "--part", "1/2"], "--part"),
        (["--data", "patches", "--", "--grid"], "gs://"),
        (["--", "--models", "nonsense*"], "nonsense*"),
        (["--machines", "8", "--", "--preset", "published"], "4 trainings for 8 machines"),
    ],
)
def test_what_would_fail_on_a_machine_that_is_paid_for_is_told_at_once(tmp_path, options, match):
    result = CliRunner().invoke(main, ["vertex-spec", *OPTIONS, "--out", str(tmp_path), *options])
    assert result.exit_code == 2
    assert match in result.output
    assert not list(tmp_path.iterdir())
