"""What every CompositeExporter does: the same checks on the fake and on the adapter against the local Earth Engine."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import pytest

from quakeslide.adapters.earth_engine import EarthEngineExporter
from quakeslide.domain.composite import Composite
from quakeslide.domain.sentinel1 import OrbitPass, Polarisation, Track
from quakeslide.errors import ExportQueueFull
from quakeslide.ports import CompositeExporter, ExportState
from tests.contract.earth_engine_service import wait_for
from tests.contract.exporter_ground import BUCKET, SHAPE, T0, Engine, composite, engine, scene
from tests.fakes_exporter import MemoryExporter, timedelta

__all__ = ["engine"]


class Side(Protocol):
    """An exporter and the levers behind it."""

    exporter: CompositeExporter

    def will_fail(self, message: str) -> None: ...
    def is_full(self) -> None: ...
    def finish(self, operation: str) -> None: ...


class Fake:
    def __init__(self) -> None:
        self.exporter = MemoryExporter()
        self.message = ""

    def will_fail(self, message: str) -> None:
        self.message = message

    def is_full(self) -> None:
        self.exporter.refusals.append(ExportQueueFull("Too many tasks"))

    def finish(self, operation: str) -> None:
        self.exporter.finish(ExportState.FAILED if self.message else ExportState.SUCCEEDED, self.message)


class Real:
    def __init__(self, engine: Engine) -> None:
        self.exporter = EarthEngineExporter(BUCKET)
        self.engine = engine

    def will_fail(self, message: str) -> None:
        self.engine.service.set_faults({"on": "export", "action": "fail", "message": message})

    def is_full(self) -> None:
        # the client tries a full queue again by itself before it gives up
        self.engine.service.set_faults({"on": "export", "action": "queue_full", "times": 3})

    def finish(self, operation: str) -> None:
        wait_for(operation)


@pytest.fixture(params=["fake", "real"])
def side(request: pytest.FixtureRequest) -> Iterator[Side]:
    if request.param == "fake":
        yield Fake()
    else:
        real = Real(request.getfixturevalue("engine"))
        yield real
        real.engine.service.set_faults()


@pytest.fixture
def wanted(engine: Engine) -> Composite:
    bands = {"VV": np.full(SHAPE, -12, "float32")}
    ids = [scene(engine.archive, f"S1_port{d}", start=T0 + timedelta(days=d), orbit=71, bands=bands) for d in (-2, 10)]
    track = Track(orbit_pass=OrbitPass.ASCENDING, relative_orbit=71)
    return composite(track, ids[:1], ids[1:], polarisation=Polarisation.VV)


def test_export_succeeds(side: Side, wanted: Composite) -> None:
    operation = side.exporter.start(wanted, "port-1")
    side.finish(operation)
    assert side.exporter.follow(operation).state is ExportState.SUCCEEDED


def test_same_request_id_is_the_same_operation(side: Side, wanted: Composite) -> None:
    first = side.exporter.start(wanted, "port-2")
    assert side.exporter.start(wanted, "port-2") == first
    assert side.exporter.start(wanted, "port-3") != first


def test_failure_is_told_with_its_reason(side: Side, wanted: Composite) -> None:
    side.will_fail("worker lost")
    operation = side.exporter.start(wanted, "port-4")
    side.finish(operation)
    export = side.exporter.follow(operation)
    assert (export.operation, export.state, export.message) == (operation, ExportState.FAILED, "worker lost")


def test_full_queue_starts_nothing(side: Side, wanted: Composite) -> None:
    side.is_full()
    with pytest.raises(ExportQueueFull, match="Too many tasks"):
        side.exporter.start(wanted, "port-5")
    operation = side.exporter.start(wanted, "port-5")
    side.finish(operation)
    assert side.exporter.follow(operation).state is ExportState.SUCCEEDED


def test_operation_nobody_knows_is_unknown(side: Side) -> None:
    operation = "projects/quakeslide-local/operations/ABCDEF"
    assert side.exporter.follow(operation).state is ExportState.UNKNOWN
