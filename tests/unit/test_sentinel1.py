import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from quakeslide.domain.sentinel1 import STAGES_OF_THE_PAPER, OrbitPass, Scene, Stage, Track, data_takes

T0 = datetime(2024, 1, 1, 21, 10, tzinfo=UTC)
A069 = Track.parse("A069")


def scene(name: str, seconds: float = 0, *, track: Track = A069, platform: str = "A") -> Scene:
    return Scene(
        scene_id=name,
        track=track,
        start=T0 + timedelta(seconds=seconds),
        platform=platform,
        polarisations=("VV", "VH"),
        footprint=box(0, 0, 1, 1),
    )


@given(st.sampled_from(OrbitPass), st.integers(1, 175))
def test_track_is_spelled_and_read_back(orbit_pass, relative_orbit):
    track = Track(orbit_pass=orbit_pass, relative_orbit=relative_orbit)
    assert len(str(track)) == 4
    assert Track.parse(str(track)) == track


@pytest.mark.parametrize("text", ["", "A69", "X069", "A0069", "a069", "A069 ", "A069\n", "../A069", "A0-1"])
def test_no_track(text):
    with pytest.raises(ValueError, match="is no track"):
        Track.parse(text)


@pytest.mark.parametrize("orbit", [0, 176, -1])
def test_relative_orbits_end_at_175(orbit):
    with pytest.raises(ValueError, match=f"relative orbit {orbit} is outside 1-175"):
        Track(orbit_pass=OrbitPass.ASCENDING, relative_orbit=orbit)


@pytest.mark.parametrize("days", STAGES_OF_THE_PAPER)
def test_stage_is_spelled_and_read_back(days):
    stage = Stage(pre_days=days[0], post_days=days[1])
    assert Stage.parse(str(stage)) == stage


def test_paper_has_ten_stages():
    assert len(set(STAGES_OF_THE_PAPER)) == 10


@pytest.mark.parametrize("text", ["60", "60-13", "13-12", "-60-12", "60-12-1", "60 - 12", "060-0012", ""])
def test_no_stage(text):
    with pytest.raises(ValueError, match=r"is no stage|is none of the paper's"):
        Stage.parse(text)


def test_naive_time_is_refused():
    with pytest.raises(ValueError, match="scene S has a naive time"):
        Scene(
            scene_id="S",
            track=A069,
            start=datetime(2024, 1, 1),  # noqa: DTZ001
            platform="A",
            polarisations=("VV",),
            footprint=box(0, 0, 1, 1),
        )


def names(takes: list[list[Scene]]) -> list[list[str]]:
    return [[one.scene_id for one in take] for take in takes]


def test_slices_within_five_minutes_are_one_data_take():
    slices = [scene("c", 50), scene("a", 0), scene("b", 25)]
    later = [scene("d", 50 + 300), scene("e", 50 + 300 + 299)]
    assert names(data_takes([*later, *slices])) == [["a", "b", "c"], ["d", "e"]]


def test_satellites_and_tracks_never_share_a_data_take():
    scenes = [scene("a"), scene("b", 1, platform="B"), scene("c", 2, track=Track.parse("A070")), scene("d", 3)]
    assert names(data_takes(scenes)) == [["a", "d"], ["b"], ["c"]]


def test_nothing_makes_no_data_take():
    assert data_takes([]) == []


SCENES = st.lists(
    st.builds(
        scene,
        st.uuids().map(str),
        st.integers(0, 3000),
        track=st.sampled_from([A069, Track.parse("D069"), Track.parse("A070")]),
        platform=st.sampled_from("AC"),
    ),
    max_size=25,
)


@given(SCENES, st.randoms())
def test_data_takes_part_the_scenes_and_do_not_depend_on_their_order(scenes, rng):
    takes = data_takes(scenes)
    assert sorted(one.scene_id for take in takes for one in take) == sorted(one.scene_id for one in scenes)
    for take in takes:
        assert len({(one.track, one.platform) for one in take}) == 1
        assert all(b.start - a.start < timedelta(minutes=5) for a, b in itertools.pairwise(take))
    assert [take[0].start for take in takes] == sorted(take[0].start for take in takes)
    shuffled = scenes.copy()
    rng.shuffle(shuffled)
    assert data_takes(shuffled) == takes


@given(SCENES)
def test_data_takes_of_a_track_are_five_minutes_apart(scenes):
    takes = data_takes(scenes)
    for one in takes:
        for other in takes:
            same = (one[0].track, one[0].platform) == (other[0].track, other[0].platform)
            if one is not other and same and one[0].start <= other[0].start:
                assert other[0].start - one[-1].start >= timedelta(minutes=5)
