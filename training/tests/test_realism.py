"""The simulated backscatter beside real figures, and the figures themselves on made-up rasters."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from training.simulator import realism
from training.simulator.events import EVENTS, events_for
from training.simulator.grid import Grid
from training.simulator.height_model import read_height
from training.simulator.scene import Scene

DATA = Path("tests/data")
HEIGHT_MODEL = DATA / "height_model" / "cop30_eastern_turkey_left.tif"


@pytest.fixture(scope="module")
def real():
    return list(realism.real_levels(sorted((DATA / "landslide_stats").glob("*.csv"))).values())


def test_level_of_a_scene_is_the_mean_over_its_patches():
    scene = Scene(EVENTS["hokkaido"], seed=1, shape=(256, 256))
    patches = []
    for polarisation in ("VV", "VH"):
        power = np.minimum(10 ** (scene.acquire("DESCENDING", -10.0, polarisation) / 10), 1)
        patches += [power[top : top + 128, left : left + 128] for top in (0, 128) for left in (0, 128)]
    level = realism.simulated_level(EVENTS["hokkaido"], "DESCENDING", seed=1, size_px=256)
    assert level.mean == pytest.approx(np.mean(patches), rel=1e-5)
    assert level.deviation == pytest.approx(np.mean([p.std() for p in patches]), rel=1e-5)
    assert level.p1 == pytest.approx(np.mean([np.percentile(p, 1) for p in patches]), rel=1e-5)
    assert level.p99 == pytest.approx(np.mean([np.percentile(p, 99) for p in patches]), rel=1e-5)


def test_real_statistics_pool_both_polarisations(real):
    assert len(real) == 25  # 13 inventories ascending, 12 descending
    assert 0.06 < min(level.mean for level in real) < max(level.mean for level in real) < 0.15


def test_levels_and_contrast_lie_within_those_of_real_landslide_regions(real):
    simulated = [
        realism.simulated_level(event, orbit_pass, seed=seed)
        for event in events_for("train")
        for orbit_pass in ("ASCENDING", "DESCENDING")
        for seed in range(2)
    ]
    for figure in ("mean", "deviation", "p1", "p99"):
        here, there = (sorted(getattr(level, figure) for level in side) for side in (simulated, real))
        middle = float(np.median(here))
        assert there[0] < middle < there[-1], figure
        assert middle == pytest.approx(float(np.median(there)), rel=0.3), figure


def test_scenes_shift_from_pass_to_pass_as_the_recorded_sites_do():
    sites = [site for site in (DATA / "california").iterdir() if site.is_dir()]
    recorded = [abs(change.shift_db) for site in sites for change in realism.real_changes(site)]
    simulated = [
        abs(change.shift_db)
        for event in events_for("train")
        for change in realism.simulated_changes(event, "ASCENDING", seeds=range(2), size_px=128)
    ]
    assert float(np.median(simulated)) == pytest.approx(float(np.median(recorded)), rel=0.5)
    assert max(simulated) > 1


def test_statistics_without_their_columns_are_refused(tmp_path):
    (tmp_path / "x.csv").write_text("inventory,mean\n,std\na,1\n")
    with pytest.raises(ValueError, match=r"x\.csv: no column"):
        realism.real_levels([tmp_path / "x.csv"])


def test_change_of_a_known_stack():
    rng = np.random.default_rng(0)
    stack = np.zeros((6, 90, 90), np.float32)
    stack[-1] = 1.5 + rng.normal(0, 0.3, (90, 90))
    found = realism.change(stack, 10.0)
    assert found.shift_db == pytest.approx(1.5, abs=0.02)
    assert found.noise_db == pytest.approx(0.3, abs=0.01)
    assert found.structure_db[0] == pytest.approx(0.3 / 9, rel=0.2)  # white noise: a box of 9 x 9 averages 81 pixels
    assert found.medians_noise_db == 0  # the noisy date is one of three


def test_quiet_ground_is_nearly_as_restless_as_recorded():
    """On pixels of one size. The readme says by how much those are calmer; whoever changes it trains the models anew."""
    sites = [site for site in (DATA / "california").iterdir() if site.is_dir()]
    recorded = [change for site in sites for change in realism.real_changes(site)]
    assert len(recorded) == 16  # two sites, two polarisations, four dates of two winters with five others before them
    simulated = [
        change
        for event in events_for("train")
        for change in realism.simulated_changes(event, "ASCENDING", seeds=range(2), size_px=256)
    ]

    def medians(figure):
        return (float(np.median([figure(c) for c in side])) for side in (simulated, recorded))

    here, there = medians(lambda c: c.structure_db[1])
    assert 1.1 < here / there < 1.45
    here, there = medians(lambda c: c.structure_db[0])
    assert here == pytest.approx(there, rel=0.15)
    here, there = medians(lambda c: c.medians_noise_db)
    assert 1.3 < here < 1.6
    assert 0.75 < here / there < 1
    here, there = medians(lambda c: c.noise_db)
    assert 0.7 < here / there < 0.85


def test_coarser_pixels_hold_the_mean_power():
    stack = np.zeros((2, 7, 9), np.float32)
    stack[1, :3, 3:6] = 10 * np.log10(np.arange(1, 10).reshape(3, 3))
    found = realism.coarser(stack)
    assert found.shape == (2, 2, 3)
    assert found[1, 0, 1] == pytest.approx(10 * np.log10(5), abs=1e-5)
    assert np.count_nonzero(found) == 1


def test_a_site_without_recordings_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no OPERA"):
        list(realism.real_changes(tmp_path))


def grid(rows=64, columns=96):
    return Grid(epsg=32638, west_m=327000.0, north_m=4485000.0, shape=(rows, columns))


def test_a_scene_lies_on_real_ground():
    height = read_height(HEIGHT_MODEL, grid())
    assert height.shape == (64, 96)
    assert 1700 < height.min() < height.max() < 2000
    scene = Scene(EVENTS["e2e"], seed=0, shape=height.shape, height_m=height)
    np.testing.assert_array_equal(scene.terrain.height_m, height)
    assert scene.acquire("ASCENDING", 3.0, "VV").shape == height.shape


def test_height_equals_the_plane_in_the_file(tmp_path):
    corner = Affine(30, 0, 326000, 0, -30, 4486000)
    rows, columns = np.mgrid[:100, :120]
    plane = (500 + 0.3 * (columns + 0.5) * 30 - 0.1 * (rows + 0.5) * 30).astype(np.float32)
    path = tmp_path / "plane.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=100, width=120, count=1, dtype="float32", crs="EPSG:32638", transform=corner
    ) as raster:
        raster.write(plane, 1)
    height = read_height(path, grid(32, 48))
    east = 1000 + (np.arange(48) + 0.5) * 10
    south = 1000 + (np.arange(32)[:, None] + 0.5) * 10
    np.testing.assert_allclose(height, 500 + 0.3 * east - 0.1 * south, atol=0.01)


def test_a_height_model_with_a_gap_is_refused():
    with pytest.raises(ValueError, match="misses a part of the scene"):
        read_height(HEIGHT_MODEL, grid(2000, 2000))
