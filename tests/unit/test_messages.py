import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shapely import force_3d
from shapely.geometry import MultiPolygon, Point, Polygon, box, mapping

from quakeslide.domain.sentinel1 import STAGES_OF_THE_PAPER, OrbitPass, Stage, Track
from quakeslide.errors import MalformedMessage
from quakeslide.json_values import MAX_VERTICES, area, instant
from quakeslide.message_reader import parse
from quakeslide.messages import (
    Announced,
    Cancelled,
    Envelope,
    Manual,
    Merged,
    Message,
    Rescan,
    ShardWritten,
    Sweep,
    WatchDue,
    encode,
)

T0 = datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC)
AOI = box(137.0, 37.0, 137.5, 37.5)
TOPICS = ("earthquakes", "watches", "composite-shards")
SHARD_NAME = "shards/us6000m0xl/A069/60-12/0123456789ab/composite-0000000512-0000001024.tif"

IDS = st.from_regex(r"[a-z][a-z0-9_]{2,40}", fullmatch=True)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
TRACKS = st.builds(Track, orbit_pass=st.sampled_from(OrbitPass), relative_orbit=st.integers(1, 175))
STAGES = st.sampled_from([Stage(pre_days=pre, post_days=post) for pre, post in STAGES_OF_THE_PAPER])
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
BOXES = st.builds(
    lambda west, south, wide, tall: box(west, south, west + wide, south + tall),
    st.floats(-180, 170), st.floats(-80, 70), st.floats(0.01, 10), st.floats(0.01, 10),
)  # fmt: skip
HEX = st.from_regex(r"[0-9a-f]{12}", fullmatch=True)
MESSAGES = {
    "earthquakes": st.one_of(
        st.builds(
            Announced,
            kind=st.sampled_from(["announced", "revised"]),
            event_id=IDS,
            time=TIMES,
            lon=st.floats(-180, 180),
            lat=st.floats(-90, 90),
            depth_km=st.floats(-5, 700),
            magnitude=st.floats(0, 10),
            place=WORDS,
            aoi=BOXES,
            aoi_source=WORDS,
        ),
        st.builds(Cancelled, event_id=IDS, reason=WORDS),
        st.builds(Merged, event_id=IDS, into=IDS),
        st.builds(
            Manual,
            event_id=IDS,
            aoi=st.none() | BOXES,
            tracks=st.none() | st.lists(TRACKS, max_size=3).map(tuple),
            stages=st.none() | st.lists(STAGES, max_size=3).map(tuple),
            post_start=st.none() | TIMES,
            pre_end=st.none() | TIMES,
            force=st.booleans(),
        ),
    ),
    "watches": st.one_of(st.builds(Sweep), st.builds(WatchDue, event_id=IDS)),
    "composite-shards": st.builds(
        Rescan,
        event_id=IDS,
        track=TRACKS,
        stage=STAGES,
        composite_id=HEX,
        force_nonce=st.none() | st.text(min_size=1, max_size=20).filter(str.isprintable),
    ),
}
PAIRS = st.sampled_from(TOPICS).flatmap(lambda topic: st.tuples(st.just(topic), MESSAGES[topic]))


def envelope(data: bytes | dict[str, object], topic: str, **attributes: str) -> Envelope:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Envelope(message_id="m1", publish_time=T0, topic=topic, raw=raw, attributes=attributes)


def arrive(message: Message, topic: str) -> Message:
    data, attributes = encode(message)
    return parse(Envelope(message_id="m1", publish_time=T0, topic=topic, raw=data, attributes=attributes))


@settings(deadline=None)
@given(PAIRS)
def test_message_arrives_as_it_was_sent(pair):
    topic, message = pair
    assert arrive(message, topic) == message


@given(PAIRS)
def test_kind_and_event_are_also_attributes(pair):
    _, message = pair
    data, attributes = encode(message)
    body = json.loads(data)
    assert attributes["kind"] == body["kind"]
    assert attributes.get("event_id") == body.get("event_id") == getattr(message, "event_id", None)
    assert body["version"] == 1


@given(PAIRS)
def test_unknown_fields_do_no_harm(pair):
    topic, message = pair
    body = json.loads(encode(message)[0]) | {"fields_of_a_newer_sender": [1, {"x": None}]}
    assert parse(envelope(body, topic)) == message


@given(PAIRS, st.data())
def test_missing_field_is_named(pair, data):
    topic, message = pair
    body = json.loads(encode(message)[0])
    optional = {"kind", "version", "aoi", "tracks", "stages", "post_start", "pre_end", "force", "force_nonce"}
    required = sorted(set(body) - optional)
    if not required:
        return
    lost = data.draw(st.sampled_from(required))
    del body[lost]
    with pytest.raises(MalformedMessage, match=f"field '{lost}' is missing"):
        parse(envelope(body, topic))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150)
@given(PAIRS, st.data())
def test_spoilt_message_is_malformed_or_still_one_of_ours(pair, data):
    """Whatever stands in any field: nothing but MalformedMessage comes out, so that nothing is redelivered in vain."""
    topic, message = pair
    body = json.loads(encode(message)[0])
    places = [(body, key) for key in body]
    for value in body.values():
        if isinstance(value, dict):
            places += [(value, key) for key in value]
    holder, key = data.draw(st.sampled_from(places))
    holder[key] = data.draw(JSON)
    try:
        again = parse(envelope(body, topic))
    except MalformedMessage:
        return
    assert type(again) in (Announced, Cancelled, Merged, Manual, Sweep, WatchDue, Rescan)


@settings(deadline=None, max_examples=150)
@given(JSON)
@example([[[0, 0], [0, 1], [1, 0]]])
def test_any_json_as_an_area_is_read_or_refused(value):
    """By itself it is never one, its keys are too short for that; as coordinates it may be, if only a triangle."""

    def read(geojson):
        return parse(envelope({"kind": "manual", "event_id": "us1", "aoi": geojson}, "earthquakes"))

    with pytest.raises(MalformedMessage):
        read(value or [1])
    geometry = {"type": "Polygon", "coordinates": value}
    for geojson in (geometry, {"type": "Feature", "geometry": geometry}):
        try:
            message = read(geojson)
        except MalformedMessage:
            continue
        assert (type(message), message.aoi.geom_type, message.aoi.is_valid) == (Manual, "Polygon", True)


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"{", "no JSON"),
        (b"[]", "no JSON object"),
        (b'"manual"', "no JSON object"),
        (b"{}", "kind None is not one of"),
        (b'{"kind": ["manual"]}', "is not one of"),
        (b'{"kind": "Manual"}', "kind 'Manual' is not one of"),
        (b"[" * 200_000, "no JSON"),
        (b'{"kind": ' + b"9" * 5000 + b"}", "no JSON"),
    ],
)
def test_what_is_no_message_says_why(topic, raw, reason):
    with pytest.raises(MalformedMessage, match=reason):
        parse(envelope(raw, topic))


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_number_is_refused(word):
    data, _ = encode(
        Announced(
            kind="announced", event_id="us1", time=T0, lon=1, lat=2, depth_km=3, magnitude=6.25, place="", aoi=AOI,
            aoi_source="",
        )
    )  # fmt: skip
    with pytest.raises(MalformedMessage, match=word):
        parse(envelope(data.replace(b"6.25", word.encode()), "earthquakes"))


@pytest.mark.parametrize(
    ("message", "right"),
    [(Sweep(), "watches"), (WatchDue(event_id="us1"), "watches"), (Merged(event_id="us1", into="us2"), "earthquakes")],
)
def test_message_on_the_wrong_topic_is_malformed(message, right):
    for topic in {*TOPICS, "elsewhere"} - {right}:
        with pytest.raises(MalformedMessage, match=f"is not one of {topic}'s"):
            arrive(message, topic)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"event_id": "../us1"}, "is no event id"),
        ({"event_id": 7}, "is no event id"),
        ({"tracks": ["A69"]}, "'A69' is no track"),
        ({"tracks": "A069"}, "'A' is no track"),
        ({"tracks": [69]}, "manual"),
        ({"tracks": ["A000"]}, "outside 1-175"),
        ({"stages": ["60-13"]}, "none of the paper's"),
        ({"post_start": "2024-01-01"}, "no UTC offset"),
        ({"post_start": 1704093009}, "is no instant"),
        ({"pre_end": "yesterday"}, "Invalid isoformat"),
        ({"pre_end": "0001-01-01T00:00:00+10:00"}, "manual"),
        ({"force": "false"}, "force must be true or false"),
        ({"aoi": mapping(Point(1, 2))}, "must be a GeoJSON Polygon or MultiPolygon"),
    ],
)
def test_manual_message_with_a_wrong_field_says_what_is_wrong(fields, reason):
    body = {"kind": "manual", "event_id": "us1"} | fields
    with pytest.raises(MalformedMessage, match=reason):
        parse(envelope(body, "earthquakes"))


@pytest.mark.parametrize("composite_id", ["", "0123456789AB", "0123456789abc", "../456789abc"])
def test_rescan_of_no_composite_is_malformed(composite_id):
    body = {"kind": "rescan", "event_id": "us1", "track": "A069", "stage": "60-12", "composite_id": composite_id}
    with pytest.raises(MalformedMessage, match="twelve hex digits"):
        parse(envelope(body, "composite-shards"))


def test_rescan_with_a_nonce_that_is_no_text_is_malformed():
    body = {"kind": "rescan", "event_id": "us1", "track": "A069", "stage": "60-12", "composite_id": "0" * 12}
    with pytest.raises(MalformedMessage, match="force_nonce"):
        parse(envelope(body | {"force_nonce": {"a": 1}}, "composite-shards"))


NOTICE = {"eventType": "OBJECT_FINALIZE", "objectId": SHARD_NAME, "objectGeneration": "1704093009000000"}


def test_notification_of_a_shard_is_read_from_its_attributes_alone():
    assert parse(envelope(b"\xff no JSON", "composite-shards", **NOTICE)) == ShardWritten(
        name=SHARD_NAME,
        generation=1704093009000000,
        event_id="us6000m0xl",
        track=Track.parse("A069"),
        stage=Stage.parse("60-12"),
        composite_id="0123456789ab",
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"eventType": "OBJECT_DELETE"}, "OBJECT_DELETE .* not about a finished shard"),
        ({"objectId": "shards/x.tif"}, "not about a finished shard"),
        ({"objectId": SHARD_NAME.replace("us6000m0xl", "..")}, "not about a finished shard"),
        ({"objectId": SHARD_NAME + "\n"}, "not about a finished shard"),
        ({"objectId": SHARD_NAME.replace("60-12", "60-13")}, "none of the paper's"),
        ({"objectId": SHARD_NAME.replace("A069", "A000")}, "outside 1-175"),
        ({"objectGeneration": "new"}, "invalid literal"),
    ],
)
def test_other_notifications_are_malformed(changes, reason):
    with pytest.raises(MalformedMessage, match=reason):
        parse(envelope(b"", "composite-shards", **(NOTICE | changes)))


def test_notification_without_a_name_or_generation_is_malformed():
    for lost in ("objectId", "objectGeneration"):
        attributes = {key: value for key, value in NOTICE.items() if key != lost}
        with pytest.raises(MalformedMessage):
            parse(envelope(b"", "composite-shards", **attributes))


@given(TIMES, st.integers(-720, 720))
def test_instant_is_utc_whatever_its_offset(moment, minutes):
    elsewhere = moment.astimezone(timezone(timedelta(minutes=minutes)))
    read = instant(elsewhere.isoformat())
    assert read == moment
    assert read.tzinfo is UTC
    assert read.isoformat() == moment.isoformat()  # ids are made of the text


def test_instant_with_nanoseconds_as_pubsub_writes_it():
    assert instant("2024-01-01T07:10:09.123456789Z") == T0 + timedelta(microseconds=123456)


def test_area_may_be_geometry_feature_or_collection_of_one():
    geometry = mapping(AOI)
    feature = {"type": "Feature", "geometry": geometry, "properties": {}}
    for geojson in (geometry, feature, {"type": "FeatureCollection", "features": [feature]}):
        assert area(geojson).equals(AOI)
    islands = MultiPolygon([AOI, box(0, 0, 1, 1)])
    assert area(mapping(islands)).equals(islands)
    with_heights = area(mapping(force_3d(AOI, 1e308)))
    assert (with_heights.wkt, with_heights.has_z) == (AOI.wkt, False)


SAW = [(n / MAX_VERTICES, n % 2) for n in range(MAX_VERTICES)]
MANY = Polygon([(0, -1), *SAW, (1, -1)])
BOWTIE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}


@pytest.mark.parametrize(
    ("geojson", "reason"),
    [
        (None, "must be a GeoJSON Polygon"),
        ({"type": "FeatureCollection", "features": []}, "must be a GeoJSON Polygon"),
        ({"type": "Feature", "geometry": None}, "must be a GeoJSON Polygon"),
        ({"type": "Polygon", "coordinates": []}, "empty or crosses itself"),
        (BOWTIE, "empty or crosses itself"),
        (mapping(box(320000, 4160000, 321000, 4161000)), "are not lon/lat degrees"),
        (mapping(box(10, 80, 11, 95)), "are not lon/lat degrees"),
        (mapping(MANY), f"more than {MAX_VERTICES} vertices"),
    ],
)
def test_impossible_area_says_why(geojson, reason):
    with pytest.raises(ValueError, match=reason):
        area(geojson)
