"""ShakeMap: which product of an event counts, and its shaking: `grid.xml`, read by the entity-safe parser of defusedxml, or CoverageJSON.

Formats: ShakeMap manual, section on output formats; https://covjson.org/spec/.
"""

import json
import re
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from numpy.typing import NDArray

from quakeslide.documents.products import preferred
from quakeslide.domain.aoi import ShakeGrid

MAX_GRID_POINTS = 4_000_000
FULL_CIRCLE = 360.0  # degrees
MAX_DIGITS = 32  # of a value with the blank after it; recorded ones have 5 to 12
NAMESPACE = "{http://earthquake.usgs.gov/eqcenter/shakemap}"


ACTUAL = "ACTUAL"  # scenarios and tests say otherwise
GRID = "download/grid.xml"
COVERAGES = tuple(f"download/coverage_mmi_{size}_res.covjson" for size in ("high", "medium", "low"))


def preferred_shakemap(detail: dict[str, Any]) -> dict[str, Any] | None:
    """Return the ShakeMap product with the greatest weight that is no delete and has a grid or a coverage; the newest of equals."""
    return preferred(
        detail,
        "shakemap",
        lambda p: (
            str(p["properties"].get("map-status", "")).upper() not in ("CANCELLED", "CANCELED")
            and str(p["properties"].get("event-type", ACTUAL)).upper() == ACTUAL
            and bool(version_of(p) and shaking_urls(p))
        ),
    )


def version_of(product: dict[str, Any]) -> str:
    """Return what tells one ShakeMap of an event from another: its network and version."""
    return f"{product['source']} {product['properties'].get('version', product['updateTime'])}"


def shaking_urls(product: dict[str, Any]) -> dict[str, str]:
    """Return where a product's shaking may be read, by content, the one to try first first."""
    contents = product["contents"]
    urls = {name: contents[name]["url"] for name in (GRID, *COVERAGES) if isinstance(contents.get(name), dict)}
    return {name: url for name, url in urls.items() if isinstance(url, str)}


def read_shaking(content: str, body: bytes, version: str) -> ShakeGrid:
    """Read a product's content by its name.

    Raises:
        ValueError: see `read_grid` and `read_coverage`.
    """
    return read_grid(body, version) if content == GRID else read_coverage(body, version)


def read_coverage(body: bytes, version: str) -> ShakeGrid:
    """Read a CoverageJSON grid of MMI on regular axes.

    Raises:
        ValueError: no such coverage, or larger than it can be.
    """
    try:
        document = json.loads(body)
        axes = document["domain"]["axes"]
        lons, lats = (_axis(axes[name]) for name in ("x", "y"))
        of_mmi = document["ranges"]["MMI"]
        values = of_mmi["values"]
        if list(of_mmi.get("axisNames", "yx"))[-2:] != ["y", "x"]:
            raise ValueError(f"values along {of_mmi['axisNames']}, not y, x")
        if len(values) != len(lons) * len(lats) or len(lons) < 2 or len(lats) < 2:
            raise ValueError(f"{len(values)} values on {len(lats)} x {len(lons)} points")
        mmi = _single([np.nan if v is None else v for v in values]).reshape(len(lats), len(lons))
    except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(f"no CoverageJSON of MMI: {type(error).__name__}: {error}") from error
    if lats[0] < lats[-1]:
        lats, mmi = lats[::-1], mmi[::-1]
    return ShakeGrid(
        version=version,
        west=float(lons[0]),
        north=float(lats[0]),
        step_lon=float(lons[-1] - lons[0]) / (len(lons) - 1),
        step_lat=float(lats[0] - lats[-1]) / (len(lats) - 1),
        mmi=mmi,
    )


def _axis(axis: dict[str, Any]) -> Any:
    if "values" in axis:
        values = np.array(axis["values"], np.float64)
        if not (np.abs(values) <= FULL_CIRCLE).all():
            raise ValueError("an axis has values that are no degrees")
        if values.ndim != 1 or not np.allclose(np.diff(values), np.diff(values)[:1], rtol=0.01, atol=0):
            raise ValueError("an axis is not regular")
        return values
    if not 0 < int(axis["num"]) ** 2 <= MAX_GRID_POINTS * 4:
        raise ValueError(f"an axis of {axis['num']} points is not plausible")
    start, stop = float(axis["start"]), float(axis["stop"])
    if not (abs(start) <= FULL_CIRCLE and abs(stop) <= FULL_CIRCLE):
        raise ValueError(f"an axis from {start} to {stop} is not in degrees")
    return np.linspace(start, stop, int(axis["num"]))


def _single(values: Any) -> NDArray[np.float32]:
    """Return values as float32; those too great for it become infinite, which `ShakeGrid` refuses."""
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float64).astype(np.float32)


def read_grid(body: bytes, version: str) -> ShakeGrid:
    """Read a `grid.xml`.

    Raises:
        ValueError: no ShakeMap grid, a scenario or test, without MMI, or larger than it can be.
    """
    try:
        root = fromstring(body)
    except (ParseError, DefusedXmlException, UnicodeError, LookupError) as error:
        raise ValueError(f"no readable grid.xml: {type(error).__name__}: {error}") from error
    kind = root.get("shakemap_event_type", root.get("event_type", ACTUAL)).upper()
    if kind != ACTUAL:
        raise ValueError(f"the ShakeMap is a {kind}, not an actual earthquake")
    spec = _find(root, "grid_specification")
    fields = {field.get("name"): int(field.get("index", "0")) - 1 for field in root.iter(f"{NAMESPACE}grid_field")}
    missing = {"LON", "LAT", "MMI"} - fields.keys()
    if missing:
        raise ValueError(f"the grid lacks {', '.join(sorted(missing))}")
    if sorted(fields.values()) != list(range(len(fields))):
        raise ValueError(f"the grid's fields have the indexes {sorted(fields.values())}, not each from 0 on once")
    cols, rows = int(spec.get("nlon", "0")), int(spec.get("nlat", "0"))
    if not (rows > 0 and cols > 0 and rows * cols <= MAX_GRID_POINTS):
        raise ValueError(f"a grid of {rows} x {cols} points is not plausible")
    text = _find(root, "grid_data").text or ""
    if len(text) > rows * cols * len(fields) * MAX_DIGITS or not re.fullmatch(r"[\s0-9eE.+\-naNif]*", text):
        raise ValueError("the grid's data are no numbers, or far more than it says")
    values = np.array(text.split(), dtype=np.float64)
    if values.size != rows * cols * len(fields):
        raise ValueError(f"the grid has {values.size} values, not {rows} x {cols} x {len(fields)}")
    table = values.reshape(rows, cols, len(fields))
    return ShakeGrid(
        version=version,
        west=float(table[0, 0, fields["LON"]]),
        north=float(table[0, 0, fields["LAT"]]),
        step_lon=float(spec.get("nominal_lon_spacing", "0")),
        step_lat=float(spec.get("nominal_lat_spacing", "0")),
        mmi=_single(table[:, :, fields["MMI"]]),
    )


def _find(root: Element, name: str) -> Element:
    found = root.find(f"{NAMESPACE}{name}")
    if found is None:
        raise ValueError(f"no {name}; is this a ShakeMap grid.xml?")
    return found
