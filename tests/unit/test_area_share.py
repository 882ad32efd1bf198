from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from quakeslide.domain.area_share import block_shares, windows_touching
from quakeslide.domain.lattice import Lattice, Rectangle, box_on_ground, to_lonlat
from quakeslide.domain.windows import centres_in

LATTICE = Lattice(crs="EPSG:32653", origin_x=320000.0, origin_y=4160000.0)
RECTANGLE = Rectangle(row=-32, col=64, height=416, width=352)


def corners(height, width):
    """Three to six points on and around the rectangle."""
    point = st.tuples(st.integers(-100, height + 100), st.integers(-100, width + 100))
    return st.lists(point, min_size=3, max_size=6, unique=True)


@settings(max_examples=40, deadline=None)
@given(corners(RECTANGLE.height, RECTANGLE.width))
def test_shares_are_the_blocks_overlap_with_the_area(points):
    xy = [(323200 + 10 * (64 + col) - 3200, 4160000 - 10 * (row - 32)) for row, col in points]
    ground = shapely.convex_hull(shapely.MultiPoint(xy))
    if ground.geom_type != "Polygon" or ground.area < 100:
        return
    shares = block_shares(to_lonlat(ground, LATTICE.crs), LATTICE, RECTANGLE)
    assert shares.shape == (13, 11)
    for row in range(13):
        for col in range(11):
            block = box_on_ground(LATTICE, -32 + 32 * row, 64 + 32 * col, 32, 32)
            assert shares[row, col] == pytest.approx(block.intersection(ground).area / 320**2, abs=1e-4)


def test_windows_with_any_part_in_the_area_touch_it():
    shares = np.zeros((4, 5), np.float32)
    shares[2, 3] = 0.01
    assert np.argwhere(windows_touching(shares)).tolist() == [[1, 2], [1, 3], [2, 2], [2, 3]]


@settings(max_examples=30, deadline=None)
@given(st.integers(-40, 300), st.integers(-40, 300), st.integers(1, 200), st.integers(1, 200))
def test_windows_centred_in_the_area_touch_it(row, col, height, width):
    area = to_lonlat(box_on_ground(LATTICE, row, 64 + col, height, width), LATTICE.crs)
    touching = windows_touching(block_shares(area, LATTICE, RECTANGLE))
    assert not (centres_in(area, LATTICE, RECTANGLE) & ~touching).any()


def test_a_hole_is_not_in_the_area():
    ring = box_on_ground(LATTICE, -32, 64, 416, 352).difference(box_on_ground(LATTICE, 0, 96, 64, 64))
    shares = block_shares(to_lonlat(ring, LATTICE.crs), LATTICE, RECTANGLE)
    assert np.argwhere(shares < 0.5).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_threads_may_ask_at_the_same_time():
    """Cells are described in several threads; a prepared geometry shared by two ended the process."""
    angle = np.linspace(0, 2 * np.pi, 4000)
    for turn in range(20):
        radius = 1500 + turn + 200 * np.sin(40 * angle)
        x, y = 324000 + radius * np.cos(angle), 4158000 + radius * np.sin(angle)
        area = to_lonlat(shapely.Polygon(np.column_stack([x, y])), LATTICE.crs)
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: block_shares(area, LATTICE, RECTANGLE), range(8)))  # noqa: B023  done before the next
        for shares in found[1:]:
            np.testing.assert_array_equal(shares, found[0])
