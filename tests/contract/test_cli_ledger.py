"""`quakeslide status` and `quakeslide events` over a real bucket service, as a person calls them."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from quakeslide.adapters.gcs_store import GcsStore
from quakeslide.cli.main import main
from quakeslide.domain.earthquake import Deleted
from quakeslide.message_reader import parse
from quakeslide.messages import Envelope
from quakeslide.usecases.announce_earthquakes import announce_earthquakes
from quakeslide.usecases.link_shocks import link_shocks
from quakeslide.usecases.open_watch import heed_announcement
from tests.contract.storage_service import StorageService, client_of
from tests.fakes import MemoryBus
from tests.fakes_feed import NOW, T0, FakeFeed, quake

BUCKET = "quakeslide-local-state"


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A ledger made by the poller: one announced with its watch, one refused, one cancelled."""
    with StorageService(tmp_path / "storage") as service, client_of(service.url) as client:
        client.create_bucket(BUCKET)
        state, bus = GcsStore(BUCKET, client), MemoryBus()
        deep = quake(preferred_id="us2", ids=frozenset({"us2"}), depth_km=300, lon=116.4, lat=-8.3)
        gone = quake(
            preferred_id="us3",
            ids=frozenset({"us3"}),
            magnitude=6.4,
            lon=142.75,
            lat=-6.07,
            time=T0 - timedelta(days=1),
            has_shakemap=True,
            detail_url="detail",
            alert="green",
        )
        feed = FakeFeed([quake(alert="yellow"), deep, gone], landslide_alert="red")
        announce_earthquakes(feed, state=state, bus=bus, now=NOW)
        feed.entries, feed.details = [quake(), deep], {"us3": Deleted(ids=frozenset({"us3"}))}
        announce_earthquakes(feed, state=state, bus=bus, now=NOW + timedelta(minutes=1))
        data, attributes = next((d, a) for _, d, a in bus.published if a["event_id"] == "us1")
        envelope = Envelope(message_id="1", publish_time=NOW, topic="earthquakes", raw=data, attributes=attributes)
        heed_announcement(parse(envelope), envelope, state=state)  # type: ignore[arg-type]
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.url)
        monkeypatch.setenv("STATE_BUCKET", BUCKET)
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "quakeslide-local")
        yield BUCKET


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
    return result.exit_code, result.output


@pytest.mark.usefixtures("bucket")
def test_events_lists_what_was_weighed_and_why() -> None:
    code, text = run("events")
    assert code == 0
    assert "us1" in text
    assert "depth 300 km is over 100 km" in text
    rows = json.loads(run("events", "--json")[1])
    assert {row["event_id"]: row["state"] for row in rows} == {"us1": "announced", "us2": "refused", "us3": "cancelled"}
    assert [row["event_id"] for row in json.loads(run("events", "--state", "refused", "--json")[1])] == ["us2"]


@pytest.mark.usefixtures("bucket")
def test_events_are_ranked_by_the_graver_of_both_alerts_on_demand() -> None:
    newest, gravest = (json.loads(run("events", *order, "--json")[1]) for order in ([], ["--gravest"]))
    assert [row["event_id"] for row in newest] == ["us2", "us1", "us3"]
    assert [row["event_id"] for row in gravest] == ["us3", "us1", "us2"]
    assert [(row["alert"], row["landslide_alert"]) for row in gravest] == [("green", "red"), ("yellow", ""), ("", "")]
    assert "landslides" in run("events", "--gravest")[1]


@pytest.mark.usefixtures("bucket")
def test_status_finds_an_event_by_any_of_its_ids() -> None:
    code, text = run("status", "at1")
    assert code == 0
    assert text.startswith("us1  M 7.5")
    assert "watch: open" in text
    found = json.loads(run("status", "us3", "--json")[1])
    assert (found["state"], found["reasons"], found["watch"]) == ("cancelled", ["USGS deleted it"], None)


@pytest.mark.usefixtures("bucket")
def test_status_and_events_say_where_an_aftershock_went() -> None:
    state, bus = GcsStore(BUCKET), MemoryBus()
    aftershock = quake(preferred_id="us4", ids=frozenset({"us4"}), magnitude=6.1, time=T0 + timedelta(days=1))
    announce_earthquakes(FakeFeed([aftershock]), state=state, bus=bus, now=NOW + timedelta(days=2))
    ((_, data, attributes),) = bus.published
    envelope = Envelope(message_id="4", publish_time=NOW, topic="earthquakes", raw=data, attributes=attributes)
    heed_announcement(parse(envelope), envelope, state=state)  # type: ignore[arg-type]
    assert link_shocks("us4", state) == ["us1"]
    assert "linked to us1" in run("events")[1]
    assert "watch: linked to us1" in run("status", "us4")[1]
    found = json.loads(run("status", "us4", "--json")[1])
    assert (found["watch"], found["linked_to"]) == ("linked", "us1")
    assert "M 6.1 (us4) struck in this area" in run("status", "us1")[1]


@pytest.mark.usefixtures("bucket")
def test_status_of_an_unknown_event_says_where_to_look() -> None:
    code, text = run("status", "us9999")
    assert code == 1
    assert "quakeslide events" in text
    assert run("status", "../etc")[0] == 2
