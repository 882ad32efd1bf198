"""The land mask against places everybody can check on a map."""

import pytest
import shapely

from quakeslide.domain.aoi import area_km2
from quakeslide.domain.land import MASK, distance_to_land_km, on_land


@pytest.mark.parametrize(
    ("place", "km"),
    [
        ((136.98, 37.35), 0),  # Noto peninsula
        ((116.45, -8.4), 0),  # Lombok
        ((-78.5, -0.2), 0),  # Quito
        ((-177.9, 51.8), 40),  # Aleutians: within 40 km
        ((179.99, -16.8), 5),  # Fiji's Taveuni, on the antimeridian
    ],
)
def test_places_on_or_near_land(place: tuple[float, float], km: float) -> None:
    assert distance_to_land_km(*place) <= km


@pytest.mark.parametrize(
    ("place", "least", "most"),
    [
        ((-30.0, 0.0), 80, 130),  # Saint Peter and Saint Paul rocks are 100 km away
        ((-140.0, 40.0), 1200, 1600),  # between Hawaii and California
        ((-125.18, 40.78), 55, 90),  # off Cape Mendocino
        ((0.0, 89.9), 600, 900),  # the Arctic Ocean
    ],
)
def test_sea_is_as_far_from_land_as_the_map_says(place: tuple[float, float], least: float, most: float) -> None:
    assert least <= distance_to_land_km(*place) <= most


def test_distance_does_not_see_the_antimeridian() -> None:
    assert distance_to_land_km(-180.0, -30.0) == pytest.approx(distance_to_land_km(180.0, -30.0), rel=1e-6)


def test_area_at_sea_has_no_land_and_one_inland_keeps_all() -> None:
    assert on_land(shapely.box(-140, 10, -139, 11)).is_empty
    inland = shapely.box(100, 45, 102, 46)
    assert on_land(inland).area == pytest.approx(inland.area, rel=1e-6)


def test_area_on_a_coast_is_cut_and_has_no_seam_between_tiles() -> None:
    noto = on_land(shapely.box(136.5, 36.8, 137.5, 37.6))
    assert 0.2 < noto.area / 0.8 < 0.6
    across = on_land(shapely.box(139.0, 35.9, 141.0, 39.5))  # two tiles meet at 140 degrees east
    assert across.contains(shapely.LineString([(139.9, 37.3), (140.1, 37.3)]))
    assert across.is_valid


def test_mask_is_small_enough_to_ship() -> None:
    assert MASK.stat().st_size < 1.5e6


def test_mask_has_the_land_of_the_earth_once() -> None:
    world = on_land(shapely.box(-180, -60, 180, 84))
    assert area_km2(world) == pytest.approx(135.0e6, rel=0.02)  # 148.9 million km2 less Antarctica's 13.9
    fiji = on_land(shapely.box(177, -19, 180, -15))
    assert area_km2(fiji) == pytest.approx(17_600, rel=0.05)  # crosses the antimeridian, as Chukotka does
