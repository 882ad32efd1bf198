"""The recorded Noto earthquake, small area, simulated radar: from the feed to the final map."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from shapely.geometry import shape

from infra.local.stories import NOTICE, NOTO
from tests.e2e.story import FINAL, PASSES, SMALL_AREA, Story, archive_for, play, stack_for

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, the stack alone may take minutes to start


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive_for(tmp_path_factory.mktemp("noto"))


@pytest.fixture(scope="module")
def story(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with stack_for(tmp_path_factory.mktemp("plain"), archive) as stack:
        yield play(stack)


def test_nothing_is_exported_before_the_pass_is_there(story: Story) -> None:
    first = min(PASSES.values())
    assert all(told.exports == 0 for told in story.log if told.after < first)
    assert any(told.exports for told in story.log)


def test_provisional_map_comes_with_each_tracks_first_pass(story: Story) -> None:
    for track, passed in PASSES.items():
        seen = [told.after for told in story.log if any(f"/{track}/" in name for name in told.products)]
        assert seen, f"no product of {track}"
        # a scene is ingested within 30 h, its sweep comes within the step of 12 h, the one after it follows the export up
        assert passed < min(seen) <= passed + timedelta(hours=30 + 24)


def test_final_map_comes_at_twelve_days_without_a_second_export(story: Story) -> None:
    for track in PASSES:
        finals = [
            told.after
            for told in story.log
            if any(f"/{track}/" in n and n.endswith("-final.geojson") for n in told.products)
        ]
        assert finals
        assert min(finals) > FINAL
    assert story.exports == len(PASSES)


def test_promotion_scores_nothing_again(story: Story) -> None:
    runs = {Path(name).parts[1:3] for name in story.cells}
    assert len(runs) == len(PASSES)


def test_each_cell_is_scored_exactly_once(story: Story) -> None:
    assert story.tiles_scored == len(story.cells)
    assert len(story.cells) == 4 * len(PASSES)  # 448 x 448 px in shards of 256


def test_subscriber_hears_of_every_product_once(story: Story) -> None:
    assert sorted(story.notified) == sorted(story.products)
    assert len(story.products) == 2 * len(PASSES)


def test_provisional_and_final_maps_of_the_same_scenes_agree(story: Story) -> None:
    for track in PASSES:
        one, other = (
            json.loads(data)["features"] for name, data in sorted(story.products.items()) if f"/{track}/" in name
        )
        assert [f["geometry"] for f in one] == [f["geometry"] for f in other]


def test_products_are_complete_and_say_what_they_are(story: Story) -> None:
    for name in story.products:
        run = name.removeprefix("detections/").removesuffix(".geojson")
        files = {Path(n).name for n in story.results if n.startswith(f"support/{run}/")}
        assert files == {"score.tif", "blind.geojson", "affected.geojson", "quicklook.png", "item.json"}
        product = story.document(name)
        assert product["data_notice"] == NOTICE
        assert "not fit for operations" in product["model_notice"]
        assert all(SMALL_AREA.intersects(shape(f["geometry"])) for f in product["features"])
    assert NOTICE in story.results[f"pages/{NOTO}/index.html"].decode()
    status = story.document(f"status/{NOTO}.json")
    assert {entry["state"] for entry in status["tracks"]} <= {"done", "none_found"}
    assert f"summary/{NOTO}.geojson" in story.results


def test_manual_area_replaces_the_radius_one(story: Story) -> None:
    item = next(story.document(n) for n in story.results if n.endswith("item.json"))
    assert shape(item["geometry"]).area == pytest.approx(SMALL_AREA.area, rel=0.01)


def test_everything_twice_and_shuffled_gives_the_same_bytes(story: Story, archive: Path, tmp_path: Path) -> None:
    with stack_for(tmp_path, archive) as stack:
        stack.set_faults(
            "pubsub",
            [
                {"on": "deliver", "subscription": ".*", "action": "duplicate", "copies": 2, "times": None},
                {"on": "deliver", "subscription": ".*", "action": "shuffle", "window": 0.3, "seed": 7, "times": None},
            ],
        )
        again = play(stack)
    assert again.exports == story.exports
    assert again.results.keys() == story.results.keys()
    assert [name for name in story.results if again.results[name] != story.results[name]] == []
    assert again.cells.keys() == story.cells.keys()


def test_detector_killed_between_cells_and_merge_ends_in_the_same_products(
    story: Story, archive: Path, tmp_path: Path
) -> None:
    with stack_for(tmp_path, archive) as stack:

        def kill_after_last_cell() -> None:
            pid = stack.children["detect_landslides"].worker_pids()[0]
            stack.set_faults(
                "storage",
                [{"on": "object_written", "name": r"cells/.*/1-1\.npz", "action": "kill", "pid": pid, "times": 1}],
            )

        again = play(stack, meanwhile={timedelta(days=3): kill_after_last_cell})
    assert again.exports == story.exports
    assert {n for n in story.results if again.results.get(n) != story.results[n]} == set()
