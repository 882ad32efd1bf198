"""What a project must have before anything is deployed: asked of the project itself, each lack with its remedy.

Used by `infra.deploy` and `infra.smoke`. All lacks are reported together.
"""

import json
from collections.abc import Callable
from pathlib import Path

from infra.google_api import ApiError, GoogleApi, Refusal

SERVICES: dict[str, str] = json.loads((Path(__file__).parent / "services.json").read_text(encoding="utf-8"))


def check(api: GoogleApi, project: str, region: str, *, is_leaving: bool = False) -> None:
    """Return if the project is ready.

    Args:
        api: Google Cloud's APIs.
        project: to look at.
        region: of everything.
        is_leaving: the system is only to be destroyed, which needs neither Earth Engine nor a region that can hold it.

    Raises:
        Refusal: names everything that is missing, one line each.
    """
    _project(api, project)
    missing = disabled_services(api, project)
    lacks = []
    if missing:
        lines = "".join(f"\n    {name}: {SERVICES[name]}" for name in missing)
        command = f"gcloud services enable {' '.join(missing)} --project={project}"
        lacks.append(f"These APIs are not enabled in {project}:{lines}\n  Run: {command}")
    steps: list[tuple[str, Callable[[], None]]] = [("storage.googleapis.com", lambda: check_state_bucket(api, project))]
    if not is_leaving:
        steps.insert(0, ("cloudfunctions.googleapis.com", lambda: check_region(api, project, region)))
        steps.append(("earthengine.googleapis.com", lambda: check_earth_engine(api, project)))
    for service, step in steps:
        if service in missing:
            continue  # its answer would only say so again
        try:
            step()
        except Refusal as lack:
            lacks.append(str(lack))
    if lacks:
        raise Refusal("\n".join(lacks))


def _project(api: GoogleApi, project: str) -> None:
    try:
        state = api.get("cloudresourcemanager", f"v3/projects/{project}").get("state")
    except ApiError as error:
        if "has not been used" in error.message or "is disabled" in error.message:
            raise Refusal(
                f"The API cloudresourcemanager.googleapis.com is not enabled in {project}.\n"
                f"  Run: gcloud services enable cloudresourcemanager.googleapis.com serviceusage.googleapis.com --project={project}"
            ) from error
        raise Refusal(
            f"Project {project} is not there, or you may not see it ({error}).\n"
            "  Check PROJECT=, and that your account has roles/viewer in it at least."
        ) from error
    if state != "ACTIVE":
        raise Refusal(
            f"Project {project} is {state}.\n  Restore it (gcloud projects undelete {project}) or use another."
        )


def disabled_services(api: GoogleApi, project: str) -> list[str]:
    """Return the APIs that are needed and not enabled.

    Raises:
        Refusal: the project does not tell.
    """
    names = sorted(SERVICES)
    try:
        body = api.get(
            "serviceusage",
            f"v1/projects/{project}/services:batchGet",
            names=[f"projects/{project}/services/{name}" for name in names],
        )
    except ApiError as error:
        raise Refusal(
            f"{project} does not say which APIs are enabled ({error}).\n"
            f"  Run: gcloud services enable serviceusage.googleapis.com --project={project}"
        ) from error
    enabled = {entry["name"].rsplit("/", 1)[1] for entry in body.get("services", []) if entry.get("state") == "ENABLED"}
    return [name for name in names if name not in enabled]


def check_region(api: GoogleApi, project: str, region: str) -> None:
    """Return if functions, schedules and services can live in the region.

    Raises:
        Refusal: they cannot, or not all.
    """
    for service, what in (("cloudfunctions", "functions"), ("cloudscheduler", "schedules"), ("run", "services")):
        version = "v2" if service == "cloudfunctions" else "v1"
        try:
            found = api.get(service, f"{version}/projects/{project}/locations", pageSize=500).get("locations", [])
        except ApiError as error:
            raise Refusal(
                f"{service} does not list its regions ({error}).\n  Check your roles in {project}."
            ) from error
        known = sorted(entry["locationId"] for entry in found)
        if region not in known:
            near = [name for name in known if name.startswith(f"{region.partition('-')[0]}-")] or known
            raise Refusal(
                f"There are no {what} in region {region}.\n  Choose another REGION=, such as {', '.join(near[:8])}."
            )


def check_state_bucket(api: GoogleApi, project: str) -> None:
    """Return if Terraform's state has a bucket.

    Raises:
        Refusal: it has none.
    """
    name = state_bucket(project)
    try:
        api.get("storage", f"storage/v1/b/{name}")
    except ApiError as error:
        raise Refusal(
            f"The bucket gs://{name} for Terraform's state is not there or not yours ({error}).\n"
            f"  Run: gcloud storage buckets create gs://{name} --project={project} --location=REGION "
            f"--uniform-bucket-level-access --public-access-prevention && gcloud storage buckets update gs://{name} --versioning"
        ) from error


def state_bucket(project: str) -> str:
    """Return the name of the bucket of Terraform's state."""
    return f"{project}-terraform-state"


def check_earth_engine(api: GoogleApi, project: str) -> None:
    """Return if the project is registered with Earth Engine and may run exports.

    Raises:
        Refusal: it is not, or its quota is zero.
    """
    try:
        api.get("earthengine", f"v1/projects/{project}/operations", pageSize=1)
    except ApiError as error:
        if "not registered" in error.message:
            remedy = f"Register it: https://console.cloud.google.com/earth-engine/configuration?project={project}"
        elif error.status == 403:
            remedy = "Give yourself roles/earthengine.viewer in it, and see that it is registered: https://console.cloud.google.com/earth-engine"
        else:
            remedy = "Look at https://status.earthengine.google.com and try again."
        raise Refusal(f"Project {project} cannot use Earth Engine ({error}).\n  {remedy}") from error
    for metric, limit in quota_limits(api, project):
        if limit == 0:
            raise Refusal(
                f"The quota {metric} of {project} is zero: no export would ever start.\n"
                f"  Raise it: https://console.cloud.google.com/iam-admin/quotas?project={project}&service=earthengine.googleapis.com"
            )


def quota_limits(api: GoogleApi, project: str) -> list[tuple[str, int]]:
    """Return Earth Engine's limits, metric and effective value; a limit of -1 is none.

    Raises:
        Refusal: the project does not tell.
    """
    path = f"v1beta1/projects/{project}/services/earthengine.googleapis.com/consumerQuotaMetrics"
    try:
        metrics = api.get("serviceusage", path, view="BASIC").get("metrics", [])
    except ApiError as error:
        raise Refusal(
            f"{project} does not tell its Earth Engine quota ({error}).\n  Give yourself roles/servicemanagement.quotaViewer in it."
        ) from error
    return [
        (metric["metric"], int(bucket["effectiveLimit"]))
        for metric in metrics
        for limit in metric.get("consumerQuotaLimits", [])
        for bucket in limit.get("quotaBuckets", [])
        if "effectiveLimit" in bucket and not bucket.get("dimensions")
    ]
