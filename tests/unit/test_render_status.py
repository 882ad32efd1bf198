import json
from datetime import timedelta

import pytest
from shapely.geometry import box

from quakeslide.domain import object_names
from quakeslide.domain.sentinel1 import Track
from quakeslide.errors import ImpossibleRequest, LostRace
from quakeslide.usecases.delivery import record_problem
from quakeslide.usecases.render_status import render_status
from tests.fakes_exporter import A069, D046, EVENT, WEST, World, after, seen


def render(world: World) -> dict[str, object]:
    return render_status(EVENT, state=world.state, composites=world.composites, results=world.results)


def watched(**history: object) -> World:
    world = World()
    world.history(A069, first_post=timedelta(days=1.4), **history)  # type: ignore[arg-type]
    world.elsewhere()
    world.announce()
    return world


def test_title_and_words_of_a_waiting_event() -> None:
    document = render(watched())
    assert document["title"] == "M 7.5, Noto Peninsula"
    assert document["state"] == "watching"
    (row,) = document["tracks"]  # type: ignore[misc]
    assert (row["state"], row["finality"], row["detections"]) == ("waiting", None, None)


def test_unchanged_status_is_not_written_again() -> None:
    world = watched()
    before = world.results.writes.copy()
    assert render(world) == render(world)
    assert world.results.writes == before


def test_incomplete_pass_is_said_with_its_share() -> None:
    world = watched(post=0)
    world.archive.add(seen(after(days=1.4), footprint=WEST))
    world.sweep(after(days=3))
    assert "waiting for a complete pass, 50% of the visible ground so far" in str(world.row()["text"])


@pytest.mark.parametrize(("count", "state", "words"), [(1, "done", "1 detection ("), (0, "none_found", "none found (")])
def test_provisional_and_final_results(count: int, state: str, words: str) -> None:
    world = watched()
    world.sweep(after(days=3))
    (composite,) = world.exporter.started
    world.detect(composite, "provisional", detections=count)
    row = world.row()
    assert (row["state"], row["detections"], row["finality"]) == (state, count, "provisional")
    assert words in str(row["text"])
    assert "final at 2024-01-13 07:10 UTC" in str(row["text"])
    world.sweep(after(days=12, hours=1))
    assert "final when the archive is past 2024-01-13 07:10 UTC, or at 2024-01-16 07:10 UTC" in str(world.row()["text"])
    world.sweep_until(after(days=13, hours=7), after(days=13, hours=8))
    world.detect(composite, "final", detections=count)
    assert "(final)" in str(world.row()["text"])
    assert world.row()["final_composite_id"] == composite.composite_id


def test_nothing_that_could_be_judged_is_said() -> None:
    world = watched()
    world.sweep(after(days=3))
    (composite,) = world.exporter.started
    world.detect(composite, "provisional", detections=0)
    name = object_names.latest(EVENT, composite.track, composite.stage)
    pointer = json.loads(world.results.objects[name].data) | {"outcome": "could_not_look"}
    world.results.replace(name, json.dumps(pointer).encode(), "", world.results.objects[name].generation)
    assert world.row()["state"] == "could_not_look"


def test_no_post_no_pre_and_skipped_tracks_are_explained() -> None:
    world = World()
    world.history(A069, first_post=timedelta(days=11), post=0)
    world.archive.add(seen(after(days=2), D046))
    grazing = Track.parse("A171")
    world.history(grazing, first_post=timedelta(days=3), footprint=box(136.0, 36.5, 137.001, 38.5))
    world.announce()
    world.sweep(after(days=15, hours=1))
    assert world.row(A069)["text"] == "no pass came by 2024-01-16 07:10 UTC"
    assert "no pass before the earthquake" in str(world.row(D046)["text"])
    assert (world.row(grazing)["state"], world.row(grazing)["text"]) == (
        "skipped",
        "this track sees only 0.8% of the area",
    )


def test_problem_without_a_watch_has_a_status() -> None:
    world = World()
    error = ImpossibleRequest("us6000m0xl is in no ledger")
    record_problem(world.state, error, {"event_id": EVENT}, since="2024-01-01T08:00:00+00:00")
    document = render(world)
    assert document["state"] == "unknown"
    assert document["problems"] == [
        {
            "track": "-",
            "stage": "-",
            "code": "impossible_request",
            "text": "us6000m0xl is in no ledger",
            "remedy": error.remedy,
            "since": "2024-01-01T08:00:00+00:00",
        }
    ]


def test_status_that_others_change_is_rendered_again() -> None:
    world = watched()
    name = object_names.status(EVENT)
    world.sweep(after(days=3))
    replace, lost = world.results.replace, 0

    def contended(name: str, data: bytes, content_type: str, generation: int) -> bool:
        nonlocal lost
        lost += 1
        return lost > 2 and replace(name, data, content_type, generation)

    world.detect(world.exporter.started[0], "provisional")
    world.results.replace = contended  # type: ignore[method-assign]
    render(world)
    assert lost == 3
    assert b"3 detections" in world.results.objects[name].data
    world.results.replace = lambda *_: False  # type: ignore[method-assign]
    world.results.delete(name)
    with pytest.raises(LostRace):
        render(world)


@pytest.mark.parametrize(("passed", "is_said"), [(1.0, False), (0.96, False), (0.7, True)])
def test_pixels_that_fall_short_of_the_outlines_are_said(passed: float, is_said: bool) -> None:
    world = watched()
    world.sweep(after(days=3))
    world.detect(world.exporter.started[0], "provisional", passed=passed)
    said = "cover 70% of the area where their outlines promised 100%" in str(world.row()["text"])
    assert said is is_said
