"""A release in the middle of an event: today's functions go on from what the previous release stored, to the final maps.

The documents are those of tests/data/previous: the provisional map of the ascending track was there, the descending pass had not come.
"""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.local.demo import BUILD, NOTICE, NOTO, NOTO_ORIGIN, RECORDINGS
from infra.local.stack import Stack
from quakeslide.documents.watch import WATCH, read_watch
from quakeslide.domain.watch import Standing
from tests.e2e.story import TINY_AREA, archive_for, contents, problems_of, results_of, status_of, waiting

UNDER_WAY = Path(__file__).parents[1] / "data" / "previous" / "documents" / "under_way"
STOPPED = NOTO_ORIGIN + timedelta(days=5)
MODEL = "vv_vh_ascending_60_12/1/card.json"
# The model that scored the stored cells, as far as a run is named by it: a later one would be another run, of shards that are not here.
MODEL_THEN = {"sha256": "f595aa548352b058f5b5f7bbf60f40b43a0b32f17292f35735ba8a0690e05f13", "threshold": 0.6}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("upgrade")
    shutil.copytree(BUILD / "models", folder / "models")
    card = folder / "models" / MODEL
    card.write_text(json.dumps(json.loads(card.read_text(encoding="utf-8")) | MODEL_THEN), encoding="utf-8")
    with Stack(
        folder / "stack",
        archive=archive_for(folder, TINY_AREA),
        recording=RECORDINGS / "usgs",
        models=folder / "models",
        bundles=BUILD / "bundles",
        start=STOPPED,
        settings={"export_composites": {"SHARD_PX": "256", "STAGES": "60-12", "DATA_NOTICE": NOTICE}},
    ) as running:
        for path in sorted(UNDER_WAY.rglob("*")):
            if path.is_file():
                bucket, _, name = path.relative_to(UNDER_WAY).as_posix().partition("/")
                running.bucket(bucket).blob(name).upload_from_filename(str(path))
        after = timedelta(days=5, hours=12)
        while after <= timedelta(days=28):
            running.go_to(NOTO_ORIGIN + after)
            after += timedelta(hours=12)
        yield running


def test_both_tracks_come_to_their_final_map(stack: Stack) -> None:
    names = results_of(stack, NOTO, "detections/")
    assert {tuple(Path(name).parts[2:4]) for name in names if name.endswith("-final.geojson")} == {
        ("A112", "60-12"),
        ("D046", "60-12"),
    }
    assert {row["finality"] for row in status_of(stack, NOTO)["tracks"]} == {"final"}
    assert problems_of(stack, NOTO) == []
    assert waiting(stack) == 0


def test_what_was_exported_and_scored_before_is_not_done_again(stack: Stack) -> None:
    assert stack.state_of("earth_engine")["exports_started"] == 1
    cells = contents(stack, "state", "cells/")
    kept = {path.relative_to(UNDER_WAY / "state").as_posix(): path.read_bytes() for path in UNDER_WAY.rglob("*.npz")}
    assert kept.items() <= cells.items()
    assert len(cells) == len(kept) + stack.state_of("model_server")["predict_calls"]


def test_the_watch_ended_in_todays_form(stack: Stack) -> None:
    (data,) = contents(stack, "state", f"watches/closed/{NOTO}").values()
    assert json.loads(data)["version"] == WATCH.version
    assert read_watch(data).standing is Standing.CLOSED
    assert not contents(stack, "state", f"watches/open/{NOTO}")


def test_every_stored_document_says_its_version(stack: Stack) -> None:
    """Aliases are an id as text and days are empty; pointers call it format, for their version is the model's."""
    silent: list[str] = []
    for bucket, prefix in (("state", ""), ("composites", "manifests/"), ("results", "latest/"), ("results", "status/")):
        for name, data in contents(stack, bucket, prefix).items():
            if not name.endswith(".json") or name.startswith("aliases/"):
                continue
            body: dict[str, Any] = json.loads(data)
            if not isinstance(body.get("format" if prefix == "latest/" else "version"), int):
                silent.append(name)
    assert silent == []
