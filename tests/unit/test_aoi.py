import math
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from quakeslide.documents.shakemap import read_grid
from quakeslide.domain import aoi
from quakeslide.domain.aoi import ShakeGrid, area_from_radius, area_from_shaking, area_km2, land_about
from quakeslide.domain.land import on_land

DATA = Path(__file__).parents[1] / "data" / "shakemap"


def grid(mmi: list[list[float]], west: float = 10.0, north: float = 45.0, step: float = 0.1) -> ShakeGrid:
    return ShakeGrid(version="1", west=west, north=north, step_lon=step, step_lat=step, mmi=np.array(mmi, np.float32))


def test_recorded_hawaii_grid_gives_the_points_at_vi_and_more() -> None:
    shaking = read_grid((DATA / "hawaii2018_grid.xml").read_bytes(), "1")
    found = area_from_shaking(shaking)
    assert found is not None
    area, threshold = found
    assert threshold == 6.0
    # an independent count over the file's own text, line by line
    text = (DATA / "hawaii2018_grid.xml").read_text()
    lines = text[text.index("<grid_data>") + 11 : text.index("</grid_data>")].strip().splitlines()
    points = [(float(lon), float(lat), float(mmi)) for lon, lat, mmi, *_ in (line.split() for line in lines)]
    island = on_land(shapely.box(-157, 18, -154, 21))
    ashore = [p for p in points if p[2] >= 6 and island.covers(shapely.Point(p[:2]))]
    cell_km2 = sum(0.0167**2 * 111.2**2 * math.cos(math.radians(lat)) for _, lat, _ in ashore)
    assert area_km2(area) == pytest.approx(cell_km2, rel=0.08)  # a coast, smoothed
    assert area_km2(area) < 0.5 * sum(
        0.0167**2 * 111.2**2 * 0.94 for _, _, mmi in points if mmi >= 6
    )  # the rest is sea
    strong = [(lon, lat) for lon, lat, mmi in ashore if mmi >= 7]
    assert strong
    assert all(area.covers(shapely.Point(p)) for p in strong)
    assert not any(area.covers(shapely.Point(lon, lat)) for lon, lat, mmi in points if mmi < 5)


def test_both_recorded_time_stamp_styles_and_field_orders_are_read() -> None:
    loma = read_grid((DATA / "loma_prieta_grid.xml").read_bytes(), "1")
    assert loma.mmi.shape == (29, 49)
    assert (loma.west, loma.north) == (-122.5, 37.2)
    assert 7 < np.nanmax(loma.mmi) < 10


def test_single_strong_pixel_becomes_its_own_square() -> None:
    found = area_from_shaking(grid([[5, 5, 5], [5, 6.5, 5], [5, 5, 5]]))
    assert found is not None
    assert found[0].bounds == pytest.approx((10.05, 44.85, 10.15, 44.95))


def test_weak_shaking_gives_no_area() -> None:
    assert area_from_shaking(grid([[5.9, 5.9], [float("nan"), 1]])) is None


def test_area_over_the_cap_keeps_the_strongest_shaking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aoi, "MAX_AREA_KM2", 150.0)
    found = area_from_shaking(grid([[6.0, 6.0, 6.0], [6.0, 8.0, 6.0], [6.0, 6.0, 6.0]]))
    assert found is not None
    assert found[1] > 6.0
    assert area_km2(found[0]) <= 150.0
    assert found[0].covers(shapely.Point(10.1, 44.9))


def test_area_across_the_antimeridian_is_cut_to_land_on_both_sides() -> None:
    shaken = grid([[7.0] * 60] * 40, west=177.0, north=-15.0)  # Fiji lies on both sides
    found = area_from_shaking(shaken)
    assert found is not None
    west, _, east, _ = found[0].bounds
    assert (west, east) == (pytest.approx(-180, abs=1), pytest.approx(180, abs=1))
    assert found[0].is_valid
    assert 10_000 < area_km2(found[0]) < 25_000  # Fiji has 18 000 km2


def test_shaking_of_the_sea_alone_gives_no_area() -> None:
    assert area_from_shaking(grid([[8.0] * 10] * 10, west=-140.0, north=20.0)) is None


def test_radius_is_cut_to_land() -> None:
    land, radius_km = land_about(137.2, 37.6, 7.5)
    assert area_km2(land) < 0.7 * math.pi * radius_km**2
    assert land_about(-140.0, 20.0, 7.5)[0].is_empty


def test_grid_off_the_globe_is_refused() -> None:
    with pytest.raises(ValueError, match="not on the globe"):
        grid([[7.0, 7.0]], north=95.0)


@settings(max_examples=60, deadline=None)
@given(lon=st.floats(-180, 180), lat=st.floats(-75, 75), magnitude=st.floats(5, 9.5))
def test_radius_is_a_valid_area_on_the_globe_of_the_size_said(lon: float, lat: float, magnitude: float) -> None:
    area, radius_km = area_from_radius(lon, lat, magnitude)
    west, south, east, north = area.bounds
    assert area.is_valid
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90
    assert area_km2(area) == pytest.approx(math.pi * radius_km**2, rel=0.02)
    assert area_km2(area) <= aoi.MAX_AREA_KM2 * 1.001


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"not xml", "no readable"),
        (b"<a/>", "grid_specification"),
        (
            b'<shakemap_grid xmlns="http://earthquake.usgs.gov/eqcenter/shakemap" shakemap_event_type="SCENARIO"/>',
            "SCENARIO",
        ),
        (b'<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><x>&b;</x>', "EntitiesForbidden"),
    ],
)
def test_what_is_no_actual_grid_is_refused_by_name(body: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_grid(body, "1")


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, 4000), flip=st.integers(0, 3999), value=st.integers(0, 255))
def test_damaged_grid_raises_nothing_but_value_error(cut: int, flip: int, value: int) -> None:
    body = bytearray((DATA / "loma_prieta_grid.xml").read_bytes()[: 4000 + cut])
    body[flip] = value
    with pytest.raises(ValueError):
        read_grid(bytes(body), "1")
