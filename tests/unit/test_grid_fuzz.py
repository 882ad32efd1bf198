"""Damaged and hostile grids: a small whole grid, broken in every way that can be thought of, raises ValueError or is read."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quakeslide.documents import shakemap
from quakeslide.documents.shakemap import read_grid
from quakeslide.domain.aoi import area_from_shaking

RECORDED = Path(__file__).parents[1] / "data" / "shakemap" / "loma_prieta_grid.xml"
SPACE = "http://earthquake.usgs.gov/eqcenter/shakemap"
GRID = f"""<?xml version="1.0" encoding="UTF-8"?>
<shakemap_grid xmlns="{SPACE}" event_id="us1" shakemap_version="1" map_status="RELEASED" shakemap_event_type="ACTUAL">
<grid_specification lon_min="10.0" lat_min="44.8" lon_max="10.2" lat_max="45.0" nominal_lon_spacing="0.1"
 nominal_lat_spacing="0.2" nlon="3" nlat="2"/>
<grid_field index="1" name="LON" units="dd"/>
<grid_field index="2" name="LAT" units="dd"/>
<grid_field index="3" name="MMI" units="intensity"/>
<grid_data>
10.0 45.0 5.1
10.1 45.0 6.2
10.2 45.0 7.3
10.0 44.8 4.1
10.1 44.8 5.5
10.2 44.8 6.0
</grid_data>
</shakemap_grid>
""".encode()


def read_or_refuse(body: bytes) -> None:
    """Read what can be read and make an area of it; anything else than ValueError fails the test."""
    try:
        grid = read_grid(body, "1")
    except ValueError:
        return
    area_from_shaking(grid)


def test_small_grid_is_whole() -> None:
    grid = read_grid(GRID, "1")
    np.testing.assert_array_equal(grid.mmi, np.array([[5.1, 6.2, 7.3], [4.1, 5.5, 6.0]], np.float32))
    assert (grid.west, grid.north, grid.step_lon, grid.step_lat) == (10.0, 45.0, 0.1, 0.2)


@settings(max_examples=250, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(GRID) - 1), st.binary(max_size=3), st.integers(0, 4)), min_size=1, max_size=4)
)
def test_bytes_changed_put_in_and_left_out(changes: list[tuple[int, bytes, int]]) -> None:
    body = bytearray(GRID)
    for place, put, out in changes:
        body[place : place + out] = put
    read_or_refuse(bytes(body))


ATTRIBUTE = re.compile(rb'(\w+)="([^"]*)"')
ATTRIBUTES = sorted({match[1].decode() for match in ATTRIBUTE.finditer(GRID)} - {"version", "encoding"})
odd = st.sampled_from(
    [
        "",
        "-1",
        "0",
        "1",
        "3",
        "1e9",
        "9" * 30,
        "9" * 5000,
        "nan",
        "inf",
        "-inf",
        "0x10",
        "3.0",
        "\u0663",
        "SCENARIO",
        "MMI",
        "LON",
    ]
) | st.text(st.characters(blacklist_characters='<&"', blacklist_categories=("Cs", "Cc")), max_size=6)


@settings(max_examples=250, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ATTRIBUTES), odd), min_size=1, max_size=3))
@example([("index", "-5")])
@example([("index", "9")])
@example([("nlon", "-3"), ("nlat", "-2")])
@example([("nlon", "2000000"), ("nlat", "2000000")])
@example([("nominal_lon_spacing", "nan")])
@example([("xmlns", "http://elsewhere")])
def test_any_attribute_may_say_anything(changes: list[tuple[str, str]]) -> None:
    body = GRID
    for name, value in changes:
        body = re.sub(rb'\b%s="[^"]*"' % name.encode(), lambda _, n=name, v=value: f'{n}="{v}"'.encode(), body)
    read_or_refuse(body)


NUMBERS = ["nan", "inf", "-inf", "1e999", "-0", "1e-320", "5", "--", "e", "1_0", "NaN", "", "44"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(NUMBERS), min_size=18, max_size=18))
@example(["5", "44", "inf"] + ["5", "44", "5"] * 5)
@example(["5", "44", "-inf"] + ["5", "44", "5"] * 5)
@example(["5", "44", "1e39"] + ["5", "44", "5"] * 5)
def test_any_number_may_be_none(values: list[str]) -> None:
    head, _, rest = GRID.partition(b"<grid_data>")
    tail = rest.partition(b"</grid_data>")[2]
    read_or_refuse(head + b"<grid_data>" + " ".join(values).encode() + b"</grid_data>" + tail)


@pytest.mark.parametrize("intensity", ["inf", "-inf", "1e39", "6.257e25", "12.1"])
def test_intensity_beyond_the_scale_is_refused(intensity: str) -> None:
    with pytest.raises(ValueError, match=r"the scale ends at 12"):
        read_grid(GRID.replace(b"7.3", intensity.encode()), "1")


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "boom"}">' for n in range(30))


@pytest.mark.parametrize(
    "body",
    [
        f"<!DOCTYPE x [{BOMB}]><x>&e29;</x>".encode(),
        b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>',
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><x/>',
        b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/p"> %p;]><x/>',
        b"<a>" * 50_000 + b"</a>" * 50_000,
        b"<a " + b" ".join(b'k%d="v"' % n for n in range(50_000)) + b"/>",
        GRID.replace(b"UTF-8", b"utf-7"),
        GRID.replace(b"UTF-8", b"no-such-code"),
        GRID.decode().encode("utf-16"),
        b"\x00" * 1000,
        b"",
        GRID + GRID,
        GRID.replace(SPACE.encode(), SPACE.upper().encode()),
        GRID.replace(b'index="3"', b'index="2"'),
        GRID.replace(b'name="MMI"', b'name="PGA"'),
        GRID.replace(b"<grid_data>", b"<grid_data><a/>"),
    ],
    ids=lambda body: f"{body[:24]!r} {len(body)}",
)
def test_hostile_document_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_grid(body, "1")


def test_entity_bomb_is_refused_before_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="EntitiesForbidden"):
        read_grid(f"<!DOCTYPE x [{BOMB}]><x>&e29;</x>".encode(), "1")


def test_more_data_than_the_grid_says_are_refused_before_they_are_split() -> None:
    long = GRID.replace(b"</grid_data>", b"1" * (6 * 3 * shakemap.MAX_DIGITS + 1) + b"</grid_data>")
    with pytest.raises(ValueError, match="far more than it says"):
        read_grid(long, "1")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_recorded_grid_with_bytes_changed_anywhere(data: st.DataObject) -> None:
    body = bytearray(RECORDED.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(body))
