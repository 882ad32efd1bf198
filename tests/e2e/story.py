"""Plays a recorded earthquake through the real system: zips, local services, real clients, simulated or real radar in."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import shapely
from google.api_core.exceptions import DeadlineExceeded
from google.cloud import pubsub_v1
from shapely.geometry import mapping

from infra.local.demo import BUILD, NOTICE, NOTO, NOTO_ORIGIN, RECORDINGS, prepare_archive
from infra.local.provision import PROJECT
from infra.local.stack import Stack

SMALL_AREA = shapely.box(136.940, 37.340, 136.974, 37.367)  # 3 x 3 km
PASSES = {
    "A112": timedelta(days=3, hours=2),
    "D046": timedelta(days=8, hours=14),
}  # of the simulated tracks, after the quake
FINAL = timedelta(days=12)


def archive_for(folder: Path, area: shapely.Polygon = SMALL_AREA) -> Path:
    """Simulate the small event's scenes."""
    prepare_archive(folder / "archive", folder / "scenes", "e2e", mapping(area))
    return folder / "archive"


def stack_for(folder: Path, archive: Path, **settings: str) -> Stack:
    """Return the stack, not yet started, an hour before the earthquake."""
    exporter = {"SHARD_PX": "256", "STAGES": "60-12", "DATA_NOTICE": NOTICE, **settings}
    return Stack(
        folder / "stack",
        archive=archive,
        recording=RECORDINGS / "usgs",
        models=BUILD / "models",
        bundles=BUILD / "bundles",
        start=NOTO_ORIGIN - timedelta(hours=1),
        settings={"export_composites": exporter},
    )


@dataclass
class Told:
    """What happened at one instant of the replay."""

    after: timedelta
    exports: int
    products: list[str]


@dataclass
class Story:
    """What a replay left behind."""

    results: dict[str, bytes]
    cells: dict[str, bytes]
    exports: int
    tiles_scored: int
    notified: list[str]
    log: list[Told] = field(default_factory=list)

    @property
    def products(self) -> dict[str, bytes]:
        """The notified GeoJSON files."""
        return {name: data for name, data in self.results.items() if name.startswith("detections/")}

    def document(self, name: str) -> Any:
        """Return a JSON object of the results bucket."""
        return json.loads(self.results[name])


def contents(stack: Stack, bucket: str, prefix: str = "") -> dict[str, bytes]:
    """Return every object of a bucket."""
    return {blob.name: blob.download_as_bytes() for blob in stack.bucket(bucket).list_blobs(prefix=prefix)}


def subscribe(name: str = "somebody") -> str:
    """Subscribe to the result notifications as anybody may."""
    with pubsub_v1.SubscriberClient() as subscriber:
        path = subscriber.subscription_path(PROJECT, name)
        subscriber.create_subscription(name=path, topic=f"projects/{PROJECT}/topics/landslide-results")
    return path


def heard(path: str) -> list[str]:
    """Return the objects a subscriber was told of, in order of hearing."""
    names: list[str] = []
    with pubsub_v1.SubscriberClient() as subscriber:
        while True:
            try:
                received = subscriber.pull(subscription=path, max_messages=100, timeout=2).received_messages
            except DeadlineExceeded:
                break
            if not received:
                break
            names += [item.message.attributes["objectId"] for item in received]
            subscriber.acknowledge(subscription=path, ack_ids=[item.ack_id for item in received])
    return names


def announce(stack: Stack, area: shapely.Polygon = SMALL_AREA, **request: Any) -> None:
    """Let the poller find the earthquake, then narrow the area by a manual message before the first pass."""
    stack.go_to(NOTO_ORIGIN + timedelta(minutes=25))
    message = {"kind": "manual", "version": 1, "event_id": NOTO, "aoi": mapping(area), "stages": ["60-12"], **request}
    stack.publish("earthquakes", message)
    stack.settle()


def play(
    stack: Stack,
    *,
    area: shapely.Polygon = SMALL_AREA,
    step: timedelta = timedelta(hours=12),
    until: timedelta = timedelta(days=14),
    meanwhile: Mapping[timedelta, Callable[[], None]] | None = None,
) -> Story:
    """Run the replay on a started stack.

    Args:
        stack: fresh.
        area: of the manual message.
        step: of the clock.
        until: after the origin.
        meanwhile: what else to do at the first step at or after an instant.
    """
    subscription = subscribe()
    announce(stack, area)
    log: list[Told] = []
    waiting = dict(meanwhile or {})
    after = timedelta(hours=12)
    while after <= until:
        for when in [when for when in sorted(waiting) if when <= after]:
            waiting.pop(when)()
        stack.go_to(NOTO_ORIGIN + after)
        exports = stack.state_of("earth_engine")["exports_started"]
        names = [blob.name for blob in stack.bucket("results").list_blobs(prefix="detections/")]
        log.append(Told(after=after, exports=exports, products=names))
        after += step
    return Story(
        results=contents(stack, "results"),
        cells=contents(stack, "state", "cells/"),
        exports=stack.state_of("earth_engine")["exports_started"],
        tiles_scored=stack.state_of("model_server")["predict_calls"],
        notified=heard(subscription),
        log=log,
    )
