"""Near the equator one pass can carry the relative orbits n and n + 1."""

from dataclasses import replace
from datetime import timedelta

from shapely.geometry import box

from quakeslide.domain.readiness import Readiness, Windows, look
from quakeslide.domain.sentinel1 import Track, data_takes, joined_tracks
from tests.fakes_exporter import A069, AOI, EAST, S60_12, T0, WEST, World, after, seen

A070, A071, A175, A001 = (Track.parse(text) for text in ("A070", "A071", "A175", "A001"))
SLICE = timedelta(seconds=25)


def two_orbits(start, **facts):
    """Return a pass whose second slice already counts as the next orbit."""
    return [seen(start, A069, footprint=WEST, **facts), seen(start + SLICE, A070, footprint=EAST, **facts)]


def test_slices_of_one_pass_are_one_track_and_one_data_take() -> None:
    joined = joined_tracks(two_orbits(T0))
    assert {scene.track for scene in joined} == {A069}
    assert [len(take) for take in data_takes(joined)] == [2]


def test_pass_whose_slices_all_carry_the_later_orbit_belongs_to_the_same_track() -> None:
    other_day = [replace(s, track=A070) for s in two_orbits(after(days=12))]
    assert {s.track for s in joined_tracks([*two_orbits(T0), *other_day])} == {A069}


def test_last_orbit_of_the_cycle_is_followed_by_the_first() -> None:
    scenes = [seen(T0, A175), seen(T0 + SLICE, A001)]
    assert {s.track for s in joined_tracks(scenes)} == {A175}


def test_neighbouring_orbits_99_minutes_apart_stay_two_tracks() -> None:
    scenes = [seen(T0, A069), seen(T0 + timedelta(minutes=99), A070), seen(T0 + timedelta(seconds=10), A071)]
    scenes += [seen(T0 + SLICE, A070, platform="B"), seen(T0 + SLICE, Track.parse("D070"))]
    assert [s.track for s in joined_tracks(scenes)] == [s.track for s in scenes]


def test_track_of_two_orbits_is_complete_where_each_alone_would_not_be() -> None:
    scenes = [scene for n in range(-5, 1) for scene in two_orbits(after(days=2) + n * timedelta(days=12))]
    windows = Windows(pre_end=T0, post_start=T0, stage=S60_12)
    found = look(AOI, joined_tracks(scenes), track=A069, windows=windows, watermark=after(days=3), now=after(days=3))
    assert (found.readiness, found.n_pre, found.n_post, found.share) == (Readiness.PROVISIONAL, 5, 1, 1.0)


def test_exporter_makes_one_composite_of_both_orbits() -> None:
    world = World()
    for n in range(-5, 1):
        for scene in two_orbits(after(days=2) + n * timedelta(days=12)):
            world.archive.add(scene)
    world.announce(aoi=box(137.0, 37.3, 137.12, 37.4))
    world.sweep(after(days=3))
    (composite,) = world.exporter.started
    assert composite.track == A069
    assert (len(composite.pre_scenes), len(composite.post_scenes)) == (10, 2)
