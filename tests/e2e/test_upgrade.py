"""A release in the middle of an event: today's functions go on from what the previous release stored, to the final maps.

The documents are those of tests/data/previous: the provisional map of the ascending track was there, the descending pass had not come.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.local.stack import Stack
from infra.local.stories import NOTO, NOTO_ORIGIN
from quakeslide.documents.watch import WATCH, read_watch
from quakeslide.domain.watch import Standing
from tests.e2e.story import (
    TINY_AREA,
    announce,
    archive_for,
    contents,
    problems_of,
    results_of,
    stack_for,
    status_of,
    waiting,
)

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, the stack alone may take minutes to start

PREVIOUS = Path(__file__).parents[1] / "data" / "previous"
UNDER_WAY, PRODUCTS = PREVIOUS / "documents" / "under_way", PREVIOUS / "products"
RELEASED = 5  # days after the earthquake
# The descending pass comes at 8.6 days and is ingested within 30 h, the stage ends at 12 and is frozen at 26.
BEFORE, AFTER = (4.5, RELEASED), (6, 9, 10, 10.5, 11, 12.5, 13.5, 14, 14.5, 27, 27.5)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Today's functions play up to the release, so that the shards are there; then what they stored gives way to what was frozen."""
    folder = tmp_path_factory.mktemp("upgrade")
    with stack_for(folder, archive_for(folder, TINY_AREA)) as running:
        announce(running, TINY_AREA)
        look_at(running, BEFORE)
        for bucket, prefix in (("state", ""), ("composites", "manifests/"), ("results", "")):
            for blob in list(running.bucket(bucket).list_blobs(prefix=prefix)):
                blob.delete()
        for frozen in (UNDER_WAY, PRODUCTS):
            for path in sorted(path for path in frozen.rglob("*") if path.is_file()):
                bucket, _, name = path.relative_to(frozen).as_posix().partition("/")
                running.bucket(bucket).blob(name).upload_from_filename(str(path))
        look_at(running, AFTER)
        yield running


def look_at(stack: Stack, days: Iterable[float]) -> None:
    for day in days:
        stack.go_to(NOTO_ORIGIN + timedelta(days=day))


def test_both_tracks_come_to_their_final_map(stack: Stack) -> None:
    names = results_of(stack, NOTO, "detections/")
    assert {tuple(Path(name).parts[2:4]) for name in names if name.endswith("-final.geojson")} == {
        ("A112", "60-12"),
        ("D046", "60-12"),
    }
    assert {row["finality"] for row in status_of(stack, NOTO)["tracks"]} == {"final"}
    assert problems_of(stack, NOTO) == []
    assert waiting(stack) == 0


def test_what_was_exported_before_is_not_exported_again_and_its_cells_stay(stack: Stack) -> None:
    (data,) = contents(stack, "state", f"watches/closed/{NOTO}").values()
    orders = [order for item in read_watch(data).track_stages for order in item.orders]
    assert orders
    assert all(order.attempt == 1 and order.redrives == 0 for order in orders)
    kept = {path.relative_to(UNDER_WAY / "state").as_posix(): path.read_bytes() for path in UNDER_WAY.rglob("*.npz")}
    assert kept
    assert kept.items() <= contents(stack, "state", "cells/").items()


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
