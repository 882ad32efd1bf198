"""Looks and neighbour correlation: of made-up images whose grain is known, and of simulated images beside recorded ones."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

from training.simulator import __main__ as commands
from training.simulator.acquisition import speckle_db
from training.simulator.events import events_for
from training.simulator.grain import Grain, grain, recorded_grains, simulated_grains

RECORDED = Path("tests/data/grd_10m")


def by_hand(image_db):
    """The same figures from every window, one after the other."""
    power = 10 ** (image_db.astype(float) / 10)
    rows, columns = (size - 6 for size in power.shape)
    windows = [[power[r : r + 7, c : c + 7] for c in range(columns)] for r in range(rows)]
    looks = np.array([[w.mean() ** 2 / w.var() for w in row] for row in windows])
    ratio = np.array([[w[3, 3] / w.mean() for w in row] for row in windows])
    least = np.percentile(looks, 90)
    correlations = []
    for lag in (1, 2):
        by_axis = []
        for values, smooth in ((ratio, looks >= least), (ratio.T, least <= looks.T)):
            pairs = [
                (values[i, j], values[i + lag, j])
                for i in range(values.shape[0] - lag)
                for j in range(values.shape[1])
                if smooth[i, j] and smooth[i + lag, j]
            ]
            by_axis.append(np.corrcoef(np.transpose(pairs))[0, 1])
        correlations.append(np.mean(by_axis))
    return Grain(looks=least, correlation=tuple(correlations))


def test_grain_is_that_of_each_window_by_hand():
    image_db = np.random.default_rng(0).normal(-10, 1.5, (40, 33)).astype(np.float32)
    found, expected = grain(image_db), by_hand(image_db)
    assert found.looks == pytest.approx(expected.looks, rel=1e-6)
    assert found.correlation == pytest.approx(expected.correlation, abs=1e-6)


def test_grain_follows_looks_and_not_level():
    noisy, calm = (speckle_db(np.random.default_rng(0), (200, 200), looks=looks) for looks in (5.0, 10.0))
    assert grain(calm).looks / grain(noisy).looks == pytest.approx(2, rel=0.05)
    assert grain(noisy - 12).looks == pytest.approx(grain(noisy).looks, rel=1e-3)
    assert grain(calm).correlation == pytest.approx(grain(noisy).correlation, abs=0.05)


def test_simulated_grain_is_that_of_recorded_images():
    recorded = recorded_grains(RECORDED)
    assert len(recorded) == 12
    simulated = [g for event in events_for("train") for g in simulated_grains(event, "ASCENDING", seed=1, size_px=256)]

    def medians(figure):
        return (float(np.median([figure(g) for g in side])) for side in (simulated, recorded))

    here, there = medians(lambda g: g.looks)
    assert here == pytest.approx(there, rel=0.15)
    for number in range(2):
        here, there = medians(lambda g, number=number: g.correlation[number])
        assert here == pytest.approx(there, abs=0.1)


@pytest.mark.parametrize("shape", [(27, 90), (90, 27)])
def test_images_with_hardly_a_window_are_refused(shape):
    with pytest.raises(ValueError, match="at least 28 a side"):
        grain(np.zeros(shape, np.float32))


def test_the_file_with_a_gap_is_named(tmp_path):
    image_db = np.full((1, 40, 40), -10, np.float32)
    image_db[0, 3, 3] = np.nan
    with rasterio.open(
        tmp_path / "gap.tif",
        "w",
        driver="GTiff",
        height=40,
        width=40,
        count=1,
        dtype="float32",
        crs="EPSG:32633",
        transform=rasterio.Affine(10, 0, 3e5, 0, -10, 5e6),
    ) as raster:
        raster.write(image_db)
    with pytest.raises(ValueError, match=r"gap\.tif: an image"):
        recorded_grains(tmp_path)


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no \*\.tif"):
        recorded_grains(tmp_path)


def test_compare_sets_every_figure_beside_the_recorded(monkeypatch):
    monkeypatch.setattr(commands, "events_for", lambda role: events_for(role)[:1])
    result = CliRunner().invoke(commands.main, ["compare", "--scenes", "1"])
    assert result.exit_code == 0, result.output
    for row in ("mean ", "1 % ", "99 % ", "looks ", "correlation over 2 px", "scene's shift", "over 210 m"):
        assert row in result.output


def test_compare_names_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "events_for", lambda role: [])
    result = CliRunner().invoke(commands.main, ["compare", "--recorded", str(tmp_path)])
    assert result.exit_code == 1
    assert "landslide_stats: no *.csv there" in result.output
