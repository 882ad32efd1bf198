"""The life of an export over the real adapter: Earth Engine gone mid-way, operations lost, finishes told twice, a clock that jumps.

The use cases of `export_composites` with the state in memory, the adapter and the local Earth Engine and Cloud Storage as processes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from google.cloud import storage

from quakeslide.adapters.earth_engine import EarthEngineExporter, EarthEngineScenes, connect
from quakeslide.adapters.gcs_store import GcsStore
from quakeslide.domain.composite import Composite
from quakeslide.domain.lattice import Rectangle
from quakeslide.domain.orders import Order, Step
from quakeslide.domain.sentinel1 import Polarisation, Stage, Track
from quakeslide.errors import EarthEngineUnavailable
from quakeslide.messages import Envelope, Manual, Message, WatchDue
from quakeslide.usecases.export_message import handle_export_message
from quakeslide.usecases.exporting import Exporting
from quakeslide.usecases.keep_watch import find_watch
from tests.contract.earth_engine_service import PROJECT, EarthEngineService, wait_for
from tests.contract.exporter_ground import BUCKET, CORNER, SHAPE, T0, composite, ground_at, scene
from tests.contract.replayed_clock import turn
from tests.contract.storage_service import StorageService, client_of
from tests.fakes import MemoryBus, MemoryStore

READY = T0 + timedelta(days=9)


class DyingExporter(EarthEngineExporter):
    """Starts the export, and dies before it can say so."""

    def start(self, composite: Composite, request_id: str) -> str:
        super().start(composite, request_id)
        raise requests.ConnectionError("reset by peer")


@dataclass
class Chain:
    """`export_composites` before a local Earth Engine that may die; its state outlives it."""

    archive: Path
    clock: Path
    kept: Path
    storage_url: str
    bucket: storage.Bucket
    service: EarthEngineService
    state: MemoryStore = field(default_factory=MemoryStore)
    results: MemoryStore = field(default_factory=MemoryStore)
    bus: MemoryBus = field(default_factory=MemoryBus)

    def restart(self) -> None:
        """Start Earth Engine anew over what the one before kept."""
        self.service = EarthEngineService(self.archive, self.storage_url, clock=self.clock, state=self.kept)
        connect(PROJECT, self.service.url)

    def tell(
        self, message: Message, at: datetime, message_id: str, exporter: type[EarthEngineExporter] = EarthEngineExporter
    ) -> None:
        """Deliver a message; Earth Engine's archive is as old as the message is."""
        turn(self.clock, at)
        using = Exporting(
            state=self.state,
            composites=GcsStore(BUCKET),
            results=self.results,
            bus=self.bus,
            archive=EarthEngineScenes(),
            exporter=exporter(BUCKET),
            stages=(Stage.parse("60-12"),),
            shard_px=256,
            data_notice="SIMULATED",
        )
        envelope = Envelope(message_id=message_id, publish_time=at, topic="watches", raw=b"", attributes={})
        handle_export_message(message, envelope, using)

    def ask(self, event_id: str, exporter: type[EarthEngineExporter] = EarthEngineExporter) -> None:
        wish = Manual(event_id=event_id, aoi=ground_at(CORNER), post_start=T0)
        self.tell(wish, READY, f"ask-{event_id}", exporter)

    def look(self, event_id: str, at: datetime, message_id: str | None = None) -> None:
        self.tell(WatchDue(event_id=event_id), at, message_id or f"due-{at.isoformat()}")

    def order(self, event_id: str) -> Order:
        kept = find_watch(self.state, event_id)
        assert kept is not None
        (item,) = kept.watch.track_stages
        (order,) = item.orders
        return order

    def tasks(self, event_id: str) -> list[str]:
        """Return the state of every task that was ever made for an event."""
        listed = self.service.state()["operations"].values()
        return [task["metadata"]["state"] for task in listed if f"-{event_id}-" in task["metadata"]["description"]]

    def end_of(self, event_id: str) -> dict[str, Any]:
        operation = self.order(event_id).operation
        assert operation is not None
        return wait_for(operation)

    def generations(self, event_id: str) -> dict[str, int]:
        """Return each shard with its generation: a second export would raise it."""
        return {blob.name: blob.generation for blob in self.bucket.list_blobs(prefix=f"shards/{event_id}/")}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    archive, kept = tmp_path_factory.mktemp("archive"), tmp_path_factory.mktemp("kept")
    clock = tmp_path_factory.mktemp("clock") / "clock"
    clock.write_text(READY.isoformat())
    flat = np.full(SHAPE, -12, "float32")
    for day in (-20, -8, 4):
        scene(archive, f"S1_{day}", start=T0 + timedelta(days=day), orbit=69, bands={"VV": flat, "VH": flat - 6})
    elsewhere = {
        "start": T0 + timedelta(days=14),
        "orbit": 70,
        "bands": {"VV": flat},
        "corner": (CORNER[0] + 90000, CORNER[1]),
    }
    scene(archive, "S1_elsewhere", **elsewhere)  # type: ignore[arg-type]
    with (
        pytest.MonkeyPatch.context() as patch,
        StorageService(tmp_path_factory.mktemp("storage")) as stored,
        client_of(stored.url) as client,
    ):
        patch.setenv("STORAGE_EMULATOR_HOST", stored.url)
        service = EarthEngineService(archive, stored.url, clock=clock, state=kept)
        connect(PROJECT, service.url)
        made = Chain(archive, clock, kept, stored.url, client.create_bucket(BUCKET), service)
        yield made
        made.service.__exit__()


def hours(number: float) -> datetime:
    return READY + timedelta(hours=number)


def test_engine_that_dies_while_it_exports_goes_on_with_the_same_task(chain: Chain) -> None:
    event_id = "engine_dies"
    chain.service.set_faults({"on": "export", "description": event_id, "action": "delay", "seconds": 30})
    chain.ask(event_id)
    before = chain.order(event_id)
    assert before.step is Step.EXPORTING
    chain.service.kill()
    chain.service.__exit__()
    for number in (1, 2):
        with pytest.raises(EarthEngineUnavailable):
            chain.look(event_id, hours(number))
    assert chain.order(event_id) == before
    chain.restart()
    assert chain.end_of(event_id)["metadata"]["state"] == "SUCCEEDED"
    chain.look(event_id, hours(3))
    after = chain.order(event_id)
    assert (after.step, after.attempt, after.operation) == (Step.EXPORTED, 1, before.operation)
    assert chain.tasks(event_id) == ["SUCCEEDED"]


def test_operation_that_is_lost_is_replaced_by_one(chain: Chain) -> None:
    event_id = "operation_lost"
    chain.service.set_faults({"on": "export", "description": event_id, "action": "lose"})
    chain.ask(event_id)
    chain.look(event_id, hours(1))
    assert chain.order(event_id).attempt == 2
    chain.end_of(event_id)
    for number in (2, 3):
        chain.look(event_id, hours(number))
    assert chain.order(event_id).step is Step.EXPORTED
    assert sorted(chain.tasks(event_id)) == ["PENDING", "SUCCEEDED"]  # the lost one never ran
    assert len(chain.generations(event_id)) == 4


def test_finish_that_is_seen_twice_counts_once(chain: Chain) -> None:
    event_id = "seen_twice"
    chain.ask(event_id)
    chain.end_of(event_id)
    shards = chain.generations(event_id)
    chain.look(event_id, hours(1), "due")
    once = (chain.order(event_id), {n: d.data for n, d in chain.state.objects.items() if n.startswith("budget/")})
    published = list(chain.bus.published)
    for message_id in ("due", "another"):
        chain.look(event_id, hours(1), message_id)
    assert (
        chain.order(event_id),
        {n: d.data for n, d in chain.state.objects.items() if n.startswith("budget/")},
    ) == once
    assert chain.bus.published == published
    assert (chain.tasks(event_id), chain.generations(event_id)) == (["SUCCEEDED"], shards)


def test_clock_that_jumps_two_months_and_back_exports_once(chain: Chain) -> None:
    event_id = "clock_jumps"
    chain.ask(event_id)
    chain.end_of(event_id)
    shards = chain.generations(event_id)
    for at in (hours(1), T0 + timedelta(days=70), hours(2), T0 + timedelta(days=71)):
        chain.look(event_id, at)
    order = chain.order(event_id)
    assert order.is_final
    assert order.is_marked  # promoted: the same scenes
    assert (chain.tasks(event_id), chain.generations(event_id)) == (["SUCCEEDED"], shards)
    assert order.redrives >= 1


def test_export_that_the_reply_was_lost_of_is_found_again(chain: Chain) -> None:
    event_id = "reply_lost"
    with pytest.raises(requests.ConnectionError):
        chain.ask(event_id, DyingExporter)
    chain.look(event_id, hours(1))
    chain.end_of(event_id)
    chain.look(event_id, hours(2))
    assert chain.order(event_id).step is Step.EXPORTED
    assert chain.tasks(event_id) == ["SUCCEEDED"]


def test_20_000_px_a_side_is_one_request_that_is_taken_as_it_is(chain: Chain) -> None:
    """Its fields, grid and shards are checked by the service; a task that is lost at once evaluates no pixel."""
    side = 20_000
    plain = composite(
        Track.parse("A069"), ["COPERNICUS/S1_GRD/S1_-8"], ["COPERNICUS/S1_GRD/S1_4"], polarisation=Polarisation.VV
    )
    wanted = replace(
        plain, event_id="very_large", rectangle=Rectangle(row=0, col=0, height=side, width=side), shard_px=2048
    )
    chain.service.set_faults({"on": "export", "description": "very_large", "action": "lose"})
    operation = EarthEngineExporter(BUCKET).start(wanted, "very-large")
    task = chain.service.state()["operations"][operation]
    assert (task["lost"], task["metadata"]["state"]) == (True, "PENDING")
    shards = list(wanted.shards())
    assert len(shards) == 100
    assert shards[-1].name.endswith("composite-0000018432-0000018432.tif")
    assert (shards[-1].height, shards[-1].width) == (1568, 1568)
