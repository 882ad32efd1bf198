import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from shapely.geometry import box

from quakeslide.domain.lattice import (
    MARGIN_PX,
    Lattice,
    Rectangle,
    affine_of,
    box_on_ground,
    lattice_for,
    rectangle_for,
    to_crs,
    to_lonlat,
    utm_zone,
)

AREAS = st.builds(
    lambda lon, lat, wide, tall: box(lon, lat, lon + wide, lat + tall),
    st.floats(-179, 178),
    st.floats(-70, 69),
    st.floats(0.001, 0.9),
    st.floats(0.001, 0.9),
)
CALMLY = settings(deadline=None)  # the first projection reads PROJ's data base
STEPS = st.integers(-200, 200)


@pytest.mark.parametrize(
    ("lon", "lat", "code"),
    [
        (137.2, 37.5, "EPSG:32653"),
        (-155.3, 19.4, "EPSG:32605"),
        (172.9, -42.7, "EPSG:32759"),
        (5.0, 60.0, "EPSG:32631"),  # Norway's wider zone 32 is left aside
        (-180.0, 0.0, "EPSG:32601"),
        (180.0, -0.1, "EPSG:32701"),
        (179.999, 10.0, "EPSG:32660"),
        (181.0, 10.0, "EPSG:32601"),  # an area drawn across the antimeridian may count on beyond 180
    ],
)
def test_zone_of_a_place(lon, lat, code):
    assert utm_zone(lon, lat) == code


@CALMLY
@given(AREAS)
def test_rectangle_is_the_smallest_that_holds_the_area_and_its_margin(aoi):
    lattice = lattice_for(aoi)
    rectangle = rectangle_for(aoi, lattice)
    assert lattice.origin_x % 320 == lattice.origin_y % 320 == 0
    west, south, east, north = to_crs(aoi, lattice.crs).bounds
    margin = MARGIN_PX * lattice.pixel
    r = rectangle
    left, top = lattice.origin_x + r.col * 10, lattice.origin_y - r.row * 10
    right, bottom = left + r.width * 10, top - r.height * 10
    # what is left over on each side is less than one step of the lattice and one pixel of rounding
    for spare in (west - margin - left, top - north - margin, right - east - margin, south - margin - bottom):
        assert 0 <= spare < 320 + 10
    assert (r.row, r.col) == (-64, -64), "the lattice's origin is snapped to the area's north-west corner"


@CALMLY
@given(AREAS)
def test_lattice_starts_north_west_of_its_area(aoi):
    lattice = lattice_for(aoi)
    west, _, _, north = to_crs(aoi, lattice.crs).bounds
    assert 0 <= west - lattice.origin_x < 320
    assert 0 <= lattice.origin_y - north < 320


@CALMLY
@given(AREAS, AREAS)
def test_growth_shares_the_windows_of_the_lattice(first, second):
    lattice = lattice_for(first)
    try:
        grown = rectangle_for(second, lattice)
    except (ValueError, OverflowError):
        return  # too far away for this projection
    assert grown.row % 32 == grown.col % 32 == 0


@CALMLY
@given(STEPS, STEPS, st.integers(2, 40), st.integers(2, 40))
def test_windows_of_a_rectangle(row, col, tall, wide):
    rectangle = Rectangle(row=row * 32, col=col * 32, height=tall * 32, width=wide * 32)
    rows, cols = rectangle.window_shape
    assert (rows, cols) == (tall - 1, wide - 1)
    assert (rows - 1) * 32 + 64 == rectangle.height
    assert (cols - 1) * 32 + 64 == rectangle.width


@pytest.mark.parametrize(
    "sides",
    [(1, 0, 64, 64), (0, 31, 64, 64), (0, 0, 63, 64), (0, 0, 64, 32), (0, 0, 32, 64), (0, 0, 0, 0), (0, 0, -64, 64)],
)
def test_rectangle_off_the_lattice_or_too_small_is_refused(sides):
    row, col, height, width = sides
    with pytest.raises(ValueError, match="multiples of 32 px and measure at least 64"):
        Rectangle(row=row, col=col, height=height, width=width)


@CALMLY
@given(STEPS, STEPS, st.integers(0, 5000), st.integers(0, 5000))
def test_affine_puts_rows_southwards_and_columns_eastwards(row, col, down, across):
    lattice = Lattice(crs="EPSG:32653", origin_x=320000.0, origin_y=4160000.0)
    rectangle = Rectangle(row=row * 32, col=col * 32, height=128, width=96)
    a, b, c, d, e, f = affine_of(lattice, rectangle)
    x, y = a * across + b * down + c, d * across + e * down + f
    assert x == lattice.origin_x + (rectangle.col + across) * 10
    assert y == lattice.origin_y - (rectangle.row + down) * 10


def test_box_on_ground_is_height_by_width():
    lattice = Lattice(crs="EPSG:32653", origin_x=1000.0, origin_y=2000.0)
    assert box_on_ground(lattice, 2, 3, 10, 20).bounds == (1030.0, 1880.0, 1230.0, 1980.0)


@CALMLY
@given(AREAS)
def test_projecting_and_back_changes_nothing(aoi):
    crs = utm_zone(aoi.centroid.x, aoi.centroid.y)
    there_and_back = to_lonlat(to_crs(aoi, crs), crs)
    np.testing.assert_allclose(there_and_back.exterior.coords, aoi.exterior.coords, atol=1e-7)


def test_projection_takes_longitude_first():
    (x, y), *_ = to_crs(box(137.2, 37.5, 137.3, 37.6), "EPSG:32653").exterior.coords
    expected = Transformer.from_crs("OGC:CRS84", "EPSG:32653").transform(137.3, 37.5)
    assert math.dist((x, y), expected) < 1e-3
