import pytest
from hypothesis import given
from hypothesis import strategies as st

from quakeslide.domain import object_names
from quakeslide.domain.sentinel1 import Stage, Track

TRACK, STAGE = Track.parse("D012"), Stage.parse("60-24")
ID = "0123456789ab"
BY_EVENT = {
    object_names.earthquake: (),
    object_names.alias: (),
    object_names.watch: (),
    object_names.event_budget: (),
    object_names.problem: ("-", "-", "code", ID),
    object_names.manifest: (TRACK, STAGE, ID),
    object_names.final_marker: (TRACK, STAGE, ID),
    object_names.detections: (TRACK, STAGE, ID, "final"),
    object_names.support: (TRACK, STAGE, ID, "final", "score.tif"),
    object_names.latest: (TRACK, STAGE),
    object_names.status: (),
    object_names.summary: (),
    object_names.page: (),
}
TRICKS = [
    "", "us", "US1", "1us", "_us1", "us-1", "us 1", "us1\n", "\nus1", "us1\x00", ".", "..", "../us1", "us1/..", "us1/x", "/us1",
    "us1%2f..", "us1\\x", "ünïcode", "us१२३", "a" * 42, None, 7, b"us1",
]  # fmt: skip


@pytest.mark.parametrize("text", TRICKS)
def test_no_event_id_reaches_a_path(text):
    with pytest.raises(ValueError, match="is no event id"):
        object_names.checked_event_id(text)
    for name, rest in BY_EVENT.items():
        with pytest.raises(ValueError, match="is no event id"):
            name(text, *rest)


@given(st.text(max_size=45))
def test_whatever_passes_as_an_id_stays_in_its_folder(text):
    try:
        event_id = object_names.checked_event_id(text)
    except ValueError:
        return
    for name, rest in BY_EVENT.items():
        made = name(event_id, *rest)
        assert event_id in made
        assert set(made) <= set("abcdefghijklmnopqrstuvwxyzD0123456789_-/.")
        assert not {"", ".", ".."} & set(made.split("/"))


@given(st.from_regex(r"[a-z][a-z0-9_]{2,40}", fullmatch=True))
def test_usgs_ids_pass(event_id):
    assert object_names.checked_event_id(event_id) == event_id


def test_names_as_designed():
    assert object_names.earthquake("us6000m0xl") == "earthquakes/us6000m0xl.json"
    assert object_names.alias("at1") == "aliases/at1.json"
    assert object_names.watch("us1") == "watches/open/us1.json"
    assert object_names.watch("us1", is_open=False) == "watches/closed/us1.json"
    assert object_names.outbox("rescan-us1_2.3") == "outbox/rescan-us1_2.3.json"
    assert object_names.problem("us1", "D012", "60-24", "model_missing", ID) == (
        f"problems/us1/D012/60-24/model_missing-{ID}.json"
    )
    assert object_names.cell(ID, "ba9876543210", 0, 12) == f"cells/{ID}/ba9876543210/0-12.npz"
    assert object_names.manifest("us1", TRACK, STAGE, ID) == f"manifests/us1/D012/60-24/{ID}.json"
    assert object_names.final_marker("us1", TRACK, STAGE, ID) == f"manifests/us1/D012/60-24/{ID}.final.json"
    assert object_names.detections("us1", TRACK, STAGE, ID, "final") == f"detections/us1/D012/60-24/{ID}-final.geojson"
    support = object_names.support("us1", TRACK, STAGE, ID, "provisional", "score.tif")
    assert support == f"support/us1/D012/60-24/{ID}-provisional/score.tif"
    assert object_names.latest("us1", TRACK, STAGE) == "latest/us1/D012/60-24.json"
    assert object_names.status("us1") == "status/us1.json"
    assert object_names.summary("us1") == "summary/us1.geojson"
    assert object_names.page("us1") == "pages/us1/index.html"


@pytest.mark.parametrize("text", ["", "a/b", "../a", "a b", "a\n", "a" * 201, "ä"])
def test_no_outbox_id(text):
    with pytest.raises(ValueError, match="is no outbox id"):
        object_names.outbox(text)


@pytest.mark.parametrize(
    "name",
    [
        f"shards/us1/A069/60-12/{ID}/composite.tif\n",
        f"shards/us1/A069/60-12/{ID}/composite-0000000000.tif",
        f"shards/us1/A069/60-12/{ID}/composite-000000000-0000000000.tif",
        f"shards/us1/A069/60-12/{ID}/other.tif",
        f"shards/us1/A069/60-12/{ID.upper()}/composite.tif",
        f"shards/us1/../A069/60-12/{ID}/composite.tif",
        f"shards//A069/60-12/{ID}/composite.tif",
        f"manifests/us1/A069/60-12/{ID}.json",
        f"x/shards/us1/A069/60-12/{ID}/composite.tif",
    ],
)
def test_no_shard(name):
    assert not object_names.SHARD.fullmatch(name)
