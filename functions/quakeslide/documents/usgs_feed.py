"""A USGS summary feed's features, tolerant of what is new: unknown fields are ignored, a broken feature is skipped.

Format: https://earthquake.usgs.gov/earthquakes/feed/v1.0/geojson.php.
"""

import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from quakeslide.domain.earthquake import Earthquake
from quakeslide.domain.object_names import EVENT_ID
from quakeslide.telemetry import say


def read_features(features: Iterable[Any]) -> Iterator[Earthquake]:
    """Yield the features that are complete; an unreadable one is logged by its id and skipped."""
    for feature in features:
        try:
            yield read_feature(feature)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
            name = feature.get("id") if isinstance(feature, dict) else None
            say(
                "feature skipped",
                level=logging.INFO,
                event=str(name)[:60],
                reason=f"{type(error).__name__}: {error}"[:200],
            )


def read_feature(feature: Any) -> Earthquake:
    """Read one feature.

    Raises:
        ValueError: a value is missing or impossible (also KeyError, TypeError); a null magnitude or depth makes it unusable.
    """
    properties = feature["properties"]
    lon, lat, depth_km = feature["geometry"]["coordinates"]
    ids = {text for text in properties["ids"].split(",") if EVENT_ID.fullmatch(text)}
    preferred = feature["id"]
    if not EVENT_ID.fullmatch(preferred):
        raise ValueError(f"id {preferred!r} is no event id")
    return Earthquake(
        preferred_id=preferred,
        ids=frozenset(ids | {preferred}),
        time=_from_ms(properties["time"]),
        lon=float(lon),
        lat=float(lat),
        depth_km=float(depth_km),
        magnitude=float(properties["mag"]),
        place=str(properties.get("place") or properties.get("title") or preferred),
        kind=str(properties["type"]),
        status=str(properties["status"]).lower(),
        updated=_from_ms(properties["updated"]),
        has_shakemap=",shakemap," in (properties.get("types") or ""),
        detail_url=str(properties.get("detail") or ""),
    )


def _from_ms(milliseconds: Any) -> datetime:
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
