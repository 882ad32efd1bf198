"""The feed's adapter against the local USGS: recorded timelines replayed, outages, conditional requests, catch-up, size."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from quakeslide.adapters import usgs_feed
from quakeslide.adapters.usgs_feed import UsgsFeed
from quakeslide.documents.ledger import read_entry
from quakeslide.domain.earthquake import Deleted, Earthquake
from quakeslide.domain.rule import Limit, Rule
from quakeslide.errors import FeedUnavailable
from quakeslide.usecases.announce_earthquakes import announce_earthquakes
from tests.contract.usgs_service import DATA, UsgsService, usgs
from tests.fakes import MemoryBus, MemoryStore

ROOT = Path(__file__).parents[2]
NOTO = datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC)
BOTSWANA = datetime(2017, 4, 3, 17, 40, 15, tzinfo=UTC)
MENDOCINO = datetime(2017, 7, 29, 0, 2, 38, tzinfo=UTC)
SMALL = Rule(name="small", limits=(Limit(magnitude=4.5, depth_km=50.0, land_km=100.0),))


@pytest.fixture
def noto(tmp_path: Path) -> Iterator[UsgsService]:
    with usgs(tmp_path, DATA / "detail" / "us6000m0xl.geojson", start=NOTO + timedelta(minutes=30)) as service:
        yield service


def replay(
    service: UsgsService,
    start: datetime,
    minutes: list[float],
    rule: Rule,
    state: MemoryStore | None = None,
    sources: list[tuple[float, str]] | None = None,
) -> list[tuple[float, str, str, float]]:
    """Poll at these minutes after the origin; return what was told when, and put where the areas came from into `sources`."""
    feed, state, bus = UsgsFeed(service.feed), state or MemoryStore(), MemoryBus()
    told = []
    for minute in minutes:
        now = start + timedelta(minutes=minute)
        service.go_to(now)
        before = len(bus.published)
        announce_earthquakes(feed, state=state, bus=bus, now=now, rule=rule)
        for _, data, attributes in bus.published[before:]:
            magnitude = json.loads(data).get("earthquake", {}).get("magnitude", 0.0)
            told.append((minute, attributes["kind"], attributes["event_id"], magnitude))
            if sources is not None and "aoi" in json.loads(data):
                sources.append((minute, json.loads(data)["aoi"]["source"]))
    return told


def test_botswana_is_announced_with_its_first_origin_and_nothing_later_is_material(tmp_path: Path) -> None:
    minutes = [*range(0, 240, 4), *(1440.0 * day for day in (1, 2, 6, 15, 80))]
    with usgs(tmp_path, DATA / "timeline" / "us10008e3k.geojson.gz", start=BOTSWANA) as service:
        told = replay(service, BOTSWANA, minutes, Rule())
    # origin sent 20 minutes after the quake; it moves by 6 km and 3 s later; no ShakeMap body was recorded
    assert told == [(24, "announced", "us10008e3k", 6.5)]


def shaking_about(lon: float, lat: float, strongest: float) -> bytes:
    """Return a grid.xml, MADE UP but for the strongest intensity and the place: it falls off by 1 every 0.4 degrees."""
    steps = [n / 10 for n in range(-20, 21)]
    rows = [
        f"{lon + x:.3f} {lat - y:.3f} {max(1.0, strongest - max(abs(x), abs(y)) / 0.4):.2f}"
        for y in steps
        for x in steps
    ]
    return (
        '<shakemap_grid xmlns="http://earthquake.usgs.gov/eqcenter/shakemap" shakemap_event_type="ACTUAL">'
        '<grid_specification nominal_lon_spacing="0.1" nominal_lat_spacing="0.1" nlon="41" nlat="41"/>'
        '<grid_field index="1" name="LON"/><grid_field index="2" name="LAT"/><grid_field index="3" name="MMI"/>'
        f"<grid_data>{chr(10).join(rows)}</grid_data></shakemap_grid>"
    ).encode()


def test_botswanas_recorded_shakemap_versions_are_each_told_once(tmp_path: Path) -> None:
    """Times, versions and strongest intensities as recorded, the latest after 16 days; the grids' bodies are made up."""
    recording = DATA / "timeline" / "us10008e3k.geojson.gz"
    for product in json.loads(gzip.decompress(recording.read_bytes()))["properties"]["products"]["shakemap"]:
        path = urlsplit(product["contents"]["download/grid.xml"]["url"]).path.removeprefix("/product/")
        body = tmp_path / "recording" / "product" / path
        body.parent.mkdir(parents=True)
        body.write_bytes(shaking_about(25.15, -22.65, float(product["properties"]["maxmmi"])))
    minutes = [*range(0, 240, 4), *(1440.0 * day for day in (1, 6, 15, 17, 30, 80))]
    sources: list[tuple[float, str]] = []
    with usgs(tmp_path, recording, start=BOTSWANA) as service:
        told = replay(service, BOTSWANA, minutes, Rule(), sources=sources)
    assert [(minute, kind) for minute, kind, _, _ in told] == [
        (24, "announced"), (36, "revised"), (84, "revised"), (1440.0 * 17, "revised"),
    ]  # fmt: skip
    assert [source for _, source in sources] == [
        "radius 112 km from magnitude",
        *(f"ShakeMap us {version}, MMI 6 and more" for version in (1, 2, 3)),
    ]


def test_mendocino_is_one_quake_through_its_preferred_ids_and_too_far_at_sea(tmp_path: Path) -> None:
    state = MemoryStore()
    minutes = [*(m / 2 for m in range(0, 240)), *(1440.0 * day for day in (1, 2, 5, 6, 56, 77))]
    with usgs(tmp_path, DATA / "timeline" / "nc72852151.geojson.gz", start=MENDOCINO) as service:
        told = replay(service, MENDOCINO, minutes, SMALL, state)
    assert told == []
    entries = [read_entry(stored.data) for name, stored in state.objects.items() if name.startswith("earthquakes/")]
    assert [(e.state, e.reasons) for e in entries] == [("refused", ("no land within the area",))]
    assert set(entries[0].ids) == {"nc72852151", "at00otts4f", "us2000a2es"}
    assert (
        entries[0].event_id == "nc72852151"
    )  # the local network outweighs the quick solution of two minutes after the quake
    assert entries[0].preferred_id == "nc72852151"


def test_mendocino_is_left_by_the_default_rule(tmp_path: Path) -> None:
    with usgs(tmp_path, DATA / "timeline" / "nc72852151.geojson.gz", start=MENDOCINO) as service:
        assert replay(service, MENDOCINO, [5.0, 60.0, 600.0], Rule()) == []


def test_noto_is_announced_once(noto: UsgsService) -> None:
    assert replay(noto, NOTO, [5, 15, 25, 60, 400, 3000], Rule()) == [(25, "announced", "us6000m0xl", 7.5)]


def test_detail_of_noto_has_a_landslide_alert_and_a_grid_that_was_not_recorded(noto: UsgsService) -> None:
    feed = UsgsFeed(noto.feed)
    (quake,) = (entry for entry in feed.recent() if isinstance(entry, Earthquake))
    detail = feed.detail(quake)
    assert (quake.alert, detail.landslide_alert, detail.shaking) == ("red", "orange", None)


def test_unchanged_feed_is_not_sent_again(noto: UsgsService) -> None:
    feed = UsgsFeed(noto.feed)
    first = feed.recent()
    assert [quake.preferred_id for quake in first if isinstance(quake, Earthquake)] == ["us6000m0xl"]
    assert feed.recent() == first
    assert noto.seen()["unchanged"] == 1


def test_server_trouble_is_tried_again_and_then_said(noto: UsgsService) -> None:
    feed = UsgsFeed(noto.feed)
    noto.set_faults({"kind": "status", "status": 503, "path": "/earthquakes", "times": 1})
    assert len(feed.recent()) == 1
    noto.set_faults({"kind": "status", "status": 503, "path": "/earthquakes", "times": None})
    with pytest.raises(FeedUnavailable, match="503"):
        feed.recent()


def test_missing_service_is_feed_unavailable() -> None:
    with pytest.raises(FeedUnavailable, match="refused"):
        UsgsFeed("http://127.0.0.1:1/earthquakes/feed/v1.0/summary/4.5_day.geojson").recent()


def test_deleted_quake_is_409_and_listed_by_the_event_service(noto: UsgsService) -> None:
    feed = UsgsFeed(noto.feed)
    noto.set_faults({"kind": "delete", "event_id": "us6000m0xl"})
    assert feed.recent() == []
    assert feed.look("us6000m0xl") == Deleted(ids=frozenset({"us6000m0xl"}))
    assert feed.look("us1234abcd") is None
    changed = feed.updated_since(NOTO, origin_after=NOTO - timedelta(days=90), least_magnitude=6.0)
    assert [entry for entry in changed if isinstance(entry, Deleted) and "us6000m0xl" in entry.ids]
    noto.set_faults()
    assert isinstance(feed.look("us6000m0xl"), Earthquake)


def test_catch_up_reads_every_page(noto: UsgsService, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = UsgsFeed(noto.feed)
    monkeypatch.setattr(usgs_feed, "PAGE", 1)
    before = noto.seen()["query"]
    changed = feed.updated_since(NOTO - timedelta(days=1), origin_after=NOTO - timedelta(days=90), least_magnitude=6.0)
    assert len(changed) == 1
    assert noto.seen()["query"] == before + 2  # a full page, then an empty one


def test_page_is_under_the_services_limit(noto: UsgsService) -> None:
    assert usgs_feed.PAGE <= 20_000


def test_body_over_the_limit_is_refused(noto: UsgsService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usgs_feed, "MAX_BYTES", 100)
    with pytest.raises(FeedUnavailable, match="more than"):
        UsgsFeed(noto.feed).recent()


LARGE_POLL = """
import json, re, sys
from datetime import UTC, datetime
from pathlib import Path
from quakeslide.adapters.usgs_feed import UsgsFeed
from quakeslide.documents.usgs_feed import read_features
from quakeslide.usecases.announce_earthquakes import announce_earthquakes
from tests.fakes import MemoryBus, MemoryStore

class Feed(UsgsFeed):
    def recent(self):
        return list(read_features(json.loads(Path(sys.argv[1]).read_bytes())["features"]))

now = datetime(2024, 1, 1, 8, tzinfo=UTC)
counts = announce_earthquakes(Feed("http://127.0.0.1:1/x_week.geojson"), state=MemoryStore(), bus=MemoryBus(), now=now)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())  # ru_maxrss would count the parent's
print(json.dumps({**counts, "peak_mb": int(peak[1]) / 1024}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak memory of a process from /proc")
def test_hundred_thousand_features_are_read_and_weighed_within_500_mb(tmp_path: Path) -> None:
    """In a process of its own, whose peak is measured; the body is as large as ten months of all earthquakes."""
    feature = json.loads((DATA / "feed" / "fdsn_ridgecrest_2019-07-06_123ev.geojson").read_text())["features"][0]
    features = []
    for number in range(100_000):
        properties = {**feature["properties"], "ids": f",ci{number:08d},", "mag": 4.5 + number % 14 / 10}
        features.append({**feature, "id": f"ci{number:08d}", "properties": properties})
    body = tmp_path / "feed.geojson"
    body.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    command = [sys.executable, "-c", LARGE_POLL, str(body)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": f"functions{os.pathsep}."}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["seen"] == 100_000
    assert 50 < told["peak_mb"] < 500
