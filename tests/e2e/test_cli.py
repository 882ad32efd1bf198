"""The command line against the running system: the pipeline's own detections from a file, a request sent, a result heard."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from shapely.geometry import mapping

from infra.local.provision import PROJECT
from infra.local.stack import ROOT, Stack
from infra.local.stories import NOTO_ORIGIN
from tests.e2e.story import NOTHING, TINY_AREA, ask, contents, late_stack, shared_archive

pytestmark = pytest.mark.timeout(1200)  # where others use the machine, the stack alone may take minutes to start

MODEL = "vv_vh_ascending_60_12"
COMMAND = [str(ROOT / "build" / "envs" / "tests" / "bin" / "python"), "-m", "quakeslide.cli.main"]


@dataclass(frozen=True)
class Judged:
    """A composite as a file, its manifest, and the pipeline's detections on it."""

    shard: Path
    manifest: Path
    detections: Any


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with late_stack(tmp_path_factory.mktemp("cli"), shared_archive(tmp_path_factory), SHARD_PX="1024") as running:
        yield running


@pytest.fixture(scope="module")
def judged(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    folder = tmp_path_factory.mktemp("file")
    ask(stack, "from_bucket")
    (shard,) = contents(stack, "composites", "shards/from_bucket/").values()
    manifests = contents(stack, "composites", "manifests/from_bucket/")
    (manifest,) = (data for name, data in manifests.items() if not name.endswith(".final.json"))
    (detections,) = contents(stack, "results", "detections/from_bucket/").values()
    (folder / "composite.tif").write_bytes(shard)
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "aoi.geojson").write_text(json.dumps(mapping(TINY_AREA)), encoding="utf-8")
    return Judged(folder / "composite.tif", folder / "manifest.json", json.loads(detections))


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "functions"), "PROJECT": PROJECT}


def quakeslide(*options: Any) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *(str(option) for option in options)]
    return subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )


def detect(stack: Stack, shard: Path, *options: Any) -> subprocess.CompletedProcess[str]:
    return quakeslide("detect", shard, "--model-server", stack.model_server, "--models", stack.models, *options)


def test_file_with_its_manifest_gives_the_pipelines_detections(stack: Stack, judged: Judged, tmp_path: Path) -> None:
    done = detect(stack, judged.shard, "--manifest", judged.manifest, "--out", tmp_path / "map")
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "map" / "detections.geojson").read_bytes())
    assert len(document["features"]) > 5
    differing = [key for key in judged.detections if document.get(key) != judged.detections[key]]
    assert differing == []
    assert {path.name for path in (tmp_path / "map").iterdir()} >= {"quicklook.png", "score.tif", "index.html"}


def test_bare_file_gives_the_same_boxes_and_scores(stack: Stack, judged: Judged, tmp_path: Path) -> None:
    options = ["--model", MODEL, "--aoi", judged.shard.with_name("aoi.geojson"), "--out", tmp_path / "map"]
    done = detect(stack, judged.shard, *options)
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "map" / "detections.geojson").read_bytes())

    def said(features: list[Any]) -> list[tuple[Any, float]]:
        return [(feature["geometry"], feature["properties"]["score"]) for feature in features]

    assert said(document["features"]) == said(judged.detections["features"])


def test_nothing_found_is_exit_code_3(stack: Stack, judged: Judged, tmp_path: Path) -> None:
    card = json.loads((stack.models / MODEL / "1" / "card.json").read_text(encoding="utf-8"))
    (tmp_path / "card.json").write_text(json.dumps(card | {"threshold": NOTHING}), encoding="utf-8")
    options = ["--manifest", judged.manifest, "--card", tmp_path / "card.json", "--out", tmp_path / "map"]
    done = detect(stack, judged.shard, *options)
    assert done.returncode == 3, done.stderr
    document = json.loads((tmp_path / "map" / "detections.geojson").read_bytes())
    assert (document["outcome"], document["features"]) == ("processed, none found", [])


def test_wrong_use_is_exit_code_2_and_leaves_nothing(stack: Stack, judged: Judged, tmp_path: Path) -> None:
    for options in (
        [judged.manifest, "--out", tmp_path / "map"],  # no GeoTIFF
        [judged.shard, "--nms", "random", "--out", tmp_path / "map"],
        [tmp_path / "nowhere.tif", "--out", tmp_path / "map"],
    ):
        done = detect(stack, options[0], *options[1:])
        assert done.returncode == 2, done.stderr
        assert done.stderr
    assert list(tmp_path.iterdir()) == []


def test_failure_is_exit_code_1_and_names_the_model(stack: Stack, judged: Judged, tmp_path: Path) -> None:
    done = detect(stack, judged.shard, "--model", "vv_ascending_60_48", "--out", tmp_path / "map")
    assert done.returncode == 1
    assert "vv_ascending_60_48" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_triggered_event_is_heard_of_by_a_follower(stack: Stack, judged: Judged, tmp_path: Path) -> None:
    area = tmp_path / "area.geojson"
    area.write_text(json.dumps(mapping(TINY_AREA)), encoding="utf-8")
    follower = subprocess.Popen(
        [*COMMAND, "follow", "--results", "1", "--seconds", "240"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert follower.stderr is not None
        assert "waiting for results" in follower.stderr.readline()
        options = ["--aoi", area, "--post-start", NOTO_ORIGIN.isoformat(), "--tracks", "A112", "--stages", "60-12"]
        sent = quakeslide("trigger", "by_hand_1", *options)
        assert sent.returncode == 0, sent.stderr
        stack.settle()
        heard, _ = follower.communicate(timeout=240)
    finally:
        follower.kill()
    assert follower.returncode == 0
    assert f"gs://{PROJECT}-results/detections/by_hand_1/A112/60-12/" in heard
    assert "SIMULATED" in heard


def test_follower_who_hears_nothing_exits_with_3_and_a_bad_trigger_with_2(stack: Stack) -> None:
    assert quakeslide("follow", "--seconds", "1").returncode == 3
    assert stack.state_of("pubsub")["subscriptions"].keys() == {
        f"projects/{PROJECT}/subscriptions/{name}"
        for name in (
            "earthquakes-to-export-composites",
            "watches-to-export-composites",
            "composite-shards-to-detect-landslides",
            "earthquakes-dead-letter-inspect",
            "watches-dead-letter-inspect",
            "composite-shards-dead-letter-inspect",
        )
    }
    done = quakeslide("trigger", "No/Such Event")
    assert done.returncode == 2
    assert "No/Such Event" in done.stderr
