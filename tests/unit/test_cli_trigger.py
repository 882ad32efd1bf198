import json

import pytest
from click.testing import CliRunner

from quakeslide.cli import trigger as module
from quakeslide.cli.main import main
from quakeslide.message_reader import parse
from quakeslide.messages import Envelope, Manual
from tests.fakes import MemoryBus
from tests.fakes_detector import T0

SQUARE = {"type": "Polygon", "coordinates": [[[137, 37], [138, 37], [138, 38], [137, 38], [137, 37]]]}


@pytest.fixture
def bus(monkeypatch):
    made = MemoryBus()
    monkeypatch.setattr(module, "PubsubBus", lambda project: made)
    return made


def run(*arguments):
    return CliRunner().invoke(main, ["trigger", *arguments, "--project", "p"])


def test_message_is_what_the_exporter_reads(bus, tmp_path):
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": SQUARE}))
    result = run(
        "us6000m0xl", "--aoi", str(tmp_path / "a.geojson"), "--tracks", "A069, D012", "--stages", "60-12",
        "--post-start", "2024-01-01T07:10:09Z", "--force",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    ((topic, data, attributes),) = bus.published
    assert topic == "earthquakes"
    message = parse(Envelope(message_id="1", publish_time=T0, topic=topic, raw=data, attributes=attributes))
    assert isinstance(message, Manual)
    assert [str(track) for track in message.tracks] == ["A069", "D012"]
    assert (message.event_id, message.post_start, message.force) == ("us6000m0xl", T0, True)
    assert message.aoi.area == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["No Id"], "is no event id"),
        (["us6000m0xl", "--tracks", "B1"], "is no track"),
        (["us6000m0xl", "--stages", "61-12"], "none of the paper's"),
        (["us6000m0xl", "--post-start", "2024-01-01"], "no UTC offset"),
    ],
)
def test_wrong_use_publishes_nothing(bus, arguments, text):
    result = run(*arguments)
    assert result.exit_code == 2
    assert text in result.output
    assert not bus.published


def test_file_without_an_area_is_refused(bus, tmp_path):
    (tmp_path / "a.geojson").write_text("{}")
    result = run("us6000m0xl", "--aoi", str(tmp_path / "a.geojson"))
    assert result.exit_code == 2
    assert "a.geojson" in result.output
    assert not bus.published
