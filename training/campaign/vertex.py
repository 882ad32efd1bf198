"""`vertex-spec`: the grid as Vertex AI custom jobs, one file for each machine.

Fields are those of the REST resource CustomJobSpec (https://cloud.google.com/vertex-ai/docs/reference/rest/v1/CustomJobSpec), which
`gcloud ai custom-jobs create --config` reads. Vertex mounts every bucket under /gcs; patches are copied to the machine's disk first, for
batches are read in random order. A bucket passes no locks on between machines, so each of them gets a part of its own (`--part 2/4`). A
machine that is taken away and comes back goes on from the checkpoints in the bucket.
"""

import json
import shlex
from pathlib import Path
from typing import Any

import click

from training.campaign import selection
from training.campaign.commands import fit_command

LOCAL_DATA = "/tmp/patches"
HELP = """Write the specifications of Vertex AI custom jobs that train what is chosen; options after -- are those of `fit`.

\b
Example:
  docker build -f training/Dockerfile --build-arg TENSORFLOW=tensorflow[and-cuda] -t IMAGE . && docker push IMAGE
  python -m training vertex-spec --image IMAGE --data gs://my-bucket/patches --runs gs://my-bucket/runs --machines 4 \\
    --accelerator NVIDIA_TESLA_T4 --spot -- --grid --precision mixed_float16
  gcloud ai custom-jobs create --region europe-west4 --display-name grid-1 --config build/training/vertex/part-1-of-4.json

`gcloud ai custom-jobs describe` follows a job; `python -m training list --runs` over the bucket, mounted or copied, says what is finished.
"""


def mounted(url: str) -> str:
    """Return where a bucket's folder lies on a machine of Vertex AI.

    Raises:
        click.UsageError: it is no folder of a bucket.
    """
    if not url.startswith("gs://") or not url.removeprefix("gs://").strip("/"):
        raise click.UsageError(f"{url!r} is no folder of a bucket; write gs://my-bucket/patches")
    return f"/gcs/{url.removeprefix('gs://').rstrip('/')}"


def job_spec(
    fit_options: list[str],
    *,
    image: str,
    data: str,
    runs: str,
    part: int,
    machines: int,
    machine_type: str,
    accelerator: str | None,
    accelerators: int,
    jobs: int,
    threads: int,
    disk_gb: int,
    spot: bool,
    hours: int,
) -> dict[str, Any]:
    """Return the CustomJobSpec of one machine."""
    fit = ["python", "-m", "training", "fit", *fit_options, "--data", LOCAL_DATA, "--runs", mounted(runs)]
    fit += ["--part", f"{part}/{machines}", "--engine", "processes", "--jobs", str(jobs), "--threads", str(threads)]
    fit += ["--gpus", str(accelerators)] if accelerator else []
    # a container that was restarted may find half a copy, and `cp` would put another one inside it
    script = f"rm -rf {LOCAL_DATA} && cp -r {shlex.quote(mounted(data))} {LOCAL_DATA} && exec {shlex.join(fit)}"
    machine: dict[str, Any] = {"machineType": machine_type}
    if accelerator:
        machine |= {"acceleratorType": accelerator, "acceleratorCount": accelerators}
    pool = {
        "machineSpec": machine,
        "replicaCount": "1",
        "diskSpec": {"bootDiskType": "pd-ssd", "bootDiskSizeGb": disk_gb},
        "containerSpec": {"imageUri": image, "command": ["bash", "-c"], "args": [script]},
    }
    scheduling: dict[str, Any] = {"timeout": f"{hours * 3600}s", "restartJobOnWorkerRestart": True}
    return {"workerPoolSpecs": [pool], "scheduling": scheduling | ({"strategy": "SPOT"} if spot else {})}


@click.command("vertex-spec", help=HELP)
@click.option("--image", required=True, help="Of training/Dockerfile, in Artifact Registry.")
@click.option("--data", required=True, help="Folder of patch sets, gs://...")
@click.option("--runs", required=True, help="Folder of runs, gs://...")
@click.option("--machines", type=click.IntRange(1), default=1, show_default=True, help="So many disjoint parts.")
@click.option("--machine-type", default="n1-standard-8", show_default=True)
@click.option("--accelerator", help="Such as NVIDIA_TESLA_T4; none where not given.")
@click.option("--accelerators", type=click.IntRange(1), default=1, show_default=True, help="Of each machine.")
@click.option(
    "--jobs", type=click.IntRange(1), default=4, show_default=True, help="Trainings at a time on each machine."
)
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True, help="Of each training.")
@click.option("--disk-gb", type=click.IntRange(100), default=200, show_default=True)
@click.option("--spot", is_flag=True, help="Cheaper machines that may be taken away.")
@click.option("--hours", type=click.IntRange(1), default=168, show_default=True, help="Then the job is ended.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/training/vertex"), show_default=True)
@click.argument("fit_options", nargs=-1, type=click.UNPROCESSED)
def vertex_command(out: Path, machines: int, fit_options: tuple[str, ...], **values: Any) -> None:
    """Write one specification for each machine."""
    own = {"--data", "--runs", "--part", "--engine", "--jobs", "--threads", "--gpus", "--gpus-per-run", "--publish"}
    if clash := sorted(own & {option.partition("=")[0] for option in fit_options}):
        raise click.UsageError(f"{', '.join(clash)} after --: these are set for each machine, give them before it")
    # a misspelt option, or a machine without work, is told here, not by a machine that is paid for
    parameters = fit_command.make_context("fit", list(fit_options)).params
    trainings = selection.chosen(**selection.choice_in(parameters))
    if len(trainings) < machines:
        raise click.UsageError(f"{len(trainings)} trainings for {machines} machines: some would have none")
    out.mkdir(parents=True, exist_ok=True)
    for part in range(1, machines + 1):
        path = out / f"part-{part}-of-{machines}.json"
        spec = job_spec(list(fit_options), part=part, machines=machines, **values)
        path.write_text(json.dumps(spec, indent=2) + "\n", encoding="utf-8")
        click.echo(str(path))
