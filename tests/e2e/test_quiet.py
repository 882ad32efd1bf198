"""Quiet mountains: the real California series under an id of our own, by a manual message."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.io import MemoryFile
from rasterio.warp import Resampling, reproject

from infra.local import quiet
from infra.local.stack import Stack
from infra.local.stories import BUILD, PRETENDED, QUIET, QUIET_DATE, RECORDINGS
from tests.e2e.story import ask, contents, look, problems_of, results_of, shared_archive, status_of, waiting

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, the stack alone may take minutes to start

SERIES = RECORDINGS / "california"


@dataclass(frozen=True)
class Map:
    """What the chain made of the quiet mountains."""

    results: dict[str, bytes]
    status: Any
    waited: Any
    product: Any
    manifest: Any
    shards: dict[str, bytes]

    def pixels(self, band: str) -> NDArray[np.float32]:
        """Return a band of the whole composite, missing as NaN."""
        size = self.manifest["rectangle"]
        whole = np.full((size["height"], size["width"]), np.nan, np.float32)
        for name, data in self.shards.items():
            row, col = (int(part) for part in name.removesuffix(".tif").split("-")[-2:])
            with MemoryFile(data) as file, file.open() as shard:
                values = shard.read(self.manifest["bands"].index(band) + 1)
                whole[row : row + shard.height, col : col + shard.width] = np.where(values == -9999, np.nan, values)
        return whole


@pytest.fixture(scope="module")
def quiet_map(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Map]:
    folder = tmp_path_factory.mktemp("quiet")
    stack = Stack(
        folder / "stack",
        archive=shared_archive(tmp_path_factory),
        recording=RECORDINGS / "usgs",
        models=BUILD / "models",
        bundles=BUILD / "bundles",
        start=QUIET_DATE + timedelta(hours=1),
        settings={"export_composites": {"SHARD_PX": "512", "STAGES": "60-12", "DATA_NOTICE": PRETENDED}},
    )
    with stack:
        ask(stack, QUIET, aoi=quiet.area(SERIES), post_start=QUIET_DATE.isoformat(), tracks=None)
        waited = status_of(stack, QUIET)
        for step in (timedelta(days=8), timedelta(days=5), timedelta(hours=1)):
            look(stack, QUIET, step)
        assert problems_of(stack, QUIET) == []
        assert waiting(stack) == 0
        results = results_of(stack, QUIET)
        manifests = contents(stack, "composites", "manifests/")
        final = next(n for n in manifests if n.endswith(".final.json"))
        manifest = json.loads(manifests[final.replace(".final", "")])
        shards = contents(stack, "composites", f"shards/{QUIET}/A137/60-12/{manifest['composite_id']}/")
        finals = [data for name, data in results.items() if name.endswith("-final.geojson")]
        yield Map(results, status_of(stack, QUIET), waited, json.loads(finals[0]), manifest, shards)


def test_first_the_status_says_what_is_waited_for(quiet_map: Map) -> None:
    (row,) = quiet_map.waited["tracks"]
    assert (row["track"], row["state"]) == ("A137", "waiting")
    assert "waiting for the first pass" in row["text"]


def test_product_says_none_found_or_shows_alarms(quiet_map: Map) -> None:
    product = quiet_map.product
    assert product["outcome"] in ("processed, none found", "detections")
    assert (product["outcome"] == "detections") == bool(product["features"])
    assert product["counts"]["windows_scored"] > 50
    assert product["data_notice"] == PRETENDED
    assert PRETENDED in quiet_map.results[f"pages/{QUIET}/index.html"].decode()


def test_status_says_so_too(quiet_map: Map) -> None:
    assert quiet_map.status["problems"] == []
    (row,) = quiet_map.status["tracks"]
    assert row["finality"] == "final"
    if quiet_map.product["features"]:
        assert row["state"] == "done"
        assert f"{len(quiet_map.product['features'])} detection" in row["text"]
    else:
        assert row["state"] == "none_found"
        assert "processed, none found" in row["text"]


def test_without_heights_and_angles_geometry_is_unknown_and_slopes_are_missing(quiet_map: Map) -> None:
    seen = np.isfinite(quiet_map.pixels("postVV"))
    assert seen.sum() > 100_000
    assert set(np.unique(quiet_map.pixels("geometry")[seen])) == {3}
    assert np.isnan(quiet_map.pixels("slope")).all()
    assert np.isnan(quiet_map.pixels("localIncidence")).all()
    blind = json.loads(next(data for name, data in quiet_map.results.items() if name.endswith("-final/blind.geojson")))
    reasons = {feature["properties"]["reason"] for feature in blind["features"]}
    assert not reasons & {"layover", "shadow"}
    for feature in quiet_map.product["features"]:
        assert feature["properties"]["slope_median_deg"] is None


@pytest.mark.parametrize("polarisation", ["VV", "VH"])
def test_medians_equal_those_computed_from_the_recorded_files(quiet_map: Map, polarisation: str) -> None:
    manifest = quiet_map.manifest
    lattice, size = manifest["lattice"], manifest["rectangle"]
    left, top = lattice["origin_x"] + 10 * size["col"], lattice["origin_y"] - 10 * size["row"]
    grid = rasterio.Affine(10, 0, left, 0, -10, top)
    taken = quiet.acquisitions(SERIES)
    window = {
        "pre": (QUIET_DATE - timedelta(days=60), QUIET_DATE),
        "post": (QUIET_DATE, QUIET_DATE + timedelta(days=12)),
    }
    medians = {}
    for stack, (start, end) in window.items():
        chosen = [one for one in taken if start <= one.time < end]
        assert sorted(manifest[f"{stack}_scenes"]) == sorted(f"COPERNICUS/S1_GRD/{one.index}" for one in chosen)
        passes = []
        for _, bursts in itertools.groupby(chosen, key=lambda one: one.time.date()):
            mosaic = np.full((size["height"], size["width"]), np.nan, np.float32)
            for burst in bursts:  # the two sites lie far apart
                with rasterio.open(burst.vv if polarisation == "VV" else burst.vh) as source:
                    power = np.full(mosaic.shape, np.nan, np.float32)
                    reproject(
                        rasterio.band(source, 1),
                        power,
                        dst_transform=grid,
                        dst_crs=lattice["crs"],
                        src_nodata=np.nan,
                        dst_nodata=np.nan,
                        resampling=Resampling.bilinear,
                    )
                mosaic = np.where(np.isnan(power), mosaic, 10 * np.log10(power))
            passes.append(mosaic)
        assert len(passes) == len({one.time.date() for one in chosen})
        anywhere = np.isfinite(passes).any(axis=0)
        medians[stack] = np.full(mosaic.shape, np.nan)
        medians[stack][anywhere] = np.nanmedian(np.array(passes)[:, anywhere], axis=0)
        counted = quiet_map.pixels("nPre" if stack == "pre" else "nPost")
        assert np.array_equal(counted[anywhere], np.isfinite(passes).sum(axis=0)[anywhere])
    post, diff = quiet_map.pixels(f"post{polarisation}"), quiet_map.pixels(f"diff{polarisation}")
    assert np.array_equal(np.isfinite(post), np.isfinite(medians["post"]))
    np.testing.assert_allclose(post, medians["post"], atol=1e-4)
    np.testing.assert_allclose(diff, medians["post"] - medians["pre"], atol=1e-4)
