"""What a patch is, which part it belongs to, and the files it lies in."""

import json

import numpy as np
import pytest

from training.dataset import Dataset, dataset_for
from training.patches.labels import PATCH_PX, Label, cut, fractions, label_patches
from training.patches.split import VALIDATION_SHARE, LeakedEvent, is_unseen, part_of, refuse_leak
from training.patches.store import BANDS, PatchWriter, UnusableDataset, rows_of
from training.sources.event_list import paper_events
from training.tests.easy_patches import write_easy_set

PIXEL = 1 / PATCH_PX**2


def test_label_is_strictly_more_than_five_percent_in_sight():
    original = np.array([204, 205, 0, 205, 400], np.float32) * PIXEL
    seen = np.array([204, 205, 0, 0, 204], np.float32) * PIXEL
    expected = [Label.SUBTHRESHOLD, Label.LANDSLIDE, Label.BACKGROUND, Label.DISTORTED, Label.DISTORTED]
    assert label_patches(original, seen).tolist() == expected


def test_background_has_nothing_in_the_original_inventory_even_where_nothing_is_in_sight():
    assert label_patches(np.float32([PIXEL]), np.float32([0])).tolist() == [Label.SUBTHRESHOLD]


def test_cut_goes_row_by_row_and_drops_what_is_not_whole():
    image = np.arange(130 * 200, dtype=np.float32).reshape(130, 200, 1)
    patches = cut(image)
    assert patches.shape == (2 * 3, 64, 64, 1)
    np.testing.assert_array_equal(patches[4], image[64:128, 64:128])


def test_fractions_are_exact():
    mask = np.zeros((64, 128), bool)
    mask.ravel()[:1] = True
    mask[:, 64:] = True
    assert fractions(mask).tolist() == [PIXEL, 1.0]


def test_parts_have_the_paper_shares():
    parts = [part_of("papua", seed, row, column) for seed in range(20) for row in range(16) for column in range(16)]
    assert parts.count("test") / len(parts) == pytest.approx(0.33, abs=0.02)
    assert parts.count("validation") / len(parts) == pytest.approx(VALIDATION_SHARE, abs=0.02)
    assert set(parts) == {"train", "validation", "test"}


def test_shares_hold_within_each_event():
    for event in ("gorkha", "milin", "luding"):
        parts = [part_of(event, 0, row, column) for row in range(60) for column in range(60)]
        shares = {"test": 0.33, "validation": 0.67 * 0.4, "train": 0.67 * 0.6}
        assert {part: parts.count(part) / len(parts) for part in shares} == pytest.approx(shares, abs=0.03)


def test_part_follows_from_the_cell_alone():
    assert part_of("papua", 3, 4, 5) == part_of("papua", 3, 4, 5)
    assert len({part_of("papua", 3, 4, column) for column in range(40)}) == 3
    tested = [column for column in range(12) if part_of("papua", 3, 4, column) == "test"]
    assert tested == [1, 2, 3, 4, 5, 6, 8, 11]  # in every process, on every machine


def test_blocks_stay_together():
    assert len({part_of("papua", 0, row, column, split="block") for row in range(8, 16) for column in range(8)}) == 1
    corners = [part_of("papua", 0, 8 * row, 8 * column, split="block") for row in range(40) for column in range(40)]
    assert corners.count("test") / len(corners) == pytest.approx(0.33, abs=0.04)


@pytest.mark.parametrize("event", ["sumatra", "haiti", "Haiti-2021", "sumatra_pasaman", "Pasaman", "us6000f65h"])
@pytest.mark.parametrize("split", ["cell", "block"])
def test_unseen_events_are_never_learnt_from(event, split):
    assert {part_of(event, seed, row, 0, split=split) for seed in range(5) for row in range(40)} == {"unseen"}
    with pytest.raises(LeakedEvent, match=event):
        refuse_leak("train", np.array(["papua", event]))


def test_comcat_ids_of_unseen_events_are_those_of_the_list():
    for event in paper_events():
        assert is_unseen(event.event_id) == is_unseen(event.name) == (event.name in ("sumatra", "haiti"))


def test_unseen_events_in_a_set_reach_no_part_that_is_learnt_from(tmp_path):
    write_easy_set(tmp_path, events=("hokkaido", "haiti", "sumatra_2022"))
    dataset = Dataset(tmp_path)
    for part in ("train", "validation", "test"):
        assert set(dataset.select(part, "ASCENDING").event) == {"hokkaido"}
        assert len(dataset.select(part, "ASCENDING", events=("haiti",))) == 0
    assert set(dataset.select("unseen", "ASCENDING").event) == {"haiti", "sumatra_2022"}


def test_parts_share_no_patch_and_keep_their_ratio(tmp_path):
    write_easy_set(tmp_path)
    dataset = Dataset(tmp_path)
    samples = [dataset.select(part, "ASCENDING", ratio=2) for part in ("train", "validation", "test", "unseen")]
    index = np.concatenate([s.index for s in samples])
    assert len(set(index)) == len(index) > 100
    for sample in samples:
        for event in np.unique(sample.event):
            label = sample.label[sample.event == event]
            assert 0 < (label == 0).sum() <= 2 * (label == 1).sum()


def test_test_part_keeps_the_natural_ratio_up_to_ten(tmp_path):
    write_easy_set(tmp_path)  # 3 to 1
    test = Dataset(tmp_path).select("test", "ASCENDING")
    everything = Dataset(tmp_path).rows("ASCENDING")
    in_test = [r for r in everything if part_of(str(r["event"]), r["scene"], r["row"], r["column"]) == "test"]
    assert len(test) == len(in_test)


def test_test_part_is_capped_at_ten_to_one(tmp_path):
    writer = PatchWriter(tmp_path, pre_days=60, post_days=12, source={"kind": "easy"})
    cells = np.stack(np.divmod(np.arange(1600), 40), axis=1)
    label = (np.arange(1600) % 40 == 0).astype(np.int8)
    writer.add("ASCENDING", BANDS[::2], np.zeros((1600, 64, 64, 2)), rows_of("gorkha", 0, cells, label=label))
    writer.finish()
    test = Dataset(tmp_path).select("test", "ASCENDING", BANDS[::2])
    assert (test.label == 0).sum() == 10 * (test.label == 1).sum() > 0


def test_subthreshold_patches_are_left_out_or_background_and_distorted_ones_always_out(tmp_path):
    writer = PatchWriter(tmp_path, pre_days=60, post_days=12, source={"kind": "easy"})
    cells = np.stack(np.divmod(np.arange(400), 20), axis=1)
    rows = rows_of("milin", 0, cells, label=np.arange(400) % 4)
    writer.add("ASCENDING", BANDS, np.zeros((400, 64, 64, 4)), rows)
    writer.finish()
    dataset = Dataset(tmp_path)
    kinds = [
        set(dataset.select("test", "ASCENDING", subthreshold=way).rows["label"]) for way in ("exclude", "background")
    ]
    assert kinds == [{0, 1}, {0, 1, 2}]


def test_subthreshold_patches_keep_their_share_of_a_background_that_is_capped(tmp_path):
    writer = PatchWriter(tmp_path, pre_days=60, post_days=12, source={"kind": "easy"})
    place = np.arange(4000)
    label = np.select([place % 40 == 0, place % 4 == 1], [Label.LANDSLIDE, Label.SUBTHRESHOLD], Label.BACKGROUND)
    cells = np.stack(np.divmod(place, 40), axis=1)
    writer.add("ASCENDING", BANDS[::2], np.zeros((4000, 64, 64, 2)), rows_of("gorkha", 0, cells, label=label))
    writer.finish()
    kinds = Dataset(tmp_path).select("test", "ASCENDING", BANDS[::2], subthreshold="background").rows["label"]
    landslides, small = (kinds == Label.LANDSLIDE).sum(), (kinds == Label.SUBTHRESHOLD).sum()
    assert len(kinds) == 11 * landslides
    assert small / (len(kinds) - landslides) == pytest.approx(0.25 / 0.975, abs=0.06)


def test_events_without_vh_enter_no_dual_pol_training(tmp_path):
    writer = PatchWriter(tmp_path, pre_days=60, post_days=12, source={"kind": "easy"})
    cells = np.stack(np.divmod(np.arange(100), 10), axis=1)
    label = (np.arange(100) % 3 == 0).astype(np.int8)
    single = np.full((100, 64, 64, 2), [1.0, 2.0])
    writer.add("ASCENDING", ("postVV", "diffVV"), single, rows_of("gorkha", 0, cells, label=label))
    dual = np.full((100, 64, 64, 4), [3.0, 4.0, 5.0, 6.0])
    writer.add("ASCENDING", BANDS, dual, rows_of("milin", 0, cells, label=label))
    writer.finish()
    dataset = Dataset(tmp_path)
    assert set(dataset.select("train", "ASCENDING", BANDS).event) == {"milin"}
    both = dataset.select("train", "ASCENDING", ("postVV", "diffVV"))
    assert set(both.event) == {"gorkha", "milin"}
    values = both.take(np.arange(len(both)))[:, 0, 0]
    np.testing.assert_array_equal(values[both.event == "gorkha"], np.full((sum(both.event == "gorkha"), 2), [1, 2]))
    np.testing.assert_array_equal(values[both.event == "milin"], np.full((sum(both.event == "milin"), 2), [3, 5]))


def test_passes_that_see_other_landslides_take_their_background_from_one_queue(tmp_path):
    """R11: layover and shadow are a pass's own, and so are its labels; the background of one is then the beginning of the other's."""
    place = np.stack(np.divmod(np.arange(400), 20), axis=1)
    writer = PatchWriter(tmp_path, pre_days=60, post_days=12, source={"kind": "easy"})
    for orbit_pass, seen in (
        ("ASCENDING", 8),
        ("DESCENDING", 16),
    ):  # of the landslides, every second is out of sight for the other
        label = np.select([np.arange(400) % seen == 0, np.arange(400) % 8 == 0], [Label.LANDSLIDE, Label.DISTORTED])
        rows = rows_of("papua", 0, place, label=label)
        writer.add(orbit_pass, BANDS, np.zeros((400, 64, 64, 4)), rows)
    writer.finish()
    chosen = {
        orbit_pass: [
            {(int(r["row"]), int(r["column"])) for r in rows if r["label"] == kind}
            for kind in (Label.BACKGROUND, Label.LANDSLIDE)
        ]
        for orbit_pass in ("ASCENDING", "DESCENDING")
        for rows in [Dataset(tmp_path).select("train", orbit_pass, ratio=3).rows]
    }
    (more, all_slides), (fewer, some_slides) = chosen["ASCENDING"], chosen["DESCENDING"]
    assert some_slides < all_slides
    assert fewer < more
    assert (len(more), len(fewer)) == (3 * len(all_slides), 3 * len(some_slides))


def test_cells_are_the_same_for_both_passes_and_all_windows(tmp_path):
    chosen = []
    for seed, (pre, post) in enumerate(((60, 12), (12, 12))):
        folder = tmp_path / f"{pre}-{post}"
        write_easy_set(folder, pre_days=pre, post_days=post, seed=seed, orbit_passes=("ASCENDING", "DESCENDING"))
        dataset = dataset_for(tmp_path, pre, post)
        for orbit_pass in ("ASCENDING", "DESCENDING"):
            rows = dataset.select("train", orbit_pass, ratio=2).rows
            chosen.append({(str(r["event"]), int(r["row"]), int(r["column"])) for r in rows})
    assert chosen[0] == chosen[1] == chosen[2] == chosen[3]
    assert len(chosen[0]) > 50


def chosen_cells(folder, part):
    rows = Dataset(folder).select(part, "ASCENDING", ratio=2).rows
    return {(str(r["event"]), int(r["row"]), int(r["column"])): int(r["label"]) for r in rows}


@pytest.mark.parametrize("kind", [Label.BACKGROUND, Label.LANDSLIDE])
def test_a_cell_that_one_window_lacks_changes_no_other_cell(tmp_path, kind):
    """The next in the queue of the background takes its place, or two of it fall away with a landslide; all others stay as they are."""
    write_easy_set(tmp_path / "60-12")
    whole = {part: chosen_cells(tmp_path / "60-12", part) for part in ("train", "validation", "test")}
    lost = next(cell for cell, label in whole["train"].items() if label == kind)
    write_easy_set(tmp_path / "12-12", pre_days=12, without={lost})
    here = {part: chosen_cells(tmp_path / "12-12", part) for part in ("train", "validation", "test")}
    assert (here["validation"], here["test"]) == (whole["validation"], whole["test"])
    gone, come = set(whole["train"]) - set(here["train"]), set(here["train"]) - set(whole["train"])
    assert lost in gone
    if kind == Label.BACKGROUND:
        assert (len(gone), len(come)) == (1, 1)
    else:
        assert (len(gone), len(come)) == (3, 0)  # the ratio of 2 to 1
    assert {cell[0] for cell in gone | come} == {lost[0]}


def test_bands_are_taken_by_name_and_missing_pixels_filled(tmp_path):
    writer = PatchWriter(tmp_path, pre_days=60, post_days=12, source={"kind": "easy"})
    patches = np.full((40, 64, 64, 4), [-10, -17, 0.5, 0.25])
    patches[:, 0, 0] = np.nan
    cells = np.stack([np.arange(40), np.zeros(40, int)], axis=1)
    writer.add("ASCENDING", BANDS, patches, rows_of("papua", 0, cells, label=np.arange(40) % 2))
    writer.finish()
    narrow = Dataset(tmp_path).filled_with({"postVH": -15.0}).select("train", "ASCENDING", ("postVH", "diffVH"))
    taken = narrow.take(np.arange(2))
    assert taken.dtype == np.float32
    assert taken[:, 0, 0].tolist() == [[-15, 0]] * 2
    assert taken[:, 1, 1].tolist() == [[-17, 0.25]] * 2
    assert np.isnan(narrow.raw(np.arange(2))[:, 0, 0]).all()


def test_patches_come_back_from_many_shards_in_the_order_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("training.patches.store.SHARD_PATCHES", 7)
    monkeypatch.setattr("training.patches.sharded.RELEASE_BYTES", 1)
    writer = PatchWriter(tmp_path, pre_days=60, post_days=12, source={"kind": "easy"})
    for first in (0, 30):
        numbers = np.arange(first, first + 30)
        patches = np.broadcast_to(numbers[:, None, None, None], (30, 64, 64, 4))
        cells = np.stack([numbers, numbers], axis=1)
        writer.add("ASCENDING", BANDS, patches, rows_of("papua", 0, cells, label=1))
    writer.finish()
    assert len(list(tmp_path.glob("ascending-*.index.npy"))) > 5
    sample = Dataset(tmp_path).select("train", "ASCENDING")
    places = np.random.default_rng(0).permutation(len(sample))
    np.testing.assert_array_equal(sample.take(places)[:, 9, 9, 2], sample.rows["row"][places])
    stored = np.load(tmp_path / "ascending-00000.npy", mmap_mode="r")
    assert stored.dtype == np.float16


def test_identity_is_that_of_the_contents(tmp_path):
    first, again, other = (write_easy_set(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again != other


@pytest.mark.parametrize("loss", ["set.json", "ascending-00000.npy", "ascending-00000.index.npy"])
def test_a_set_that_is_not_whole_is_refused_by_name(tmp_path, loss):
    write_easy_set(tmp_path)
    (tmp_path / loss).unlink()
    with pytest.raises(UnusableDataset, match="no finished data set" if loss == "set.json" else loss):
        Dataset(tmp_path)


def test_a_set_cut_short_is_refused(tmp_path):
    write_easy_set(tmp_path)
    with (tmp_path / "ascending-00000.npy").open("r+b") as file:
        file.truncate(100_000)
    with pytest.raises(UnusableDataset, match="cut short"):
        Dataset(tmp_path)


def test_a_set_of_another_format_is_refused(tmp_path):
    write_easy_set(tmp_path)
    document = json.loads((tmp_path / "set.json").read_text())
    (tmp_path / "set.json").write_text(json.dumps({**document, "format": 99}))
    with pytest.raises(UnusableDataset, match="format 99"):
        Dataset(tmp_path)


def test_a_set_of_other_windows_is_refused(tmp_path):
    write_easy_set(tmp_path / "set")
    with pytest.raises(UnusableDataset, match="60-12, not 12-12"):
        dataset_for(tmp_path / "set", 12, 12)
    with pytest.raises(UnusableDataset, match="12-12 holds no finished"):
        dataset_for(tmp_path, 12, 12)


def test_a_finished_set_is_not_written_over(tmp_path):
    write_easy_set(tmp_path)
    with pytest.raises(UnusableDataset, match="finished"):
        write_easy_set(tmp_path)


def test_what_an_unfinished_writer_left_is_removed_and_nothing_else(tmp_path):
    ours = [
        "ascending-00007.npy",
        "descending-00007.index.npy",
        "scene-00003.npz",
        "scene-00004.17.draft",
        "set.json.draft",
    ]
    others = ["x.npz", "y.npy", "ground.npz", "ascending.npy", "notes.draft", "config.json"]
    for name in (*ours, *others):
        (tmp_path / name).write_bytes(b"half")
    write_easy_set(tmp_path)
    left = {file.name for file in tmp_path.iterdir()}
    assert not left & set(ours)
    assert left >= set(others)


@pytest.mark.parametrize(
    ("bands", "shape", "match"),
    [
        (("diffVV", "postVV"), (1, 64, 64, 2), "order"),
        (BANDS, (1, 64, 64, 3), "shape"),
        (BANDS, (1, 32, 64, 4), "shape"),
    ],
)
def test_patches_that_do_not_fit_are_refused(tmp_path, bands, shape, match):
    writer = PatchWriter(tmp_path, pre_days=60, post_days=12, source={})
    with pytest.raises(UnusableDataset, match=match):
        writer.add("ASCENDING", bands, np.zeros(shape), rows_of("papua", 0, np.zeros((1, 2), int)))


def test_values_that_are_no_decibels_are_refused(tmp_path):
    writer = PatchWriter(tmp_path, pre_days=60, post_days=12, source={})
    with pytest.raises(UnusableDataset, match="decibels"):
        writer.add("ASCENDING", BANDS, np.full((1, 64, 64, 4), 1e6), rows_of("papua", 0, np.zeros((1, 2), int)))


def test_an_event_that_is_not_there_is_refused(tmp_path):
    write_easy_set(tmp_path)
    with pytest.raises(UnusableDataset, match="lombok"):
        Dataset(tmp_path).select("train", "ASCENDING", events=("lombok",))
    with pytest.raises(UnusableDataset, match="DESCENDING"):
        Dataset(tmp_path).select("train", "DESCENDING")


def test_fill_values_of_one_model_leave_the_set_as_it_is(tmp_path):
    write_easy_set(tmp_path)
    dataset = Dataset(tmp_path)
    filled = dataset.filled_with({"postVV": -9.0})
    assert filled.select("test", "ASCENDING").fill == (-9, 0, 0, 0)
    assert dataset.select("test", "ASCENDING").fill == (0, 0, 0, 0)


def test_events_are_different_places_though_each_has_a_scene_0(tmp_path):
    write_easy_set(tmp_path, events=("hokkaido", "papua"), cells=(8, 8))
    test = Dataset(tmp_path).select("test", "ASCENDING")
    assert len(set(zip(test.event.tolist(), test.scene.tolist(), strict=True))) == len(set(test.scene.tolist())) == 2


def test_a_part_of_a_sample_keeps_its_rows_and_no_event_counts_twice(tmp_path):
    write_easy_set(tmp_path, events=("hokkaido", "papua"), cells=(8, 8))
    twice, once = (Dataset(tmp_path).select("test", "ASCENDING", events=("papua",) * n) for n in (2, 1))
    assert len(twice) == len(once)
    slides = once.only(once.label == 1)
    assert len(slides.rows) == len(slides) < len(once)
