"""Cautions from synthetic ground: what each rule says of the thing it is for, and of what could be taken for it."""

import numpy as np
import pytest

from quakeslide.domain.evidence import describe_windows

SHAPE = (96, 128)


def ground(**bands):
    """Forest on a slope, its speckle included, unchanged; bands given replace it."""
    rng = np.random.default_rng(3)
    means = {"postVV": -9, "postVH": -14, "diffVV": 0, "diffVH": 0, "slope": 25, "localIncidence": 38}
    found = {name: rng.normal(mean, 1.2, SHAPE).astype(np.float32) for name, mean in means.items()}
    return found | {name: np.asarray(band, np.float32) for name, band in bands.items()}


def told(bands, row=0, col=0, seen=None):
    seen = np.ones(SHAPE, bool) if seen is None else seen
    found = describe_windows(bands, seen, np.array([[row, col]]))
    for name, values in found.items():
        assert np.isnan(np.delete(values.ravel(), row * 3 + col)).all(), name
    return {name: float(values[row, col]) for name, values in found.items()}


def test_forest_is_neither_water_nor_snow_nor_bare():
    facts = told(ground())
    assert facts["water_fraction"] == 0
    assert facts["snow_fraction"] == 0
    assert facts["pre_vh_db"] == pytest.approx(-14, abs=0.1)
    assert facts["slope_deg"] == pytest.approx(25, abs=0.1)


def test_dark_level_ground_is_water_and_dark_slopes_are_not():
    lake, level = np.full(SHAPE, -9.0), np.full(SHAPE, 1.0)
    lake[:32, :64] = -23
    assert told(ground(postVV=lake, slope=level))["water_fraction"] == pytest.approx(0.5)
    assert told(ground(postVV=lake))["water_fraction"] == 0
    assert told({name: band for name, band in ground(postVV=lake).items() if name != "slope"})[
        "water_fraction"
    ] == pytest.approx(0.5)


def test_a_lake_in_a_steep_valley_is_water():
    lake, slope = np.full(SHAPE, -9.0), np.full(SHAPE, 35.0)
    lake[24:40], slope[24:40] = -24, 0
    assert told(ground(postVV=lake, slope=slope))["water_fraction"] == pytest.approx(0.25)


def test_single_dark_pixels_are_speckle():
    speckled = np.full(SHAPE, -12.0)
    speckled[::5, ::5] = -30
    assert told(ground(postVV=speckled, slope=np.zeros(SHAPE)))["water_fraction"] == 0


@pytest.mark.parametrize("change", [-5.0, 5.0])
def test_snow_darkens_both_polarisations(change):
    both = ground(diffVV=np.full(SHAPE, change), diffVH=np.full(SHAPE, change))
    assert told(both)["snow_fraction"] == 1
    assert told(ground(diffVV=np.full(SHAPE, change)))["snow_fraction"] == 0
    only = {name: band for name, band in both.items() if not name.endswith("VH")}
    assert told(only)["snow_fraction"] == 1


def test_a_slide_in_part_of_the_window_is_no_snow():
    slide = np.zeros(SHAPE)
    slide[:40, :40] = 6
    assert told(ground(diffVV=slide, diffVH=slide))["snow_fraction"] == pytest.approx(25 / 64)


def test_bare_ground_before_counts_whatever_came_after():
    facts = told(ground(postVH=np.full(SHAPE, -20.0), diffVH=np.full(SHAPE, 7.0)))
    assert facts["pre_vh_db"] == pytest.approx(-27)
    assert np.isnan(told({"postVV": ground()["postVV"], "diffVV": ground()["diffVV"]})["pre_vh_db"])


def test_hidden_pixels_tell_nothing():
    seen = np.ones(SHAPE, bool)
    seen[:32] = False
    dark = np.full(SHAPE, -9.0)
    dark[:32] = -25
    assert told(ground(postVV=dark, slope=np.zeros(SHAPE)), seen=seen)["water_fraction"] == 0
    assert np.isnan(told(ground(), seen=np.zeros(SHAPE, bool))["diff_vv_db"])
