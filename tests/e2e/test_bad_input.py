"""Bad input on the way to the map: each a clear error naming what and where, shown in the status, nothing half-written.

Composites are planted beside a good one: its manifest and shards under another event's id, with one thing wrong.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile

from infra.local.provision import bucket_name
from infra.local.stack import Stack
from quakeslide.documents.manifest import read_manifest, write_manifest
from quakeslide.domain.composite import Composite
from quakeslide.domain.object_names import manifest
from quakeslide.domain.sentinel1 import Polarisation
from tests.e2e.story import (
    ask,
    complete,
    contents,
    late_stack,
    look,
    problems_of,
    results_of,
    shared_archive,
    status_of,
    waiting,
)

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, the stack alone may take minutes to start

CARD = "vv_vh_ascending_60_12/1/card.json"


@dataclass(frozen=True)
class Good:
    """A composite that the pipeline made and judged: its description and its only shard."""

    composite: Composite
    shard: bytes
    products: dict[str, bytes]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with late_stack(tmp_path_factory.mktemp("bad"), shared_archive(tmp_path_factory), SHARD_PX="1024") as running:
        yield running


@pytest.fixture(scope="module")
def good(stack: Stack) -> Good:
    ask(stack, "good_event")
    products = complete(stack, "good_event")
    name, data = next(
        (name, data)
        for name, data in contents(stack, "composites", "manifests/").items()
        if not name.endswith(".final.json")
    )
    (shard,) = contents(stack, "composites", "shards/").values()
    return Good(read_manifest(data, name), shard, products)


def forget_cells(stack: Stack) -> None:
    """Delete all scores: composites of the same scenes and pixels share them, whatever event they are of."""
    for blob in stack.bucket("state").list_blobs(prefix="cells/"):
        blob.delete()


def plant(stack: Stack, composite: Composite, shard: bytes, document: bytes | None = None) -> str:
    """Put a composite into its bucket as the exporter and Earth Engine do; return the shard's name."""
    forget_cells(stack)
    bucket = stack.bucket("composites")
    name = manifest(composite.event_id, composite.track, composite.stage, composite.composite_id)
    bucket.blob(name).upload_from_string(document or write_manifest(composite))
    (where,) = composite.shards()
    bucket.blob(where.name).upload_from_string(shard)
    stack.settle()
    return where.name


def altered(shard: bytes, bands: list[str] | None = None, pixels: Any = None, **profile: Any) -> bytes:
    """Return a shard with other band names, pixels or profile."""
    with MemoryFile(shard) as file, file.open() as source:
        values = source.read() if pixels is None else pixels(source.read())
        with MemoryFile() as changed:
            size = {"height": values.shape[1], "width": values.shape[2]}
            with changed.open(**{**source.profile, **size, **profile}) as target:
                target.write(values)
                target.descriptions = bands or source.descriptions
            return bytes(changed.read())


def only_problem(stack: Stack, event_id: str) -> Any:
    """Return an event's only problem; nothing but its status is in the results, nothing waits for a retry."""
    (problem,) = problems_of(stack, event_id)
    assert results_of(stack, event_id).keys() == {f"status/{event_id}.json"}
    (shown,) = status_of(stack, event_id)["problems"]
    assert (shown["code"], shown["text"]) == (problem["code"], problem["text"])
    assert shown["remedy"]
    assert contents(stack, "state", "cells/") == {}
    assert waiting(stack) == 0
    return problem


def linear(values: Any) -> Any:
    return np.where(values == -9999, values, 10 ** (values / 10))


@pytest.mark.parametrize(
    ("event_id", "change", "code", "words"),
    [
        ("band_names", {"bands": ["a", "b", "c", "d", "e", "f", "g", "h", "i"]}, "unusable_composite", "bands are"),
        ("band_count", {"pixels": lambda v: v[:4], "count": 4, "bands": ["a"] * 4}, "unusable_composite", "bands are"),
        ("other_crs", {"crs": "EPSG:32654"}, "lying_manifest", "CRS is EPSG:32654"),
        ("shifted", {"transform": rasterio.Affine(10, 0, 0, 0, -10, 0)}, "lying_manifest", "lies at"),
        ("single_row", {"pixels": lambda v: v[:, :1]}, "lying_manifest", "is 1 x"),
        ("whole_number", {"dtype": "int16", "pixels": lambda v: v.astype("int16")}, "unusable_composite", "int16"),
        ("not_in_db", {"pixels": linear}, "unusable_composite", "linear power, not dB"),
    ],
)
def test_shard_that_is_not_what_the_manifest_says(
    stack: Stack, good: Good, event_id: str, change: dict[str, Any], code: str, words: str
) -> None:
    composite = replace(good.composite, event_id=event_id)
    name = plant(stack, composite, altered(good.shard, **change))
    problem = only_problem(stack, event_id)
    assert problem["code"] == code
    assert words in problem["text"]
    assert name in problem["text"] or composite.path in problem["text"]


@pytest.mark.parametrize(("event_id", "cut"), [("garbage", 0), ("truncated", 300)])
def test_shard_that_is_no_geotiff(stack: Stack, good: Good, event_id: str, cut: int) -> None:
    data = good.shard[:cut] or b"this is no picture"
    name = plant(stack, replace(good.composite, event_id=event_id), data)
    problem = only_problem(stack, event_id)
    assert problem["code"] == "unusable_composite"
    assert name in problem["text"]


def test_tile_without_a_single_value_could_not_be_looked_at(stack: Stack, good: Good) -> None:
    event_id = "all_missing"
    plant(
        stack,
        replace(good.composite, event_id=event_id),
        altered(good.shard, pixels=lambda v: np.full_like(v, -9999)),
    )
    results = results_of(stack, event_id)
    product = json.loads(next(data for name, data in results.items() if name.startswith("detections/")))
    assert product["outcome"] == "could not look"
    assert product["features"] == []
    assert product["seen_fraction_of_aoi"] == 0
    assert f"pages/{event_id}/index.html" in results
    assert problems_of(stack, event_id) == []


def lied(composite: Composite, **fields: Any) -> bytes:
    return json.dumps(json.loads(write_manifest(composite)) | fields).encode()


@pytest.mark.parametrize(
    ("event_id", "lie", "words"),
    [
        ("lies_about_id", {"composite_id": "0123456789ab"}, "composite_id is '0123456789ab'"),
        ("lies_about_shards", {"shards": ["shards/elsewhere.tif"]}, "shards is ['shards/elsewhere.tif']"),
        ("lies_about_bands", {"bands": ["VV", "VH"]}, "bands is ['VV', 'VH']"),
        ("lies_about_event", {"event_id": "somebody_else"}, "is about somebody_else/A112"),
        ("lies_about_size", {"shard_px": 100}, "shard size 100 px"),
        ("is_no_manifest", {"lattice": None}, "lattice"),
    ],
)
def test_manifest_that_lies(stack: Stack, good: Good, event_id: str, lie: dict[str, Any], words: str) -> None:
    composite = replace(good.composite, event_id=event_id)
    if "event_id" in lie:  # the shards' names follow from the id
        lie |= {"shards": [shard.name for shard in replace(composite, **lie).shards()]}
    plant(stack, composite, good.shard, lied(composite, **lie))
    problem = only_problem(stack, event_id)
    assert problem["code"] == "lying_manifest"
    assert words in problem["text"]
    assert f"manifests/{composite.path}.json" in problem["text"]


def test_shards_without_a_manifest_wait_and_nothing_is_written(stack: Stack, good: Good) -> None:
    composite = replace(good.composite, event_id="no_manifest")
    (where,) = composite.shards()
    forget_cells(stack)
    stack.bucket("composites").blob(where.name).upload_from_string(good.shard)
    stack.settle()
    assert waiting(stack) == 1
    assert results_of(stack, "no_manifest") == {}
    assert problems_of(stack, "no_manifest") == []
    name = f"manifests/{composite.path}.json"
    assert f"{name} is not there" in stack.children["detect_landslides"].last_words(5)
    stack.bucket("composites").blob(name).upload_from_string(write_manifest(composite))
    look(stack, "no_manifest")
    assert results_of(stack, "no_manifest", "detections/")
    assert waiting(stack) == 0


def test_model_that_is_not_served(stack: Stack, good: Good) -> None:
    composite = replace(good.composite, event_id="only_vv", polarisation=Polarisation.VV)
    plant(stack, composite, good.shard)
    problem = only_problem(stack, "only_vv")
    assert problem["code"] == "model_missing"
    assert composite.path in problem["text"]
    assert "vv_ascending_60_12" in problem["text"]


def test_model_without_a_card_is_a_problem_until_the_card_is_there(stack: Stack, good: Good) -> None:
    blob = stack.bucket("models").blob(CARD)
    card = blob.download_as_bytes()
    composite = replace(good.composite, event_id="lacks_card")
    blob.delete()
    stack.redeploy("detect_landslides", {})  # a running instance remembers cards
    try:
        plant(stack, composite, good.shard)
        problem = only_problem(stack, "lacks_card")
    finally:
        blob.upload_from_string(card)
    assert problem["code"] == "model_missing"
    assert CARD in problem["text"]
    rescan = {
        "kind": "rescan",
        "version": 1,
        "event_id": composite.event_id,
        "track": str(composite.track),
        "stage": str(composite.stage),
        "composite_id": composite.composite_id,
    }
    stack.publish("composite-shards", rescan)
    stack.settle()
    assert results_of(stack, "lacks_card", "detections/")


@pytest.mark.parametrize(
    ("function", "setting", "event_id"),
    [
        ("detect_landslides", "RESULTS_BUCKET", "no_results"),
        ("detect_landslides", "STATE_BUCKET", "no_state_d"),
        ("export_composites", "COMPOSITES_BUCKET", "no_places1"),
        ("export_composites", "STATE_BUCKET", "no_state_x"),
    ],
)
def test_bucket_that_is_not_there_is_named_and_the_message_comes_again(
    stack: Stack, good: Good, function: str, setting: str, event_id: str
) -> None:
    forget_cells(stack)
    stack.redeploy(function, {setting: "quakeslide-local-nowhere"})
    try:
        ask(stack, event_id)
        assert waiting(stack) >= 1
        assert "quakeslide-local-nowhere" in Path(stack.children[function].log).read_text(encoding="utf-8")
        assert [n for n in results_of(stack, event_id) if not n.startswith("status/")] == []
        assert problems_of(stack, event_id) == []
    finally:
        stack.redeploy(function, {setting: bucket_name(setting.removesuffix("_BUCKET").lower())})
    healed = complete(stack, event_id)
    products = ("detections/", "latest/", "summary/")
    assert {n: d for n, d in healed.items() if n.startswith(products)} == {
        n: d for n, d in good.products.items() if n.startswith(products)
    }
