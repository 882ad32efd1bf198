"""The local stack's own rules: its clock, its replayed feed, its judge, its pseudo-dates."""

import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from shapely.geometry import mapping

from infra.local import quiet
from infra.local.baseline import baseline_detections
from infra.local.clock import Clock
from infra.local.judge import Verdict, judge
from infra.local.quiet_campaign import summary, wilson
from infra.local.usgs import create_app
from infra.local.usgs_recording import Recording

DATA = Path(__file__).parents[1] / "data"
T0 = datetime(2024, 1, 1, 7, 10, 9, 476000, tzinfo=UTC)


def test_replayed_clock_tells_what_it_was_set_to_in_utc(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    clock.set(datetime(2024, 1, 1, 16, 10, tzinfo=timezone(timedelta(hours=9))))
    assert clock.now() == datetime(2024, 1, 1, 7, 10, tzinfo=UTC)


def test_replayed_clock_never_goes_back_and_takes_no_naive_time(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    clock.set(T0)
    with pytest.raises(ValueError, match="never goes back"):
        clock.set(T0 - timedelta(seconds=1))
    with pytest.raises(ValueError, match="naive"):
        clock.set(datetime(2024, 1, 2))  # noqa: DTZ001
    with pytest.raises(ValueError, match="real clock"):
        Clock().set(T0)


@pytest.mark.parametrize(
    ("after", "seen"), [(timedelta(minutes=19), 0), (timedelta(minutes=21), 1), (timedelta(days=8), 0)]
)
def test_feed_shows_an_event_after_the_posting_lag_for_as_long_as_its_span(
    tmp_path: Path, after: timedelta, seen: int
) -> None:
    clock = Clock(tmp_path / "clock")
    clock.set(T0 + after)
    client = create_app(Recording(DATA / "usgs"), clock).test_client()
    feed = client.get("/earthquakes/feed/v1.0/summary/4.5_week.geojson").get_json()
    assert len([f for f in feed["features"] if f["id"] == "us6000m0xl"]) == seen


def test_replayed_detail_is_found_by_any_id_and_leads_back_here(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock")
    clock.set(T0 + timedelta(hours=1))
    client = create_app(Recording(DATA / "usgs"), clock).test_client()
    detail = client.get("/earthquakes/feed/v1.0/detail/pt24001001.geojson").get_json()
    assert detail["id"] == "us6000m0xl"
    url = detail["properties"]["products"]["shakemap"][0]["contents"]["download/grid.xml"]["url"]
    assert url.startswith("http://localhost/product/shakemap/")
    assert client.get(url.removeprefix("http://localhost")).status_code == 404
    assert client.get("/product/../detail/us6000m0xl.geojson").status_code == 404


def test_pseudo_dates_lie_between_passes_at_most_twelve_days_apart() -> None:
    taken = quiet.acquisitions(DATA / "california")
    dates = list(quiet.pseudo_dates(taken))
    assert len(taken) == 44
    assert len(dates) == 18
    for date in dates:
        assert min(abs(date - a.time) for a in taken) > timedelta(days=2)


def test_wilson_interval_is_that_of_the_textbook() -> None:
    # Wilson score interval for 10 of 100, z = 1.96: 0.0552 to 0.1744
    assert wilson(10, 100) == pytest.approx((0.0552, 0.1744), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_quiet_campaign_adds_up_and_names_its_model() -> None:
    model = {"name": "vv_vh_ascending_60_12", "version": 1, "sha256": "ab" * 32, "variant": "published"}
    rows = [{"date": f"2022-12-{day}", "windows": 50, "alarms": day - 10, "detections": 1} for day in (10, 20)]
    found = summary({model["sha256"]: model}, rows, command="make quiet MODEL=x")  # type: ignore[dict-item]
    assert found["command"] == "make quiet MODEL=x"
    assert found["model"] == model
    assert (found["pseudo_dates"], found["windows"], found["alarms"], found["detections"]) == (2, 100, 10, 2)
    assert found["interval_95_of_share_if_independent"] == [0.0552, 0.1744]
    with pytest.raises(ValueError, match="one model has to score the whole series"):
        summary({"a": model, "b": {**model, "name": "other"}}, rows, command="make quiet")


SIDE = 640.0
ORIGIN = (700_000.0, 4_140_000.0)
CRS = "EPSG:32653"


@pytest.fixture
def score_raster(tmp_path: Path) -> Path:
    path = tmp_path / "score.tif"
    grid = Affine(320, 0, ORIGIN[0] + 160, 0, -320, ORIGIN[1] - 160)
    with rasterio.open(
        path, "w", driver="GTiff", height=9, width=9, count=1, dtype="float32", crs=CRS, transform=grid
    ) as file:
        file.write(np.zeros((9, 9), np.float32), 1)
    return path


def on_globe(geometry: shapely.Geometry) -> dict[str, object]:
    from pyproj import Transformer

    back = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True).transform
    return mapping(shapely.transform(geometry, back, interleaved=False))


def window(row: int, col: int) -> shapely.Polygon:
    x, y = ORIGIN[0] + 320 * col, ORIGIN[1] - 320 * row
    return shapely.box(x, y - SIDE, x + SIDE, y)


def collection(*geometries: shapely.Geometry) -> dict[str, object]:
    return {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": {}, "geometry": on_globe(g)} for g in geometries],
    }


def test_judge_counts_by_touching(score_raster: Path) -> None:
    area = on_globe(shapely.box(ORIGIN[0], ORIGIN[1] - 3200, ORIGIN[0] + 3200, ORIGIN[1]))
    slide = window(2, 2).centroid.buffer(60)
    missed = window(7, 7).centroid.buffer(60)
    verdict = judge("x", collection(window(2, 2), window(5, 2)), collection(slide, missed), score_raster, area)
    assert (verdict.precision, verdict.recall) == (0.5, 0.5)
    # a slide at the middle of a window, on the lattice point, touches the windows of the nine centres about it
    assert verdict.base_rate == pytest.approx(18 / 81)


def test_judge_says_what_is_wrong_with_a_map() -> None:
    facts = {"name": "x", "detections": 9, "slides": 9}
    assert Verdict(**facts, precision=0.5, recall=0.5, base_rate=0.2).complaints == []
    assert len(Verdict(**facts, precision=0.2, recall=0.2, base_rate=0.2).complaints) == 3
    assert len(Verdict(**facts, precision=0.5, recall=0.5, base_rate=0.4).complaints) == 1


def test_baseline_finds_a_patch_of_change_and_keeps_one_window_of_it(tmp_path: Path) -> None:
    change = np.zeros((256, 256), np.float32)
    change[64:128, 96:160] = 6.0
    change += 4.5  # a wet day, everywhere alike
    change[200:, 200:] = -9999
    path = tmp_path / "composite.tif"
    grid = Affine(10, 0, ORIGIN[0], 0, -10, ORIGIN[1])
    profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "nodata": -9999.0, "crs": CRS, "transform": grid}
    with rasterio.open(path, "w", height=256, width=256, **profile) as file:
        file.write(change, 1)
        file.set_band_description(1, "diffVV")
    rule = {"band": "diffVV", "smoothing_px": 2.0, "change_db": 3.0, "density": 0.6}
    everywhere = shapely.box(136, 36, 139, 39)
    found = baseline_detections([path], rule, everywhere)
    assert len(found["features"]) == 1
    expected = shapely.geometry.shape(on_globe(window(2, 3)))
    assert shapely.geometry.shape(found["features"][0]["geometry"]).centroid.distance(expected.centroid) < 1e-6
    assert math.isclose(found["features"][0]["properties"]["share"], 1.0, abs_tol=0.1)
