"""The message contract and how it may evolve: what version 1 sent is read for ever, what is sent now is read by version 1."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from quakeslide.errors import MalformedMessage
from quakeslide.message_reader import parse
from quakeslide.message_schema import SCHEMAS, check
from quakeslide.messages import Envelope, encode

FROZEN = Path(__file__).parents[1] / "data" / "messages"
VERSION_1: list[dict[str, Any]] = json.loads((FROZEN / "version_1.json").read_text())
THEN = json.loads((FROZEN / "version_1_schema.json").read_text())["$defs"]
NOW = json.loads(SCHEMAS.read_text())["$defs"]
TOPIC = {"sweep": "watches", "watch": "watches", "rescan": "composite-shards"}


def deliver(body: Any) -> Any:
    topic = TOPIC.get(body["kind"], "earthquakes")
    instant = datetime(2024, 1, 1, tzinfo=UTC)
    return parse(Envelope(message_id="1", publish_time=instant, topic=topic, raw=json.dumps(body).encode()))


@pytest.mark.parametrize("kind", sorted(NOW))
def test_every_schema_is_one(kind: str) -> None:
    Draft202012Validator.check_schema(NOW[kind])


@pytest.mark.parametrize("body", VERSION_1, ids=lambda body: body["kind"])
def test_what_version_1_sent_is_read_and_sent_again_the_same(body: dict[str, Any]) -> None:
    message = deliver(body)
    again = json.loads(encode(message)[0])
    assert again == body
    Draft202012Validator(THEN[body["kind"]]).validate(again)


@pytest.mark.parametrize("body", VERSION_1, ids=lambda body: body["kind"])
def test_newer_sender_with_more_fields_does_no_harm(body: dict[str, Any]) -> None:
    newer = {**body, "version": 2, "colour": {"of": ["the", "sea"]}}
    if "earthquake" in newer:
        newer["earthquake"] = {**newer["earthquake"], "strike": 12}
    Draft202012Validator(THEN[body["kind"]]).validate(newer)
    assert deliver(newer) == deliver(body)


def narrowings(then: dict[str, Any], now: dict[str, Any], where: str = "") -> list[str]:
    """Return where a schema refuses what it took before, or no longer promises what it did."""
    found = [
        f"{where}: {name} is required now" for name in set(now.get("required", ())) - set(then.get("required", ()))
    ]
    found += [
        f"{where}: {name} is no longer required"
        for name in set(then.get("required", ())) - set(now.get("required", ()))
    ]
    if now.get("additionalProperties", True) is False:
        found.append(f"{where}: unknown fields are refused")
    for name, schema in then.get("properties", {}).items():
        if name not in now.get("properties", {}):
            found.append(f"{where}/{name} is gone")
            continue
        found += narrowings(schema, now["properties"][name], f"{where}/{name}")
    for word in ("type", "enum", "pattern", "minimum", "maximum", "anyOf", "items", "minLength"):
        if then.get(word) != now.get(word):
            found.append(f"{where}: {word} was {then.get(word)!r}, is {now.get(word)!r}")
    return found


def test_todays_schemas_are_compatible_with_version_1() -> None:
    assert set(THEN) <= set(NOW)
    assert [n for kind in THEN for n in narrowings(THEN[kind], NOW[kind], kind)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"required": ["kind", "event_id", "reason", "why"]},
        {"additionalProperties": False},
        {"properties": {"kind": {"enum": ["cancelled"]}}},
    ],
)
def test_incompatible_change_is_seen(change: dict[str, Any]) -> None:
    assert narrowings(THEN["cancelled"], {**THEN["cancelled"], **change}, "cancelled")


@pytest.mark.parametrize(
    ("kind", "field", "value", "said"),
    [
        ("announced", "earthquake", {"time": "2024-01-01T00:00:00Z"}, "required"),
        ("announced", "event_id", "../etc", "event_id"),
        ("cancelled", "reason", 7, "reason"),
        ("merged", "into", None, "into"),
        ("rescan", "composite_id", "xyz", "composite_id"),
    ],
)
def test_breach_names_the_field(kind: str, field: str, value: Any, said: str) -> None:
    body = next(dict(b) for b in VERSION_1 if b["kind"] == kind) | {field: value}
    with pytest.raises(ValueError, match=said):
        check(kind, body)
    with pytest.raises(MalformedMessage):
        deliver(body)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(body=st.sampled_from(VERSION_1), field=st.text(max_size=3) | st.sampled_from(sorted(VERSION_1[0])), value=values)
def test_no_value_whatever_in_any_field_raises_anything_but_ours(body: dict[str, Any], field: str, value: Any) -> None:
    damaged = {**body, field: value}
    if field == "kind":
        return
    try:
        deliver(damaged)
    except MalformedMessage:
        return
    check(body["kind"], damaged)
