"""Patches of simulated scenes: those of the scene, labelled by what each pass sees, and never of an event that must not be learnt from."""

import numpy as np
import pytest

from training.dataset import Dataset
from training.patches.labels import Label, cut
from training.patches.store import UnusableDataset
from training.simulator.events import EVENTS
from training.simulator.scene import Scene
from training.sources.simulated import Recipe, build

SMALL = Recipe(events=("hokkaido",), scenes_per_event=2, unseen_scenes_per_event=1, scene_px=320)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "set"
    assert list(build(SMALL, folder, jobs=2))[-1] == (4, 4)
    return folder


@pytest.fixture(scope="module")
def dataset(folder):
    return Dataset(folder)


@pytest.mark.parametrize("event", ["sumatra", "haiti", "noto-2024", "e2e", "atlantis"])
def test_events_that_are_no_training_events_are_refused(event):
    with pytest.raises(UnusableDataset, match=event):
        Recipe(events=("hokkaido", event))
    assert event not in Recipe().events


def test_demo_events_are_in_no_data_set():
    assert not {"noto-2024", "e2e"} & {name for name, _ in Recipe().scenes}


def test_patches_are_those_of_the_scene(dataset):
    scene = Scene(EVENTS["hokkaido"], seed=1, shape=(320, 320))
    expected = cut(scene.composite("DESCENDING", pre_days=60, post_days=12))
    rows = dataset.rows("DESCENDING")
    here = np.nonzero((rows["event"] == "hokkaido") & (rows["scene"] == 1))[0]
    stored = np.load(dataset.folder / "descending-00000.npy", mmap_mode="r")[here]
    np.testing.assert_allclose(stored, expected, atol=0.02)
    assert rows["row"][here].tolist() == [n // 5 for n in range(25)]
    assert rows["column"][here].tolist() == [n % 5 for n in range(25)]


def test_shares_are_those_of_the_scene(dataset):
    scene = Scene(EVENTS["hokkaido"], seed=0, shape=(320, 320))
    failed, distorted = scene.is_slide(), scene.view("ASCENDING").is_distorted
    rows = dataset.rows("ASCENDING")[:25]
    for name, mask in (("original", failed), ("landslide", failed & ~distorted), ("distorted", distorted)):
        np.testing.assert_array_equal(rows[name][7], mask[64:128, 128:192].mean(dtype=np.float32))
    assert (rows["original"] >= rows["landslide"]).all()
    assert set(rows["label"]) <= {int(kind) for kind in Label}


def test_parts_hold_what_they_may(dataset):
    assert set(dataset.select("unseen", "ASCENDING").event) <= {"sumatra", "haiti"}
    assert set(dataset.select("train", "ASCENDING").event) == {"hokkaido"}


def test_other_recipe_in_the_same_folder_is_refused(folder):
    other = Recipe(events=("papua",), scenes_per_event=1, unseen_scenes_per_event=0, scene_px=320)
    with pytest.raises(UnusableDataset, match="another data set"):
        list(build(other, folder))


def test_finished_set_is_kept(folder):
    before = (folder / "set.json").stat().st_mtime_ns
    assert list(build(SMALL, folder)) == [(4, 4)]
    assert (folder / "set.json").stat().st_mtime_ns == before
