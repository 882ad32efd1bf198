"""The cut of an export around its area, and lattices across zones and the antimeridian."""

import numpy as np
import pytest
import shapely
from shapely.geometry import Point, box

from quakeslide.domain.aoi import on_the_globe
from quakeslide.domain.lattice import box_on_ground, cut_for, lattice_for, rectangle_for, to_crs, to_lonlat, unwrapped
from quakeslide.domain.readiness import Readiness, Windows, look
from tests.fakes_exporter import A069, S60_12, T0, after, seen


def test_box_is_not_cut() -> None:
    lattice = lattice_for(box(137.0, 37.0, 137.3, 37.2))
    x, y = lattice.origin_x, lattice.origin_y
    aoi = to_lonlat(box(x, y - 30_000, x + 30_000, y), lattice.crs)
    assert cut_for(aoi, lattice, rectangle_for(aoi, lattice)) is None


@pytest.mark.parametrize("radius", [5_000, 40_000])
def test_cut_keeps_64_px_around_the_area_and_little_more(radius: float) -> None:
    random = np.random.default_rng(1)
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    lattice = lattice_for(Point(137, 37).buffer(0.1))
    ragged = shapely.Polygon(
        [(500_000 + r * np.sin(a), 4_100_000 + r * np.cos(a)) for a, r in zip(angles, radius * random.uniform(0.5, 1, 400), strict=True)]
    )  # fmt: skip
    aoi = to_lonlat(ragged, lattice.crs)
    rectangle = rectangle_for(aoi, lattice)
    cut = cut_for(aoi, lattice, rectangle)
    assert cut is not None
    assert cut.buffer(1).contains(to_crs(aoi, lattice.crs).buffer(640))
    assert to_crs(aoi, lattice.crs).buffer(640 + 180).contains(cut)
    assert shapely.get_num_coordinates(cut) < 1000
    whole = box_on_ground(lattice, rectangle.row, rectangle.col, rectangle.height, rectangle.width)
    assert cut.area < 0.9 * whole.area


def test_area_over_the_antimeridian_has_one_compact_rectangle() -> None:
    here = on_the_globe(box(179.8, -17, 180.2, -16.8))
    assert here.bounds == (-180, -17, 180, -16.8)
    assert unwrapped(here).bounds == pytest.approx((179.8, -17, 180.2, -16.8))
    lattice = lattice_for(here)
    rectangle = rectangle_for(here, lattice)
    assert lattice.crs in ("EPSG:32760", "EPSG:32701")
    assert rectangle.width < 4_800  # 43 km
    assert rectangle.height < 2_600
    box_there = box_on_ground(lattice, rectangle.row, rectangle.col, rectangle.height, rectangle.width)
    assert box_there.buffer(1).contains(to_crs(here, lattice.crs))


def test_area_across_two_zones_has_one_lattice() -> None:
    across = box(137.5, 37.0, 138.3, 37.2)  # zones 53 and 54 meet at 138
    lattice = lattice_for(across)
    rectangle = rectangle_for(across, lattice)
    assert lattice.crs == "EPSG:32653"
    width_m = 0.8 * 111_320 * np.cos(np.radians(37.1))
    assert rectangle.width * 10 == pytest.approx(width_m, rel=0.05)
    there = box_on_ground(lattice, rectangle.row, rectangle.col, rectangle.height, rectangle.width)
    assert there.contains(to_crs(across, lattice.crs))


def test_pass_over_the_antimeridian_covers_an_area_on_both_sides() -> None:
    here = on_the_globe(box(179.8, -17, 180.2, -16.8))
    whole = on_the_globe(box(179, -18, 181, -16))
    half = box(179, -18, 180, -16)
    for footprint, coverage in ((whole, 1.0), (half, 0.5)):
        scenes = [seen(after(days=d), footprint=whole) for d in (-22, -10)] + [seen(after(days=2), footprint=footprint)]
        windows = Windows(pre_end=T0, post_start=T0, stage=S60_12)
        found = look(here, scenes, track=A069, windows=windows, watermark=after(days=16), now=after(days=16))
        assert found.coverage == pytest.approx(coverage, abs=1e-3)
        assert found.readiness is (Readiness.FINAL if coverage == 1 else Readiness.PARTIAL)
