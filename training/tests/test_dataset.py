"""Patches: which are landslides, which part they belong to, and what may never be learnt from."""

import json

import numpy as np
import pytest

from training.dataset import (
    PATCH_PX,
    VALIDATION_SHARE,
    Dataset,
    Recipe,
    UnusableDataset,
    build,
    cut,
    label_patches,
    part_of,
)
from training.simulator.events import EVENTS
from training.simulator.scene import Scene

SMALL = Recipe(events=("hokkaido",), scenes_per_event=2, unseen_scenes_per_event=1, scene_px=320)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "set"
    assert list(build(SMALL, folder))[-1] == (4, 4)
    return folder


@pytest.fixture(scope="module")
def dataset(folder):
    return Dataset(folder)


def test_parts_have_the_paper_shares():
    parts = [part_of("papua", seed, row, column) for seed in range(20) for row in range(16) for column in range(16)]
    assert parts.count("test") / len(parts) == pytest.approx(0.33, abs=0.02)
    assert parts.count("validation") / len(parts) == pytest.approx(VALIDATION_SHARE, abs=0.02)
    assert set(parts) == {"train", "validation", "test"}


def test_part_follows_from_the_cell_alone():
    assert part_of("papua", 3, 4, 5) == part_of("papua", 3, 4, 5)
    assert len({part_of("papua", 3, 4, column) for column in range(40)}) == 3


@pytest.mark.parametrize("event", ["sumatra", "haiti"])
def test_unseen_events_are_never_learnt_from(event):
    assert {part_of(event, seed, row, 0) for seed in range(5) for row in range(16)} == {"unseen"}
    with pytest.raises(UnusableDataset, match=event):
        Recipe(events=("hokkaido", event))


@pytest.mark.parametrize("event", ["noto-2024", "e2e"])
def test_demo_events_are_in_no_data_set(event):
    with pytest.raises(UnusableDataset, match="no data set"):
        part_of(event, 0, 0, 0)
    with pytest.raises(UnusableDataset, match=event):
        Recipe(events=(event,))
    assert event not in {name for name, _ in Recipe().scenes}


def test_unknown_event_is_refused():
    with pytest.raises(UnusableDataset, match="atlantis"):
        Recipe(events=("atlantis",))


def test_label_is_strictly_more_than_five_percent_in_sight():
    share = 1 / PATCH_PX**2
    seen = np.array([204, 205, 0, 0, 204], np.float32) * share
    original = np.array([204, 205, 0, 205, 400], np.float32) * share
    assert label_patches(original, seen, subthreshold="exclude").tolist() == [-1, 1, 0, -1, -1]
    assert label_patches(original, seen, subthreshold="background").tolist() == [0, 1, 0, -1, -1]


def test_cut_goes_row_by_row_and_drops_what_is_not_whole():
    image = np.arange(130 * 200, dtype=np.float32).reshape(130, 200, 1)
    patches = cut(image)
    assert patches.shape == (2 * 3, 64, 64, 1)
    np.testing.assert_array_equal(patches[4], image[64:128, 64:128])


def test_patches_are_those_of_the_scene(dataset):
    scene = Scene(EVENTS["hokkaido"], seed=1, shape=(320, 320))
    expected = cut(scene.composite("DESCENDING", pre_days=60, post_days=12))
    stored = np.load(dataset.folder / "patches_descending.npy", mmap_mode="r")[25:50]
    np.testing.assert_allclose(stored, expected, atol=0.02)
    assert stored.dtype == np.float16


def test_parts_share_no_patch_and_keep_their_ratio(dataset):
    samples = {p: dataset.select(p, "ASCENDING", ratio=2) for p in ("train", "validation", "test", "unseen")}
    index = np.concatenate([s.index for s in samples.values()])
    assert len(set(index)) == len(index)
    assert set(samples["unseen"].event) <= {"sumatra", "haiti"}
    assert set(samples["train"].event) == {"hokkaido"}
    for sample in samples.values():
        assert (sample.label == 0).sum() <= 2 * (sample.label == 1).sum()
    assert len(samples["train"]) > 0


def test_cells_are_the_same_for_both_passes(dataset):
    for part in ("train", "test"):
        chosen = [set(dataset.select(part, o, ratio=100).index) for o in ("ASCENDING", "DESCENDING")]
        background = dataset.fractions["original"] == 0
        first, second = ({i for i in c if background[i]} for c in chosen)
        assert first == second


def test_bands_are_taken_by_name(dataset):
    both = dataset.select("train", "ASCENDING")
    narrow = dataset.select("train", "ASCENDING", ("postVV", "diffVV"))
    some = np.arange(2)
    np.testing.assert_array_equal(narrow.take(some), both.take(some)[..., [0, 2]])
    assert next(narrow.batches(3)).shape == (3, 64, 64, 2)


def test_other_recipe_in_the_same_folder_is_refused(folder):
    other = Recipe(events=("papua",), scenes_per_event=1, unseen_scenes_per_event=0, scene_px=320)
    with pytest.raises(UnusableDataset, match="another data set"):
        list(build(other, folder))


def test_finished_set_is_kept(folder):
    before = json.loads((folder / "recipe.json").read_text())
    assert list(build(SMALL, folder)) == [(4, 4)]
    assert json.loads((folder / "recipe.json").read_text()) == before


def test_unfinished_set_is_refused(tmp_path):
    with pytest.raises(UnusableDataset, match="no finished data set"):
        Dataset(tmp_path)
