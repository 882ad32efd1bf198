"""Reading deliveries: Pub/Sub's bytes and attributes to messages.

Unknown fields are ignored, so that a newer sender does no harm; a missing or wrong one is a MalformedMessage.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from quakeslide.domain import object_names
from quakeslide.domain.sentinel1 import Stage, Track
from quakeslide.errors import MalformedMessage
from quakeslide.json_values import area, instant
from quakeslide.message_schema import check
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
)


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
