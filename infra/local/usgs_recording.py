"""What USGS knew at an instant, from a recording.

A recording is a folder with `detail/<id>.geojson` (recorded event details) and `product/...` (recorded product bodies, by their path
on earthquake.usgs.gov). An event shows up 20 minutes after its origin, the usual posting lag outside California.

A detail that was recorded with its superseded products (several versions of one origin) is replayed as it stood: at an instant only
the products sent until then are there, and magnitude, place and time are those of the preferred origin among them.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

POSTING_LAG = timedelta(minutes=20)


class Recording:
    """A recorded set of events.

    Attributes:
        folder: of the recording.
        details: recorded detail documents by event id.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.details: dict[str, dict[str, Any]] = {}
        for path in sorted((self.folder / "detail").glob("*.geojson")):
            document = json.loads(path.read_text(encoding="utf-8"))
            self.details[document["id"]] = document
        if not self.details:
            raise ValueError(f"{folder}: no detail/*.geojson, so there is nothing to replay")

    def visible(self, now: datetime) -> list[dict[str, Any]]:
        """Return the details known at an instant, newest origin first."""
        standing = (_as_of(d, now) for d in self.details.values())
        return sorted((d for d in standing if d is not None), key=origin_time, reverse=True)

    def find(self, event_id: str, now: datetime) -> dict[str, Any] | None:
        """Return the detail that has this id among all its ids."""
        return next((d for d in self.visible(now) if f",{event_id}," in d["properties"]["ids"]), None)


def origin_time(detail: dict[str, Any]) -> datetime:
    """Return when the earthquake happened."""
    return datetime.fromtimestamp(detail["properties"]["time"] / 1000, UTC)


def _as_of(detail: dict[str, Any], now: datetime) -> dict[str, Any] | None:
    """Return a detail as it stood at an instant, None before it was there."""
    products = detail["properties"]["products"]
    origins = products.get("origin", [])
    names = [(o["source"], o["code"]) for o in origins]
    if len(set(names)) == len(names):  # recorded without its history: as a whole, after the usual lag
        return detail if origin_time(detail) + POSTING_LAG <= now else None
    cut = now.timestamp() * 1000
    standing: dict[str, list[dict[str, Any]]] = {}
    for kind, versions in products.items():
        newest: dict[tuple[str, str], dict[str, Any]] = {}
        for product in sorted(versions, key=lambda p: p["updateTime"]):
            if product["updateTime"] <= cut:
                newest[(product["source"], product["code"])] = product
        if left := [p for p in newest.values() if p["status"] != "DELETE"]:
            standing[kind] = sorted(left, key=lambda p: (p.get("preferredWeight", 0), p["updateTime"]), reverse=True)
    usable = [o for o in standing.get("origin", []) if "latitude" in o["properties"]]
    if not usable:
        return None
    told = usable[0]["properties"]
    ids = {f"{o['properties']['eventsource']}{o['properties']['eventsourcecode']}" for o in usable}
    preferred = f"{told['eventsource']}{told['eventsourcecode']}"
    properties = detail["properties"] | {
        "mag": float(told["magnitude"]) if "magnitude" in told else None,
        "time": int(datetime.fromisoformat(told["eventtime"]).timestamp() * 1000),
        "updated": max(p["updateTime"] for left in standing.values() for p in left),
        "ids": f",{','.join(sorted(ids))},",
        "types": f",{','.join(sorted(standing))},",
        "status": str(told.get("review-status", "automatic")).lower(),
        "products": standing,
    }
    place = [float(told["longitude"]), float(told["latitude"]), float(told["depth"])]
    return detail | {"id": preferred, "properties": properties, "geometry": {"type": "Point", "coordinates": place}}
