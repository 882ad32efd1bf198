"""One composite cut into one shard, into four and into nine ragged ones gives the same products."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from shapely.geometry import mapping

from infra.local.stack import Stack
from tests.e2e.story import WIDE_AREA, anonymous, ask, contents, late_stack, shared_archive

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, the stack alone may take minutes to start

CUTS = {1024: (1, 1), 512: (4, 4), 256: (9, 9)}  # side in px: shards and cells of 640 x 640 px


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with late_stack(tmp_path_factory.mktemp("shards"), shared_archive(tmp_path_factory), SHARD_PX="1024") as running:
        yield running


@pytest.fixture(scope="module")
def cuts(stack: Stack) -> dict[int, dict[str, bytes]]:
    """The same request under three ids, with three sizes of shards; what each left behind, without its id."""
    found = {}
    for side, (shards, cells) in CUTS.items():
        event_id = f"cut_{side:04d}"
        stack.redeploy("export_composites", {"SHARD_PX": str(side)})
        for blob in stack.bucket("state").list_blobs(prefix="cells/"):  # of the same scenes and pixels, cut otherwise
            blob.delete()
        ask(stack, event_id, aoi=mapping(WIDE_AREA))
        names = contents(stack, "composites", f"shards/{event_id}/")
        assert (len(names), len(contents(stack, "state", "cells/"))) == (shards, cells)
        found[side] = anonymous(stack, event_id)
    return found


def test_rectangle_leaves_ragged_shards(stack: Stack, cuts: dict[int, dict[str, bytes]]) -> None:
    manifests = [
        json.loads(data)
        for name, data in contents(stack, "composites", "manifests/").items()
        if not name.endswith(".final.json")
    ]
    assert len(manifests) == len(cuts)
    for document in manifests:
        size = document["rectangle"]["height"], document["rectangle"]["width"]
        assert all(512 < side <= 768 and side % 256 for side in size)


def test_detections_have_the_same_bytes(cuts: dict[int, dict[str, bytes]]) -> None:
    one, four, nine = ({n: d for n, d in cut.items() if n.startswith("detections/")} for cut in cuts.values())
    (product,) = one.values()
    assert len(json.loads(product)["features"]) > 20
    assert one == four == nine


def test_every_other_product_has_the_same_bytes(cuts: dict[int, dict[str, bytes]]) -> None:
    one, four, nine = cuts.values()
    assert {Path(name).name for name in one} >= {"score.tif", "blind.geojson", "affected.geojson", "item.json"}
    for other in (four, nine):
        assert other.keys() == one.keys()
        assert [name for name in one if other[name] != one[name]] == []
