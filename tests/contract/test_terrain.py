"""Terrain in the composite against a NumPy reference written from the paper: every pixel of rough ground, and planes by hand."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import ee
import numpy as np
import pytest
from affine import Affine

from infra.local.clock import Clock
from infra.local.earth_engine.archive import Archive
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.graph import Expression
from infra.local.earth_engine.grid import Grid, Projection
from infra.local.earth_engine.values import Block
from quakeslide.adapters.earth_engine.exporter import LOOK_SCALES_M
from quakeslide.adapters.earth_engine.expression import Stacks, composite_image, incidence_angle
from quakeslide.adapters.earth_engine.terrain import look_direction
from quakeslide.domain.terrain import Backscatter, Terrain
from quakeslide.errors import ExportFailed
from tests.contract import terrain_reference as reference
from tests.contract.earth_engine_service import EarthEngineService, write_image
from tests.contract.graph_ground import CRS, NORTH, SIZE, T0, WEST, composite

RIM = 40  # px by which scenes and heights reach beyond the composite
CELL = 40  # with heights in eighths of a metre every interpolated height is exact in float32, so that rounding hides nothing
FULL = SIZE + 2 * RIM
DEM_CORNER = (WEST - 905.0, NORTH + 915.0)  # cells that do not line up with the pixels
STACKS = Stacks(pre=[["COPERNICUS/S1_GRD/p1"], ["COPERNICUS/S1_GRD/p2"]], post=[["COPERNICUS/S1_GRD/q1"]])
SENSORS = {"ascending": 258.7, "descending": 101.4, "almost north": 359.2}
MODELS = {"volume": Backscatter.GAMMA0_VOLUME, "surface": Backscatter.GAMMA0_SURFACE}


def centres(rim: int) -> tuple[np.ndarray, np.ndarray]:
    """Return map coordinates of the composite's pixel centres and of a rim of pixels about it."""
    steps = np.arange(-rim, SIZE + rim) + 0.5
    return np.meshgrid(WEST + 10 * steps, NORTH - 10 * steps)


def angle_towards(sensor_deg: float) -> np.ndarray:
    """Return an incidence angle in degrees over the scenes' pixels: 38 in the middle, growing away from the sensor."""
    x, y = centres(RIM)
    away = -(np.sin(np.radians(sensor_deg)) * (x - x.mean()) + np.cos(np.radians(sensor_deg)) * (y - y.mean()))
    return (38 + 0.00064 * away / 10).astype("float32")


def rough() -> np.ndarray:
    """Return heights in metres: hills with slopes of all directions up to some 70 degrees, and a gap."""
    random = np.random.default_rng(5)
    side = (SIZE * 10 + 2 * 900) // CELL + 2
    y, x = np.mgrid[0:side, 0:side] * float(CELL)
    heights = np.full((side, side), 800.0)
    for _ in range(40):
        length, towards, phase = random.uniform(250, 900), random.uniform(0, 2 * np.pi), random.uniform(0, 2 * np.pi)
        heights += random.uniform(8, 30) * np.sin(
            2 * np.pi * (x * np.cos(towards) + y * np.sin(towards)) / length + phase
        )
    heights[40:44, 50:55] = np.nan
    return (np.round(heights * 8) / 8).astype("float32")


@pytest.fixture(scope="module", params=SENSORS.values(), ids=SENSORS.keys())
def sensor_deg(request: pytest.FixtureRequest) -> float:
    return float(request.param)


@pytest.fixture(scope="module", autouse=True)
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with EarthEngineService(tmp_path_factory.mktemp("empty"), "http://127.0.0.1:9") as service:
        service.connect()
        yield


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, sensor_deg: float) -> Archive:
    folder = tmp_path_factory.mktemp("archive")
    random = np.random.default_rng(6)
    for name in ("p1", "p2", "q1"):
        bands = {p: random.normal(-12, 3, (FULL, FULL)).astype("float32") for p in ("VV", "VH")}
        put(folder, name, {**bands, "angle": angle_towards(sensor_deg)})
    write_image(folder, "COPERNICUS/DEM/GLO30/rough", {"DEM": rough()}, origin=DEM_CORNER, pixel=CELL, crs=CRS, version=T0, properties={})  # fmt: skip # noqa: E501
    clock = folder / "clock"
    clock.write_text((T0 + timedelta(days=30)).isoformat(), encoding="ascii")
    return Archive(folder, Clock(clock))


def put(folder: Path, name: str, bands: dict[str, np.ndarray]) -> None:
    origin = (WEST - 10 * RIM, NORTH + 10 * RIM)
    write_image(folder, f"COPERNICUS/S1_GRD/{name}", bands, origin=origin, crs=CRS, version=T0, properties={})


def evaluated(archive: Archive, expression: Any) -> Any:
    return Expression(ee.serializer.encode(expression, for_cloud_api=True)).evaluate(archive)


def exported(archive: Archive, terrain: Terrain, sensor_deg: float) -> dict[str, np.ndarray]:
    """Return the composite's bands as the export would write them, cut into blocks, missing as NaN."""
    image = evaluated(archive, composite_image(replace(composite(), terrain=terrain), STACKS, sensor_deg))
    grid = Grid(Projection(CRS, Affine(10, 0, WEST, 0, -10, NORTH)), SIZE, SIZE)
    found = {name: np.empty((SIZE, SIZE), "float32") for name in image.bands}
    for row in range(0, SIZE, 64):
        for col in range(0, SIZE, 64):
            block = Block(grid.window(col, row, 64, 64))
            for name, band in image.bands.items():
                raster = block.read(band)
                assert raster.valid.all()
                found[name][row : row + 64, col : col + 64] = raster.values
    return {name: np.where(band == -9999, np.nan, band) for name, band in found.items()}


@pytest.fixture(scope="module")
def truth(sensor_deg: float) -> reference.Ground:
    """The ground by the reference, with a rim of 15 px."""
    x, y = centres(16)
    slope, downhill = reference.slope_and_aspect(reference.bilinear(rough(), DEM_CORNER, CELL, x, y), 10)
    x, y = centres(15)
    angle = reference.bilinear(angle_towards(sensor_deg), (WEST - 10 * RIM, NORTH + 10 * RIM), 10, x, y)
    return reference.ground(angle, slope, downhill, sensor_deg)


INNER = (slice(15, -15), slice(15, -15))


@pytest.fixture(scope="module")
def inside(archive: Archive, sensor_deg: float) -> np.ndarray:
    """Where the export is not cut away."""
    return np.isfinite(exported(archive, Terrain(), sensor_deg)["geometry"])


@pytest.mark.parametrize("buffer_m", [0, 10, 25, 60])
def test_layover_shadow_and_incidence_equal_the_reference_on_every_pixel(
    archive: Archive, truth: reference.Ground, sensor_deg: float, inside: np.ndarray, buffer_m: int
) -> None:
    found = exported(archive, Terrain(mask_buffer_m=buffer_m), sensor_deg)
    geometry = truth.geometry(buffer_m / 10)[INNER]
    assert {0, 1, 2, 3} <= set(np.unique(geometry))
    np.testing.assert_array_equal(found["geometry"][inside], geometry[inside])
    assert inside.mean() > 0.3
    np.testing.assert_allclose(
        found["localIncidence"][inside], truth.local_incidence()[INNER][inside], rtol=0, atol=1e-5
    )
    if buffer_m:
        assert (geometry != truth.geometry()[INNER]).any()


@pytest.mark.parametrize(("slope", "turned", "error"), [(45, 0, 0.0), (45, 90, 0.0), (30, 45, 1.1), (45, 45, 5.2)])
def test_incidence_of_the_paper_is_off_on_slopes_oblique_to_the_look(slope: float, turned: float, error: float) -> None:
    """PARITY: it is exact where the slope faces the sensor or lies along the flight, and too large in between."""
    there = reference.ground(np.array([40.0]), np.array([slope]), np.array([270.0 + turned]), 270)
    assert there.local_incidence() - there.incidence_on_the_normal() == pytest.approx(error, abs=0.05)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("buffer_m", [0, 30])
def test_flattened_gamma0_equals_the_reference_on_every_pixel(
    archive: Archive, truth: reference.Ground, sensor_deg: float, inside: np.ndarray, model: str, buffer_m: int
) -> None:
    plain = exported(archive, Terrain(), sensor_deg)
    found = exported(archive, Terrain(backscatter=MODELS[model], mask_buffer_m=buffer_m), sensor_deg)
    around = np.full((SIZE + 30, SIZE + 30), np.nan)
    for name in ("VV", "VH"):
        around[INNER] = plain[f"post{name}"]
        expected = truth.flattened(around, model, buffer_m / 10)[INNER]
        np.testing.assert_allclose(found[f"post{name}"][inside], expected[inside], rtol=0, atol=1e-5)
        # the correction cancels in the difference, up to the rounding of float32, where there is one
        there = np.isfinite(found[f"post{name}"])
        np.testing.assert_allclose(found[f"diff{name}"][there], plain[f"diff{name}"][there], rtol=0, atol=1e-5)
        np.testing.assert_array_equal(np.isfinite(found[f"diff{name}"]), there)
    assert (np.isnan(found["postVV"]) & inside).any()
    np.testing.assert_array_equal(found["nPost"], plain["nPost"])


# Corrections worked out by hand for an incidence of 40 degrees and -12 dB; tan 50 = 1.19175, sin 40 = 0.64279, cos 40 = 0.76604.
# 10 log10(cos 40) = -1.1575 dB: on flat ground gamma0 = -12 + 1.1575 = -10.842 dB by both models.
#   facing the sensor, 20: volume  factor tan 70 / tan 50 = 2.74748 / 1.19175 = 2.30541 -> -10.842 - 3.6275 = -14.470
#                          surface factor sin 40 / sin 20 = 0.64279 / 0.34202 = 1.87939 -> -10.842 - 2.7402 = -13.583
#   facing away, 20:       volume  factor tan 30 / tan 50 = 0.57735 / 1.19175 = 0.48446 -> -10.842 + 3.1474 =  -7.695
#                          surface factor sin 40 / sin 60 = 0.64279 / 0.86603 = 0.74223 -> -10.842 + 1.2946 =  -9.548
#   across, 30:            volume  factor 1                                              -> -10.842
#                          surface factor 1 / cos 30 = 1.15470                           -> -10.842 - 0.6247 = -11.467
# A facing slope is bright and is darkened, one that faces away is dark and is brightened.
BY_HAND = {
    ("flat", "volume"): -10.842, ("flat", "surface"): -10.842,
    ("facing", "volume"): -14.470, ("facing", "surface"): -13.583,
    ("away", "volume"): -7.695, ("away", "surface"): -9.548,
    ("across", "volume"): -10.842, ("across", "surface"): -11.467,
}  # fmt: skip
PLANES = {"flat": (0.0, 0.0), "facing": (20.0, 0.0), "away": (20.0, 180.0), "across": (30.0, 90.0)}  # slope, turned by


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("sensor", [260.0, 100.0], ids=["ascending", "descending"])
def test_planes_are_flattened_as_worked_out_by_hand(tmp_path: Path, plane: str, model: str, sensor: float) -> None:
    steep, turned = PLANES[plane]
    facing = np.radians(sensor + turned)
    side = rough().shape[0]
    x = DEM_CORNER[0] + (np.arange(side)[None, :] + 0.5) * CELL - WEST
    y = DEM_CORNER[1] - (np.arange(side)[:, None] + 0.5) * CELL - NORTH
    heights = 3000 - np.tan(np.radians(steep)) * (np.sin(facing) * x + np.cos(facing) * y)
    flat = np.full((FULL, FULL), -12, "float32")
    for name in ("p1", "p2", "q1"):
        put(tmp_path, name, {"VV": flat, "VH": flat, "angle": np.full((FULL, FULL), 40, "float32")})
    write_image(tmp_path, "COPERNICUS/DEM/GLO30/plane", {"DEM": heights}, origin=DEM_CORNER, pixel=CELL, crs=CRS, version=T0, properties={})  # fmt: skip # noqa: E501
    found = exported(Archive(tmp_path, Clock(None)), Terrain(backscatter=MODELS[model]), sensor)
    seen = np.isfinite(found["postVV"])
    assert seen.mean() > 0.3
    np.testing.assert_allclose(found["postVV"][seen], BY_HAND[plane, model], atol=0.02)


def test_look_azimuth_is_the_mean_of_directions_not_of_numbers(archive: Archive, sensor_deg: float) -> None:
    means = [evaluated(archive, look_direction(composite(), incidence_angle(STACKS), scale)) for scale in LOOK_SCALES_M]
    mean = next(mean for mean in means if mean["east"] is not None)  # 1000 m is too coarse for two kilometres
    found = np.degrees(np.arctan2(mean["east"], mean["north"])) % 360
    assert abs((found - sensor_deg + 180) % 360 - 180) < 0.1


def test_look_azimuth_about_north_is_north(tmp_path: Path) -> None:
    """The sensor stands in the north and the directions to it spread over some ten degrees on either side of 0."""
    x, y = centres(RIM)
    angle = (38 - 0.00064 * (y - y.mean()) / 10 + 0.00064 * ((x - WEST - 5 * SIZE) / 100) ** 2 / 10).astype("float32")
    for name in ("p1", "p2", "q1"):
        put(tmp_path, name, {"VV": angle, "VH": angle, "angle": angle})
    archive = Archive(tmp_path, Clock(None))
    aspect = evaluated(archive, ee.Terrain.aspect(incidence_angle(STACKS)))
    raster = Block(Grid(Projection(CRS, Affine(100, 0, WEST, 0, -100, NORTH)), SIZE // 10, SIZE // 10)).read(
        aspect.bands["aspect"]
    )
    directions = raster.values[raster.valid]
    assert (directions > 340).any()
    assert (directions < 20).any()
    assert 90 < directions.mean() < 270  # the trap: the mean of the numbers points south
    mean = evaluated(archive, look_direction(composite(), incidence_angle(STACKS), 100))
    assert abs((np.degrees(np.arctan2(mean["east"], mean["north"])) + 180) % 360 - 180) < 2


def test_flattening_without_heights_or_angle_is_refused() -> None:
    wanted = replace(composite(), terrain=Terrain(backscatter=Backscatter.GAMMA0_VOLUME))
    with pytest.raises(
        ExportFailed, match=r"us6000m0xl/A069/.*: gamma0_terrain_volume needs the band angle and heights"
    ):
        composite_image(wanted, STACKS, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "manhattan"}, "metric 'manhattan' in pixels of Image.fastDistanceTransform"),
        ({"units": "meters"}, "metric 'squared_euclidean' in meters of Image.fastDistanceTransform"),
        ({"neighborhood": 5000}, "a neighborhood of 5000 pixels"),
    ],
)
def test_other_distances_are_refused_by_name(archive: Archive, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(EarthEngineError, match=message):
        evaluated(archive, ee.Image.constant(1).fastDistanceTransform(**arguments))


def test_distance_is_that_to_the_nearest_pixel_that_is_set(tmp_path: Path) -> None:
    """Brute force over every pair of pixels; masked pixels are not set, and beyond the neighbourhood there is nothing."""
    random = np.random.default_rng(8)
    values = (random.random((FULL, FULL)) < 0.004).astype("float32")
    values[random.random((FULL, FULL)) < 0.3] = np.nan
    put(tmp_path, "p1", {"VV": values})
    image = evaluated(Archive(tmp_path, Clock(None)), ee.Image("COPERNICUS/S1_GRD/p1").fastDistanceTransform(9))
    (band,) = image.bands.values()
    found = Block(Grid(Projection(CRS, Affine(10, 0, WEST, 0, -10, NORTH)), 96, 96)).read(band)
    rows, cols = np.nonzero(values == 1)
    down, right = np.mgrid[RIM : RIM + 96, RIM : RIM + 96]
    offsets = down[..., None] - rows, right[..., None] - cols
    near = (np.abs(offsets[0]) <= 9) & (np.abs(offsets[1]) <= 9)
    squared = np.where(near, offsets[0] ** 2 + offsets[1] ** 2, np.inf).min(axis=2)
    np.testing.assert_array_equal(found.valid, np.isfinite(squared))
    np.testing.assert_array_equal(found.values[found.valid], squared[found.valid])
    assert 0.1 < found.valid.mean() < 1
