"""The cloud's plan against `topology.json`, which the local stack is wired by: both have the same topics, deliveries and notifications.

Terraform plans on mocked values (`terraform test -verbose -json`), so neither cloud nor credentials are needed. Where no terraform can
run with the google provider, everything here skips and says so.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

import pytest

from infra.plan_guard import losses
from quakeslide import settings
from tests.contract.terraform import INFRA, able, terraform

__all__ = ["able"]  # the fixture: skips loudly where no terraform can run

TOPOLOGY = json.loads((INFRA / "topology.json").read_text(encoding="utf-8"))


def plans_of(test_file: str) -> dict[str, dict[str, Any]]:
    """Run a test file; return the plan, or the state after apply, of each of its runs."""
    answer = terraform("test", "-json", "-verbose", f"-filter=tests/{test_file}")
    lines = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]
    errors = [line["@message"] for line in lines if line.get("@level") == "error"]
    assert answer.returncode == 0, errors
    return {line["@testrun"]: line[line["type"]] for line in lines if line.get("type") in ("test_plan", "test_state")}


@pytest.fixture(scope="module")
def plan(able: None) -> dict[str, Any]:
    return plans_of("topology.tftest.hcl")["as_it_is"]


@pytest.fixture(scope="module")
def upgrade(able: None) -> dict[str, dict[str, Any]]:
    return plans_of("upgrade.tftest.hcl")


def planned(plan: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    """Yield the planned values of every resource of a type."""
    for change in plan["resource_changes"]:
        if change["type"] == kind and change["mode"] == "managed":
            yield {**change["change"]["after"], "address": change["address"]}


def referred_topics(plan: dict[str, Any]) -> set[str]:
    return {topic["name"] for topic in planned(plan, "google_pubsub_topic")}


def test_topics_and_dead_letters_are_the_same(plan: dict[str, Any]) -> None:
    assert referred_topics(plan) == {*TOPOLOGY["topics"], *TOPOLOGY["dead_letters"].values()}


def test_subscriptions_are_the_same(plan: dict[str, Any]) -> None:
    pushes = {item["name"] for item in planned(plan, "google_pubsub_subscription") if item["push_config"]}
    kept = {item["name"] for item in planned(plan, "google_pubsub_subscription") if not item["push_config"]}
    assert pushes == set(TOPOLOGY["subscriptions"])
    assert kept == {f"{dead}-inspect" for dead in TOPOLOGY["dead_letters"].values()}


@pytest.mark.parametrize("name", TOPOLOGY["subscriptions"])
def test_delivery_is_the_same(plan: dict[str, Any], name: str) -> None:
    wanted, delivery = TOPOLOGY["subscriptions"][name], TOPOLOGY["delivery"]
    function = wanted["function"]
    item = next(item for item in planned(plan, "google_pubsub_subscription") if item["name"] == name)
    assert item["address"].startswith(f'module.function["{function}"].')
    assert item["ack_deadline_seconds"] == delivery["ack_deadline_s"]
    assert item["retry_policy"][0] == {
        "minimum_backoff": f"{delivery['min_backoff_s']}s",
        "maximum_backoff": f"{delivery['max_backoff_s']}s",
    }
    assert item["dead_letter_policy"][0]["max_delivery_attempts"] == delivery["max_attempts"]
    assert (item["filter"] or "") == wanted.get("filter", "")
    assert item["enable_message_ordering"] in (None, False)


def test_every_push_has_its_own_topic_and_dead_letter(upgrade: dict[str, dict[str, Any]]) -> None:
    """After apply, when addresses are known (mocked ids differ from topic to topic)."""
    topics, pushes = {}, {}
    for item in resources(upgrade["before"]):
        if item["type"] == "google_pubsub_topic":
            topics[item["values"]["id"]] = item["values"]["name"]
        if item["type"] == "google_pubsub_subscription" and item["values"]["push_config"]:
            pushes[item["values"]["name"]] = item["values"]
    for name, wanted in TOPOLOGY["subscriptions"].items():
        push = pushes[name]
        assert topics[push["topic"]] == wanted["topic"]
        assert topics[push["dead_letter_policy"][0]["dead_letter_topic"]] == TOPOLOGY["dead_letters"][wanted["topic"]]
        assert push["push_config"][0]["push_endpoint"].endswith(f"/projects/quakeslide-test/topics/{wanted['topic']}")
        assert push["push_config"][0]["oidc_token"][0]["service_account_email"]


def test_notifications_are_the_same(upgrade: dict[str, dict[str, Any]]) -> None:
    topics, found = {}, {}
    for item in resources(upgrade["before"]):
        if item["type"] == "google_pubsub_topic":
            topics[item["values"]["id"]] = item["values"]["name"]
    for item in resources(upgrade["before"]):
        if item["type"] == "google_storage_notification":
            values = item["values"]
            found[topics[values["topic"]]] = {
                "bucket": values["bucket"].removeprefix("quakeslide-test-"),
                "prefix": values["object_name_prefix"],
                "events": values["event_types"],
            }
    assert found == TOPOLOGY["notifications"]


def test_a_notification_waits_for_the_permission_to_publish() -> None:
    """Terraform's order is not in a plan: the dependency stands in the configuration."""
    text = (INFRA / "modules" / "bucket" / "main.tf").read_text(encoding="utf-8")
    block = text[text.index('resource "google_storage_notification"') :]
    assert "depends_on = [google_pubsub_topic_iam_member.storage_publishes]" in block


def test_buckets_are_the_same(plan: dict[str, Any]) -> None:
    names = {item["name"] for item in planned(plan, "google_storage_bucket")}
    assert names == {f"quakeslide-test-{short}" for short in [*TOPOLOGY["buckets"], "sources"]}


@pytest.mark.parametrize("name", TOPOLOGY["functions"])
def test_functions_are_the_same(plan: dict[str, Any], name: str) -> None:
    wanted = TOPOLOGY["functions"][name]
    functions = planned(plan, "google_cloudfunctions2_function")
    item = next(item for item in functions if item["build_config"][0]["entry_point"] == name)
    service = item["service_config"][0]
    assert service["timeout_seconds"] == wanted["timeout_s"] < TOPOLOGY["delivery"]["ack_deadline_s"]
    assert service["available_memory"] == f"{wanted['memory_mb']}Mi"
    assert service["max_instance_request_concurrency"] == wanted["concurrency"]
    assert not item["event_trigger"]


KINDS: dict[str, type[settings.Settings]] = {
    "poll_earthquakes": settings.PollSettings,
    "export_composites": settings.ExportSettings,
    "detect_landslides": settings.DetectSettings,
}


def environment_of(state: dict[str, Any], name: str) -> dict[str, str]:
    """Return the settings of a function as deployed."""
    functions = [i["values"] for i in resources(state) if i["type"] == "google_cloudfunctions2_function"]
    item = next(item for item in functions if item["build_config"][0]["entry_point"] == name)
    environment: dict[str, str] = item["service_config"][0]["environment_variables"]
    return environment


@pytest.mark.parametrize("name", TOPOLOGY["functions"])
def test_functions_get_every_setting_that_has_no_default(upgrade: dict[str, dict[str, Any]], name: str) -> None:
    """The deployed settings are read by the function's own class, and no name is given that it does not know."""
    kind = KINDS[name]
    environment = environment_of(upgrade["before"], name)
    read = kind.from_env(environment)
    assert set(environment) <= {item.metadata["env"] for item in fields(kind)}
    for topic, dead in TOPOLOGY["dead_letters"].items():
        assert read.dead_letter_topic(topic) == dead


@pytest.mark.parametrize("name", TOPOLOGY["functions"])
def test_every_setting_that_is_set_reaches_its_function(upgrade: dict[str, dict[str, Any]], name: str) -> None:
    """The run gives every variable behind a setting a value that is not the default (see NOT_DEPLOYED in test_variables.py)."""
    kind = KINDS[name]
    read = kind.from_env(environment_of(upgrade["before"], name))
    at_default = {
        i.metadata["env"] for i in fields(kind) if i.default is not MISSING and getattr(read, i.name) == i.default
    }
    assert at_default <= {"EARTH_ENGINE_URL", "SHARD_PX"}


@pytest.mark.parametrize("name", TOPOLOGY["schedules"])
def test_schedules_are_the_same(upgrade: dict[str, dict[str, Any]], name: str) -> None:
    wanted = TOPOLOGY["schedules"][name]
    jobs = [item["values"] for item in resources(upgrade["before"]) if item["type"] == "google_cloud_scheduler_job"]
    job = next(job for job in jobs if job["name"] == name)
    assert job["schedule"] == {60: "* * * * *", 3600: "0 * * * *"}[wanted["every_s"]]
    if "function" in wanted:
        assert job["http_target"][0]["oidc_token"][0]["service_account_email"]
    else:
        assert json.loads(base64.b64decode(job["pubsub_target"][0]["data"])) == wanted["data"]
        assert job["pubsub_target"][0]["attributes"] == wanted["attributes"]


def test_nobody_has_a_basic_role_and_nothing_is_public(plan: dict[str, Any]) -> None:
    bindings = [change for change in plan["resource_changes"] if "_iam_" in change["type"]]
    assert len(bindings) > 20
    for binding in bindings:
        after = binding["change"]["after"]
        assert after["role"] not in ("roles/owner", "roles/editor", "roles/viewer"), binding["address"]
        assert after.get("member") not in ("allUsers", "allAuthenticatedUsers"), binding["address"]
        assert not binding["type"].endswith(("_iam_policy", "_iam_binding")), "would take roles away from others"


def test_a_rename_in_the_topology_is_stopped_while_the_old_subscription_holds_messages(
    upgrade: dict[str, dict[str, Any]],
) -> None:
    found = losses(upgrade["dropped"], lambda name: 3)
    assert len(found) == 1
    assert "watches-old would be deleted with 3 undelivered messages" in found[0]


def test_an_unknown_backlog_counts_as_one(upgrade: dict[str, dict[str, Any]]) -> None:
    assert "an unknown number of" in losses(upgrade["dropped"], lambda name: -1)[0]


def test_an_empty_subscription_may_go(upgrade: dict[str, dict[str, Any]]) -> None:
    assert losses(upgrade["dropped"], lambda name: 0) == []


@pytest.mark.parametrize("run", ["filter_changed", "filter_changed_in_place"])
@pytest.mark.parametrize("held", [-1, 0, 3])
def test_a_changed_filter_is_refused_whatever_is_held(upgrade: dict[str, dict[str, Any]], run: str, held: int) -> None:
    """Also of an empty one: what is published between its end and the new one's beginning would reach neither."""
    (line,) = losses(upgrade[run], lambda name: held)
    assert "subscription watches-old would get another filter under the same name" in line
    assert 'retiring_subscriptions = { "watches-old" = { topic = "' in line


def test_a_replacement_is_made_before_the_old_one_goes(upgrade: dict[str, dict[str, Any]]) -> None:
    """So Google refuses the second of the same name before Terraform deletes the first, should the guard be passed by."""
    (change,) = [
        c["change"]
        for c in upgrade["filter_changed"]["resource_changes"]
        if "watches-old" in c["address"] and "delete" in c["change"]["actions"]
    ]
    assert change["actions"] == ["create", "delete"]


def test_a_new_filter_under_a_new_name_touches_nothing_old(upgrade: dict[str, dict[str, Any]]) -> None:
    plan = upgrade["filter_under_a_new_name"]
    assert losses(plan, lambda name: 3) == []
    new = {
        i["name"]: i["filter"] for i in planned(plan, "google_pubsub_subscription") if i["name"].startswith("watches-")
    }
    assert new["watches-new"] == 'attributes.kind = "watch"'
    assert not new["watches-old"]


def test_a_retiring_subscription_is_not_touched(upgrade: dict[str, dict[str, Any]]) -> None:
    assert losses(upgrade["kept"], lambda name: 3) == []


def resources(state: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every resource of a state, of modules too."""

    def walk(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from module.get("resources", [])
        for child in module.get("child_modules", []):
            yield from walk(child)

    return walk(state["root_module"])
