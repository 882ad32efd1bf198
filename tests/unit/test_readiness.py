from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from shapely.geometry import box

from quakeslide.domain.readiness import Outlook, Readiness, Windows, look
from quakeslide.domain.sentinel1 import Polarisation, Scene, Stage
from tests.fakes_exporter import A069, AOI, D046, EAST, S60_12, T0, WEST, after, seen

LATE = after(days=40)


def outlook(scenes: list[Scene], *, now: datetime = LATE, watermark: datetime = LATE, stage: Stage = S60_12) -> Outlook:
    windows = Windows(pre_end=T0, post_start=T0, stage=stage)
    return look(AOI, scenes, track=A069, windows=windows, watermark=watermark, now=now)


def history(first_post: timedelta, *, post: int = 1, **facts: object) -> list[Scene]:
    return [seen(T0 + first_post + timedelta(days=12 * n), **facts) for n in range(-5, post)]  # type: ignore[arg-type]


@pytest.mark.parametrize("hours", [14, 22, 30])
def test_track_is_provisional_with_the_first_complete_pass(hours: int) -> None:
    scenes = history(timedelta(hours=hours))
    waiting = outlook(scenes[:-1], now=after(days=2), watermark=after(days=2))
    assert (waiting.readiness, waiting.n_pre, waiting.n_post) == (Readiness.WAITING, 5, 0)
    found = outlook(scenes, now=after(days=3), watermark=after(days=3))
    assert (found.readiness, found.n_post, found.coverage) == (Readiness.PROVISIONAL, 1, 1.0)
    assert [s.scene_id for s in found.post] == [scenes[-1].scene_id]


def test_track_that_passes_after_28_days_has_no_post() -> None:
    scenes = [*history(timedelta(days=4), post=0), seen(after(days=28))]
    assert outlook(scenes, now=after(days=13)).readiness is Readiness.WAITING
    assert outlook(scenes, now=after(days=15)).readiness is Readiness.NO_POST
    assert outlook(scenes, stage=Stage.parse("60-48"), now=after(days=29)).readiness is Readiness.PROVISIONAL


def test_stacks_are_split_by_exact_time_not_by_date() -> None:
    morning = seen(T0 - timedelta(minutes=20))  # of the day of the earthquake, before it
    shaking = seen(after(minutes=4, seconds=59))
    evening = seen(after(minutes=5, seconds=1))
    found = outlook([morning, shaking, evening])
    assert [s.start for s in found.pre] == [morning.start]
    assert [s.start for s in found.post] == [evening.start]


def test_windows_end_exactly() -> None:
    first, last = seen(T0 - timedelta(days=60)), seen(after(days=12))
    outside = [
        seen(first.start - timedelta(seconds=1)),
        seen(last.start + timedelta(seconds=1)),
        seen(T0, platform="B"),
    ]
    found = outlook([first, last, *outside])
    assert (found.pre, found.post) == ((first,), (last,))


def test_final_needs_the_end_of_the_window_and_the_watermark_behind_it() -> None:
    scenes = history(timedelta(days=2))
    end = after(days=12)
    assert outlook(scenes, now=end - timedelta(seconds=1)).readiness is Readiness.PROVISIONAL
    on_margin, past_margin = end + timedelta(hours=6), end + timedelta(hours=6, seconds=1)
    assert outlook(scenes, now=after(days=13), watermark=on_margin).readiness is Readiness.PROVISIONAL
    assert outlook(scenes, now=after(days=13), watermark=past_margin).readiness is Readiness.FINAL
    assert outlook(scenes, now=after(days=15), watermark=after(days=5)).readiness is Readiness.FINAL  # grace is over


def test_half_a_pass_is_not_coverage() -> None:
    scenes = history(timedelta(days=2), post=0)
    half = seen(after(days=2), footprint=WEST)
    assert outlook([*scenes, half], now=after(days=3)).readiness is Readiness.WAITING
    partial = outlook([*scenes, half], now=after(days=15))
    assert partial.readiness is Readiness.PARTIAL
    assert partial.coverage == pytest.approx(0.5, abs=0.01)
    other_half = seen(half.start + timedelta(seconds=25), footprint=EAST)
    both = outlook([*scenes, half, other_half], now=after(days=3))
    assert (both.readiness, both.n_post) == (Readiness.PROVISIONAL, 1)  # two slices, one data-take


def test_provisional_uses_only_the_first_complete_pass() -> None:
    half, whole, later = seen(after(days=1), footprint=WEST), seen(after(days=3)), seen(after(days=9))
    scenes = [*history(timedelta(days=3), post=0), half, whole, later]
    assert outlook(scenes, now=after(days=10)).post == (whole,)
    assert outlook(scenes).post == tuple(sorted([half, whole, later], key=lambda s: s.scene_id))


def test_halves_of_two_satellites_together_are_complete() -> None:
    west, east, later = seen(after(days=1), footprint=WEST), seen(after(days=7), footprint=EAST), seen(after(days=11))
    found = outlook([*history(timedelta(days=1), post=0), west, east, later], now=after(days=11, hours=5))
    assert set(found.post) == {west, east}


def test_track_without_a_past_has_no_pre() -> None:
    scenes = [seen(after(days=2))]
    assert outlook(scenes, now=after(days=3)).readiness is Readiness.WAITING
    assert outlook(scenes, now=after(days=15)).readiness is Readiness.NO_PRE


def test_ground_is_what_the_track_saw_in_ninety_days() -> None:
    past = [seen(T0 - timedelta(days=12 * n), footprint=WEST) for n in (1, 2)]
    found = outlook([*past, seen(after(days=2), footprint=WEST)], now=after(days=3))
    assert (found.readiness, found.share) == (Readiness.PROVISIONAL, pytest.approx(0.5, abs=0.01))
    old = seen(T0 - timedelta(days=91))  # once saw all of it
    assert outlook([*past, old, seen(after(days=2), footprint=WEST)], now=after(days=3)).coverage == 1.0


def test_track_that_grazes_the_area_is_skipped() -> None:
    sliver = box(136.0, 36.5, 137.001, 38.5)
    scenes = history(timedelta(days=2), footprint=sliver)
    found = outlook(scenes)
    assert (found.readiness, found.share < 0.02) == (Readiness.SKIPPED, True)


def test_only_scenes_with_vv_of_a_released_satellite_count() -> None:
    past = history(timedelta(days=2), post=0)
    hh = seen(after(days=2), polarisations=("HH", "HV"))
    assert outlook([*past, hh]).n_post == 0
    commissioning = datetime(2025, 5, 19, 23, 59, tzinfo=UTC)
    early = seen(commissioning, platform="C")
    later = seen(datetime(2025, 5, 20, 5, tzinfo=UTC), platform="C")
    windows = Windows(
        pre_end=commissioning - timedelta(days=1), post_start=commissioning - timedelta(days=1), stage=S60_12
    )
    past = [seen(windows.pre_end - timedelta(days=d)) for d in (1, 2)]
    now = commissioning + timedelta(days=30)
    found = look(AOI, [*past, early, later], track=A069, windows=windows, watermark=now, now=now)
    assert found.post == (later,)


def test_vh_is_used_only_where_every_scene_has_it() -> None:
    dual = history(timedelta(days=2))
    assert outlook(dual).polarisation is Polarisation.VV_VH
    single = [seen(s.start, polarisations=("VV",)) for s in dual[:2]]
    assert outlook([*single, *dual[2:]]).polarisation is Polarisation.VV


def test_order_repeats_and_other_tracks_do_not_matter() -> None:
    scenes = [*history(timedelta(days=2), post=0)[-2:], seen(after(days=2), footprint=WEST), seen(after(days=3))]
    expected = outlook(scenes)
    others = history(timedelta(days=1), track=D046)
    for shuffled in permutations(scenes):
        assert outlook([*shuffled, *others, *shuffled]) == expected


def test_fewer_than_three_passes_before_are_weak() -> None:
    scenes = history(timedelta(days=2))
    assert not outlook(scenes).weak_pre
    assert outlook(scenes[-3:]).weak_pre
