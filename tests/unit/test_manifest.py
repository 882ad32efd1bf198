import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakeslide.documents.manifest import read_manifest, write_manifest
from quakeslide.domain.composite import Composite
from quakeslide.domain.lattice import Lattice, Rectangle, box_on_ground, to_lonlat
from quakeslide.domain.sentinel1 import STAGES_OF_THE_PAPER, OrbitPass, Polarisation, Stage, Track
from quakeslide.domain.terrain import Backscatter, Terrain
from quakeslide.errors import LyingManifest
from tests.fakes_detector import composite_of

STEPS = st.integers(-50, 50).map(lambda n: n * 32)
SIDES = st.integers(2, 40).map(lambda n: n * 32)
TIMES = st.datetimes(datetime(2014, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
SCENES = st.lists(WORDS, min_size=1, max_size=4).map(tuple)
LATTICES = st.one_of(
    st.builds(
        Lattice,
        crs=st.sampled_from(["EPSG:32653", "EPSG:32719"]),
        origin_x=st.floats(3e5, 7e5),
        origin_y=st.floats(1e6, 8e6),
    ),
    st.builds(
        Lattice,
        crs=st.just("EPSG:4326"),
        origin_x=st.floats(-170, 170),
        origin_y=st.floats(-60, 60),
        pixel=st.just(8.983152841195215e-05),
    ),
)


@st.composite
def composites(draw: st.DrawFn) -> Composite:
    """Any composite whose area lies in its rectangle."""
    lattice = draw(LATTICES)
    r = draw(st.builds(Rectangle, row=STEPS, col=STEPS, height=SIDES, width=SIDES))
    return Composite(
        event_id=draw(st.from_regex(r"[a-z][a-z0-9_]{2,40}", fullmatch=True)),
        track=draw(st.builds(Track, orbit_pass=st.sampled_from(OrbitPass), relative_orbit=st.integers(1, 175))),
        stage=draw(st.sampled_from([Stage(pre_days=pre, post_days=post) for pre, post in STAGES_OF_THE_PAPER])),
        polarisation=draw(st.sampled_from(Polarisation)),
        pre_scenes=draw(SCENES),
        post_scenes=draw(SCENES),
        lattice=lattice,
        rectangle=r,
        shard_px=draw(st.sampled_from([256, 512, 2048])),
        t0=draw(TIMES),
        post_start=draw(TIMES),
        aoi=to_lonlat(box_on_ground(lattice, r.row, r.col, r.height, r.width), lattice.crs),
        aoi_source=draw(WORDS),
        weak_pre=draw(st.booleans()),
        place=draw(WORDS),
        data_notice=draw(WORDS),
        series=draw(st.sampled_from(["", "g1", "w1", "w12g3"])),
        terrain=Terrain(
            backscatter=draw(st.sampled_from(Backscatter)),
            mask_buffer_m=draw(st.integers(0, 500)) if lattice.crs != "EPSG:4326" else 0,
        ),
    )


@settings(deadline=None)
@given(composites())
def test_manifest_holds_the_whole_composite(composite):
    data = write_manifest(composite)
    again = read_manifest(data, "m")
    assert again == composite
    assert write_manifest(again) == data


def test_same_composite_has_the_same_bytes():
    assert write_manifest(composite_of()) == write_manifest(composite_of())


def spoilt(**changes):
    return json.dumps(json.loads(write_manifest(composite_of())) | changes).encode()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"composite_id": "0" * 12}, "composite_id is '000000000000', but the rest of the manifest gives"),
        ({"post_scenes": ["another"]}, "composite_id is"),
        ({"orbit_pass": "DESCENDING"}, "orbit_pass is"),
        ({"bands": ["postVV"]}, "bands is"),
        ({"polarisation": "vv"}, "bands is"),
        ({"missing": 0}, "missing is 0"),
        ({"shards": []}, r"shards is \[\]"),
        ({"shard_px": 512}, "shards is"),
        ({"event_id": "../../x"}, "is no event id"),
        ({"track": "A69"}, "is no track"),
        ({"stage": "60-13"}, "none of the paper's"),
        ({"polarisation": "hh"}, "'hh' is not a valid Polarisation"),
        ({"orbit_pass": "UP"}, "'UP' is not a valid OrbitPass"),
        ({"pre_scenes": []}, "at least one pre-event"),
        ({"rectangle": {"row": 1, "col": 0, "height": 544, "width": 608}}, "multiples of 32 px"),
        ({"rectangle": {"row": 0, "col": 0}}, "missing 2 required"),
        ({"lattice": []}, "must be a mapping"),
        ({"shard_px": 100}, "no multiple of 256"),
        ({"t0": "2024-01-01"}, "no UTC offset"),
        ({"t0": "0001-01-01T00:00:00+10:00"}, "out of range"),
        ({"aoi": {"type": "Polygon", "coordinates": ""}}, "no polygon"),
        ({"aoi": {"type": "Point", "coordinates": [1, 2]}}, "must be a GeoJSON Polygon"),
        ({"series": "../x"}, "is no series"),
        ({"series": None}, "expected string"),
        ({"aoi": None}, "must be a GeoJSON Polygon"),
        ({"terrain": {"backscatter": "gamma0_terrain_volume", "mask_buffer_m": 0}}, "composite_id is"),
        ({"terrain": {"backscatter": "sigma0", "mask_buffer_m": 20}}, "composite_id is"),
        ({"terrain": {"backscatter": "beta0", "mask_buffer_m": 0}}, "'beta0' is not a valid Backscatter"),
        ({"terrain": {"backscatter": "sigma0", "mask_buffer_m": -1}}, "must lie between 0 and 500"),
        ({"terrain": {"backscatter": "sigma0", "mask_buffer_m": 0.5}}, "must be a whole number"),
        ({"terrain": None}, "not subscriptable"),
    ],
)
def test_manifest_that_lies_is_refused_with_its_name(changes, reason):
    with pytest.raises(LyingManifest, match=rf"^manifests/x.json: .*{reason}"):
        read_manifest(spoilt(**changes), "manifests/x.json")


@pytest.mark.parametrize("field", sorted(json.loads(write_manifest(composite_of()))))
def test_missing_field_is_named(field):
    body = json.loads(write_manifest(composite_of()))
    del body[field]
    if field == "version":
        assert read_manifest(json.dumps(body).encode(), "m") == composite_of()
        return
    with pytest.raises(LyingManifest, match=f"m: field '{field}' is missing"):
        read_manifest(json.dumps(body).encode(), "m")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe\xfa", b"[" * 100_000, b'{"shard_px": NaN}'])
def test_what_is_no_manifest_is_refused(data):
    with pytest.raises(LyingManifest, match=r"^m: "):
        read_manifest(data, "m")


def test_manifest_of_a_rectangle_beyond_any_event_is_refused_before_its_shards_are_counted():
    composite = composite_of()
    huge = replace(composite.rectangle, height=32 * 10**12)
    body = json.loads(write_manifest(composite)) | {
        "rectangle": {"row": 0, "col": 0, "height": huge.height, "width": 64}
    }
    with pytest.raises(LyingManifest, match="composite_id"):
        read_manifest(json.dumps(body).encode(), "m")
