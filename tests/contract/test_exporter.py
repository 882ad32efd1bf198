"""The Earth Engine adapter against the local Earth Engine and Cloud Storage, as processes on loopback."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile
from shapely.geometry import box

from quakeslide.adapters.earth_engine import EarthEngineExporter, EarthEngineScenes, connect
from quakeslide.adapters.earth_engine.archive import ground
from quakeslide.domain.aoi import on_the_globe
from quakeslide.domain.composite import LAYOVER, MISSING, SEEN, SHADOW, UNKNOWN, Composite
from quakeslide.domain.lattice import Rectangle, to_lonlat
from quakeslide.domain.sentinel1 import OrbitPass, Polarisation, Track
from quakeslide.errors import EarthEngineUnavailable, ExportFailed
from quakeslide.ports import ExportState
from tests.contract.earth_engine_service import PROJECT, wait_for, write_image
from tests.contract.exporter_ground import (
    BUCKET,
    CORNER,
    CRS,
    INSIDE,
    NOW,
    RIM,
    SHAPE,
    SIZE,
    T0,
    Engine,
    angle_of,
    composite,
    engine,
    ground_at,
    scene,
)
from tests.contract.replayed_clock import turn

__all__ = ["engine"]

HILLS = (CORNER[0] + 32000, CORNER[1])  # another place, where the archive has heights


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
        corner = wanted.lattice.origin_x, wanted.lattice.origin_y
        assert file.transform == rasterio.Affine(10, 0, corner[0], 0, -10, corner[1])
        assert file.descriptions == wanted.bands
        assert file.dtypes == ("float32",) * len(wanted.bands)
        assert file.nodata == MISSING
        return dict(zip(wanted.bands, file.read(), strict=True))


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
                scene(
                    engine.archive, f"S1_{side}{number}_n", start=start, orbit=69, bands=bands, rows=slice(0, cut + 8)
                ),
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
    wanted = composite(track, [*chain(*stacks["pre"])], [*chain(*stacks["post"])])
    # ingested after the composite was planned: of the same track, in the window, but not in the list
    intruder = {p: np.full(SHAPE, 30, "float32") for p in ("VV", "VH", "angle")}
    scene(engine.archive, "S1_intruder", start=T0 + timedelta(days=5), orbit=69, bands=intruder)
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
            np.testing.assert_allclose(found[band], filled, rtol=0, atol=1e-5, err_msg=band)
    assert (found["postVV"] == MISSING).any()
    assert not (found["postVH"] == MISSING).any()
    for side in ("pre", "post"):
        count = np.sum([np.isfinite(f["VV"]) for f in fields[side]], axis=0)[INSIDE]
        np.testing.assert_array_equal(found[f"n{side.capitalize()}"], count)  # slices that overlap count once
    assert (found["geometry"] == UNKNOWN).all()  # the archive has no heights yet
    assert (found["slope"] == MISSING).all()
    assert (found["localIncidence"] == MISSING).all()


# Planes of the height model, from north to south in strips of 32 px: slope in degrees, direction it faces (degrees from north).
PLANES = ((55.0, 270.0), (20.0, 270.0), (20.0, 90.0), (55.0, 90.0), (30.0, 0.0))
# Worked out by hand for an incidence of 40 degrees, seen from the west (ascending; phi_i = 270) and from the east (descending; 90).
#   facing the sensor, 55: alpha_r = +55 >= 40                        layover   LIA = 55 - 40 = 15
#   facing the sensor, 20: alpha_r = +20                              seen      LIA = 40 - 20 = 20
#   facing away, 20:       alpha_r = -20                              seen      LIA = 40 + 20 = 60
#   facing away, 55:       alpha_r = -55 <= -(90 - 40)                shadow    LIA = 40 + 55 = 95
#   facing north, 30:      phi_r = +-90, alpha_r = 0, alpha_az = +-30 seen      LIA = acos(cos 30 cos 40) = acos(0.6634) = 48.44
FROM_WEST = ((LAYOVER, 15.0), (SEEN, 20.0), (SEEN, 60.0), (SHADOW, 95.0), (SEEN, 48.44))
FROM_EAST = ((SHADOW, 95.0), (SEEN, 60.0), (SEEN, 20.0), (LAYOVER, 15.0), (SEEN, 48.44))


@pytest.fixture(scope="module")
def hills(engine: Engine) -> None:
    """A height model of 30 m cells that do not line up with the 10 m pixels."""
    west, north, cell = HILLS[0] - 1007, HILLS[1] + 1013, 30
    x = west + (np.arange(125) + 0.5) * cell
    y = north - (np.arange(125) + 0.5) * cell
    strip = np.clip((HILLS[1] - y) // 320, 0, len(PLANES) - 1).astype(int)
    slope, facing = (np.radians([plane[k] for plane in PLANES])[strip][:, None] for k in (0, 1))
    # height falls in the direction that the plane faces
    height = -np.tan(slope) * (np.sin(facing) * (x - HILLS[0])[None, :] + np.cos(facing) * (y - HILLS[1])[:, None])
    write_image(
        engine.archive,
        "COPERNICUS/DEM/GLO30/hills",
        {"DEM": height + 500},
        origin=(west, north),
        pixel=cell,
        crs=CRS,
        version=T0 - timedelta(days=900),
        properties={"system:time_start": 0},
    )


@pytest.mark.parametrize(
    ("orbit_pass", "orbit", "expected"), [("ASCENDING", 69, FROM_WEST), ("DESCENDING", 46, FROM_EAST)]
)
def test_slopes_facing_the_sensor_are_layover_and_those_facing_away_shadow(
    engine: Engine, hills: None, orbit_pass: str, orbit: int, expected: tuple[tuple[int, float], ...]
) -> None:
    flat = np.full(SHAPE, -12, "float32")
    bands = {"VV": flat, "VH": flat - 6, "angle": angle_of(orbit_pass)}
    ids = [
        scene(
            engine.archive,
            f"S1_hills_{orbit_pass[0]}{day}",
            start=T0 + timedelta(days=day),
            orbit=orbit,
            orbit_pass=orbit_pass,
            bands=bands,
            corner=HILLS,
        )
        for day in (-4, 8)
    ]
    track = Track(orbit_pass=OrbitPass(orbit_pass), relative_orbit=orbit)
    found = export(engine, composite(track, ids[:1], ids[1:], corner=HILLS), f"hills-{orbit}")
    for number, ((slope, _), (geometry, incidence)) in enumerate(zip(PLANES, expected, strict=True)):
        inner = (slice(32 * number + 8, 32 * number + 24), slice(8, -8))  # strips bend at their edges
        assert set(np.unique(found["geometry"][inner])) == {geometry}, PLANES[number]
        np.testing.assert_allclose(found["slope"][inner], slope, atol=0.1)
        np.testing.assert_allclose(found["localIncidence"][inner], incidence, atol=0.2)


def test_ragged_shards_are_named_and_placed_as_the_composite_says(engine: Engine) -> None:
    random = np.random.default_rng(2)
    bands = {"VV": random.normal(-12, 3, SHAPE).astype("float32")}
    ids = [
        scene(engine.archive, f"S1_wide{day}", start=T0 + timedelta(days=day), orbit=70, bands=bands) for day in (-3, 9)
    ]
    track = Track(orbit_pass=OrbitPass.ASCENDING, relative_orbit=70)
    rectangle = Rectangle(row=-32, col=-64, height=288, width=320)
    wanted = composite(track, ids[:1], ids[1:], rectangle=rectangle, polarisation=Polarisation.VV)
    west, north = CORNER
    wanted = replace(wanted, aoi=to_lonlat(box(west - 640, north - 2560, west + 2560, north + 320), CRS))  # all of it
    exporter = EarthEngineExporter(BUCKET)
    operation = exporter.start(wanted, "ragged")
    wait_for(operation)
    assert exporter.follow(operation).state is ExportState.SUCCEEDED
    written = {blob.name for blob in engine.bucket.list_blobs(prefix=f"shards/{wanted.path}/")}
    assert written == {shard.name for shard in wanted.shards()}
    assert len(written) == 4
    whole = np.full((288, 320), np.nan)
    for shard in wanted.shards():
        with MemoryFile(engine.bucket.blob(shard.name).download_as_bytes()) as memory, memory.open() as file:
            assert file.shape == (shard.height, shard.width)
            assert file.descriptions == ("postVV", "diffVV", "geometry", "slope", "localIncidence", "nPre", "nPost")
            whole[shard.row : shard.row + shard.height, shard.col : shard.col + shard.width] = file.read(1)
    # the scene reaches 60 px beyond the lattice's origin; the rectangle starts 32 rows and 64 columns before it
    expected = np.full((288, 320), MISSING)
    part = bands["VV"][RIM - 32 :, :][:288, :316]
    expected[: part.shape[0], 64 - RIM : 64 - RIM + part.shape[1]] = part
    np.testing.assert_allclose(whole, expected, atol=1e-5)


def test_request_id_that_started_something_alike_finds_that(engine: Engine) -> None:
    bands = {"VV": np.full(SHAPE, -12, "float32")}
    ids = [scene(engine.archive, f"S1_twice{d}", start=T0 + timedelta(days=d), orbit=72, bands=bands) for d in (-1, 11)]
    track = Track(orbit_pass=OrbitPass.ASCENDING, relative_orbit=72)
    wanted = composite(track, ids[:1], ids[1:], polarisation=Polarisation.VV)
    first = EarthEngineExporter(BUCKET).start(wanted, "twice")
    # the same composite, but another request: Earth Engine says that the id is taken
    assert EarthEngineExporter("another-bucket").start(wanted, "twice") == first
    with pytest.raises(ExportFailed, match="request_id"):
        EarthEngineExporter(BUCKET).start(composite(track, ids[:1], ids[:1], polarisation=Polarisation.VV), "twice")
    wait_for(first)


def test_export_is_cut_64_px_around_the_area(engine: Engine) -> None:
    bands = {"VV": np.full(SHAPE, -12, "float32")}
    ids = [
        scene(engine.archive, f"S1_cut{day}", start=T0 + timedelta(days=day), orbit=72, bands=bands) for day in (-3, 9)
    ]
    track = Track(orbit_pass=OrbitPass.ASCENDING, relative_orbit=72)
    west, north = CORNER
    corner_area = box(west, north - 320, west + 320, north)  # 32 px in the upper left
    wanted = composite(track, ids[:1], ids[1:], polarisation=Polarisation.VV)
    wanted = replace(wanted, aoi=to_lonlat(corner_area, CRS))
    found = export(engine, wanted, "cut")
    down, right = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    away = np.hypot(np.maximum(down - 32, 0), np.maximum(right - 32, 0))  # px from the area
    for band, value in (("postVV", -12), ("diffVV", 0), ("nPost", 1), ("geometry", UNKNOWN)):
        assert (found[band][away <= 64] == value).all(), band
        assert (found[band][away > 64 + 18] == MISSING).all(), (
            band
        )  # corners are rounded outwards by up to two steps of 8 px
    assert wanted.composite_id != replace(wanted, aoi=ground_at(CORNER)).composite_id


def test_area_and_scenes_over_the_antimeridian_are_listed_from_both_sides(engine: Engine) -> None:
    flat = {"VV": np.full((40, 40), -12, "float32")}
    start = T0 + timedelta(days=33)
    wanted = []
    for name, west in (("west", 179.70), ("east", -179.80), ("across", 179.95), ("elsewhere", 10.0)):
        image_id = f"COPERNICUS/S1_GRD/S1_fiji_{name}"
        write_image(
            engine.archive,
            image_id,
            flat,
            origin=(west, -16.0),
            pixel=0.0025,
            crs="EPSG:4326",
            version=start,
            properties={
                "system:time_start": int(start.timestamp() * 1000),
                "orbitProperties_pass": "ASCENDING",
                "relativeOrbitNumber_start": 15,
                "instrumentMode": "IW",
                "transmitterReceiverPolarisation": ["VV"],
                "platform_number": "A",
                "resolution_meters": 10,
            },
        )
        wanted += [image_id] if name != "elsewhere" else []
    area = on_the_globe(box(179.65, -16.2, 180.35, -15.9))
    found = EarthEngineScenes().scenes(area, start, start + timedelta(hours=1))
    assert {scene.scene_id for scene in found} == set(wanted)
    assert all(s.footprint.bounds[0] >= -180 and s.footprint.bounds[2] <= 180 for s in found)


@pytest.mark.parametrize(
    "ring",
    [
        [(179.9, -17), (-179.9, -17), (-179.9, -16), (179.9, -16), (179.9, -17)],
        [(179.9, -17), (180.1, -17), (180.1, -16), (179.9, -16), (179.9, -17)],
    ],
    ids=["short way round", "beyond 180"],
)
def test_footprint_over_the_antimeridian_is_two_pieces(ring: list[tuple[float, float]]) -> None:
    found = ground({"type": "LinearRing", "coordinates": ring})
    assert found.equals(
        box(179.9, -17, 180, -16).union(box(-180, -17, -179.9, -16)).buffer(0)
    ) or found.area == pytest.approx(0.2)
    assert found.bounds == (-180, -17, 180, -16)


def test_scene_that_is_gone_fails_for_good(engine: Engine) -> None:
    track = Track(orbit_pass=OrbitPass.ASCENDING, relative_orbit=69)
    wanted = composite(track, ["COPERNICUS/S1_GRD/nowhere"], ["COPERNICUS/S1_GRD/no"])
    with pytest.raises(ExportFailed, match="nowhere"):
        EarthEngineExporter(BUCKET).start(wanted, "gone")


def test_archive_lists_what_is_ingested_in_the_half_open_time(engine: Engine) -> None:
    flat = {"VV": np.full(SHAPE, -12, "float32")}
    start, end = T0 + timedelta(days=30), T0 + timedelta(days=31)

    def put(name: str, at: datetime, **properties: object) -> str:
        return scene(engine.archive, name, start=at, orbit=12, orbit_pass="DESCENDING", bands=flat, **properties)

    first = put("S1_first", start)
    put("S1_end", end)
    put("S1_before", start - timedelta(milliseconds=1))
    put("S1_ew", start, instrumentMode="EW")
    put("S1_medium", start, resolution_meters=40)
    put("S1_elsewhere", start, corner=(CORNER[0] + 5000, CORNER[1]))
    late = put("S1_late", start + timedelta(hours=1), ingested=NOW + timedelta(days=1))
    area = ground_at(CORNER)
    (found,) = EarthEngineScenes().scenes(area, start, end)
    assert (found.scene_id, found.start, str(found.track)) == (first, start, "D012")
    assert (found.platform, found.polarisations) == ("A", ("VV",))
    assert found.footprint.covers(area)
    newest = put("S1_newest", NOW - timedelta(days=2), corner=(CORNER[0] + 90000, CORNER[1]))
    assert newest
    assert EarthEngineScenes().watermark(NOW) == NOW - timedelta(days=2)
    turn(engine.clock, NOW + timedelta(days=1))
    assert [s.scene_id for s in EarthEngineScenes().scenes(area, start, end)] == [first, late]
    assert EarthEngineScenes().watermark(NOW + timedelta(days=90)) == NOW + timedelta(
        days=60
    )  # a month ago: none since


@pytest.mark.parametrize("url", ["https://earthengine.googleapis.com", "http://192.0.2.1:80", "127.0.0.1:8080"])
def test_only_loopback_is_connected_to_without_credentials(url: str) -> None:
    with pytest.raises(ValueError, match="only http on loopback"):
        connect(PROJECT, url)


def test_engine_that_does_not_answer_is_unavailable(engine: Engine) -> None:
    try:
        with pytest.raises(EarthEngineUnavailable):
            connect(PROJECT, "http://127.0.0.1:9")
    finally:
        connect(PROJECT, engine.service.url)
