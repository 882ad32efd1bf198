"""`make plan`, `make deploy`, `make destroy`: check the project, build what is missing, plan, ask, apply.

    python -m infra.deploy plan    --project P --region R [--environment dev]
    python -m infra.deploy deploy  --project P --region R [--yes]
    python -m infra.deploy destroy --project P --region R

Zips and models are built by make before this runs. The image is built by Cloud Build from `cloudbuild.yaml` unless one of the same
content is in the registry, and deployed by digest. Further settings: infra/environments/ENV/terraform.tfvars.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from infra.google_api import ApiError, GoogleApi, Refusal
from infra.plan_guard import losses
from infra.preflight import check, state_bucket

ROOT = Path(__file__).resolve().parents[1]
IMAGE_PARTS = (
    "serving/Dockerfile",
    "serving/fetch_served.py",
    "serving/models.config",
    "serving/batching.config",
    "serving/monitoring.config",
    "build/models",
)
REPOSITORY_ADDRESS = "module.quakeslide.google_artifact_registry_repository.images"
NO_DIGEST = "0" * 64
BACKLOG_METRIC = "pubsub.googleapis.com/subscription/num_undelivered_messages"


def content_tag(root: Path = ROOT) -> str:
    """Return a tag that names what the image is made of, so that the same content is built once.

    Raises:
        Refusal: a part is missing.
    """
    digest = hashlib.sha256()
    for part in IMAGE_PARTS:
        path = root / part
        if not path.exists():
            raise Refusal(f"{part} is not there.\n  Run: make models")
        files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
        for file in files:
            digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


class Deployment:
    """One environment in one project.

    Args:
        project: Google Cloud project.
        region: of everything.
        environment: folder under infra/environments.
        api: Google Cloud's APIs.
    """

    def __init__(self, project: str, region: str, environment: str, api: GoogleApi) -> None:
        self.project, self.region, self.api = project, region, api
        self.folder = ROOT / "infra" / "environments" / environment
        if not self.folder.is_dir():
            known = ", ".join(sorted(item.name for item in self.folder.parent.iterdir()))
            raise Refusal(f"There is no environment {environment}.\n  Choose one of: {known}")
        self.terraform_command = os.environ.get("TERRAFORM", "terraform")
        self.plan_file = ROOT / "build" / f"{environment}.plan"

    def init(self) -> None:
        """Connect the environment to its state."""
        backend = [f"-backend-config=bucket={state_bucket(self.project)}", "-backend-config=prefix=quakeslide"]
        self.terraform("init", "-input=false", "-reconfigure", *backend)

    def image(self, *, may_build: bool) -> str:
        """Return the model server's image by digest; where it is not in the registry it is built, or zeros stand for it."""
        tool = _tool("gcloud", "Install the Google Cloud CLI: https://cloud.google.com/sdk/docs/install")
        name = f"{self.region}-docker.pkg.dev/{self.project}/quakeslide/serving"
        tag = content_tag()
        if found := self._digest(tool, f"{name}:{tag}"):
            return f"{name}@{found}"
        nothing_yet = f"{name}@sha256:{NO_DIGEST}"
        if not may_build:
            print(f"{name}:{tag} is not built yet; `deploy` builds it, zeros stand for its digest in this plan")
            return nothing_yet
        self.terraform(
            "apply", "-input=false", "-auto-approve", f"-target={REPOSITORY_ADDRESS}", *self.variables(nothing_yet)
        )
        config = ["--config=cloudbuild.yaml", f"--substitutions=_IMAGE={name},_TAG={tag}"]
        _run([tool, "builds", "submit", ".", f"--project={self.project}", f"--region={self.region}", *config], ROOT)
        if found := self._digest(tool, f"{name}:{tag}"):
            return f"{name}@{found}"
        raise Refusal(f"The build left no image {name}:{tag}.\n  Look at the build's log above.")

    def _digest(self, tool: str, image: str) -> str | None:
        command = [tool, "artifacts", "docker", "images", "describe", image, f"--project={self.project}"]
        answer = subprocess.run(
            [*command, "--format=value(image_summary.digest)"], capture_output=True, text=True, check=False
        )
        return answer.stdout.strip() or None if answer.returncode == 0 else None

    def variables(self, image: str) -> list[str]:
        """Return the variables that every command needs."""
        given = {"project": self.project, "region": self.region, "model_server_image": image}
        return [f"-var={name}={value}" for name, value in given.items()]

    def plan(self, image: str) -> list[str]:
        """Write the plan; return what it would lose."""
        self.plan_file.parent.mkdir(exist_ok=True)
        self.terraform("plan", "-input=false", f"-out={self.plan_file}", *self.variables(image))
        shown = subprocess.run(
            [self.terraform_command, f"-chdir={self.folder}", "show", "-json", str(self.plan_file)],
            capture_output=True,
            text=True,
            check=True,
        )
        return losses(json.loads(shown.stdout), self.backlog)

    def backlog(self, subscription: str) -> int:
        """Return how many messages a subscription holds undelivered, by Cloud Monitoring; -1 where it does not say."""
        now = time.time()
        stamps = {
            "interval.startTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 600)),
            "interval.endTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        }
        wanted = f'metric.type="{BACKLOG_METRIC}" AND resource.labels.subscription_id="{subscription}"'
        try:
            body = self.api.get("monitoring", f"v3/projects/{self.project}/timeSeries", filter=wanted, **stamps)
        except ApiError:
            return -1
        points = [point for series in body.get("timeSeries", []) for point in series["points"]]
        return int(points[0]["value"]["int64Value"]) if points else -1

    def terraform(self, *arguments: str) -> None:
        """Run Terraform in the environment's folder.

        Raises:
            Refusal: it failed; it has said why.
        """
        tool = _tool(
            self.terraform_command, "Install Terraform 1.9 or later: https://developer.hashicorp.com/terraform/install"
        )
        _run([tool, f"-chdir={self.folder}", *arguments], ROOT)


def _tool(name: str, remedy: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Refusal(f"{name} is not on this machine.\n  {remedy}")
    return found


def _run(command: list[str], folder: Path) -> None:
    if subprocess.run(command, cwd=folder, check=False).returncode:
        raise Refusal(
            f"{Path(command[0]).name} {command[1] if len(command) > 1 else ''} failed; what it said stands above."
        )


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise Refusal("Nobody is there to be asked.\n  Add --yes once the plan has been read.")
    return input(f"{question} [yes/no] ").strip() == "yes"


def perform(action: str, deployment: Deployment, *, is_agreed: bool, may_lose: bool) -> None:
    """Do what was asked.

    Raises:
        Refusal: it cannot be done, or would lose something.
    """
    deployment.init()
    if action == "destroy":
        if is_agreed or _agreed(f"Destroy everything in {deployment.project}?"):
            nothing = f"{deployment.region}-docker.pkg.dev/{deployment.project}/quakeslide/serving@sha256:{NO_DIGEST}"
            deployment.terraform("destroy", "-input=false", "-auto-approve", *deployment.variables(nothing))
        return
    lost = deployment.plan(deployment.image(may_build=action == "deploy"))
    if lost and not may_lose:
        raise Refusal(
            "This plan would lose something:\n" + "\n".join(f"  - {line}" for line in lost) + "\n  Or add --lose."
        )
    if action == "deploy" and (is_agreed or _agreed(f"Apply this plan to {deployment.project}?")):
        deployment.terraform("apply", "-input=false", str(deployment.plan_file))
        print("deployed; try it: make smoke")


def main(arguments: list[str] | None = None, api: Callable[[str], GoogleApi] = GoogleApi) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="infra.deploy", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("action", choices=("check", "plan", "deploy", "destroy"))
    parser.add_argument("--project", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--environment", default="dev", help="folder under infra/environments (default: dev)")
    parser.add_argument("--yes", action="store_true", help="apply without asking; for CI, after the plan was read")
    parser.add_argument("--lose", action="store_true", help="accept what the plan would lose")
    given = parser.parse_args(arguments)
    try:
        client = api(given.project)
        is_leaving = given.action == "destroy"
        check(client, given.project, given.region, is_leaving=is_leaving)
        found = "APIs and state bucket" if is_leaving else "APIs, region, state bucket and Earth Engine"
        print(f"{given.project}: {found} are there")
        if given.action != "check":
            deployment = Deployment(given.project, given.region, given.environment, client)
            perform(given.action, deployment, is_agreed=given.yes, may_lose=given.lose)
    except Refusal as refusal:
        print(f"deploy: {refusal}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
