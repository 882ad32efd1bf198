# ruff: noqa: D103, D102
"""What `make deploy` says of a project that is not ready, asked over HTTP of a server that answers as Google's APIs do."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from infra import deploy, smoke
from infra.google_api import GoogleApi, Refusal
from infra.preflight import check

PROJECT, REGION = "quakeslide-test", "europe-west1"


class Cloud:
    """A ready project; tests take something away. `answers`: (status, body) by API and path."""

    def __init__(self) -> None:
        locations = {"locations": [{"locationId": name} for name in ("europe-west1", "europe-west4", "us-central1")]}
        self.disabled: set[str] = set()
        self.answers: dict[str, tuple[int, dict[str, Any]]] = {
            f"cloudresourcemanager/v3/projects/{PROJECT}": (200, {"state": "ACTIVE"}),
            f"cloudfunctions/v2/projects/{PROJECT}/locations": (200, locations),
            f"cloudscheduler/v1/projects/{PROJECT}/locations": (200, locations),
            f"run/v1/projects/{PROJECT}/locations": (200, locations),
            f"storage/storage/v1/b/{PROJECT}-terraform-state": (200, {"name": f"{PROJECT}-terraform-state"}),
            f"earthengine/v1/projects/{PROJECT}/operations": (200, {}),
        }
        self.limit("earthengine.googleapis.com/read_requests", 6000)

    def limit(self, metric: str, value: int) -> None:
        buckets = [{"effectiveLimit": str(value)}, {"effectiveLimit": "0", "dimensions": {"region": "nowhere"}}]
        path = f"serviceusage/v1beta1/projects/{PROJECT}/services/earthengine.googleapis.com/consumerQuotaMetrics"
        self.answers[path] = (
            200,
            {"metrics": [{"metric": metric, "consumerQuotaLimits": [{"quotaBuckets": buckets}]}]},
        )

    def refuse(self, path: str, status: int, message: str) -> None:
        assert path in self.answers
        self.answers[path] = (status, {"error": {"code": status, "message": message}})

    def answer(self, target: str) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(target)
        path = parts.path.strip("/")
        if path.endswith("services:batchGet"):
            names = parse_qs(parts.query)["names"]
            states = [(name, "DISABLED" if name.rsplit("/", 1)[1] in self.disabled else "ENABLED") for name in names]
            return 200, {"services": [{"name": name, "state": state} for name, state in states]}
        return self.answers.get(path, (404, {"error": {"message": f"no such path: {path}"}}))


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def api(cloud: Cloud) -> Iterator[GoogleApi]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = cloud.answer(self.path)
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    with requests.Session() as session:
        yield GoogleApi(PROJECT, session, f"http://127.0.0.1:{server.server_address[1]}/{{}}".format)
    server.shutdown()
    thread.join()
    server.server_close()


def refused(api: GoogleApi, region: str = REGION) -> str:
    with pytest.raises(Refusal) as caught:
        check(api, PROJECT, region)
    return str(caught.value)


def test_a_ready_project_passes(api: GoogleApi) -> None:
    check(api, PROJECT, REGION)


def test_every_missing_api_is_named_with_the_command_that_enables_it(cloud: Cloud, api: GoogleApi) -> None:
    cloud.disabled = {"run.googleapis.com", "earthengine.googleapis.com"}
    cloud.refuse(f"earthengine/v1/projects/{PROJECT}/operations", 403, "Earth Engine API has not been used")
    text = refused(api)
    assert f"gcloud services enable earthengine.googleapis.com run.googleapis.com --project={PROJECT}" in text
    assert "cannot use Earth Engine" not in text  # said once


def test_a_wrong_region_is_named_with_near_ones(api: GoogleApi) -> None:
    text = refused(api, "europe-west99")
    assert "no functions in region europe-west99" in text
    assert "europe-west1, europe-west4" in text
    assert "us-central1" not in text


def test_a_project_without_earth_engine_is_told_where_to_register(cloud: Cloud, api: GoogleApi) -> None:
    cloud.refuse(
        f"earthengine/v1/projects/{PROJECT}/operations",
        403,
        f"Project '{PROJECT}' is not registered to use Earth Engine.",
    )
    text = refused(api)
    assert "not registered" in text
    assert f"earth-engine/configuration?project={PROJECT}" in text


def test_a_quota_of_zero_is_named(cloud: Cloud, api: GoogleApi) -> None:
    cloud.limit("earthengine.googleapis.com/daily_eecu_usage_time", 0)
    text = refused(api)
    assert "daily_eecu_usage_time of quakeslide-test is zero" in text
    assert "iam-admin/quotas" in text


def test_no_state_bucket_is_said_with_the_command_that_makes_it(cloud: Cloud, api: GoogleApi) -> None:
    cloud.refuse(f"storage/storage/v1/b/{PROJECT}-terraform-state", 404, "The specified bucket does not exist.")
    assert f"gcloud storage buckets create gs://{PROJECT}-terraform-state" in refused(api)


@pytest.mark.parametrize("take_away", ["no_region", "no_earth_engine", "no_quota"])
def test_a_system_can_be_destroyed_where_it_could_not_be_made(cloud: Cloud, api: GoogleApi, take_away: str) -> None:
    globals()[take_away](cloud)
    check(api, PROJECT, REGION, is_leaving=True)
    assert refused(api)


def test_all_lacks_are_said_at_once(cloud: Cloud, api: GoogleApi) -> None:
    cloud.disabled = {"pubsub.googleapis.com"}
    cloud.refuse(f"storage/storage/v1/b/{PROJECT}-terraform-state", 404, "The specified bucket does not exist.")
    text = refused(api, "mars-north1")
    for part in ("pubsub.googleapis.com", "terraform-state", "mars-north1"):
        assert part in text


def test_a_project_that_is_not_there(cloud: Cloud, api: GoogleApi) -> None:
    cloud.refuse(f"cloudresourcemanager/v3/projects/{PROJECT}", 403, "The caller does not have permission")
    assert "is not there, or you may not see it" in refused(api)


def test_a_deleted_project_is_not_deployed_to(cloud: Cloud, api: GoogleApi) -> None:
    cloud.answers[f"cloudresourcemanager/v3/projects/{PROJECT}"] = (200, {"state": "DELETE_REQUESTED"})
    assert "DELETE_REQUESTED" in refused(api)


def test_a_server_that_does_not_answer_is_no_traceback() -> None:
    with requests.Session() as session, pytest.raises(Refusal, match="does not answer"):
        check(GoogleApi(PROJECT, session, "http://127.0.0.1:9/{}".format), PROJECT, REGION)


def no_api(cloud: Cloud) -> None:
    cloud.disabled = {"pubsub.googleapis.com"}


def no_region(cloud: Cloud) -> None:
    cloud.answers[f"run/v1/projects/{PROJECT}/locations"] = (200, {"locations": [{"locationId": "europe-west4"}]})


def no_earth_engine(cloud: Cloud) -> None:
    words = f"Project '{PROJECT}' is not registered to use Earth Engine."
    cloud.refuse(f"earthengine/v1/projects/{PROJECT}/operations", 403, words)


def no_quota(cloud: Cloud) -> None:
    cloud.limit("earthengine.googleapis.com/daily_eecu_usage_time", 0)


LACKS = [
    (
        no_api,
        "pubsub.googleapis.com: topics and subscriptions",
        f"gcloud services enable pubsub.googleapis.com --project={PROJECT}",
    ),
    (no_region, f"no services in region {REGION}", "Choose another REGION=, such as europe-west4"),
    (no_earth_engine, f"{PROJECT} cannot use Earth Engine", f"earth-engine/configuration?project={PROJECT}"),
    (
        no_quota,
        "daily_eecu_usage_time of quakeslide-test is zero",
        f"iam-admin/quotas?project={PROJECT}&service=earthengine",
    ),
]


@pytest.mark.parametrize(("take_away", "which", "remedy"), LACKS, ids=[lack[0].__name__ for lack in LACKS])
@pytest.mark.parametrize("command", ["deploy plan", "deploy deploy", "smoke"])
def test_each_command_says_which_and_how_to_mend_it_and_does_nothing(
    cloud: Cloud,
    api: GoogleApi,
    capsys: pytest.CaptureFixture[str],
    command: str,
    take_away: Callable[[Cloud], None],
    which: str,
    remedy: str,
) -> None:
    take_away(cloud)
    module, *action = command.split()
    main = deploy.main if module == "deploy" else smoke.main
    assert main([*action, "--project", PROJECT, "--region", REGION], api=lambda project: api) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"{module}: ")
    assert which in said.err
    assert remedy in said.err
    assert said.out == ""


def test_backlog_is_the_newest_point(cloud: Cloud, api: GoogleApi) -> None:
    points = [{"value": {"int64Value": "7"}}, {"value": {"int64Value": "9"}}]
    cloud.answers[f"monitoring/v3/projects/{PROJECT}/timeSeries"] = (200, {"timeSeries": [{"points": points}]})
    assert deploy.Deployment(PROJECT, REGION, "dev", api).backlog("watches-old") == 7


def test_a_backlog_that_nobody_knows_is_not_empty(cloud: Cloud, api: GoogleApi) -> None:
    cloud.answers[f"monitoring/v3/projects/{PROJECT}/timeSeries"] = (200, {})
    assert deploy.Deployment(PROJECT, REGION, "dev", api).backlog("watches-old") == -1


def test_an_environment_that_is_not_there_is_refused_with_those_that_are(api: GoogleApi) -> None:
    with pytest.raises(Refusal, match="dev, prod"):
        deploy.Deployment(PROJECT, REGION, "staging", api)
