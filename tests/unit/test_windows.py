import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from quakeslide.domain.lattice import Lattice, Rectangle, box_on_ground, to_lonlat
from quakeslide.domain.windows import candidates, centres_in, flush_strips, lattice_shape, offsets

SIDES = st.integers(64, 400)
LATTICE = Lattice(crs="EPSG:32653", origin_x=320000.0, origin_y=4160000.0)


@given(SIDES, SIDES)
def test_every_pixel_lies_in_a_window_and_no_window_leaves_the_raster(height, width):
    covered = np.zeros((height, width), bool)
    for strip in flush_strips(height, width):
        for row, col in offsets(strip):
            assert 0 <= row <= height - 64
            assert 0 <= col <= width - 64
            covered[row : row + 64, col : col + 64] = True
    assert covered.all()


@given(SIDES, SIDES)
def test_strips_share_no_window(height, width):
    found = np.concatenate([offsets(strip) for strip in flush_strips(height, width)])
    assert len({tuple(window) for window in found.tolist()}) == len(found)


@pytest.mark.parametrize(("size", "windows"), [(63, 0), (64, 1), (95, 1), (96, 2), (127, 2), (128, 3)])
def test_lattice_windows_of_a_raster(size, windows):
    assert lattice_shape(size, size) == (windows, windows)


def test_lattice_raster_needs_no_flush_strip():
    assert len(flush_strips(640, 96)) == 1
    assert len(flush_strips(641, 96)) == 2
    assert len(flush_strips(641, 97)) == 4


def test_raster_smaller_than_a_window_is_refused():
    with pytest.raises(ValueError, match="1 x 500 px is smaller than one window"):
        flush_strips(1, 500)


def test_window_belongs_to_the_area_if_its_centre_does():
    rectangle = Rectangle(row=64, col=-32, height=128, width=160)
    # Centres lie at rows 96, 128, 160 and columns 0, 32, 64, 96 of the lattice; the area reaches over rows 90-134, columns 25-39.
    area = to_lonlat(box_on_ground(LATTICE, 90, 25, 44, 14), LATTICE.crs)
    inside = centres_in(area, LATTICE, rectangle)
    assert inside.shape == (3, 4)
    assert np.argwhere(inside).tolist() == [[0, 1], [1, 1]]


def test_no_window_belongs_to_an_area_elsewhere():
    assert not centres_in(box(10, 40, 11, 41), LATTICE, Rectangle(row=0, col=0, height=128, width=128)).any()


def test_candidates_lie_above_the_threshold_inside_the_area():
    scores = np.array([[0.6, 0.61, np.nan], [0.99, 0.7, 0.1]], np.float32)
    in_aoi = np.array([[True, True, True], [False, True, True]])
    assert candidates(scores, in_aoi, 0.6).tolist() == [[0, 1], [1, 1]]
