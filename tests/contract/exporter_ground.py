"""A small ground of simulated scenes, its composites, and a local Earth Engine over it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from google.cloud import storage
from shapely.geometry import box

from quakeslide.adapters.earth_engine import connect
from quakeslide.domain.composite import Composite
from quakeslide.domain.lattice import Lattice, Rectangle, to_lonlat
from quakeslide.domain.sentinel1 import Polarisation, Stage, Track
from tests.contract.earth_engine_service import PROJECT, EarthEngineService, write_image
from tests.contract.storage_service import StorageService, client_of

CRS = "EPSG:32653"
CORNER = (700000.0, 4150400.0)  # upper left of the lattice, multiples of 320 m
SIZE = 160  # px of the rectangle; the scenes reach 60 px further on every side
RIM = 60
T0 = datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC)
RECTANGLE = Rectangle(row=0, col=0, height=SIZE, width=SIZE)
BUCKET = "quakeslide-local-composites"
NOW = T0 + timedelta(days=60)
SHAPE = (SIZE + 2 * RIM, SIZE + 2 * RIM)
INSIDE = (slice(RIM, RIM + SIZE), slice(RIM, RIM + SIZE))


@dataclass(frozen=True)
class Engine:
    """A running Earth Engine with its archive and bucket."""

    service: EarthEngineService
    bucket: storage.Bucket
    archive: Path
    clock: Path


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    archive = tmp_path_factory.mktemp("archive")
    (archive / "COPERNICUS").mkdir()
    root = tmp_path_factory.mktemp("storage")
    clock = tmp_path_factory.mktemp("clock") / "clock"
    clock.write_text(NOW.isoformat())
    with (
        StorageService(root) as stored,
        client_of(stored.url) as client,
        EarthEngineService(archive, stored.url, clock=clock) as service,
    ):
        connect(PROJECT, service.url)
        yield Engine(service=service, bucket=client.create_bucket(BUCKET), archive=archive, clock=clock)


def scene(
    archive: Path,
    name: str,
    *,
    start: datetime,
    orbit: int,
    bands: dict[str, np.ndarray],
    orbit_pass: str = "ASCENDING",
    rows: slice = slice(None),
    platform: str = "A",
    corner: tuple[float, float] = CORNER,
    ingested: datetime | None = None,
    **properties: object,
) -> str:
    """Write one slice, cut from rows of the full scene; return its id."""
    first = rows.indices(SHAPE[0])[0]
    image_id = f"COPERNICUS/S1_GRD/{name}"
    write_image(
        archive,
        image_id,
        {band: values[rows] for band, values in bands.items()},
        origin=(corner[0] - RIM * 10, corner[1] + RIM * 10 - first * 10),
        crs=CRS,
        version=ingested or start + timedelta(hours=20),
        properties={
            "system:time_start": int(start.timestamp() * 1000),
            "orbitProperties_pass": orbit_pass,
            "relativeOrbitNumber_start": orbit,
            "instrumentMode": "IW",
            "transmitterReceiverPolarisation": [band for band in bands if band != "angle"],
            "platform_number": platform,
            "resolution": "H",
            "resolution_meters": 10,
            **properties,
        },
    )
    return image_id


def composite(
    track: Track,
    pre: list[str],
    post: list[str],
    *,
    rectangle: Rectangle = RECTANGLE,
    corner: tuple[float, float] = CORNER,
    polarisation: Polarisation = Polarisation.VV_VH,
) -> Composite:
    return Composite(
        event_id="us6000m0xl",
        track=track,
        stage=Stage(pre_days=60, post_days=12),
        polarisation=polarisation,
        pre_scenes=tuple(sorted(pre)),
        post_scenes=tuple(sorted(post)),
        lattice=Lattice(crs=CRS, origin_x=corner[0], origin_y=corner[1]),
        rectangle=rectangle,
        shard_px=256,
        t0=T0,
        post_start=T0,
        aoi=ground_at(corner),
        aoi_source="manual",
        weak_pre=False,
        place="Noto",
        data_notice="",
    )


def ground_at(corner: tuple[float, float]):
    west, north = corner
    return to_lonlat(box(west, north - SIZE * 10, west + SIZE * 10, north), CRS)


def angle_of(orbit_pass: str) -> np.ndarray:
    """Incidence angle in degrees: 40 in the middle, growing away from the sensor by 0.064 deg/km; looks along a row of the grid."""
    away = np.arange(SHAPE[1]) - SHAPE[1] / 2
    growth = 0.064 / 100 * away * (1 if orbit_pass == "ASCENDING" else -1)
    return np.broadcast_to(40 + growth, SHAPE).astype("float32")
