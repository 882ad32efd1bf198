"""Patches that somebody else cut: every layout that the configuration can say, and clear refusals of what it cannot mean."""

import json
import pickle

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from training.__main__ import main
from training.dataset import Dataset
from training.patches.labels import Label
from training.patches.store import BANDS, UnusableDataset
from training.sources.ready_arrays import build

N = 30
RNG = np.random.default_rng(0)
X = (RNG.normal(0, 1, (N, 64, 64, 4)) + np.array([-10, -17, 0, 0])).astype(np.float32)
Y = (np.arange(N) % 3 == 0).astype(np.int64)


def configuration(folder, *arrays, bands=BANDS, **further):
    path = folder / "config.json"
    path.write_text(
        json.dumps({"pre_days": 60, "post_days": 12, "bands": list(bands), "arrays": list(arrays), **further})
    )
    return path


def entry(file="x.npz", **changes):
    values = {"file": file, "patches": "x", "labels": "y", "event": "hokkaido", "pass": "ASCENDING", **changes}
    return {name: value for name, value in values.items() if value is not None}


def stored(folder):
    dataset = Dataset(folder / "set")
    return np.load(folder / "set" / "ascending-00000.npy"), dataset.rows("ASCENDING", ("postVV", "diffVV"))


def test_npz_with_labels(tmp_path):
    np.savez(tmp_path / "x.npz", x=X, y=Y[:, None])
    list(build(configuration(tmp_path, entry()), tmp_path / "set"))
    patches, rows = stored(tmp_path)
    np.testing.assert_allclose(patches, X, atol=0.01)
    assert (rows["label"] == np.where(Y == 1, Label.LANDSLIDE, Label.BACKGROUND)).all()
    assert rows["row"].tolist() == list(range(N))


def test_hdf5_channels_first_with_bands_in_another_order_and_one_to_ignore(tmp_path):
    order = [2, 0, 3, 1]
    with h5py.File(tmp_path / "x.h5", "w") as file:
        channels = np.concatenate([X[..., order], np.zeros((N, 64, 64, 1))], axis=-1)
        file["x"] = np.moveaxis(channels, -1, 1)
        file["y"] = Y
    names = [*(BANDS[n] for n in order), "ignored"]
    path = configuration(tmp_path, entry("x.h5"), bands=names, channels="first")
    list(build(path, tmp_path / "set"))
    np.testing.assert_allclose(stored(tmp_path)[0], X, atol=0.01)


def test_a_file_for_each_class_and_npy(tmp_path):
    np.save(tmp_path / "slides.npy", X[:10])
    np.save(tmp_path / "background.npy", X[10:])
    files = [
        entry("slides.npy", patches=None, labels=None, label=1),
        entry("background.npy", patches=None, labels=None, label=0),
    ]
    list(build(configuration(tmp_path, *files), tmp_path / "set"))
    _, rows = stored(tmp_path)
    assert rows["label"].tolist() == [1] * 10 + [0] * 20
    assert rows["row"].tolist() == list(range(N))  # numbered through: no two patches of an event share a cell
    assert all(np.isnan(rows[share]).all() for share in ("original", "landslide", "distorted"))  # nobody told
    assert (rows["valid"] == 1).all()


def test_shares_make_labels_and_events_and_cells_come_from_arrays(tmp_path):
    share = np.array([0, 0.01, 0.2] * 10)
    events = np.array(["papua", "haiti"] * 15)
    cells = np.stack([np.arange(N), np.arange(N) + 7], axis=1)
    np.savez(tmp_path / "x.npz", x=X, share=share, e=events, c=cells)
    path = configuration(tmp_path, entry(labels=None, landslide="share", event=None, events="e", cells="c"))
    list(build(path, tmp_path / "set"))
    _, rows = stored(tmp_path)
    by_cell = {int(r["row"]): r for r in rows}
    assert [by_cell[n]["label"] for n in range(3)] == [Label.BACKGROUND, Label.SUBTHRESHOLD, Label.LANDSLIDE]
    assert [str(by_cell[n]["event"]) for n in range(2)] == ["papua", "haiti"]
    assert by_cell[4]["column"] == 11
    assert by_cell[2]["original"] == by_cell[2]["landslide"] == pytest.approx(0.2)
    assert np.isnan(rows["distorted"]).all()
    assert set(Dataset(tmp_path / "set").select("train", "ASCENDING").event) == {"papua"}


@pytest.mark.parametrize("kind", ["variable", "fixed"])
def test_names_of_events_come_from_strings_of_hdf5(tmp_path, kind):
    names = ["Papua", "haiti"] * (N // 2)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"], file["y"] = X, Y
        file["e"] = np.array(names, "S5" if kind == "fixed" else h5py.string_dtype())
    list(build(configuration(tmp_path, entry("x.h5", event=None, events="e")), tmp_path / "set"))
    assert set(stored(tmp_path)[1]["event"].tolist()) == {"papua", "haiti"}


def test_single_polarisation(tmp_path):
    np.savez(tmp_path / "x.npz", x=X[..., [0, 2]], y=Y)
    list(build(configuration(tmp_path, entry(), bands=("postVV", "diffVV")), tmp_path / "set"))
    assert stored(tmp_path)[0].shape == (N, 64, 64, 2)


@pytest.mark.parametrize(
    ("arrays", "change", "further", "match"),
    [
        ({"x": X, "y": Y}, {"patches": "z"}, {}, "holds no 'z'; it holds x, y"),
        ({"x": X, "y": Y}, {"patches": None}, {}, "say in `patches`"),
        ({"x": X, "y": Y[:-1]}, {}, {}, "30 patches, but 29 labels"),
        ({"x": X, "y": Y + 1}, {}, {}, "0 or 1"),
        ({"x": X[:, :32], "y": Y}, {}, {}, "shape"),
        ({"x": X, "y": Y}, {}, {"channels": "first"}, r"\[n, 4, 64, 64\].*\"channels\": \"last\""),
        ({"x": X * (np.arange(N) > 5)[:, None, None, None], "y": Y}, {}, {}, "20.0% of its pixels are exactly 0"),
        ({"x": X, "y": Y, "c": np.full((N, 2), 5_000_000_000)}, {"cells": "c"}, {}, "cells beyond"),
        ({"x": 10 ** (X / 10), "y": Y}, {}, {}, "not sigma0 in dB"),
        ({"x": (X + 30) / 30, "y": Y}, {}, {}, "not sigma0 in dB"),
        ({"x": X - [-10, -17, 0, 0], "y": Y}, {}, {}, "x.npz: the median of postVV is .*: not sigma0 in dB"),
        ({"x": X[..., [2, 1, 0, 3]], "y": Y}, {}, {}, "the median of postVV is"),
        ({"x": X[..., [0, 3, 2, 1]], "y": Y}, {}, {}, "the median of postVH is"),
        ({"x": np.add(X, [0, 0, 0, 8]), "y": Y}, {}, {}, "the median of diffVH is 8"),
        ({"x": X * np.nan, "y": Y}, {}, {}, "not one pixel of postVV has a value"),
        ({"x": np.where(X < -18, -9999, X), "y": Y}, {}, {}, "-9999 in postVH is no sigma0 in dB.*or write NaN"),
        (
            {"x": X, "y": Y, "c": np.zeros((N, 2), int)},
            {"cells": "c"},
            {},
            r"cell \(0, 0\) of hokkaido, ASC.* is there twice",
        ),
        ({"x": X, "y": Y}, {"track": "D046"}, {}, "track D046 is not ASCENDING"),
        ({"x": X.astype(object), "y": Y}, {}, {}, "'x' cannot be read .*allow_pickle"),
        ({"x": X, "y": Y.astype(object)}, {}, {}, "'y' cannot be read .*allow_pickle"),
        ({"x": X.astype(complex), "y": Y}, {}, {}, "type complex128"),
        ({"x": X.astype("S4"), "y": Y}, {}, {}, r"type \|S4; numbers"),
        ({"x": X, "y": Y, "e": ["Ho kkaido"] * N}, {"event": None, "events": "e"}, {}, "'ho kkaido' is no name"),
        ({"x": X, "y": Y, "e": ["x" * 36 + "haiti"] * N}, {"event": None, "events": "e"}, {}, "is no name"),
        ({"x": X, "s": 100.0 * Y}, {"labels": None, "landslide": "s"}, {}, "0 to 1"),
        ({"x": X, "s": Y * np.nan}, {"labels": None, "landslide": "s"}, {}, "0 to 1"),
        ({"x": X, "s": np.zeros((N, 2))}, {"labels": None, "landslide": "s"}, {}, "0 to 1"),
        ({"x": X, "y": Y, "c": np.zeros((N, 3), int)}, {"cells": "c"}, {}, "cells of shape"),
        ({"x": X, "y": Y, "c": np.zeros((N, 2)) + 0.5}, {"cells": "c"}, {}, "whole numbers"),
        ({"x": X, "y": Y}, {"file": "pickle.npy", "patches": None}, {}, "no file of arrays"),
        ({"x": X, "y": Y}, {"file": "torn.npz"}, {}, "cannot be read|no file of arrays"),
        ({"x": X, "y": Y}, {"file": "group.h5"}, {}, "'x' is a group"),
        ({"x": X, "y": Y}, {"file": "compound.h5"}, {}, "'x' is of type"),
        ({"x": X, "y": Y}, {}, {"bands": ["postVH", "postVV", "diffVH", "ignored"]}, "diffVV is missing"),
        ({"x": X, "y": Y}, {"label": 1}, {}, "exactly one of label, labels, landslide"),
        ({"x": X, "y": Y}, {"event": None}, {}, "exactly one of event, events"),
        ({"x": X, "y": Y}, {"event": "Ho kkaido"}, {}, "does not match"),
        ({"x": X, "y": Y}, {"file": "x.zarr"}, {}, "x.zarr is not there"),
        ({"x": X, "y": Y}, {"file": "config.json"}, {}, "end in .npy"),
        ({"x": X, "y": Y}, {"file": "text.h5"}, {}, "no file of arrays"),
        ({"x": X, "y": Y}, {"file": "text.npz"}, {}, "no file of arrays"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(tmp_path, arrays, change, further, match):
    np.savez(tmp_path / "x.npz", **arrays)
    (tmp_path / "text.h5").write_text("no HDF5")
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(X[:1]))
    torn = bytearray((tmp_path / "x.npz").read_bytes())
    torn[200:400] = bytes(200)
    (tmp_path / "torn.npz").write_bytes(torn)
    with h5py.File(tmp_path / "group.h5", "w") as file:
        file["x/inner"], file["y"] = X, Y
    with h5py.File(tmp_path / "compound.h5", "w") as file:
        file["x"], file["y"] = np.zeros(N, [("vv", "f4"), ("vh", "f4")]), Y
    with pytest.raises(UnusableDataset, match=match):
        list(build(configuration(tmp_path, entry(**change), **further), tmp_path / "set"))
    assert not (tmp_path / "set" / "set.json").exists()


def test_patches_listed_twice_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", x=X, y=Y)
    with pytest.raises(UnusableDataset, match=r"the patches of x\.npz are listed twice"):
        list(build(configuration(tmp_path, entry(), entry(event="papua")), tmp_path / "set"))


def test_tracks_of_one_pass_may_hold_the_same_cells(tmp_path):
    cells = np.stack([np.arange(N), np.zeros(N, int)], axis=1)
    np.savez(tmp_path / "x.npz", x=X, z=X, y=Y, c=cells)
    tracks = [entry(cells="c", track="A069"), entry(patches="z", cells="c", track="A142")]
    list(build(configuration(tmp_path, *tracks), tmp_path / "set"))
    rows = stored(tmp_path)[1]
    assert len(rows) == 2 * N
    assert set(rows["track"].tolist()) == {"A069", "A142"}


def test_patches_with_many_missing_pixels_are_left_out_told_and_keep_their_number(tmp_path):
    holed = X.copy()
    holed[3, :17, :, 2] = np.nan  # 17 of 64 rows
    holed[4, :16] = np.nan  # 16 of them: just enough
    np.savez(tmp_path / "x.npz", x=holed, y=Y)
    told = []
    list(build(configuration(tmp_path, entry()), tmp_path / "set", told.append))
    rows = stored(tmp_path)[1]
    assert (
        told[0]
        == "x.npz: 29 patches (9 landslide, 20 background); 1 left out, of whose pixels fewer than 75% are there"
    )
    assert rows["row"].tolist() == [n for n in range(N) if n != 3]
    assert rows["valid"].min() == 0.75


def test_numbered_cells_are_said_to_be_so_and_are_split_in_no_blocks(tmp_path):
    np.savez(tmp_path / "x.npz", x=X, y=Y, c=np.stack([np.arange(N), np.arange(N)], axis=1))
    told = []
    list(build(configuration(tmp_path, entry()), tmp_path / "set", told.append))
    dataset = Dataset(tmp_path / "set")
    assert dataset.source["cells"] == "numbered"
    assert "neighbours on the ground may lie on both sides" in told[-1]
    assert len(dataset.select("train", "ASCENDING"))
    with pytest.raises(UnusableDataset, match="its cells are numbers"):
        dataset.select("train", "ASCENDING", split="block")
    told.clear()
    list(build(configuration(tmp_path, entry(cells="c")), tmp_path / "placed", told.append))
    assert "cells" not in Dataset(tmp_path / "placed").source
    assert len(told) == 1
    Dataset(tmp_path / "placed").select("train", "ASCENDING", split="block")


@pytest.mark.parametrize(("further", "expected"), [({}, "epsg4326_10m"), ({"pixel_geometry": "utm_10m"}, "utm_10m")])
def test_a_set_says_what_pixels_it_has(tmp_path, further, expected):
    np.savez(tmp_path / "x.npz", x=X, y=Y)
    list(build(configuration(tmp_path, entry(), **further), tmp_path / "set"))
    assert Dataset(tmp_path / "set").source["pixel_geometry"] == expected


def test_an_event_that_has_vv_alone_in_table_1_enters_no_training_with_vh(tmp_path):
    np.savez(tmp_path / "x.npz", x=X, y=Y, e=["gorkha", "papua", "us1000778i"] * (N // 3))
    list(build(configuration(tmp_path, entry(event=None, events="e")), tmp_path / "set"))
    dataset = Dataset(tmp_path / "set")
    assert set(dataset.rows("ASCENDING", BANDS)["event"].tolist()) == {"papua"}
    assert set(dataset.rows("ASCENDING", BANDS[::2])["event"].tolist()) == {"gorkha", "papua", "us1000778i"}


def test_vh_of_an_event_with_vv_alone_may_be_missing_or_nonsense(tmp_path):
    """It is left aside, so it neither costs patches nor lets a file be refused."""
    holed = X.copy()
    events = np.array(["gorkha", "papua"] * (N // 2))
    holed[events == "gorkha", :, :, 1] = np.nan
    holed[events == "gorkha", :, :, 3] = 5000
    told = []
    np.savez(tmp_path / "x.npz", x=holed, y=Y, e=events)
    list(build(configuration(tmp_path, entry(event=None, events="e")), tmp_path / "set", told.append))
    assert told[0] == f"x.npz: {N} patches (10 landslide, 20 background)"
    rows = Dataset(tmp_path / "set").rows("ASCENDING", BANDS[::2])
    assert (rows["event"] == "gorkha").sum() == (rows["event"] == "papua").sum() == N // 2
    assert rows["valid"].min() == 1
    np.savez(tmp_path / "x.npz", x=holed[events == "gorkha"], y=Y[events == "gorkha"])
    list(build(configuration(tmp_path, entry(event="gorkha")), tmp_path / "alone"))
    with pytest.raises(UnusableDataset, match="in diffVH is no sigma0"):
        list(build(configuration(tmp_path, entry(event="papua")), tmp_path / "papua"))


def test_an_event_without_any_value_is_left_out_and_no_reason_to_refuse_the_others(tmp_path):
    holed, events = X.copy(), np.array(["gorkha", "papua"] * (N // 2))
    holed[events == "gorkha"] = np.nan
    told = []
    np.savez(tmp_path / "x.npz", x=holed, y=Y, e=events)
    list(build(configuration(tmp_path, entry(event=None, events="e")), tmp_path / "set", told.append))
    assert told[0].startswith(f"x.npz: {N // 2} patches (5 landslide, 10 background); {N // 2} left out")
    np.savez(tmp_path / "x.npz", x=np.full_like(X, np.nan), y=Y, e=events)
    with pytest.raises(UnusableDataset, match=r"x\.npz: not one pixel of postVV has a value"):
        list(build(configuration(tmp_path, entry(event=None, events="e")), tmp_path / "none"))


def test_unseen_events_by_any_name_are_in_no_part_that_is_learnt_from(tmp_path):
    unseen = ["us6000f65h", "us6000gzyg", "Pasaman", "haiti2021", "US6000F65H"]
    np.savez(tmp_path / "x.npz", x=X, e=["papua", *unseen] * (N // 6))
    list(build(configuration(tmp_path, entry(labels=None, label=1, event=None, events="e")), tmp_path / "set"))
    dataset = Dataset(tmp_path / "set")
    for part in ("train", "validation", "test"):
        assert set(dataset.select(part, "ASCENDING").event) <= {"papua"}
    assert set(dataset.select("unseen", "ASCENDING").event) == {name.lower() for name in unseen}


def test_every_fault_of_a_configuration_is_named_at_once(tmp_path):
    (tmp_path / "config.json").write_text('{"pre_days": 0, "bands": ["postVV", "red"], "arrays": []}')
    result = CliRunner().invoke(main, ["arrays", "--config", str(tmp_path / "config.json")])
    assert result.exit_code == 1
    for fault in ("$.pre_days", "post_days", "$.bands[1]", "$.arrays"):
        assert fault in result.output
