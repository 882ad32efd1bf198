"""The Earth Engine adapter against the local Earth Engine and Cloud Storage, as processes on loopback."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import rasterio
from google.cloud import storage
from rasterio.io import MemoryFile

from quakeslide.adapters.earth_engine import EarthEngineExporter, EarthEngineScenes, connect
from quakeslide.domain.composite import LAYOVER, MISSING, SEEN, SHADOW, UNKNOWN, Composite
from quakeslide.domain.lattice import Lattice, Rectangle, to_lonlat
from quakeslide.domain.sentinel1 import OrbitPass, Polarisation, Stage, Track
from quakeslide.errors import EarthEngineUnavailable, ExportFailed, ExportQueueFull
from quakeslide.ports import ExportState
from tests.contract.earth_engine_service import PROJECT, EarthEngineService, wait_for, write_image
from tests.contract.storage_service import StorageService, client_of

CRS = "EPSG:32653"
CORNER = (700000.0, 4150400.0)  # upper left of the lattice, multiples of 320 m
SIZE = 160  # px of the rectangle; the scenes reach 60 px further on every side
RIM = 60
T0 = datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC)
LATTICE = Lattice(crs=CRS, origin_x=CORNER[0], origin_y=CORNER[1])
RECTANGLE = Rectangle(row=0, col=0, height=SIZE, width=SIZE)
BUCKET = "quakeslide-local-composites"
SHAPE = (SIZE + 2 * RIM, SIZE + 2 * RIM)
INSIDE = (slice(RIM, RIM + SIZE), slice(RIM, RIM + SIZE))


@dataclass(frozen=True)
class Engine:
    """A running Earth Engine with its archive and bucket."""

    service: EarthEngineService
    bucket: storage.Bucket
    archive: Path


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    archive = tmp_path_factory.mktemp("archive")
    (archive / "COPERNICUS").mkdir()
    root = tmp_path_factory.mktemp("storage")
    with StorageService(root) as stored, client_of(stored.url) as client, EarthEngineService(archive, stored.url) as ee:
        connect(PROJECT, ee.url)
        yield Engine(service=ee, bucket=client.create_bucket(BUCKET), archive=archive)


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
) -> str:
    """Write one slice, cut from rows of the full scene; return its id."""
    first = rows.indices(SHAPE[0])[0]
    image_id = f"COPERNICUS/S1_GRD/{name}"
    write_image(
        archive,
        image_id,
        {band: values[rows] for band, values in bands.items()},
        origin=(CORNER[0] - RIM * 10, CORNER[1] + RIM * 10 - first * 10),
        crs=CRS,
        version=start + timedelta(hours=20),
        properties={
            "system:time_start": int(start.timestamp() * 1000),
            "orbitProperties_pass": orbit_pass,
            "relativeOrbitNumber_start": orbit,
            "instrumentMode": "IW",
            "transmitterReceiverPolarisation": [band for band in bands if band != "angle"],
            "platform_number": platform,
            "resolution": "H",
            "resolution_meters": 10,
        },
    )
    return image_id


def composite(track: Track, pre: list[str], post: list[str], *, shard_px: int = 256) -> Composite:
    box = to_lonlat(_ground(), CRS)
    return Composite(
        event_id="us6000m0xl",
        track=track,
        stage=Stage(pre_days=60, post_days=12),
        polarisation=Polarisation.VV_VH,
        pre_scenes=tuple(sorted(pre)),
        post_scenes=tuple(sorted(post)),
        lattice=LATTICE,
        rectangle=RECTANGLE,
        shard_px=shard_px,
        t0=T0,
        post_start=T0,
        aoi=box,
        aoi_source="manual",
        weak_pre=False,
        place="Noto",
        data_notice="",
    )


def _ground():
    from shapely.geometry import box

    west, north = CORNER
    return box(west, north - SIZE * 10, west + SIZE * 10, north)


def export(engine: Engine, wanted: Composite, request_id: str) -> dict[str, np.ndarray]:
    """Export, wait, and return the single file's bands."""
    exporter = EarthEngineExporter(BUCKET)
    operation = exporter.start(wanted, request_id)
    wait_for(operation)
    followed = exporter.follow(operation)
    assert followed.state is ExportState.SUCCEEDED, followed.message
    (shard,) = wanted.shards()
    with MemoryFile(engine.bucket.blob(shard.name).download_as_bytes()) as memory, memory.open() as file:
        assert file.crs == CRS
        assert file.transform == rasterio.Affine(10, 0, CORNER[0], 0, -10, CORNER[1])
        assert file.descriptions == wanted.bands
        assert file.dtypes == ("float32",) * len(wanted.bands)
        assert file.nodata == MISSING
        return dict(zip(wanted.bands, file.read(), strict=True))


def angle_of(orbit_pass: str) -> np.ndarray:
    """Incidence angle in degrees: 40 in the middle, growing away from the sensor by 0.064 deg/km; looks along a row of the grid."""
    away = np.arange(SHAPE[1]) - SHAPE[1] / 2
    growth = 0.064 / 100 * away * (1 if orbit_pass == "ASCENDING" else -1)
    return np.broadcast_to(40 + growth, SHAPE).astype("float32")


def test_medians_differences_counts_and_gaps_equal_numpy(engine: Engine) -> None:
    track = Track(orbit_pass=OrbitPass.ASCENDING, relative_orbit=69)
    random = np.random.default_rng(1)
    stacks: dict[str, list[list[str]]] = {"pre": [], "post": []}
    fields: dict[str, list[dict[str, np.ndarray]]] = {"pre": [], "post": []}
    for side, days in (("pre", (-40, -28, -16)), ("post", (2, 8))):
        for number, day in enumerate(days):
            start = T0 + timedelta(days=day)
            bands = {p: random.normal(-12, 3, SHAPE).astype("float32") for p in ("VV", "VH")}
            bands["VV"][70 + number * 10 : 90 + number * 10, 80:100] = np.nan
            bands["VV"][200:215, 200:215] = np.nan  # never seen
            bands["VV"][100, 100] = 0.0  # a value, not a gap
            bands["angle"] = angle_of("ASCENDING")
            cut = 150
            ids = [
                scene(engine.archive, f"S1_{side}{number}_n", start=start, orbit=69, bands=bands, rows=slice(0, cut + 8)),
                scene(
                    engine.archive,
                    f"S1_{side}{number}_s",
                    start=start + timedelta(seconds=25),
                    orbit=69,
                    bands=bands,
                    rows=slice(cut - 8, None),
                ),
            ]
            stacks[side].append(ids)
            fields[side].append(bands)
    wanted = composite(track, sum(stacks["pre"], []), sum(stacks["post"], []))
    found = export(engine, wanted, "first")
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="All-NaN"):
        median = {
            (side, p): np.nanmedian([f[p].astype("float64") for f in fields[side]], axis=0)[INSIDE]
            for side in fields
            for p in ("VV", "VH")
        }
    for p in ("VV", "VH"):
        expected = {f"post{p}": median["post", p], f"diff{p}": median["post", p] - median["pre", p]}
        for band, values in expected.items():
            filled = np.where(np.isnan(values), MISSING, values)
            np.testing.assert_allclose(found[band], filled, atol=1e-4, err_msg=band)
    assert (found["postVV"] == MISSING).any()
    assert not (found["postVH"] == MISSING).any()
    for side in ("pre", "post"):
        count = np.sum([np.isfinite(f["VV"]) for f in fields[side]], axis=0)[INSIDE]
        np.testing.assert_array_equal(found[f"n{side.capitalize()}"], count)  # slices that overlap count once
    assert (found["geometry"] == UNKNOWN).all()  # the archive has no heights yet
    assert (found["slope"] == MISSING).all()
    assert (found["localIncidence"] == MISSING).all()
