"""USGS GeoJSON features, tolerant of what is new: unknown fields are ignored, a broken feature is skipped.

Formats: https://earthquake.usgs.gov/earthquakes/feed/v1.0/geojson.php and https://earthquake.usgs.gov/fdsnws/event/1/.
"""

import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from quakeslide.domain.earthquake import Deleted, Earthquake
from quakeslide.domain.object_names import EVENT_ID
from quakeslide.telemetry import say

UNKNOWN_DEPTH_KM = 10.0  # where a depth cannot be resolved, NEIC itself fixes shallow quakes at 10 km
TOLD_OF = 20  # skipped features that are logged one by one


def read_features(features: Iterable[Any]) -> Iterator[Earthquake | Deleted]:
    """Yield the features that are complete; unreadable ones are counted, logged by id and skipped."""
    skipped = 0
    for feature in features:
        try:
            yield read_feature(feature)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
            skipped += 1
            if skipped <= TOLD_OF:
                name = feature.get("id") if isinstance(feature, dict) else None
                reason = f"{type(error).__name__}: {error}"[:200]
                say("feature skipped", level=logging.INFO, event=str(name)[:60], reason=reason)
    if skipped:
        say("features skipped", level=logging.WARNING, count=skipped)


def read_feature(feature: Any) -> Earthquake | Deleted:
    """Read one feature.

    Raises:
        ValueError: a value is missing or impossible (also KeyError, TypeError); without a magnitude nothing can be judged yet.
    """
    properties = feature["properties"]
    preferred = feature["id"]
    if not EVENT_ID.fullmatch(preferred):
        raise ValueError(f"id {preferred!r} is no event id")
    ids = frozenset(
        {text for text in (properties.get("ids") or "").split(",") if EVENT_ID.fullmatch(text)} | {preferred}
    )
    status = str(properties.get("status") or "automatic").lower()
    if status == "deleted":  # all else is null then
        return Deleted(ids=ids)
    lon, lat, *depth = feature["geometry"]["coordinates"]
    return Earthquake(
        preferred_id=preferred,
        ids=ids,
        time=_from_ms(properties["time"]),
        lon=(float(lon) + 180.0) % 360.0 - 180.0 if abs(float(lon)) > 180.0 else float(lon),
        lat=float(lat),
        depth_km=UNKNOWN_DEPTH_KM if not depth or depth[0] is None else float(depth[0]),
        magnitude=float(properties["mag"]),
        place=str(properties.get("place") or properties.get("title") or preferred),
        kind=str(properties["type"]),
        status=status,
        updated=_from_ms(properties["updated"]),
        has_shakemap=",shakemap," in (properties.get("types") or ""),
        detail_url=str(properties.get("detail") or ""),
        alert=str(properties.get("alert") or ""),
    )


def _from_ms(milliseconds: Any) -> datetime:
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
