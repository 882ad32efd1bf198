"""A set whose writer was killed, wherever that was, is gone on with and becomes the same to the byte."""

import contextlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from training.patches import store
from training.patches.store import BANDS, PatchWriter, UnusableDataset, rows_of

VV = ("postVV", "diffVV")


class Killed(BaseException):
    """Ends a writer as abruptly as can be without ending the process."""


class Killer:
    """Lets a number of writes to the disk happen, and the next one by half."""

    def __init__(self, monkeypatch, at):
        self._left = at
        self.struck = False
        for owner, name, half in (
            (np, "save", self._half_array),
            (Path, "write_text", self._half_text),
            (os, "replace", None),
            (Path, "unlink", None),
        ):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name), half))

    def _counted(self, write, half):
        def counted(*arguments, **options):
            if self.struck:
                return write(*arguments, **options)
            self._left -= 1
            if self._left >= 0:
                return write(*arguments, **options)
            self.struck = True
            if half:
                half(*arguments)
            raise Killed

        return counted

    @staticmethod
    def _half_array(path, array):
        path.write_bytes(b"\x93NUMPY" + array.tobytes()[: array.nbytes // 2])

    @staticmethod
    def _half_text(path, text):
        path.write_bytes(text.encode()[: len(text) // 2])


def write(folder, *, made_by="this code", seed=0):
    """Add patches of two passes and both band sets, some at a time; shards hold four."""
    writer = PatchWriter(folder, pre_days=60, post_days=12, source={"seed": seed}, made_by=made_by)
    rng = np.random.default_rng(seed)
    for scene in range(2):
        for orbit_pass in ("ASCENDING", "DESCENDING"):
            for bands, count in ((BANDS, 2), (VV, 11)):
                patches = rng.normal(-12, 1, (count, 1, 1, len(bands))).astype(np.float16)
                cells = np.stack([np.arange(count)] * 2, axis=1)
                rows = rows_of("papua", scene, cells, label=rng.integers(0, 2, count))
                writer.add(orbit_pass, bands, np.broadcast_to(patches, (count, 64, 64, len(bands))), rows)
    return writer.finish()


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    monkeypatch.setattr(store, "SHARD_PATCHES", 4)


@pytest.fixture
def whole(tmp_path):
    identity = write(tmp_path / "whole")
    return identity, contents(tmp_path / "whole")


def test_killed_at_any_write_and_gone_on_with_it_is_the_same_set(tmp_path, whole):
    identity, expected = whole
    assert len(expected) > 20, "a set of many shards, or this shows little"
    for at in range(1000):
        folder = tmp_path / f"at-{at}"
        with pytest.MonkeyPatch.context() as patching:
            killer = Killer(patching, at)
            with contextlib.suppress(Killed):
                write(folder)
        if not killer.struck:
            break
        if not (folder / "set.json").exists():
            assert write(folder) == identity
        found = contents(folder)
        found.pop("unfinished.json", None)  # killed after the set was finished
        assert found == expected
    assert at > 40


def test_killed_again_and_again_it_still_ends(tmp_path, whole):
    _, expected = whole
    kills = 0
    while not (tmp_path / "set" / "set.json").exists():
        with pytest.MonkeyPatch.context() as patching:
            Killer(patching, 7)
            try:
                write(tmp_path / "set")
            except Killed:
                kills += 1
    assert kills > 5
    found = contents(tmp_path / "set")
    found.pop("unfinished.json", None)
    assert found == expected


def begun(folder, *, shards=5):
    with pytest.MonkeyPatch.context() as patching:
        Killer(patching, 2 + 4 * shards + 1)
        with pytest.raises(Killed):
            write(folder)


def test_finished_shards_are_not_written_again(tmp_path):
    begun(tmp_path / "set")
    shards = json.loads((tmp_path / "set" / "unfinished.json").read_text())["shards"]
    assert len(shards) == 5
    before = {s["name"]: (tmp_path / "set" / f"{s['name']}.npy").stat().st_mtime_ns for s in shards}
    write(tmp_path / "set")
    assert before == {name: (tmp_path / "set" / f"{name}.npy").stat().st_mtime_ns for name in before}


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", None])
def test_a_shard_that_a_power_cut_damaged_is_written_again(tmp_path, whole, damage):
    begun(tmp_path / "set")
    victim = tmp_path / "set" / "ascending-00001.npy"
    if damage is None:
        content = bytearray(victim.read_bytes())
        content[-1] ^= 1
        damage = bytes(content)
    victim.write_bytes(damage)
    assert (write(tmp_path / "set"), contents(tmp_path / "set")) == whole


@pytest.mark.parametrize("other", [{"seed": 1}, {"made_by": "other code"}])
def test_another_set_than_the_begun_one_is_refused(tmp_path, other):
    begun(tmp_path / "set")
    before = contents(tmp_path / "set")
    with pytest.raises(UnusableDataset, match=r"another (code|source); write"):
        write(tmp_path / "set", **other)
    assert contents(tmp_path / "set") == before


def test_a_writer_that_does_not_go_on_begins_anew(tmp_path, whole):
    begun(tmp_path / "set")
    identity, files = whole
    assert write(tmp_path / "set", made_by=None) == identity
    found = contents(tmp_path / "set")
    assert "code" not in json.loads(found.pop("set.json"))
    assert found == {name: content for name, content in files.items() if name != "set.json"}


def test_a_journal_that_cannot_be_read_is_refused_by_name(tmp_path):
    begun(tmp_path / "set")
    (tmp_path / "set" / "unfinished.json").write_text("")
    with pytest.raises(UnusableDataset, match=r"unfinished\.json cannot be read"):
        write(tmp_path / "set")


def test_only_stored_patches_can_be_left_out(tmp_path):
    begun(tmp_path / "set")
    writer = PatchWriter(tmp_path / "set", pre_days=60, post_days=12, source={"seed": 0}, made_by="this code")
    stored = writer.stored("ASCENDING", VV)
    assert stored > 0
    with pytest.raises(ValueError, match="left out"):
        writer.leave_out("ASCENDING", VV, stored + 1)
    writer.leave_out("ASCENDING", VV, stored)
