"""Messages on the topics and how they are written: JSON in the data, the kind and the event id also as attributes.

Topic `earthquakes`: announced, revised, cancelled, merged, manual. Topic `watches`: sweep, watch. Topic `composite-shards`: storage
notifications (attribute `eventType=OBJECT_FINALIZE`, no kind) and rescan. `message_reader` reads them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from quakeslide.domain.sentinel1 import Stage, Track
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
