"""A scripted Sentinel-1 archive, an Earth Engine that exports nothing, and a small world to run the exporter in.

The fake exporter is held against the real adapter by `tests/contract/test_exporter_port.py`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from quakeslide.domain import object_names
from quakeslide.domain.composite import Composite
from quakeslide.domain.sentinel1 import Scene, Stage, Track
from quakeslide.domain.watch import Watch
from quakeslide.message_reader import parse
from quakeslide.messages import Announced, Envelope, Message, Rescan, Sweep, encode
from quakeslide.ports import Export, ExportState, Listed, Stored
from quakeslide.usecases.export_message import handle_export_message
from quakeslide.usecases.exporting import Exporting
from quakeslide.usecases.keep_watch import find_watch
from quakeslide.usecases.render_status import render_status
from tests.fakes import MemoryBus, MemoryStore

T0 = datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC)
EVENT = "us6000m0xl"
AOI = box(137.0, 37.3, 137.12, 37.4)
WIDE = box(136.0, 36.5, 138.5, 38.5)  # a swath that holds the whole AOI
WEST, EAST = box(136.0, 36.5, 137.06, 38.5), box(137.06, 36.5, 138.5, 38.5)
A069, D046 = Track.parse("A069"), Track.parse("D046")
S60_12, S60_24 = Stage.parse("60-12"), Stage.parse("60-24")
REPEAT = timedelta(days=12)
FAR = Track.parse("A001")  # passes elsewhere on Earth, which move the watermark


class Crash(BaseException):
    """The process dies here; no handler of ours may catch it."""


def seen(
    start: datetime,
    track: Track = A069,
    *,
    footprint: BaseGeometry = WIDE,
    platform: str = "A",
    polarisations: tuple[str, ...] = ("VV", "VH"),
) -> Scene:
    """Return a scene named by what it is."""
    place = "" if footprint is WIDE else f"_{abs(hash(footprint.bounds)) % 10000}"
    return Scene(
        scene_id=f"COPERNICUS/S1_GRD/S1{platform}_IW_GRDH_{start:%Y%m%dT%H%M%S}_{track}{place}",
        track=track,
        start=start,
        platform=platform,
        polarisations=polarisations,
        footprint=footprint,
    )


def after(**length: float) -> datetime:
    """Return a moment relative to the earthquake."""
    return T0 + timedelta(**length)


@dataclass
class ScriptedArchive:
    """Scenes with the time at which each is ingested."""

    ingested: list[tuple[datetime, Scene]] = field(default_factory=list)
    now: datetime = T0
    asked: int = 0

    def add(self, scene: Scene, *, latency: timedelta = timedelta(hours=18)) -> Scene:
        self.ingested.append((scene.start + latency, scene))
        return scene

    def scenes(self, area: BaseGeometry, start: datetime, end: datetime) -> list[Scene]:
        self.asked += 1
        return [
            scene
            for at, scene in self.ingested
            if at <= self.now and start <= scene.start < end and scene.footprint.intersects(area)
        ]

    def watermark(self, now: datetime) -> datetime:
        return max((s.start for at, s in self.ingested if at <= self.now), default=now - timedelta(days=30))


@dataclass
class MemoryExporter:
    """Keeps what was started; a request id makes one operation. `refusals` are raised first, one per start."""

    composites: dict[str, Composite] = field(default_factory=dict)
    operations: dict[str, Export] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)
    refusals: list[Exception] = field(default_factory=list)
    eecu_s: float = 0.0

    def start(self, composite: Composite, request_id: str) -> str:
        if self.refusals:
            raise self.refusals.pop(0)
        if request_id not in self.requests:
            name = f"projects/p/operations/{len(self.requests) + 1}"
            self.requests[request_id] = name
            self.composites[name] = composite
            self.operations[name] = Export(operation=name, state=ExportState.RUNNING)
        return self.requests[request_id]

    def follow(self, operation: str) -> Export:
        return self.operations.get(operation, Export(operation=operation, state=ExportState.UNKNOWN))

    def finish(self, outcome: ExportState = ExportState.SUCCEEDED, message: str = "") -> None:
        """End what is running."""
        for name, export in self.operations.items():
            if export.state is ExportState.RUNNING:
                self.operations[name] = Export(
                    operation=name, state=outcome, message=message, eecu_s=self.eecu_s, ran_s=60.0
                )

    @property
    def started(self) -> list[Composite]:
        return list(self.composites.values())


@dataclass
class Fuse:
    """Burns one step at every write or call to the outside; the process dies after the last."""

    left: int | None = None
    burnt: int = 0

    def burn(self) -> None:
        self.burnt += 1
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                self.left = None
                raise Crash


@dataclass
class FusedStore:
    """A bucket whose process may die right after a write."""

    inner: MemoryStore
    fuse: Fuse

    def read(self, name: str) -> Stored | None:
        return self.inner.read(name)

    def create(self, name: str, data: bytes, content_type: str) -> bool:
        return self.replace(name, data, content_type, 0)

    def replace(self, name: str, data: bytes, content_type: str, generation: int) -> bool:
        done = self.inner.replace(name, data, content_type, generation)
        self.fuse.burn()
        return done

    def delete(self, name: str, generation: int | None = None) -> None:
        self.inner.delete(name, generation)
        self.fuse.burn()

    def list(self, prefix: str) -> Iterator[Listed]:
        return self.inner.list(prefix)

    def open(self, name: str, generation: int) -> BinaryIO:
        return self.inner.open(name, generation)


@dataclass
class FusedBus:
    """A bus whose process may die right after a publish."""

    inner: MemoryBus
    fuse: Fuse

    def publish(self, topic: str, data: bytes, attributes: Mapping[str, str]) -> None:
        self.inner.publish(topic, data, attributes)
        self.fuse.burn()

    def publish_all(self, topic: str, messages: Sequence[tuple[bytes, Mapping[str, str]]]) -> None:
        self.inner.publish_all(topic, messages)
        self.fuse.burn()


@dataclass
class FusedExporter:
    """An exporter whose process may die right after a start."""

    inner: MemoryExporter
    fuse: Fuse

    def start(self, composite: Composite, request_id: str) -> str:
        operation = self.inner.start(composite, request_id)
        self.fuse.burn()
        return operation

    def follow(self, operation: str) -> Export:
        return self.inner.follow(operation)


class World:
    """Everything around `export_composites`, in memory, with a clock that the tests move."""

    def __init__(self, *, stages: tuple[Stage, ...] = (S60_12,)) -> None:
        self.state, self.composites, self.results = MemoryStore(), MemoryStore(), MemoryStore()
        self.bus, self.archive, self.exporter = MemoryBus(), ScriptedArchive(), MemoryExporter()
        self.fuse = Fuse()
        self.count = 0
        self.using = Exporting(
            state=FusedStore(self.state, self.fuse),
            composites=FusedStore(self.composites, self.fuse),
            results=FusedStore(self.results, self.fuse),
            bus=FusedBus(self.bus, self.fuse),
            archive=self.archive,
            exporter=FusedExporter(self.exporter, self.fuse),
            stages=stages,
            shard_px=256,
            data_notice="SIMULATED",
        )

    def history(
        self,
        track: Track = A069,
        *,
        first_post: timedelta,
        passes: int = 5,
        post: int = 1,
        footprint: BaseGeometry = WIDE,
    ) -> list[Scene]:
        """Put a track into the archive: passes every 12 days, the first after the earthquake at `first_post`."""
        days = range(-passes, post)
        return [self.archive.add(seen(T0 + first_post + n * REPEAT, track, footprint=footprint)) for n in days]

    def elsewhere(self, *, every: timedelta = timedelta(hours=6), until_days: int = 40) -> None:
        """Have the mission go on over other places, so that the watermark moves."""
        for step in range(int(timedelta(days=until_days) / every)):
            self.archive.add(seen(T0 + step * every, FAR, footprint=box(10, 40, 11, 41)))

    def send(self, message: Message, at: datetime, *, message_id: str | None = None) -> str:
        """Deliver a message published at that time; return its id."""
        self.count += 1
        message_id = message_id or f"m{self.count}"
        data, attributes = encode(message)
        topic = "watches" if attributes["kind"] in ("sweep", "watch") else "earthquakes"
        envelope = Envelope(message_id=message_id, publish_time=at, topic=topic, raw=data, attributes=attributes)
        self.archive.now = max(self.archive.now, at)
        handle_export_message(parse(envelope), envelope, self.using)
        return message_id

    def announce(self, at: datetime | None = None, message_id: str | None = None, **changes: object) -> str:
        facts: dict[str, object] = {
            "kind": "announced", "event_id": EVENT, "time": T0, "lon": 137.06, "lat": 37.35, "depth_km": 10.0,
            "magnitude": 7.5, "place": "Noto Peninsula", "aoi": AOI, "aoi_source": "radius",
        }  # fmt: skip
        return self.send(Announced(**{**facts, **changes}), at or after(minutes=20), message_id=message_id)  # type: ignore[arg-type]

    def sweep(self, at: datetime) -> None:
        """Deliver a sweep and the looks it asks for."""
        before = len(self.bus.published)
        self.send(Sweep(), at)
        for topic, data, attributes in self.bus.published[before:]:
            if topic == "watches":
                envelope = Envelope(message_id=f"w{len(self.bus.published)}-{at.isoformat()}", publish_time=at, topic=topic, raw=data, attributes=attributes)  # fmt: skip # noqa: E501
                handle_export_message(parse(envelope), envelope, self.using)

    def sweep_until(self, first: datetime, last: datetime, *, every: timedelta = timedelta(hours=1)) -> None:
        """Sweep again and again; exports end and products appear between sweeps."""
        at = first
        while at <= last:
            self.sweep(at)
            self.exporter.finish()
            at += every

    def detect(
        self,
        composite: Composite,
        finality: str,
        *,
        detections: int = 3,
        run_id: str = "0123456789ab",
        passed: float | None = None,
    ) -> None:
        """Write products as the detector does: the pointer, then the detections."""
        pointer = object_names.latest(composite.event_id, composite.track, composite.stage, composite.series)
        body = {
            "run_id": run_id, "finality": finality, "composite_id": composite.composite_id, "detections": detections,
            "support": f"support/{composite.path}", "outcome": "done" if detections else "none_found", "counts": {},
        }  # fmt: skip
        body |= {} if passed is None else {"passed_fraction_of_aoi": passed}
        standing = self.results.read(pointer)
        self.results.replace(pointer, json.dumps(body).encode(), "", standing.generation if standing else 0)
        name = object_names.detections(composite.event_id, composite.track, composite.stage, run_id, finality)
        self.results.create(name, b"{}", "")

    @property
    def watch(self) -> Watch:
        kept = find_watch(self.state, EVENT)
        assert kept is not None
        return kept.watch

    def rescans(self) -> list[Rescan]:
        found = []
        for number, (topic, data, attributes) in enumerate(self.bus.published):
            if topic == "composite-shards":
                envelope = Envelope(
                    message_id=str(number), publish_time=T0, topic=topic, raw=data, attributes=attributes
                )
                message = parse(envelope)
                assert isinstance(message, Rescan)
                found.append(message)
        return found

    def markers(self) -> list[str]:
        return [item.name for item in self.composites.list("manifests/") if item.name.endswith(".final.json")]

    def row(self, track: Track = A069, stage: Stage = S60_12, series: str = "") -> dict[str, object]:
        """Return one row of the status."""
        document = render_status(EVENT, state=self.state, composites=self.composites, results=self.results)
        wanted = (str(track), str(stage), series)
        (row,) = (r for r in document["tracks"] if (r["track"], r["stage"], r["series"]) == wanted)
        return row


def noto(every: timedelta = timedelta(hours=6)) -> World:
    """Two tracks whose first passes come 1.4 and 8.4 days after the earthquake, and the rest of the mission."""
    world = World()
    world.history(A069, first_post=timedelta(days=1.4))
    world.history(D046, first_post=timedelta(days=8.4))
    world.elsewhere(every=every)
    return world
