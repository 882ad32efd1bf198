"""The map page: one file, no request, nothing from outside gets out of its place."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from quakeslide.adapters.renderer import ProductRenderer
from quakeslide.adapters.renderer.map_page import map_page
from quakeslide.domain.fusion import TrackScores, summary_geojson
from quakeslide.domain.report import detections_geojson, dumps
from tests import fakes_products as made

STATUS = {
    "version": 1,
    "event_id": "us6000m0xl",
    "title": "M 7.5, Noto",
    "state": "watching",
    "tracks": [
        {"track": "A069", "stage": "60-12", "state": "done", "text": "10 detections (provisional)"},
        {"track": "D119", "stage": "60-12", "state": "waiting", "text": "waiting until 2024-01-07 21:00 UTC"},
    ],
    "problems": [
        {"track": "-", "stage": "-", "code": "x", "text": "Export refused.", "remedy": "Read why.", "since": "2024"}
    ],
    "notices": ["Sentinel-1 comes again."],
}
VOID = {"meta", "br", "input", "rect", "path", "link", "img"}


class Reader(HTMLParser):
    """Collects attributes that load something, scripts and text; counts open elements."""

    def __init__(self):
        super().__init__()
        self.loads, self.scripts, self.text, self.open = [], [], [], []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.loads += [values[name] for name in ("src", "href", "action", "srcset", "data") if name in values]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        (self.scripts if self.open and self.open[-1] == "script" else self.text).append(data)


def read(page):
    reader = Reader()
    reader.feed(page.decode())
    assert reader.open == []
    return reader


def layers_of(*judgements):
    renderer = ProductRenderer()
    layers = []
    for judgement in judgements:
        files = renderer.support(judgement)
        layers.append(
            {
                "name": f"{judgement.composite.track} 60-12 provisional",
                "detections": json.loads(dumps(detections_geojson(judgement))),
                "blind": json.loads(files["blind.geojson"].data),
                "affected": json.loads(files["affected.geojson"].data),
                "quicklook": files["quicklook.png"].data,
            }
        )
    first = judgements[0].composite
    summary = summary_geojson(
        [TrackScores.of(judgement) for judgement in judgements],
        event_id=first.event_id,
        place=first.place,
        t0=first.t0,
        lattice=first.lattice,
    )
    return [*layers, {"name": "all tracks", "detections": json.loads(dumps(summary))}]


@pytest.fixture(scope="module")
def layers():
    return layers_of(made.example(), made.example(track="D119", seed=9))


@pytest.fixture(scope="module")
def page(layers):
    return map_page("M 7.5, Noto", layers, STATUS, "SIMULATED radar scenes")


def test_nothing_is_loaded_from_anywhere(page):
    reader = read(page)
    assert not [load for load in reader.loads if re.match(r"(?i)\s*(https?:|//|ftp:|file:)", load)]
    style = re.search(rb"<style>(.*?)</style>", page, re.DOTALL)[1]
    assert b"@import" not in style
    assert b"url(" not in style
    urls = set(re.findall(rb"https?://[^\"'<> ]+", page))
    assert urls == {b"http://www.w3.org/2000/svg"}


def test_the_security_policy_allows_only_the_pages_own_script(page):
    reader = read(page)
    script = reader.scripts[-1]
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(rb'Security-Policy" content="([^"]+)"', page)[1].decode()
    assert "default-src 'none'" in policy
    assert f"'sha256-{allowed}'" in policy


def test_quake_notices_tracks_and_status_stand_in_the_text(page):
    text = " ".join(read(page).text)
    for words in (
        "M 7.5, Noto", "SIMULATED radar scenes", "AUTOMATIC, UNVERIFIED", "waiting until 2024-01-07 21:00 UTC",
        "Export refused. Read why.", "provisional", "ascending", "descending", "where slopes may have failed",
        "Sentinel-1 comes again.",
    ):  # fmt: skip
        assert words in text


def test_all_layers_are_in_the_data(page, layers):
    data = json.loads(read(page).scripts[0])
    assert len(data["layers"]) == 7
    assert len(data["layers"][-1]["items"]) == len(layers[-1]["detections"]["features"])
    assert [layer["on"] for layer in data["layers"]] == [True] * 4 + [False, False, True]
    assert len(data["backdrops"]) == 2
    assert data["aoi"].startswith("M")
    words = dict(data["layers"][4]["items"][0]["words"])
    assert words["Radar brightness changed"] == "VV +2.4 dB"


def test_links_lead_from_the_page_to_the_detections(page, layers):
    links = [load for load in read(page).loads if load.endswith(".geojson")]
    assert links[0] == "../../detections/us6000m0xl/A069/60-12/0123456789ab-provisional.geojson"


def test_hostile_text_stays_text(layers):
    bad = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
    spoilt = json.loads(json.dumps(layers[0]["detections"]))
    spoilt["features"][0]["properties"]["cautions"] = [bad]
    status = {**STATUS, "notices": [bad], "tracks": [{"track": bad, "stage": bad, "state": bad, "text": bad}]}
    hostile = map_page(bad, [{**layers[0], "name": bad, "detections": spoilt}], status, bad)
    reader = read(hostile)
    assert len(reader.scripts) == 2
    assert "x" not in reader.loads
    assert b"<script>alert" not in hostile
    assert b"<img" not in hostile
    assert bad in json.loads(reader.scripts[0])["layers"][0]["name"]


def test_a_page_without_any_layer_says_so():
    text = " ".join(read(map_page("Noto", [], {}, "")).text)
    assert "No radar image has been judged yet." in text


@pytest.mark.parametrize(
    ("judgement", "words"),
    [(made.quiet(), "That is no all-clear."), (made.blind(), "Could not look: no statement can be made.")],
)
def test_nothing_found_and_nothing_seen_read_differently(judgement, words):
    assert words in " ".join(read(map_page("Noto", layers_of(judgement), STATUS, "")).text)


def test_a_cancelled_earthquake_is_said_in_a_band(layers):
    text = " ".join(read(map_page("Noto", layers, {**STATUS, "state": "cancelled"}, "")).text)
    assert "CANCELLED" in text


def test_a_map_across_the_antimeridian_stays_together():
    data = json.loads(read(map_page("Fiji", layers_of(made.across_the_antimeridian()), {}, "")).scripts[0])
    _, _, width, height = data["view"]
    assert 10_000 < width < 30_000
    assert 10_000 < height < 30_000
    assert abs(data["backdrops"][0]["w"]) < 30_000


def test_the_same_layers_give_the_same_page(page, layers):
    assert page == map_page("M 7.5, Noto", layers, STATUS, "SIMULATED radar scenes")
