"""The event's map page: one HTML file that opens anywhere, also without a network.

Everything is projected here to metres east and south of one point (equirectangular, exact enough for a map to look at), so that the
script only draws, pans and zooms. A Content-Security-Policy forbids every request and every script but the page's own.
"""

import base64
import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray

from quakeslide import __version__
from quakeslide.adapters.renderer.backdrop import Backdrop, backdrop_of, unwrap
from quakeslide.adapters.renderer.page_words import describe, result_words, status_rows, track_row
from quakeslide.adapters.renderer.palette import AFFECTED, RAMP, REASON_STYLES, score_colour
from quakeslide.domain.report import OTHER_TRIGGERS, UNVERIFIED

M_PER_DEGREE = 111_320.0
THRESHOLD = 0.6  # for the colours of a summary that names none
NOWHERE = (-5000.0, -5000.0, 10000.0, 10000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Metres east (x) and south (y) of a place."""

    lon: float
    lat: float

    def xy(self, lonlat: NDArray[np.float64]) -> NDArray[np.float64]:
        """Project [n, 2] lon/lat degrees; longitudes across the antimeridian stay together."""
        x = (unwrap(lonlat[:, 0], self.lon) - self.lon) * M_PER_DEGREE * math.cos(math.radians(self.lat))
        return np.column_stack([x, (self.lat - lonlat[:, 1]) * M_PER_DEGREE])


def map_page(title: str, layers: Sequence[Mapping[str, Any]], status: Mapping[str, Any], notice: str) -> bytes:
    """Return the page; arguments as in `ports.Renderer.page`."""
    plane = _plane(layers)
    tracks = [layer for layer in layers if layer.get("blind") is not None]
    drawn = _drawn_layers(layers, plane)
    outlines = [ring for layer in tracks for ring in _rings(layer["detections"].get("aoi"))]
    backdrops = _backdrops(tracks, plane)
    data = {
        "layers": drawn,
        "aoi": "".join(_path(plane.xy(ring)) for ring in outlines),
        "backdrops": backdrops,
        "view": _view(drawn, outlines, backdrops, plane),
        "plane": {"lon": plane.lon, "lat": plane.lat, "kx": M_PER_DEGREE * math.cos(math.radians(plane.lat))},
    }
    script = _asset("map_page.js")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_asset("map_page.html.j2"))
    summary = next((layer["detections"] for layer in layers if layer.get("blind") is None), None)
    text = template.render(
        title=title,
        notice=notice,
        unverified=UNVERIFIED,
        other_triggers=OTHER_TRIGGERS,
        headline=_headline(summary, tracks),
        rows=[track_row(layer["detections"], layer.get("href")) for layer in tracks],
        status=status_rows(status),
        status_state=status.get("state", ""),
        status_notices=status.get("notices", []),
        version=__version__,
        reasons=[style for style in REASON_STYLES.values()],
        affected=AFFECTED,
        ramp=", ".join("rgb({},{},{})".format(*colour) for colour in RAMP),
        style=_asset("map_page.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=_script_safe(data),
    )
    return text.encode()


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _script_safe(data: Mapping[str, Any]) -> str:
    """Return JSON that cannot end a script element or start a comment in it."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _headline(summary: Mapping[str, Any] | None, tracks: Sequence[Mapping[str, Any]]) -> str:
    shown = summary if summary is not None else tracks[0]["detections"] if tracks else None
    if shown is None:
        return "No radar image has been judged yet."
    if shown["outcome"] == "could not look":
        return "Could not look: no statement can be made."
    if not shown["features"]:
        return "Looked, and found no sign of landslides where the radar could see. That is no all-clear."
    return f"{result_words(shown)} where slopes may have failed."


def _rings(geometry: Mapping[str, Any] | None) -> Iterator[NDArray[np.float64]]:
    """Yield all rings of a GeoJSON Polygon or MultiPolygon as float64 [n, 2]."""
    if geometry is None:
        return
    polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    for polygon in polygons:
        for ring in polygon:
            yield np.asarray(ring, np.float64)


def _features(layers: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for layer in layers:
        for kind in ("detections", "blind", "affected"):
            yield from (layer.get(kind) or {}).get("features", [])


def _plane(layers: Sequence[Mapping[str, Any]]) -> Plane:
    """Put the origin on the first thing to be drawn."""
    for geometry in [layer["detections"].get("aoi") for layer in layers] + [f["geometry"] for f in _features(layers)]:
        for ring in _rings(geometry):
            return Plane(lon=float(ring[0, 0]), lat=float(ring[0, 1]))
    return Plane(lon=0.0, lat=0.0)


def _path(xy: NDArray[np.float64]) -> str:
    return "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in xy[:-1].tolist()) + "Z"


def _drawn_layers(layers: Sequence[Mapping[str, Any]], plane: Plane) -> list[dict[str, Any]]:
    """Return the layers from the bottom up: affected, blind, detections of tracks, the summary."""
    has_summary = any(layer.get("blind") is None for layer in layers)
    drawn: list[dict[str, Any]] = []
    for kind, words in (("affected", "extent"), ("blind", "could not look")):
        for layer in layers:
            if layer.get(kind) is not None:
                items = [_area(feature, kind, plane) for feature in layer[kind]["features"]]
                drawn.append({"name": f"{layer['name']}: {words}", "kind": kind, "on": True, "items": items})
    for layer in sorted(layers, key=lambda layer: layer.get("blind") is None):
        is_summary = layer.get("blind") is None
        threshold = layer["detections"].get("threshold", THRESHOLD)
        items = [_detection(feature, threshold, plane) for feature in reversed(layer["detections"]["features"])]
        name = f"{layer['name']}: {'together' if is_summary else 'detections'}"
        drawn.append({"name": name, "kind": "detections", "on": is_summary or not has_summary, "items": items})
    return drawn


def _area(feature: Mapping[str, Any], kind: str, plane: Plane) -> dict[str, Any]:
    properties = feature["properties"]
    path = "".join(_path(plane.xy(ring)) for ring in _rings(feature["geometry"]))
    if kind == "blind":
        verb = "Not judged" if properties["reason"] == "flat" else "Could not look"
        title = f"{verb}: {properties['reason'].replace('_', ' ')}"
        words = [("Why", properties["words"]), ("Track", properties["track"])]
    else:
        title = "Slopes may have failed here"
        words = [
            ("Candidate boxes per square km", f"{properties['candidates_per_km2']:.1f}"),
            ("Track", properties["track"]),
        ]
    words.append(("Size", f"{properties['area_km2']:.1f} square km"))
    return {"path": path, "title": title, "words": words, "reason": properties.get("reason", "")}


def _detection(feature: Mapping[str, Any], threshold: float, plane: Plane) -> dict[str, Any]:
    properties = feature["properties"]
    rings = list(_rings(feature["geometry"]))
    xy = [plane.xy(ring) for ring in rings]
    corners = np.concatenate(xy)
    low, high = corners.min(axis=0), corners.max(axis=0)
    at = (low + high) / 2
    lon = unwrap(np.array([plane.lon + at[0] / (M_PER_DEGREE * math.cos(math.radians(plane.lat)))]), 0.0)[0]
    return {
        "path": "".join(map(_path, xy)),
        "at": [round(float(at[0])), round(float(at[1]))],
        "title": f"No. {properties['rank']}: slopes may have failed here",
        "words": describe(properties, (float(lon), plane.lat - float(at[1]) / M_PER_DEGREE)),
        "colour": score_colour(properties["score"], threshold),
        "rank": properties["rank"],
    }


def _backdrops(tracks: Sequence[Mapping[str, Any]], plane: Plane) -> list[dict[str, Any]]:
    found = [(layer["name"], backdrop_of(layer["quicklook"], plane.lon)) for layer in tracks if layer.get("quicklook")]
    return [{"name": name, **_placed(one, plane)} for name, one in found if one is not None]


def _placed(one: Backdrop, plane: Plane) -> dict[str, Any]:
    (x0, y0), (x1, y1) = plane.xy(np.array([[one.west, one.north], [one.east, one.south]])).tolist()
    return {"href": one.href, "x": round(x0, 1), "y": round(y0, 1), "w": round(x1 - x0, 1), "h": round(y1 - y0, 1)}


def _view(
    drawn: Sequence[Mapping[str, Any]],
    outlines: Sequence[NDArray[np.float64]],
    backdrops: Sequence[Mapping[str, Any]],
    plane: Plane,
) -> list[float]:
    """Return [x, y, width, height] that shows the area asked for; without one, whatever there is."""
    boxes = [(*xy.min(axis=0), *xy.max(axis=0)) for xy in map(plane.xy, outlines)]
    if not boxes:
        boxes = [(b["x"], b["y"], b["x"] + b["w"], b["y"] + b["h"]) for b in backdrops]
    if not boxes:
        at = [item["at"] for layer in drawn for item in layer["items"] if "at" in item]
        boxes = [(x - 1000, y - 1000, x + 1000, y + 1000) for x, y in at]
    if not boxes:
        return list(NOWHERE)
    edges = np.array(boxes)
    (x0, y0), (x1, y1) = edges[:, :2].min(axis=0), edges[:, 2:].max(axis=0)
    rim = 0.04 * max(x1 - x0, y1 - y0)
    return [round(float(v), 1) for v in (x0 - rim, y0 - rim, x1 - x0 + 2 * rim, y1 - y0 + 2 * rim)]
