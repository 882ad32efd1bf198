"""The simulator against what radar geometry and the literature say, without any other part of the project."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from shapely.geometry import box

from training.simulator import acquisition, cover, geometry, landslides, realism, terrain
from training.simulator.events import ARCHIVED, EVENTS, Event, _registry, events_for
from training.simulator.grid import grid_around
from training.simulator.landslides import Landslides
from training.simulator.scene import Scene, median, pass_days

SHAPE = (192, 256)
NOWHERE = np.zeros(0, np.int32)  # no pixel is a field


@pytest.fixture(scope="module")
def scene():
    return Scene(EVENTS["e2e"], seed=3, shape=SHAPE)


def plane(slope_deg, downhill_deg):
    """A tilted plane: `downhill_deg` is the azimuth of its downhill direction."""
    rise = np.tan(np.radians(slope_deg))
    north = np.arange(64)[::-1, None] * 10.0
    east = np.arange(64)[None] * 10.0
    azimuth = np.radians(downhill_deg)
    return terrain.describe((-rise * (east * np.sin(azimuth) + north * np.cos(azimuth))).astype(np.float32))


def test_same_seed_same_scene(scene):
    again = Scene(EVENTS["e2e"], seed=3, shape=SHAPE)
    second, first = again.acquire("DESCENDING", 8.5, "VH"), scene.acquire("DESCENDING", 8.5, "VH")
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(scene.slides.label, again.slides.label)


def test_order_of_acquisitions_does_not_matter(scene):
    again = Scene(EVENTS["e2e"], seed=3, shape=SHAPE)
    again.acquire("ASCENDING", -3.0, "VV")
    np.testing.assert_array_equal(again.acquire("ASCENDING", 4.0, "VV"), scene.acquire("ASCENDING", 4.0, "VV"))


@pytest.mark.parametrize("changed", [{"seed": 4}, {"event": "noto-2024"}, {"event": "haiti"}])
def test_other_seed_or_event_gives_other_terrain(scene, changed):
    other = Scene(EVENTS[changed.get("event", "e2e")], seed=changed.get("seed", 3), shape=SHAPE)
    assert abs(np.corrcoef(other.terrain.height_m.ravel(), scene.terrain.height_m.ravel())[0, 1]) < 0.9
    assert not np.array_equal(other.slides.label, scene.slides.label)


def test_archived_events_are_in_no_data_set():
    assert {a.event.role for a in ARCHIVED.values()} == {"demo"}
    assert {e.name for e in events_for("unseen")} == {"sumatra", "haiti"}
    numbers = [e.number for e in EVENTS.values()]
    assert len(set(numbers)) == len(numbers)


def test_two_events_with_one_number_are_refused():
    with pytest.raises(ValueError, match="share"):
        _registry(Event(name="a", number=7, role="train"), Event(name="b", number=7, role="demo"))


def heading_of_the_ground_track(latitude_deg, orbit_pass):
    """Azimuth of a satellite's way over the turning Earth, from two places a second apart: 175 orbits in 12 days, 98.18 degrees."""
    inclination, orbit_s, turn_s = (
        np.radians(98.18),
        12 * 86400 / 175,
        86400.0,
    )  # sun-synchronous: its plane turns with the year
    argument = np.arcsin(np.sin(np.radians(latitude_deg)) / np.sin(inclination))
    argument = np.pi - argument if orbit_pass == "DESCENDING" else argument

    def place(seconds):
        u = argument + 2 * np.pi * seconds / orbit_s
        x, y, z = np.cos(u), np.sin(u) * np.cos(inclination), np.sin(u) * np.sin(inclination)
        return np.arcsin(z), np.arctan2(y, x) - 2 * np.pi * seconds / turn_s

    (lat, lon), (next_lat, next_lon) = place(0.0), place(1.0)
    east = (next_lon - lon + np.pi) % (2 * np.pi) - np.pi
    return np.degrees(np.arctan2(east * np.cos(lat), next_lat - lat))


@pytest.mark.parametrize("orbit_pass", ["ASCENDING", "DESCENDING"])
@pytest.mark.parametrize("latitude", [-8.0, 0.0, 18.4, 37.4, 43.0])
def test_look_direction_is_right_of_the_flight_over_a_turning_earth(orbit_pass, latitude):
    right = (heading_of_the_ground_track(latitude, orbit_pass) + 90) % 360
    assert geometry.look_azimuth(orbit_pass, latitude) == pytest.approx(right, abs=0.2)


def test_latitude_beyond_the_orbit_is_refused():
    with pytest.raises(ValueError, match="85"):
        geometry.look_azimuth("ASCENDING", 85.0)


@pytest.mark.parametrize("orbit_pass", ["ASCENDING", "DESCENDING"])
def test_steep_slope_facing_the_sensor_is_layover_and_its_back_is_shadow(orbit_pass):
    look = geometry.look_azimuth(orbit_pass, 37.0)
    facing = geometry.view(plane(50, look + 180), orbit_pass, latitude_deg=37.0, centre_incidence_deg=38)
    assert facing.range_slope_deg == pytest.approx(50, abs=0.1)
    assert facing.layover.all()
    assert not facing.shadow.any()
    averted = geometry.view(plane(60, look), orbit_pass, latitude_deg=37.0, centre_incidence_deg=38)
    assert averted.shadow.all()
    assert not averted.layover.any()


@pytest.mark.parametrize("orbit_pass", ["ASCENDING", "DESCENDING"])
def test_slope_along_the_flight_is_neither(orbit_pass):
    look = geometry.look_azimuth(orbit_pass, 37.0)
    along = geometry.view(plane(50, look + 90), orbit_pass, latitude_deg=37.0, centre_incidence_deg=38)
    assert not along.is_distorted.any()
    assert along.range_slope_deg == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("orbit_pass", ["ASCENDING", "DESCENDING"])
def test_incidence_grows_away_from_the_sensor(orbit_pass):
    flat = terrain.describe(np.zeros((64, 128), np.float32))
    seen = geometry.view(flat, orbit_pass, latitude_deg=37.0, centre_incidence_deg=38)
    eastward = float(np.diff(seen.incidence_deg, axis=1).mean())
    assert (eastward > 0) == (orbit_pass == "ASCENDING")
    assert np.abs(eastward) * 100 == pytest.approx(0.065, rel=0.05)
    np.testing.assert_allclose(seen.local_incidence_deg, seen.incidence_deg, atol=1e-2)


@pytest.mark.parametrize("orbit_pass", ["ASCENDING", "DESCENDING"])
def test_slopes_facing_the_sensor_are_brighter(scene, orbit_pass):
    sigma0, slope = scene.acquire(orbit_pass, -10.0, "VV"), scene.view(orbit_pass).range_slope_deg
    forest = scene.cover.kind == 0
    assert sigma0[forest & (slope > 15)].mean() > sigma0[forest & (slope < -15)].mean() + 3


def test_slides_brighten_slopes_facing_the_sensor_and_darken_those_that_look_away():
    scene = Scene(EVENTS["hokkaido"], seed=0, shape=(1024, 1024))  # hundreds of slides
    for orbit_pass in ("ASCENDING", "DESCENDING"):
        seen = scene.view(orbit_pass)
        slid = scene.is_slide() & ~seen.is_distorted
        vv, vh = (acquisition.illuminate(scene.cover, scene.slides, seen, p).change_db for p in ("VV", "VH"))
        assert vv[slid & (seen.local_incidence_deg < 25)].mean() > 0.5
        assert vv[slid & (seen.local_incidence_deg > 55)].mean() < vv[slid & (seen.local_incidence_deg < 25)].mean() - 1
        assert vh[slid & (seen.local_incidence_deg > 55)].mean() < -0.5
        assert vv[~scene.is_slide()].std() < 0.2


def test_nothing_has_slid_before_the_earthquake(scene):
    bare = Scene(EVENTS["e2e"], seed=3, shape=SHAPE)
    bare.slides.label[:] = 0
    np.testing.assert_array_equal(scene.acquire("ASCENDING", -2.0, "VV"), bare.acquire("ASCENDING", -2.0, "VV"))
    difference = scene.acquire("ASCENDING", 2.0, "VV") - bare.acquire("ASCENDING", 2.0, "VV")
    assert np.abs(difference[scene.is_slide()]).mean() > 0.3


def test_speckle_has_unit_mean_power_and_the_stated_looks():
    power = 10 ** (acquisition.speckle_db(np.random.default_rng(0), (512, 512)) / 10)
    assert power.mean() == pytest.approx(1, abs=0.01)
    assert 1 / power.var() == pytest.approx(acquisition.LOOKS, rel=0.05)
    neighbours = np.corrcoef(power[:, 1:].ravel(), power[:, :-1].ravel())[0, 1]
    assert neighbours == pytest.approx(0.73, abs=0.05)  # of real 10 m images, see SPECKLE_KERNEL


def calm():
    """An event without anything that changes."""
    return replace(EVENTS["e2e"], moisture=0.0, season=0.0, river=0.0, logging=0.0)


def still(shape, shift_px=(0.0, 0.0)):
    nothing = np.zeros(shape, np.float32)
    return acquisition.Overpass(wetness=nothing, wind_db=nothing, river_db=nothing, shift_px=shift_px)


def test_ground_within_a_resolution_cell_mixes_in_power(monkeypatch):
    """Beside an edge between forest and river: a mean of decibels would be darker."""
    monkeypatch.setattr(acquisition, "speckle_db", lambda rng, shape: np.zeros(shape, np.float32))
    scene = Scene(calm(), seed=3, shape=(64, 64))
    flat = terrain.describe(np.zeros((64, 64), np.float32))
    seen = geometry.view(flat, "ASCENDING", latitude_deg=37.0, centre_incidence_deg=38)
    kind = np.where(np.arange(64) < 32, cover.FOREST, cover.RIVER)[None].repeat(64, axis=0)
    smooth = replace(scene.cover, kind=kind.astype(np.uint8), parcel=NOWHERE, texture_db=np.zeros((64, 64), np.float32))
    scene.slides.label[:] = 0
    ground = acquisition.illuminate(smooth, scene.slides, seen, "VV")
    sigma0_db = acquisition.acquire(
        calm(), smooth, ground, still((64, 64)), day=-1.0, polarisation="VV", rng=np.random.default_rng(0)
    )[32].astype(np.float64)
    power = 10 ** (sigma0_db / 10)
    forest, river = power[30], power[33]
    middle, beside = acquisition.RESOLUTION_KERNEL.astype(np.float64)
    assert middle + 2 * beside == pytest.approx(1)
    assert power[31] == pytest.approx((middle + beside) * forest + beside * river, rel=1e-3)
    assert power[32] == pytest.approx((middle + beside) * river + beside * forest, rel=1e-3)
    assert sigma0_db[32] > (middle + beside) * sigma0_db[33] + beside * sigma0_db[30] + 0.3


@pytest.mark.parametrize("what", ["wind", "slide", "field", "cut", "gravel"])
def test_what_changes_a_pixel_mixes_within_a_resolution_cell_as_the_ground_does(monkeypatch, what):
    """3 dB more on one pixel of even ground brighten its neighbours: no change is sharper than the radar."""
    monkeypatch.setattr(acquisition, "speckle_db", lambda rng, shape: np.zeros(shape, np.float32))
    scene = Scene(calm(), seed=3, shape=(64, 64))
    even = acquisition.Ground(before_db=np.full((64, 64), -8, np.float32), change_db=np.zeros((64, 64), np.float32))
    weather = still((64, 64))
    meadow = replace(
        scene.cover, parcel=NOWHERE, cuts=(), kind=np.full((64, 64), cover.GRASS, np.uint8),
        sediment_db=np.full((64, 64), 3, np.float32),
    )  # fmt: skip
    if what == "wind":
        weather.wind_db[32, 32] = 3.0
    elif what == "slide":
        even.change_db[32, 32] = 3.0
    elif what == "field":
        meadow.kind[32, 32] = cover.FARM
        ploughed = {"plough_day": np.zeros(1, np.float32), "plough_db": np.full(1, 3, np.float32)}
        meadow = replace(meadow, parcel=np.zeros(1, np.int32), **ploughed)
    elif what == "cut":
        one = cover.ClearCut(
            rows=slice(32, 33), columns=slice(32, 33), day=0.0, change_db=3 / 0.7
        )  # VV shows 0.7 of it
        meadow = replace(meadow, cuts=(one,))
    else:
        meadow.kind[32, 32] = cover.RIVER
    seen = acquisition.acquire(calm(), meadow, even, weather, day=1.0, polarisation="VV", rng=np.random.default_rng(0))
    power = 10 ** (seen.astype(np.float64) / 10) - float(acquisition.NOISE_FLOOR)
    middle, beside = acquisition.RESOLUTION_KERNEL.astype(np.float64)
    assert power[32, 32] / power[0, 0] == pytest.approx(1 + middle**2 * (10**0.3 - 1), rel=1e-3)
    assert power[31, 32] / power[0, 0] == pytest.approx(1 + middle * beside * (10**0.3 - 1), rel=1e-3)


def test_wetness_varies_as_campbell_says_and_dries_in_a_week():
    scenes = [cover.weather(np.random.default_rng(seed)) for seed in range(400)]
    wetness = np.array([[rain.wetness(day) / rain.strength for day in (-100.0, -40.0, 20.0)] for rain in scenes])
    assert wetness.mean() == pytest.approx(0, abs=0.1)
    assert wetness.std() == pytest.approx(1, abs=0.1)
    assert stats.skew(wetness.ravel()) > 1  # storms
    one = cover.Rain(day=np.array([0.0]), amount=np.array([1.0]), strength=1.0)
    before, at_once, later = (one.wetness(day) for day in (-0.1, 0.0, cover.DRYING_DAYS))
    assert (later - before) / (at_once - before) == pytest.approx(np.exp(-1))


def test_dry_weeks_are_quiet_and_wet_ones_blotchy(scene):
    def spread(wetness):
        rain = replace(scene.rain, day=np.array([0.0]), amount=np.array([0.0]), strength=1.0)
        scale = wetness / rain.wetness(1.0)  # without a shower the ground is as dry as can be
        met = acquisition.overpass(
            scene.event, scene.cover, replace(rain, strength=scale), day=1.0, rng=np.random.default_rng(0)
        )
        return float(met.wetness.std())

    assert spread(0.01) < spread(0.5) < spread(1.5)
    assert spread(1.5) > 2 * spread(0.01)


def test_passes_are_shifted_against_each_other():
    event = calm()
    scene = Scene(event, seed=3, shape=(16, 16))
    drawn = [
        acquisition.overpass(event, scene.cover, scene.rain, day=-1.0, rng=np.random.default_rng([7, n])).shift_px
        for n in range(300)
    ]
    assert np.std(drawn, axis=0) == pytest.approx(acquisition.MISREGISTRATION_PX, rel=0.15)
    assert abs(np.corrcoef(np.transpose(drawn))[0, 1]) < 0.2


def test_a_shift_moves_what_is_seen(monkeypatch):
    monkeypatch.setattr(acquisition, "speckle_db", lambda rng, shape: np.zeros(shape, np.float32))
    scene = Scene(calm(), seed=3, shape=(48, 48))
    power = 1 + 0.1 * np.arange(48, dtype=np.float32)[:, None].repeat(48, axis=1)
    ground = acquisition.Ground(before_db=10 * np.log10(power), change_db=np.zeros_like(power))
    meadow = replace(scene.cover, parcel=NOWHERE, kind=np.full((48, 48), cover.GRASS, np.uint8))
    seen = acquisition.acquire(
        calm(), meadow, ground, still((48, 48), (0.3, 0.0)), day=-1.0, polarisation="VV", rng=np.random.default_rng(0)
    )
    moved = 10 ** (seen.astype(np.float64) / 10) - float(acquisition.NOISE_FLOOR)
    np.testing.assert_allclose(moved[4:-4], power[4:-4] - 0.03, rtol=1e-4)


def test_polarisations_of_a_pass_share_geometry_and_weather(monkeypatch):
    """But for speckle VV and VH change in the same places, by more or less."""
    monkeypatch.setattr(acquisition, "speckle_db", lambda rng, shape: np.zeros(shape, np.float32))
    monkeypatch.setattr(acquisition, "CANOPY_SD", 0.0)
    scene = Scene(replace(EVENTS["luding"], season=0.0, logging=0.0), seed=1, shape=(256, 256))
    vv, vh = (scene.acquire("ASCENDING", -2.0, p) - scene.acquire("ASCENDING", -14.0, p) for p in ("VV", "VH"))
    assert np.corrcoef(vv.ravel(), vh.ravel())[0, 1] > 0.9
    first, second = (scene.overpass("ASCENDING", day) for day in (-2.0, -14.0))
    assert first.shift_px != second.shift_px
    assert scene.overpass("ASCENDING", -2.0).shift_px == first.shift_px
    assert scene.overpass("DESCENDING", -2.0).shift_px != first.shift_px


def test_flat_ground_keeps_the_cosine_of_its_incidence():
    flat = terrain.describe(np.zeros((64, 64), np.float32))
    seen = geometry.view(flat, "ASCENDING", latitude_deg=37.0, centre_incidence_deg=38)
    gain_db = geometry.relief_gain_db(seen, 0.65)
    np.testing.assert_allclose(gain_db, 10 * np.log10(np.cos(np.radians(seen.incidence_deg))), atol=1e-5)


def test_areas_of_slides_are_those_that_were_drawn():
    """Half a scene of rather large slides, few enough not to run into each other, against the inverse gamma distribution itself."""
    event = replace(EVENTS["hokkaido"], area_mode_m2=4000.0, area_exponent=2.4, slides_per_km2=1.0)
    areas = np.concatenate([Scene(event, seed=seed, shape=(768, 768)).slides.areas_m2()[1:] for seed in range(4)])
    assert len(areas) > 150
    for share in (0.25, 0.5, 0.75):
        drawn = stats.invgamma(event.area_exponent - 1, scale=event.area_mode_m2 * event.area_exponent).ppf(share)
        assert np.quantile(areas, share) == pytest.approx(drawn, rel=0.25), share


def test_smooth_field_has_unit_deviation():
    fields = [terrain.smooth_field(np.random.default_rng(seed), (300, 200), 12) for seed in range(20)]
    assert np.std(fields) == pytest.approx(1, abs=0.05)


def test_every_slide_is_one_piece_and_counted_once(scene):
    areas = scene.slides.areas_m2()
    assert areas[1:].sum() == np.count_nonzero(scene.slides.label) * 100
    assert scene.slides.stripped[0] == 0


def test_composite_is_the_difference_of_medians(scene):
    first = scene.first_post_day("ASCENDING")
    before, after = pass_days(first, pre_days=60, post_days=24)
    assert (len(before), len(after)) == (5, 2)
    image = scene.composite("ASCENDING", pre_days=60, post_days=24)
    pre = np.median([scene.acquire("ASCENDING", d, "VH") for d in before], axis=0)
    post = np.median([scene.acquire("ASCENDING", d, "VH") for d in after], axis=0)
    np.testing.assert_allclose(image[..., 1], post, atol=1e-5)
    np.testing.assert_allclose(image[..., 3], post - pre, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_median_equals_numpy(count):
    fields = list(np.random.default_rng(count).normal(size=(count, 9, 8)).astype(np.float32))
    np.testing.assert_allclose(median(fields), np.median(fields, axis=0), rtol=1e-6)


def test_median_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no pass"):
        median([])


def test_passes_repeat_every_twelve_days_on_both_sides():
    before, after = pass_days(3.0, pre_days=60, post_days=12)
    assert after == [3.0]
    assert before == [-57.0, -45.0, -33.0, -21.0, -9.0]


@pytest.mark.parametrize(("turned", "slope", "local"), [(180, 30, 8), (0, 30, 68), (90, 30, 46.97)])
def test_local_incidence_is_the_angle_on_the_slope(turned, slope, local):
    look = geometry.look_azimuth("ASCENDING", 37.0)
    seen = geometry.view(plane(slope, look + turned), "ASCENDING", latitude_deg=37.0, centre_incidence_deg=38)
    assert seen.local_incidence_deg == pytest.approx(local, abs=0.1)


def test_shadow_begins_where_the_slope_falls_away_from_the_beam():
    look = geometry.look_azimuth("ASCENDING", 37.0)
    shadows = [
        geometry.view(plane(slope, look), "ASCENDING", latitude_deg=37.0, centre_incidence_deg=38).shadow
        for slope in (50, 54)
    ]
    assert [(shadow.min(), shadow.max()) for shadow in shadows] == [(False, False), (True, True)]


@pytest.mark.parametrize("downhill", [20.0, 110.0, 200.0, 290.0])
def test_aspect_is_the_azimuth_downhill(downhill):
    assert plane(30, downhill).aspect_deg == pytest.approx(downhill, abs=0.1)


@pytest.mark.parametrize(("azimuth", "way"), [(0, (-1, 0)), (90, (0, 1)), (180, (1, 0)), (270, (0, -1))])
def test_a_slide_runs_from_its_crown_downhill(azimuth, way):
    nothing = np.zeros((64, 64), np.float32)
    slides = Landslides(
        label=np.zeros((64, 64), np.int32), downslope=nothing.copy(), stripped=np.zeros(2), roughness_db=np.zeros(2)
    )
    landslides._carve(slides, 1, (32, 32), 30_000.0, np.radians(azimuth), 3.0, 0.0)
    middle = np.argwhere(slides.label).mean(axis=0) - 32
    toe = np.unravel_index(slides.downslope.argmax(), (64, 64)) - np.array([32, 32])
    assert middle @ way > 5
    assert toe @ way > middle @ way


def crowns(monkeypatch, event, shape=(256, 256)):
    found = []
    monkeypatch.setattr(
        landslides, "_carve", lambda slides, number, crown, area, azimuth, *_: found.append((*crown, azimuth))
    )
    scene = Scene(event, seed=1, shape=shape)
    return scene, np.array(found)[:, :2].astype(int), np.array(found)[:, 2]


def test_slides_of_a_scene_run_downhill(monkeypatch):
    scene, found, azimuth = crowns(monkeypatch, replace(EVENTS["hokkaido"], slides_per_km2=20.0))
    ahead = found + np.stack([-np.cos(azimuth), np.sin(azimuth)], axis=1).round().astype(int)
    inside = ((ahead >= 0) & (ahead < 256)).all(axis=1)
    height = scene.terrain.height_m
    falls = height[tuple(ahead[inside].T)] < height[tuple(found[inside].T)]
    assert len(falls) > 50
    assert falls.mean() > 0.95


def test_no_slide_breaks_out_on_fields_or_in_rivers(monkeypatch):
    scene, found, _ = crowns(monkeypatch, replace(EVENTS["hokkaido"], farm=1.0, relief_m=20, slides_per_km2=200.0))
    assert (scene.cover.kind >= cover.FARM).mean() > 0.3
    assert len(found) > 500
    assert (scene.cover.kind[tuple(found.T)] < cover.FARM).all()


def test_slides_gather_about_the_focus(monkeypatch):
    _, found, _ = crowns(monkeypatch, replace(EVENTS["e2e"], focus_km=0.3, slides_per_km2=50.0))
    assert len(found) > 100
    assert np.median(np.hypot(*(found - 128).T)) < 50


def slid_forest(stripped=1.0):
    """Flat forest that has slid as a whole: its lower half is the toe; columns 20 to 30 lie in layover, 40 to 50 in shadow."""
    flat = terrain.describe(np.zeros((64, 64), np.float32))
    seen = geometry.view(flat, "ASCENDING", latitude_deg=37.0, centre_incidence_deg=38)
    column = np.arange(64)[None].repeat(64, axis=0)
    seen = replace(seen, layover=(column >= 20) & (column < 30), shadow=(column >= 40) & (column < 50))
    nothing = np.zeros((64, 64), np.float32)
    even = replace(Scene(calm(), seed=3, shape=(64, 64)).cover, kind=np.zeros((64, 64), np.uint8), texture_db=nothing)
    toe = np.where(np.arange(64) < 32, -0.5, 0.5)[:, None].repeat(64, axis=1).astype(np.float32)
    slides = Landslides(
        label=np.ones((64, 64), np.int32),
        downslope=toe,
        stripped=np.float32([0, stripped]),
        roughness_db=np.zeros(2, np.float32),
    )
    return seen, acquisition.illuminate(even, slides, seen, "VV")


@pytest.mark.parametrize("stripped", [1.0, 0.5])
def test_a_slide_shows_bare_ground_as_far_as_it_is_seen(stripped):
    seen, ground = slid_forest(stripped)
    local = seen.local_incidence_deg
    crown_db = -5.4 - 0.17 * (local - 20) - 0.4 - 10 * np.log10(np.cos(np.radians(local)))
    for rows, bare_db in ((slice(0, 32), crown_db), (slice(32, 64), crown_db + 1.3)):
        power = stripped * 10 ** (bare_db / 10) + (1 - stripped) * 10**-0.7  # of a forest of -7 dB
        expected = (10 * np.log10(power) + 7) * np.where(seen.shadow, 0, np.where(seen.layover, 0.5, 1))
        np.testing.assert_allclose(ground.change_db[rows], expected[rows], atol=1e-4)


def test_shadow_is_dark():
    _, ground = slid_forest()
    assert (ground.before_db[:, 45] - ground.before_db[:, 55]) == pytest.approx(-13, abs=0.1)


def quiet_db(monkeypatch, day, *, event=None, kind=cover.GRASS, shift_px=(0.0, 0.0), before_db=None, **changes):
    monkeypatch.setattr(acquisition, "speckle_db", lambda rng, shape: np.zeros(shape, np.float32))
    nothing = np.zeros((48, 48), np.float32)
    even = acquisition.Ground(before_db=nothing - 8 if before_db is None else before_db, change_db=nothing)
    land = replace(
        Scene(calm(), seed=3, shape=(48, 48)).cover,
        parcel=NOWHERE,
        cuts=(),
        kind=np.full((48, 48), kind, np.uint8),
        **changes,
    )
    rng = np.random.default_rng(0)
    return acquisition.acquire(
        event or calm(), land, even, still((48, 48), shift_px), day=day, polarisation="VV", rng=rng
    )


def test_gravel_comes_with_the_earthquake(monkeypatch):
    gravel = {"kind": cover.RIVER, "sediment_db": np.full((48, 48), 3, np.float32)}
    before, after = (quiet_db(monkeypatch, day, **gravel) for day in (-1.0, 1.0))
    assert before.mean() < after.mean() - 2
    np.testing.assert_array_equal(before, quiet_db(monkeypatch, -1.0, kind=cover.RIVER))


def test_the_same_day_of_another_year_is_of_the_same_season(monkeypatch):
    seasonal = replace(calm(), season=1.0)
    here, there, other = (quiet_db(monkeypatch, day, event=seasonal) for day in (-40.0, -405.0, -222.0))
    np.testing.assert_allclose(here, there, atol=1e-5)
    assert np.abs(here - other).min() > 0.5


@pytest.mark.parametrize("axis", [0, 1])
def test_a_shift_moves_along_its_own_axis(monkeypatch, axis):
    power = 1 + 0.1 * np.arange(48, dtype=np.float32)[:, None].repeat(48, axis=1)
    power = power if axis == 0 else power.T
    seen = quiet_db(monkeypatch, -1.0, before_db=10 * np.log10(power), shift_px=(0.3, 0.0) if axis == 0 else (0.0, 0.3))
    moved = 10 ** (seen.astype(np.float64) / 10) - float(acquisition.NOISE_FLOOR)
    np.testing.assert_allclose(moved[4:-4, 4:-4], power[4:-4, 4:-4] - 0.03, rtol=1e-4)


def test_edges_are_mirrored():
    field = np.arange(16, dtype=np.float32).reshape(4, 4)
    kernel = np.array([0.5, 0.25], np.float32)
    assert acquisition._blur(field, kernel)[:2, :2].tolist() == [[2.5, 3.0], [4.5, 5.0]]


def test_cuts_are_as_many_as_the_event_says():
    counts = [len(cover._clear_cuts(np.random.default_rng(seed), (1000, 1000), 0.15)) for seed in range(20)]
    assert np.mean(counts) == pytest.approx(15, rel=0.2)


def test_the_southern_hemisphere_has_zones_of_its_own():
    assert [grid_around(box(116, lat, 116.1, lat + 0.1), size_px=2000).epsg for lat in (8, -8)] == [32650, 32750]


def test_one_storm_is_not_what_a_date_is_compared_with():
    stack = np.zeros((6, 90, 90), np.float32)
    stack[2] = 30
    stack[-1] = 1.5
    found = realism.change(stack, 10.0)
    assert (found.shift_db, found.noise_db) == (pytest.approx(1.5), pytest.approx(0))
    assert found.structure_db[1] == pytest.approx(0)
