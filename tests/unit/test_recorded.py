"""Everything recorded runs through the parsers: each file is read by the one it is for, and refused by name by all others."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quakeslide.documents.products import landslide_alert
from quakeslide.documents.shakemap import preferred_shakemap, read_coverage, read_grid, shaking_urls, version_of
from quakeslide.documents.usgs_feed import read_feature, read_features
from quakeslide.domain.earthquake import Deleted, Earthquake
from quakeslide.domain.rule import Rule
from quakeslide.usecases.announce_earthquakes import announce_earthquakes
from tests.fakes import MemoryBus, MemoryStore
from tests.fakes_feed import FakeFeed

DATA = Path(__file__).parents[1] / "data"
FILES = sorted(p for folder in ("usgs", "shakemap") for p in (DATA / folder).rglob("*.*") if p.suffix != ".md")
GRIDS = {"hawaii2018_grid.xml": (211, 271), "loma_prieta_grid.xml": (29, 49)}


def body_of(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def detail_of(name: str) -> dict[str, Any]:
    (path,) = (DATA / "usgs").rglob(f"{name}*")
    document: dict[str, Any] = json.loads(body_of(path))
    return document


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_recorded_file_is_read_or_refused_by_every_parser(path: Path) -> None:
    body = body_of(path)
    try:
        assert read_grid(body, "1").mmi.shape == GRIDS.get(path.name)
    except ValueError:
        assert path.name not in GRIDS
    with pytest.raises(ValueError, match=r"\w"):
        read_coverage(body, "1")
    if ".xml" in path.name:
        return
    document = json.loads(body)
    features = document.get("features", [document])
    entries = list(read_features(features))
    has_magnitude = [f for f in features if f.get("properties", {}).get("mag") is not None]
    assert len(entries) == len(has_magnitude)
    assert landslide_alert(document) in ("", "green", "yellow", "orange", "red")
    product = preferred_shakemap(document)
    assert (product is not None) == ("detail" in path.name or path.parent.name in ("detail", "timeline"))


@pytest.mark.parametrize(
    ("name", "version", "contents", "alert", "magnitude"),
    [
        ("ci3144585", "atlas 1", 4, "orange", 6.7),
        ("us2000ar20", "atlas 1", 4, "orange", 7.1),
        ("us6000m0xl", "us 10", 4, "orange", 7.5),
        ("us10008e3k", "atlas 1", 4, "green", 6.5),
        ("nc72852151", "nc 6", 1, "", 5.08),
    ],
)
def test_recorded_details_give_their_preferred_products(
    name: str, version: str, contents: int, alert: str, magnitude: float
) -> None:
    detail = detail_of(name)
    product = preferred_shakemap(detail)
    assert product is not None
    assert (version_of(product), len(shaking_urls(product)), landslide_alert(detail)) == (version, contents, alert)
    quake = read_feature(detail)
    assert isinstance(quake, Earthquake)
    assert quake.magnitude == magnitude
    verdict = Rule().judge(quake, 0.0, None)
    assert verdict.is_taken is (magnitude >= 6.0)


def test_grid_of_uncertainties_has_no_intensities_but_standard_deviations() -> None:
    with pytest.raises(ValueError, match="the grid lacks MMI"):
        read_grid(gzip.decompress((DATA / "shakemap" / "loma_prieta_uncertainty.xml.gz").read_bytes()), "1")


def noto_at(instant: datetime) -> list[Earthquake | Deleted]:
    """Return the feed as it must have stood, made of the recorded origins sent until then.

    The first solution of `us` was not recorded, only the last, of March; it is shown 20 minutes after the quake.
    """
    detail = detail_of("us6000m0xl")
    origins = []
    for product in detail["properties"]["products"]["origin"]:
        sent = datetime.fromtimestamp(product["updateTime"] / 1000, UTC)
        sent = datetime(2024, 1, 1, 7, 30, tzinfo=UTC) if product["source"] == "us" else sent
        if sent <= instant:
            origins.append((product.get("preferredWeight", 0), sent, product["properties"]))
    if not origins:
        return []
    _, sent, told = max(origins, key=lambda one: one[:2])
    ids = sorted(f"{o['eventsource']}{o['eventsourcecode']}" for _, _, o in origins)
    properties = detail["properties"] | {
        "mag": float(told["magnitude"]),
        "time": datetime.fromisoformat(told["eventtime"]).timestamp() * 1000,
        "updated": sent.timestamp() * 1000,
        "ids": f",{','.join(ids)},",
        "types": ",origin,",
    }
    place = [float(told[name]) for name in ("longitude", "latitude", "depth")]
    feature = {
        "id": f"{told['eventsource']}{told['eventsourcecode']}",
        "properties": properties,
        "geometry": {"coordinates": place},
    }
    return list(read_features([feature]))


def test_noto_keeps_the_id_of_the_tsunami_centres_first_solution_and_nothing_later_is_material() -> None:
    state, bus, feed = MemoryStore(), MemoryBus(), FakeFeed()
    told = []
    for minute in range(15, 60):
        now = datetime(2024, 1, 1, 7, minute, tzinfo=UTC)
        feed.entries = noto_at(now)
        before = len(bus.published)
        announce_earthquakes(feed, state=state, bus=bus, now=now)
        for _, data, attributes in bus.published[before:]:
            told.append(
                (minute, attributes["kind"], attributes["event_id"], json.loads(data)["earthquake"]["magnitude"])
            )
    assert told == [(23, "announced", "pt24001001", 7.4)]
    assert {n for n in state.objects if n.startswith("aliases/")} == {
        f"aliases/{other}.json" for other in ("pt24001001", "at00s6kml3", "us6000m0xl")
    }
    assert all(state.objects[n].data == b"pt24001001" for n in state.objects if n.startswith("aliases/"))


def test_recorded_grids_are_the_numbers_of_their_own_text() -> None:
    for name, (rows, cols) in GRIDS.items():
        text = (DATA / "shakemap" / name).read_text()
        first = text.partition("<grid_data>")[2].split()
        mmi = read_grid(text.encode(), "1").mmi
        assert mmi.shape == (rows, cols)
        fields = text.count("<grid_field")
        by_name = text.partition('name="MMI"')[0].rpartition('index="')[2].partition('"')[0]
        np.testing.assert_allclose(
            mmi.ravel()[:50], [float(v) for v in first[int(by_name) - 1 :: fields][:50]], rtol=1e-6
        )
