"""Messages on the topics, both ways: JSON in the data, the kind and the event id also as attributes.

Topic `earthquakes`: announced, revised, cancelled, merged, manual. Topic `watches`: sweep, watch. Topic `composite-shards`: storage
notifications (attribute `eventType=OBJECT_FINALIZE`, no kind) and rescan. Unknown fields are ignored, so that a newer sender does
no harm; a missing or wrong one is a MalformedMessage.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from quakeslide.domain import object_names
from quakeslide.domain.sentinel1 import Stage, Track
from quakeslide.errors import MalformedMessage
from quakeslide.message_schema import check

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A qualifying earthquake, new (`announced`) or materially changed (`revised`)."""

    kind: str
    event_id: str
    time: datetime
    lon: float
    lat: float
    depth_km: float
    magnitude: float
    place: str
    aoi: BaseGeometry
    aoi_source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """An announced earthquake was deleted or no longer qualifies; its products stay, marked."""

    event_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Two ids turned out to be one earthquake; `event_id` goes on under `into`."""

    event_id: str
    into: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manual:
    """A person's request; what is None is left as the event has it."""

    event_id: str
    aoi: BaseGeometry | None = None
    tracks: tuple[Track, ...] | None = None
    stages: tuple[Stage, ...] | None = None
    post_start: datetime | None = None
    pre_end: datetime | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Look at every open watch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchDue:
    """Look at one watch."""

    event_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardWritten:
    """A storage notification: one shard of a composite lies in the bucket."""

    name: str
    generation: int
    event_id: str
    track: Track
    stage: Stage
    composite_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescan:
    """Score the cells of a composite that are missing, and merge."""

    event_id: str
    track: Track
    stage: Stage
    composite_id: str
    force_nonce: str | None = None


Message = Announced | Cancelled | Merged | Manual | Sweep | WatchDue | ShardWritten | Rescan


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A delivery: the message with what Pub/Sub says of it.

    Attributes:
        message_id: Pub/Sub's id, the same at every redelivery.
        publish_time: aware, UTC; the functions' only clock.
        topic: short name of the topic it came by.
        raw: the bytes, for the dead letter.
        attributes: as published.
    """

    message_id: str
    publish_time: datetime
    topic: str
    raw: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)


def encode(message: Message) -> tuple[bytes, dict[str, str]]:
    """Return data and attributes of a message of ours."""
    kind, fields = _FIELDS_OF[type(message)](message)
    attributes = {"kind": kind} | ({"event_id": fields["event_id"]} if "event_id" in fields else {})
    data = json.dumps({"kind": kind, "version": VERSION, **fields}, sort_keys=True, allow_nan=False)
    check(kind, json.loads(data))  # tuples of coordinates are arrays only in JSON
    return data.encode(), attributes


def _of_announced(m: Announced) -> tuple[str, dict[str, Any]]:
    quake = {"time": m.time.isoformat(), "lon": m.lon, "lat": m.lat, "depth_km": m.depth_km, "magnitude": m.magnitude}
    return m.kind, {
        "event_id": m.event_id,
        "earthquake": quake | {"place": m.place},
        "aoi": {"geometry": mapping(m.aoi), "source": m.aoi_source},
    }


def _of_manual(m: Manual) -> tuple[str, dict[str, Any]]:
    fields: dict[str, Any] = {"event_id": m.event_id}
    if m.aoi is not None:
        fields["aoi"] = mapping(m.aoi)
    if m.tracks is not None:
        fields["tracks"] = [str(track) for track in m.tracks]
    if m.stages is not None:
        fields["stages"] = [str(stage) for stage in m.stages]
    if m.post_start is not None:
        fields["post_start"] = m.post_start.isoformat()
    if m.pre_end is not None:
        fields["pre_end"] = m.pre_end.isoformat()
    if m.force:
        fields["force"] = True
    return "manual", fields


def _of_rescan(m: Rescan) -> tuple[str, dict[str, Any]]:
    fields = {"event_id": m.event_id, "track": str(m.track), "stage": str(m.stage), "composite_id": m.composite_id}
    return "rescan", fields | ({"force_nonce": m.force_nonce} if m.force_nonce else {})


_FIELDS_OF: dict[type, Callable[[Any], tuple[str, dict[str, Any]]]] = {
    Announced: _of_announced,
    Cancelled: lambda m: ("cancelled", {"event_id": m.event_id, "reason": m.reason}),
    Merged: lambda m: ("merged", {"event_id": m.event_id, "into": m.into}),
    Manual: _of_manual,
    Sweep: lambda m: ("sweep", {}),
    WatchDue: lambda m: ("watch", {"event_id": m.event_id}),
    Rescan: _of_rescan,
}


def parse(envelope: Envelope) -> Message:
    """Read a delivery of any topic.

    Raises:
        MalformedMessage: it is no message of ours; the text names the field and what is wrong with it.
    """
    if envelope.attributes.get("eventType") and "kind" not in envelope.attributes:
        return _shard_written(envelope.attributes)
    try:
        body = json.loads(envelope.raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # also numbers of 5000 digits and a thousand brackets
        raise MalformedMessage(f"message {envelope.message_id} on {envelope.topic}: no JSON ({error})") from error
    if not isinstance(body, dict):
        raise MalformedMessage(f"message {envelope.message_id} on {envelope.topic}: no JSON object")
    kind = body.get("kind")
    reader = _READERS.get(envelope.topic, {}).get(kind) if isinstance(kind, str) else None
    if reader is None:
        known = ", ".join(_READERS.get(envelope.topic, {}))
        raise MalformedMessage(
            f"message {envelope.message_id}: kind {kind!r} is not one of {envelope.topic}'s ({known})"
        )
    try:
        message = reader(body)
        check(str(kind), body)
        return message
    except KeyError as error:
        raise MalformedMessage(f"message {envelope.message_id} ({kind}): field {error} is missing") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise MalformedMessage(f"message {envelope.message_id} ({kind}): {error}") from error


def _refuse_constant(word: str) -> float:
    """Python reads NaN and Infinity, JSON does not; a magnitude that is no number must not get in."""
    raise ValueError(f"{word} is no number in JSON")


def instant(text: Any) -> datetime:
    """Read an RFC 3339 instant as aware UTC.

    Raises:
        ValueError: no instant, or one without a UTC offset.
    """
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no instant; write 2024-01-01T07:10:09Z")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset; write 2024-01-01T07:10:09Z")
    return moment.astimezone(UTC)


MAX_VERTICES = 100_000


def area(geojson: Any) -> BaseGeometry:
    """Read a polygon or multipolygon in lon/lat degrees, as geometry, Feature or a FeatureCollection of one.

    Raises:
        ValueError: another geometry, invalid, empty, too large or off the globe.
    """
    if isinstance(geojson, dict) and geojson.get("type") == "FeatureCollection" and len(geojson["features"]) == 1:
        geojson = geojson["features"][0]
    if isinstance(geojson, dict) and geojson.get("type") == "Feature":
        geojson = geojson["geometry"]
    if not isinstance(geojson, dict) or geojson.get("type") not in ("Polygon", "MultiPolygon"):
        raise ValueError("an area must be a GeoJSON Polygon or MultiPolygon in lon/lat degrees")
    try:
        geometry = shape(geojson)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, ShapelyError) as error:
        raise ValueError(f"the area's coordinates are no polygon's ({error})") from error
    if geometry.is_empty or not geometry.is_valid:
        raise ValueError("the area's polygon is empty or crosses itself")
    west, south, east, north = geometry.bounds
    if not (-360 <= west < east <= 360 and -90 <= south < north <= 90):
        raise ValueError(f"the area's bounds {geometry.bounds} are not lon/lat degrees")
    if shapely.get_num_coordinates(geometry) > MAX_VERTICES:
        raise ValueError(f"the area has more than {MAX_VERTICES} vertices")
    return geometry


def _event_id(body: dict[str, Any]) -> str:
    return object_names.checked_event_id(body["event_id"])


def _announced(body: dict[str, Any]) -> Announced:
    quake = body["earthquake"]
    return Announced(
        kind=body["kind"],
        event_id=_event_id(body),
        time=instant(quake["time"]),
        lon=float(quake["lon"]),
        lat=float(quake["lat"]),
        depth_km=float(quake["depth_km"]),
        magnitude=float(quake["magnitude"]),
        place=str(quake["place"]),
        aoi=area(body["aoi"]["geometry"]),
        aoi_source=str(body["aoi"]["source"]),
    )


def _manual(body: dict[str, Any]) -> Manual:
    tracks, stages, force = body.get("tracks"), body.get("stages"), body.get("force", False)
    if not isinstance(force, bool):
        raise ValueError(f"force must be true or false, not {force!r}")
    return Manual(
        event_id=_event_id(body),
        aoi=area(body["aoi"]) if body.get("aoi") is not None else None,
        tracks=tuple(Track.parse(text) for text in tracks) if tracks is not None else None,
        stages=tuple(Stage.parse(text) for text in stages) if stages is not None else None,
        post_start=instant(body["post_start"]) if body.get("post_start") is not None else None,
        pre_end=instant(body["pre_end"]) if body.get("pre_end") is not None else None,
        force=force,
    )


def _rescan(body: dict[str, Any]) -> Rescan:
    if not object_names.HEX_ID.fullmatch(body["composite_id"]):
        raise ValueError(f"composite_id {body['composite_id']!r} is not twelve hex digits")
    nonce = body.get("force_nonce")
    if not isinstance(nonce, str | None):
        raise ValueError(f"force_nonce {nonce!r} is no text")
    return Rescan(
        event_id=_event_id(body),
        track=Track.parse(body["track"]),
        stage=Stage.parse(body["stage"]),
        composite_id=body["composite_id"],
        force_nonce=nonce,
    )


def _shard_written(attributes: Mapping[str, str]) -> ShardWritten:
    name = attributes.get("objectId", "")
    match = object_names.SHARD.fullmatch(name)
    if attributes["eventType"] != "OBJECT_FINALIZE" or not match:
        raise MalformedMessage(f"notification {attributes['eventType']} for {name!r} is not about a finished shard")
    try:
        return ShardWritten(
            name=name,
            generation=int(attributes["objectGeneration"]),
            event_id=match["event_id"],
            track=Track.parse(match["track"]),
            stage=Stage.parse(match["stage"]),
            composite_id=match["composite_id"],
        )
    except (KeyError, ValueError) as error:
        raise MalformedMessage(f"notification for {name!r}: {error}") from error


_READERS: dict[str, dict[str, Callable[[dict[str, Any]], Message]]] = {
    "earthquakes": {
        "announced": _announced,
        "revised": _announced,
        "cancelled": lambda body: Cancelled(event_id=_event_id(body), reason=str(body["reason"])),
        "merged": lambda body: Merged(event_id=_event_id(body), into=object_names.checked_event_id(body["into"])),
        "manual": _manual,
    },
    "watches": {
        "sweep": lambda body: Sweep(),
        "watch": lambda body: WatchDue(event_id=_event_id(body)),
    },
    "composite-shards": {"rescan": _rescan},
}
