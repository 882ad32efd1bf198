"""The sampler against the local Earth Engine and Cloud Storage, as processes on loopback: list, plan, export, fetch, cut."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import geopandas
import numpy as np
import pytest
from click.testing import CliRunner
from shapely.geometry import box

from quakeslide.domain.composite import bands_of
from quakeslide.domain.sentinel1 import Polarisation, Stage
from quakeslide.ports import ExportState
from tests.contract.earth_engine_service import PROJECT, EarthEngineService, write_image
from tests.contract.storage_service import StorageService, client_of
from tests.fakes_exporter import ScriptedArchive, seen
from training.__main__ import main
from training.dataset import Dataset
from training.patches.labels import Label
from training.sources.cut_configuration import write_cut_configurations
from training.sources.earth_engine import Sampler, area_of, plans
from training.sources.event_list import paper_events

T0 = datetime(2018, 9, 5, 18, 7, 59, tzinfo=UTC)
CRS = "EPSG:32654"
WEST, NORTH = 640.0 * 900, 640.0 * 7400
SIDE = 420  # px of every scene
BUCKET = "training-composites"
SLIDE = box(WEST + 640 + 60, NORTH - 1280 - 500, WEST + 640 + 300, NORTH - 1280 - 60)  # in cell (2, 1), 26 % of it


def wobble(day):
    """What a day adds to every pixel, dB; one day is so wet that a mean of the days is far from their median."""
    return 6.0 if day == -35 else 0.1 * (day % 5)


def write_scene(archive, day, *, orbit_pass="DESCENDING", orbit=46, has_slide=False):
    """One pass: VV -10 dB and VH -17 dB with a wobble of its own; the slide brightens VV by 3 dB."""
    start = T0 + timedelta(days=day)
    vv, vh = np.full((SIDE, SIDE), -10 + wobble(day)), np.full((SIDE, SIDE), -17 + wobble(day))
    if has_slide:
        rows = slice(round((NORTH - SLIDE.bounds[3]) / 10), round((NORTH - SLIDE.bounds[1]) / 10))
        columns = slice(round((SLIDE.bounds[0] - WEST) / 10), round((SLIDE.bounds[2] - WEST) / 10))
        vv[rows, columns] += 3
    angle = 40 + np.broadcast_to(0.00064 * np.arange(SIDE), (SIDE, SIDE))
    name = f"S1A_IW_GRDH_1SDV_{start:%Y%m%dT%H%M%S}_{orbit_pass[0]}"
    write_image(
        archive,
        f"COPERNICUS/S1_GRD/{name}",
        {"VV": vv, "VH": vh, "angle": angle},
        origin=(WEST, NORTH),
        crs=CRS,
        version=start + timedelta(hours=20),
        properties={
            "system:time_start": int(start.timestamp() * 1000),
            "orbitProperties_pass": orbit_pass,
            "relativeOrbitNumber_start": orbit,
            "instrumentMode": "IW",
            "transmitterReceiverPolarisation": ["VV", "VH"],
            "platform_number": "A",
            "resolution": "H",
            "resolution_meters": 10,
        },
    )


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    archive = tmp_path_factory.mktemp("archive")
    for day in (-59, -47, -35, -23, -11, 1):
        write_scene(archive, day, has_slide=day > 0)
    for day in (-40, 3):
        write_scene(archive, day, orbit=119, has_slide=day > 0)  # a second track of the pass
    write_scene(archive, -20, orbit_pass="ASCENDING", orbit=68)  # nothing after the earthquake
    write_image(
        archive,
        "COPERNICUS/DEM/GLO30/flat",
        {"DEM": np.full((SIDE // 3 + 20, SIDE // 3 + 20), 100.0)},
        origin=(WEST - 300, NORTH + 300),
        pixel=30,
        crs=CRS,
        version=T0 - timedelta(days=900),
        properties={"system:time_start": 0},
    )
    with (
        StorageService(tmp_path_factory.mktemp("storage")) as stored,
        client_of(stored.url) as client,
        EarthEngineService(archive, stored.url) as service,
    ):
        client.create_bucket(BUCKET)
        yield service, stored


@pytest.fixture
def sample(services, tmp_path, monkeypatch):
    service, stored = services
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", stored.url)
    (tmp_path / "inventories").mkdir()
    inside = box(
        WEST + 700, NORTH - 2500, WEST + 3000, NORTH - 700
    )  # a second slide so that the extent holds several cells
    slides = geopandas.GeoDataFrame(geometry=[SLIDE, inside.centroid.buffer(15)], crs=CRS).to_crs("EPSG:4326")
    slides.to_file(tmp_path / "inventories" / "hokkaido.gpkg")
    hokkaido = next(event for event in paper_events() if event.name == "hokkaido")
    lon, lat = slides.geometry.iloc[0].centroid.coords[0]
    entry = {
        "name": "hokkaido", "event_id": hokkaido.event_id, "pre_end": T0.isoformat(), "post_start": T0.isoformat(), "lon": lon,
        "lat": lat, "magnitude": 6.6, "landslides": 2, "polarisation": "vv_vh", "radius_km": 0.5, "inventory": "a test",
    }  # fmt: skip
    (tmp_path / "events.json").write_text(json.dumps([entry]))

    def _sample(*options):
        command = ["sample", "--project", PROJECT, "--bucket", BUCKET, "--out", str(tmp_path / "real")]
        command += ["--event-list", str(tmp_path / "events.json"), "--earth-engine-url", service.url, "--poll", "0.1"]
        return CliRunner().invoke(main, [*command, "--inventories", str(tmp_path / "inventories"), *options])

    return _sample


def test_plan_says_what_would_be_exported_and_starts_nothing(sample, services, tmp_path):
    result = sample("--plan", "--windows", "60-12", "--windows", "12-12")
    assert result.exit_code == 0, result.output
    assert "hokkaido D046 60-12: vv_vh, 5 + 1 passes" in result.output
    assert "hokkaido D046 12-12: vv_vh, 1 + 1 passes" in result.output
    assert "hokkaido D119 60-12: vv_vh, 1 + 1 passes" in result.output
    assert "hokkaido A068 60-12: no_post" in result.output
    assert "3 composites" in result.output
    assert not (tmp_path / "real").exists()


def test_from_earth_engine_to_patches(sample, services, tmp_path):
    """Medians of decibels (R1), tracks of a pass apart (R3)."""
    result = sample()
    assert result.exit_code == 0, result.output
    exported = json.loads((tmp_path / "real" / "exports.json").read_text())
    assert [facts["attempt"] for facts in exported.values()] == [1, 1]
    again = sample()
    assert again.exit_code == 0, again.output
    assert json.loads((tmp_path / "real" / "exports.json").read_text()) == exported  # nothing was started twice

    (configuration,) = (tmp_path / "real").glob("60-12.json")
    cut = CliRunner().invoke(main, ["cut", "--config", str(configuration), "--out", str(tmp_path / "set")])
    assert cut.exit_code == 0, cut.output
    rows = Dataset(tmp_path / "set").rows("DESCENDING")
    cells = {(str(r["track"]), int(r["row"]), int(r["column"])): number for number, r in enumerate(rows)}
    for track, before, after in (("D046", (-59, -47, -35, -23, -11), 1), ("D119", (-40,), 3)):
        number = cells[track, -7400 + 2, 900 + 1]
        assert Label(rows[number]["label"]) is Label.LANDSLIDE
        assert rows[number]["original"] == rows[number]["landslide"] == pytest.approx(24 * 44 / 4096)
        assert rows[number]["distorted"] == 0  # flat ground: the exported mask says seen
        patch = np.load(tmp_path / "set" / "descending-00000.npy")[number]
        post, diff = wobble(after), wobble(after) - np.median([wobble(day) for day in before])
        np.testing.assert_allclose(patch[30, 20], [-10 + post + 3, -17 + post, diff + 3, diff], atol=0.01)
        np.testing.assert_allclose(patch[30, 60], [-10 + post, -17 + post, diff, diff], atol=0.01)


def export_and_lose(sample, folder, **changes):
    """Export one composite, remove its files here and change what is remembered of it; return a function that says its attempts."""
    sample("--windows", "12-12")
    path = folder / "real" / "exports.json"
    ((name, facts),) = json.loads(path.read_text()).items()
    for file in (folder / "real" / "composites").rglob("*.tif"):
        file.unlink()
    path.write_text(json.dumps({name: {**facts, "state": "started", **changes}}))
    return lambda: json.loads(path.read_text())[name]["attempt"]


def test_failed_export_is_told_and_tried_again_under_another_request(sample, tmp_path):
    attempts = export_and_lose(sample, tmp_path, operation=f"projects/{PROJECT}/operations/LOST")
    lost = sample("--windows", "12-12")
    assert lost.exit_code == 1
    assert "unknown: Operation LOST not found" in lost.output
    again = sample("--windows", "12-12")
    assert again.exit_code == 0, again.output
    assert attempts() == 2


def test_export_whose_files_left_the_bucket_is_told_and_made_again(sample, services, tmp_path):
    attempts = export_and_lose(sample, tmp_path, attempt=10)  # no other test has got so far
    with client_of(services[1].url) as client:
        for blob in list(client.bucket(BUCKET).list_blobs(prefix="shards/")):
            blob.delete()
    gone = sample("--windows", "12-12")
    assert gone.exit_code == 1
    assert "is no longer in the bucket; the next call exports it again" in gone.output
    again = sample("--windows", "12-12")
    assert again.exit_code == 0, again.output
    assert attempts() == 11


def test_events_and_lists_that_cannot_be_meant_are_refused(sample, tmp_path):
    assert "no event called atlantis" in sample("--event", "atlantis").output
    (tmp_path / "events.json").write_text('[{"name": "Hokkaido"}]')
    refused = sample()
    assert refused.exit_code == 1
    assert "'Hokkaido' does not match" in refused.output


def test_an_inventory_that_cannot_be_read_is_named(sample, tmp_path):
    (tmp_path / "inventories" / "hokkaido.gpkg").write_text("not found")
    result = sample("--plan")
    assert result.exit_code == 1
    assert "hokkaido.gpkg: no inventory that can be read" in result.output


def planned(name, polarisation="vv_vh", *, post=("VV", "VH")):
    """What can be had of an event of the paper that three passes before and one after saw."""
    event = replace(next(e for e in paper_events() if e.name == name), polarisation=polarisation)
    everywhere = area_of(event, None).buffer(1)
    archive = ScriptedArchive(now=datetime.now(UTC))
    for day in (-40, -28, -16):
        archive.add(seen(event.pre_end + timedelta(days=day), footprint=everywhere))
    archive.add(seen(event.post_start + timedelta(days=3), footprint=everywhere, polarisations=post))
    (plan,) = plans(event, area_of(event, None), [Stage.parse("60-12")], archive, archive.now)
    return plan


@pytest.mark.parametrize("polarisation", ["vv", "vv_vh"])
def test_an_event_is_exported_with_the_polarisations_of_the_list(polarisation):
    plan = planned("gorkha", polarisation)
    assert plan.composite.polarisation == polarisation
    assert ("postVH" in plan.composite.bands) == (polarisation == "vv_vh")
    assert plan.composite.bands == bands_of(Polarisation(polarisation))
    assert ("VH is there and left aside" in plan.reason) == (polarisation == "vv")


def test_stacks_without_vh_of_an_event_with_it_are_left_out_and_told():
    plan = planned("hokkaido", post=("VV",))
    assert plan.composite is None
    assert "1 of 4 scenes have no VH" in plan.reason
    assert planned("gorkha", "vv", post=("VV",)).composite is not None


def test_another_event_joins_the_configuration_that_is_there(tmp_path):
    sampler = Sampler(tmp_path, None, None)

    def cut_configuration(*names):
        composites = [planned(name).composite for name in names]
        for file in (file for composite in composites for file in sampler.files(composite)):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        inventories = {name: tmp_path / f"{name}.gpkg" for name in names}
        (path,) = write_cut_configurations(tmp_path, sampler, composites, inventories)
        return path, json.loads(path.read_text())["events"]

    path, first = cut_configuration("hokkaido")
    by_hand = {
        "hokkaido": {
            **first["hokkaido"],
            "mapped_area": "mapped.gpkg",
            "composites": [{"track": "D046", "files": ["x.tif"]}],
        }
    }
    path.write_text(json.dumps({"pre_days": 60, "post_days": 12, "events": by_hand}))
    assert list(cut_configuration("papua")[1]) == ["hokkaido", "papua"]
    both = cut_configuration("hokkaido")[1]
    assert list(both) == ["hokkaido", "papua"]
    assert both["hokkaido"] == {**first["hokkaido"], "mapped_area": "mapped.gpkg"}


def test_scenes_of_every_window_are_asked_for_and_none_between_two_shocks():
    """Lombok: two weeks lie between the shocks, whose scenes are of neither stack."""
    event = next(e for e in paper_events() if e.name == "lombok")
    everywhere = area_of(event, None).buffer(1)
    archive = ScriptedArchive(now=datetime.now(UTC))
    for day in (-360, -348, -40, -28, -16, 5):
        archive.add(seen(event.pre_end + timedelta(days=day), footprint=everywhere))
    for day in (3, 15, 55):
        archive.add(seen(event.post_start + timedelta(days=day), footprint=everywhere))
    stages = [Stage.parse(text) for text in ("60-12", "365-12", "60-60")]
    scenes = [scene.scene_id for _, scene in archive.ingested]
    found = plans(event, area_of(event, None), stages, archive, archive.now)
    stacks = [
        [[scenes.index(i) for i in ids] for ids in (p.composite.pre_scenes, p.composite.post_scenes)] for p in found
    ]
    assert stacks == [[[2, 3, 4], [6]], [[0, 1, 2, 3, 4], [6]], [[2, 3, 4], [6, 7, 8]]]


def test_ground_about_an_inventory_is_exported_too(tmp_path):
    geopandas.GeoDataFrame(geometry=[box(142, 42, 142.1, 42.1)], crs="EPSG:4326").to_file(tmp_path / "i.gpkg")
    assert area_of(paper_events()[0], tmp_path / "i.gpkg").bounds == pytest.approx((141.98, 41.98, 142.12, 42.12))


def test_an_export_that_succeeded_is_not_made_again(tmp_path):
    """The command was ended between the export and its files."""
    composite, started = planned("hokkaido").composite, []
    exporter = SimpleNamespace(start=lambda *request: started.append(request) or "operations/1")
    Sampler(tmp_path, exporter, None).start(composite)
    exports = json.loads((tmp_path / "exports.json").read_text())
    exports[composite.path]["state"] = ExportState.SUCCEEDED
    (tmp_path / "exports.json").write_text(json.dumps(exports))
    Sampler(tmp_path, exporter, None).start(composite)
    assert len(started) == 1
