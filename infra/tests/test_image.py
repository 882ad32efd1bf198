# ruff: noqa: D103
"""The model server's image is named by what it is made of: built once for the same content, and anew for any other."""

import os
import shutil
from pathlib import Path

import pytest

from infra.deploy import IMAGE_PARTS, content_tag
from infra.google_api import Refusal

MODEL = "build/models/vv_vh_ascending_60_12/1"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for part in IMAGE_PARTS[:-1]:
        (tmp_path / part).parent.mkdir(exist_ok=True)
        (tmp_path / part).write_text(part)
    (tmp_path / MODEL).mkdir(parents=True)
    (tmp_path / MODEL / "card.json").write_text("{}")
    (tmp_path / MODEL / "saved_model.pb").write_bytes(b"graph")
    return tmp_path


def test_the_same_content_has_the_same_tag_whenever_and_wherever_it_lies(root: Path, tmp_path: Path) -> None:
    tag = content_tag(root)
    copy = tmp_path / "elsewhere"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("elsewhere"))
    for path in copy.rglob("*"):
        os.utime(path, (0, 0))
    assert content_tag(copy) == tag
    assert len(tag) == 16


@pytest.mark.parametrize("part", [*IMAGE_PARTS[:-1], f"{MODEL}/card.json", f"{MODEL}/saved_model.pb"])
def test_any_change_makes_another_tag(root: Path, part: str) -> None:
    tag = content_tag(root)
    (root / part).write_bytes((root / part).read_bytes() + b" ")
    assert content_tag(root) != tag


def test_a_file_moved_to_another_model_makes_another_tag(root: Path) -> None:
    tag = content_tag(root)
    (root / MODEL).parent.rename((root / MODEL.replace("ascending", "descending")).parent)
    assert content_tag(root) != tag


@pytest.mark.parametrize("part", IMAGE_PARTS)
def test_a_part_that_is_not_there_is_said(root: Path, part: str) -> None:
    path = root / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(Refusal, match=f"{part} is not there"):
        content_tag(root)
