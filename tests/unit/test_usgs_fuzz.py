"""Damaged and hostile details and coverages: nothing but the documented errors, and what is whole is read."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quakeslide.documents.products import landslide_alert
from quakeslide.documents.shakemap import preferred_shakemap, read_coverage, shaking_urls, version_of


def product(**changes: Any) -> dict[str, Any]:
    return {
        "status": "UPDATE",
        "source": "us",
        "updateTime": 1,
        "preferredWeight": 100,
        "properties": {"version": "1"},
        "contents": {"download/grid.xml": {"url": "u"}},
        **changes,
    }


def detail(*products: Any) -> dict[str, Any]:
    return {"properties": {"products": {"shakemap": list(products)}}}


def test_heaviest_product_counts_then_the_newest() -> None:
    heavy, newer = product(preferredWeight=200, source="atlas"), product(updateTime=2)
    assert preferred_shakemap(detail(product(), newer, heavy)) is heavy
    assert preferred_shakemap(detail(product(), newer)) is newer
    assert version_of(heavy) == "atlas 1"


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "DELETE"},
        {"status": "cancelled"},
        {"properties": {"map-status": "CANCELED"}},
        {"properties": {"event-type": "SCENARIO"}},
        {"contents": {}},
        {"contents": {"download/grid.xml": None}},
    ],
)
def test_withdrawn_or_empty_product_does_not_count(changes: dict[str, Any]) -> None:
    assert preferred_shakemap(detail(product(preferredWeight=999, **changes))) is None


def test_landslide_alert_is_that_of_the_preferred_ground_failure_product() -> None:
    def failures(*products: Any) -> dict[str, Any]:
        return {"properties": {"products": {"ground-failure": list(products)}}}

    green, red = ({"properties": {"landslide-alert": colour}} for colour in ("green", "Red"))
    assert landslide_alert(failures(product(**green), product(**red, updateTime=2))) == "red"
    assert landslide_alert(failures(product(**green), product(**red, status="DELETE", updateTime=2))) == "green"
    assert landslide_alert(failures()) == landslide_alert(detail(product())) == ""
    assert landslide_alert(failures(product())) == ""  # as written before there were alerts


def coverage(rows: int = 3, cols: int = 4, upward: bool = True) -> dict[str, Any]:
    lats = {"start": 36.0, "stop": 38.0} if upward else {"start": 38.0, "stop": 36.0}
    return {
        "type": "Coverage",
        "domain": {"axes": {"x": {"start": 136.0, "stop": 139.0, "num": cols}, "y": {**lats, "num": rows}}},
        "ranges": {"MMI": {"values": [float(i) for i in range(rows * cols)]}},
    }


@pytest.mark.parametrize("upward", [True, False])
def test_coverage_is_read_north_up(upward: bool) -> None:
    grid = read_coverage(json.dumps(coverage(upward=upward)).encode(), "us 1")
    assert (grid.west, grid.north, grid.step_lon, grid.step_lat) == (136.0, 38.0, 1.0, 1.0)
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(grid.mmi, rows[::-1] if upward else rows)


def test_product_without_a_grid_gives_its_finest_coverage() -> None:
    contents = {f"download/coverage_mmi_{size}_res.covjson": {"url": "u"} for size in ("low", "high")}
    found = preferred_shakemap(detail(product(contents=contents)))
    assert found is not None
    assert list(shaking_urls(found)) == [f"download/coverage_mmi_{size}_res.covjson" for size in ("high", "low")]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["properties", "products", "shakemap", "contents", "status", "domain", "axes", "x", "y"]),
            inner,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(junk)
def test_no_detail_whatever_raises(document: Any) -> None:
    preferred_shakemap(document)
    preferred_shakemap(detail(document))
    preferred_shakemap(detail(product(contents=document)))
    landslide_alert(document)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["domain", "axes", "x", "y", "num", "start", "ranges", "MMI", "values"]), junk)
@example("start", math.inf)
@example("start", -1e308)
@example("values", [math.inf] * 12)
@example("values", [1e300] * 12)
@example("x", {"values": [1e308, -1e308, math.inf, math.nan]})
def test_damaged_coverage_raises_nothing_but_value_error(field: str, value: Any) -> None:
    def put(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: value if key == field else put(child) for key, child in node.items()}
        return node

    try:
        body = json.dumps(put(coverage())).encode()
        grid = read_coverage(body, "us 1")
    except ValueError:
        return
    assert grid.mmi.ndim == 2


@settings(max_examples=200, deadline=None)
@given(junk, st.sampled_from(["status", "source", "updateTime", "preferredWeight", "properties", "contents", "url"]))
def test_damaged_product_does_not_count_and_the_others_do(value: Any, field: str) -> None:
    damaged = product(preferredWeight=999)
    if field == "url":
        damaged["contents"] = {"download/grid.xml": {"url": value}}
    else:
        damaged[field] = value
    found = preferred_shakemap(detail(damaged, product()))
    assert found is not None
    assert version_of(found)
    assert all(isinstance(url, str) for url in shaking_urls(found).values())
    assert landslide_alert({"properties": {"products": {"ground-failure": [damaged]}}}) == ""


def test_coverage_along_other_axes_or_on_uneven_ones_is_refused() -> None:
    crossed, uneven = coverage(), coverage()
    crossed["ranges"]["MMI"]["axisNames"] = ["x", "y"]
    uneven["domain"]["axes"]["x"] = {"values": [136.0, 137.0, 137.1, 139.0]}
    for document, said in ((crossed, "not y, x"), (uneven, "not regular")):
        with pytest.raises(ValueError, match=said):
            read_coverage(json.dumps(document).encode(), "us 1")
