"""ShakeMap: which product of an event counts, and its `grid.xml`, read by the entity-safe parser of defusedxml.

Format: ShakeMap manual, section on output formats.
"""

import re
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from quakeslide.domain.aoi import ShakeGrid

MAX_GRID_POINTS = 4_000_000
NAMESPACE = "{http://earthquake.usgs.gov/eqcenter/shakemap}"


def preferred_shakemap(detail: dict[str, Any]) -> dict[str, Any] | None:
    """Return the ShakeMap product with the greatest weight that is no delete and has a grid."""
    try:
        products = detail["properties"]["products"].get("shakemap", [])
        usable = [
            p for p in products if p["status"] not in ("DELETE", "CANCELLED") and "download/grid.xml" in p["contents"]
        ]
        return max(usable, key=lambda p: float(p.get("preferredWeight", 0)), default=None)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def read_grid(body: bytes, version: str) -> ShakeGrid:
    """Read a `grid.xml`.

    Raises:
        ValueError: no ShakeMap grid, a scenario or test, without MMI, or larger than it can be.
    """
    try:
        root = fromstring(body)
    except (ParseError, DefusedXmlException, UnicodeError, LookupError) as error:
        raise ValueError(f"no readable grid.xml: {type(error).__name__}: {error}") from error
    kind = root.get("shakemap_event_type", root.get("event_type", "ACTUAL")).upper()
    if kind != "ACTUAL":
        raise ValueError(f"the ShakeMap is a {kind}, not an actual earthquake")
    spec = _find(root, "grid_specification")
    fields = {field.get("name"): int(field.get("index", "0")) - 1 for field in root.iter(f"{NAMESPACE}grid_field")}
    missing = {"LON", "LAT", "MMI"} - fields.keys()
    if missing:
        raise ValueError(f"the grid lacks {', '.join(sorted(missing))}")
    cols, rows = int(spec.get("nlon", "0")), int(spec.get("nlat", "0"))
    if not 0 < rows * cols <= MAX_GRID_POINTS:
        raise ValueError(f"a grid of {rows} x {cols} points is not plausible")
    text = _find(root, "grid_data").text or ""
    if not re.fullmatch(r"[\s0-9eE.+\-naNif]*", text):
        raise ValueError("the grid's data are no numbers")
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
        mmi=table[:, :, fields["MMI"]].astype(np.float32),
    )


def _find(root: Element, name: str) -> Element:
    found = root.find(f"{NAMESPACE}{name}")
    if found is None:
        raise ValueError(f"no {name}; is this a ShakeMap grid.xml?")
    return found
