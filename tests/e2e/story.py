"""Plays a recorded earthquake through the real system: zips, local services, real clients, simulated or real radar in."""

import json
import re
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import shapely
from google.api_core.exceptions import DeadlineExceeded
from google.cloud import pubsub_v1
from shapely.geometry import mapping

from infra.local.provision import PROJECT
from infra.local.stack import Stack
from infra.local.stories import BUILD, NOTICE, NOTO, NOTO_ORIGIN, RECORDINGS, prepare_archive

SMALL_AREA = shapely.box(136.940, 37.340, 136.974, 37.367)  # 3 x 3 km
PASSES = {
    "A112": timedelta(days=3, hours=2),
    "D046": timedelta(days=8, hours=14),
}  # of the simulated tracks, after the quake
FINAL = timedelta(days=12)

WIDE_AREA = shapely.box(136.930, 37.330, 136.9845, 37.3738)  # 5 x 5 km: 640 px with its margin
TINY_AREA = shapely.box(136.947, 37.345, 136.967, 37.361)  # 2 x 2 km: four ragged shards of 256 px
READY = NOTO_ORIGIN + timedelta(days=13)  # every pass has come: a request made now goes through to the final map
PATIENCE_LOOKS = 25  # more than messages ever wait at once
EAGER = 1e-30  # as threshold: every window that was scored is a candidate, whatever the model says
NOTHING = 0.999999  # as threshold: no window is one


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
    # a pull given up by its asker may have taken messages with it: this one never waits for more, and has time to be answered
    request = {"subscription": path, "max_messages": 100, "return_immediately": True}
    with pubsub_v1.SubscriberClient() as subscriber, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The return_immediately flag is deprecated", DeprecationWarning)
        while received := subscriber.pull(request, timeout=30).received_messages:
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


def shared_archive(factory: pytest.TempPathFactory) -> Path:
    """Return the archive of the wide area, simulated once a test session; nobody writes into it."""
    folder = factory.getbasetemp() / "wide"
    return folder / "archive" if (folder / "archive").exists() else archive_for(folder, WIDE_AREA)


def models_with(threshold: float, folder: Path) -> Path:
    """Return the models of both polarisations with cards of another threshold, so that no test depends on what a model thinks."""
    shutil.copytree(BUILD / "models", folder, ignore=lambda _, names: [n for n in names if re.match(r"vv_[ad]", n)])
    for path in folder.glob("*/*/card.json"):
        card = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(card | {"threshold": threshold}), encoding="utf-8")
    return folder


def late_stack(folder: Path, archive: Path, *, start: datetime = READY, **settings: str) -> Stack:
    """Return a stack, not yet started, at an instant when all passes have come, whose models find something everywhere."""
    exporter = {"SHARD_PX": "256", "STAGES": "60-12", "DATA_NOTICE": NOTICE, **settings}
    return Stack(
        folder / "stack",
        archive=archive,
        recording=RECORDINGS / "usgs",
        models=models_with(EAGER, folder / "models"),
        bundles=BUILD / "bundles",
        start=start,
        settings={"export_composites": exporter},
    )


def ask(stack: Stack, event_id: str, **fields: Any) -> None:
    """Send a manual message and wait until what it sets off has come to rest; a field given as None is left out."""
    message = {
        "kind": "manual",
        "version": 1,
        "event_id": event_id,
        "aoi": mapping(TINY_AREA),
        "post_start": NOTO_ORIGIN.isoformat(),
        "tracks": ["A112"],
        **fields,
    }
    stack.publish("earthquakes", {name: value for name, value in message.items() if value is not None})
    stack.settle()


def look(stack: Stack, event_id: str, step: timedelta = timedelta(hours=1)) -> None:
    """Move the clock on and have one watch looked at, as the sweep does for all; what waits for a retry is tried again."""
    stack.clock.set(stack.clock.now() + step)
    stack.publish("watches", {"kind": "watch", "version": 1, "event_id": event_id})
    stack.settle()


def complete(stack: Stack, event_id: str) -> dict[str, bytes]:
    """Look at a watch until its products are there, let every retry through, look once more so that the watch knows.

    Returns:
        The products without the event's id.
    """
    for _ in range(PATIENCE_LOOKS):
        if results_of(stack, event_id, "detections/"):
            break
        look(stack, event_id)
    let_retries_through(stack)
    look(stack, event_id)
    let_retries_through(stack)
    return anonymous(stack, event_id)


def let_retries_through(stack: Stack) -> None:
    """Move the clock on until nothing waits for a retry; of those that race for a watch, each round lets one through at least."""
    for _ in range(PATIENCE_LOOKS):
        if not waiting(stack):
            return
        stack.clock.set(stack.clock.now() + timedelta(hours=1))
        stack.settle()
    raise TimeoutError(f"{waiting(stack)} messages still wait for a retry; logs in {stack.folder / 'logs'}")


def later(stack: Stack, step: timedelta = timedelta(hours=1)) -> None:
    """Move the clock on: the sweep looks at every watch, what waits for a retry is tried again."""
    stack.go_to(stack.clock.now() + step)


def results_of(stack: Stack, event_id: str, prefix: str = "") -> dict[str, bytes]:
    """Return an event's objects of the results bucket."""
    return {n: d for n, d in contents(stack, "results", prefix).items() if event_id in n.replace(".", "/").split("/")}


def anonymous(stack: Stack, event_id: str) -> dict[str, bytes]:
    """Return an event's products with its id taken out, and the runs' that follow from it, to be held against another event's.

    Pictures and pages have them drawn in, and are left out.
    """
    products = results_of(stack, event_id)
    runs = {run for name in products for run in re.findall(r"/([0-9a-f]{12})-(?:provisional|final)", name)}

    def without(text: bytes) -> bytes:
        for run in runs:
            text = text.replace(run.encode(), b"RUN")
        return text.replace(event_id.encode(), b"EVENT")

    return {
        without(name.encode()).decode(): without(data)
        for name, data in products.items()
        if not name.endswith((".png", ".html"))
    }


def status_of(stack: Stack, event_id: str) -> Any:
    """Return an event's status document."""
    return json.loads(stack.bucket("results").blob(f"status/{event_id}.json").download_as_bytes())


def problems_of(stack: Stack, event_id: str) -> list[Any]:
    """Return the permanent errors recorded for an event."""
    return [json.loads(data) for data in contents(stack, "state", f"problems/{event_id}/").values()]


def exports_of(stack: Stack, event_id: str) -> list[Any]:
    """Return Earth Engine's tasks for an event, oldest first."""
    tasks = stack.state_of("earth_engine")["operations"].values()
    mine = [task for task in tasks if f"/shards/{event_id}/" in task["destination"]]
    return sorted(mine, key=lambda task: task["metadata"]["createTime"])


def waiting(stack: Stack) -> int:
    """Return how many messages wait for a retry on the functions' subscriptions."""
    subscriptions = stack.state_of("pubsub")["subscriptions"]
    return sum(state["backlog"] for name, state in subscriptions.items() if "-to-" in name)


def dead_letters(topic: str, wanted: int = 1) -> list[Any]:
    """Pull the messages of a topic's dead-letter subscription: at least so many, or what has come within half a minute."""
    messages: list[Any] = []
    end = time.monotonic() + 30
    with pubsub_v1.SubscriberClient() as subscriber:
        path = subscriber.subscription_path(PROJECT, f"{topic}-dead-letter-inspect")
        while len(messages) < wanted and time.monotonic() < end:
            try:
                received = subscriber.pull(subscription=path, max_messages=100, timeout=10).received_messages
            except DeadlineExceeded:
                continue
            messages += [item.message for item in received]
            if received:
                subscriber.acknowledge(subscription=path, ack_ids=[item.ack_id for item in received])
    return messages
