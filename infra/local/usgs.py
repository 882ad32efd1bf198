"""USGS, replayed: summary feeds, event details and products from a recording, as they would stand at the stack's clock.

A recording is a folder with `detail/<id>.geojson` (recorded event details) and `product/...` (recorded product bodies, by their path
on earthquake.usgs.gov). A body that was not recorded is a 404; nothing is ever made up. An event shows up 20 minutes after its
origin, the usual posting lag outside California.
"""

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, jsonify, request, send_file
from waitress import create_server

from infra.local.clock import Clock

POSTING_LAG = timedelta(minutes=20)
SPANS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
# The 4.5 feed means magnitude >= 4.45; the feeds filter on origin time, not on `updated`.
LEVELS = {"significant": 5.95, "4.5": 4.45, "2.5": 2.45, "1.0": 0.95, "all": -10.0}
REAL_HOST = "https://earthquake.usgs.gov"


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
        known = [d for d in self.details.values() if _origin(d) + POSTING_LAG <= now]
        return sorted(known, key=_origin, reverse=True)

    def find(self, event_id: str, now: datetime) -> dict[str, Any] | None:
        """Return the detail that has this id among all its ids."""
        return next((d for d in self.visible(now) if f",{event_id}," in d["properties"]["ids"]), None)


def _origin(detail: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(detail["properties"]["time"] / 1000, UTC)


def create_app(recording: Recording, clock: Clock) -> Flask:
    """Return the HTTP service."""
    app = Flask("usgs")
    requests_seen = {"feed": 0, "detail": 0, "product": 0}

    def here(document: Any) -> Response:
        """Answer with links that lead back to this service."""
        text = json.dumps(document).replace(REAL_HOST, request.host_url.rstrip("/"))
        return Response(text, content_type="application/json; charset=utf-8")

    @app.get("/earthquakes/feed/v1.0/summary/<name>.geojson")
    def summary(name: str) -> Response:
        level, _, span = name.rpartition("_")
        if level not in LEVELS or span not in SPANS:
            abort(404)
        requests_seen["feed"] += 1
        now = clock.now()
        recent = [d for d in recording.visible(now) if _origin(d) > now - SPANS[span]]
        strong = [d for d in recent if (d["properties"]["mag"] or -99) >= LEVELS[level]]
        return here(_collection(strong, now))

    @app.get("/earthquakes/feed/v1.0/detail/<event_id>.geojson")
    def detail(event_id: str) -> Response:
        requests_seen["detail"] += 1
        found = recording.find(event_id, clock.now())
        return here(found) if found else abort(404)

    @app.get("/product/<path:path>")
    def product(path: str) -> Response:
        requests_seen["product"] += 1
        file = (recording.folder / "product" / path).resolve()
        if not file.is_relative_to(recording.folder / "product") or not file.is_file():
            abort(404, description=f"the body of {path} was not recorded")
        return send_file(file)

    @app.get("/_local/state")
    def state() -> Response:
        return jsonify(requests=requests_seen, visible=[d["id"] for d in recording.visible(clock.now())])

    return app


def _collection(details: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    """Return a summary feed of the details, in the form of the real one."""
    features = []
    for d in details:
        properties = {key: value for key, value in d["properties"].items() if key != "products"}
        properties["detail"] = f"{REAL_HOST}/earthquakes/feed/v1.0/detail/{d['id']}.geojson"
        features.append({"type": "Feature", "properties": properties, "geometry": d["geometry"], "id": d["id"]})
    metadata = {
        "generated": int(now.timestamp() * 1000),
        "title": "USGS, replayed",
        "status": 200,
        "count": len(features),
    }
    return {"type": "FeatureCollection", "metadata": metadata, "features": features}


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser(description="USGS feed, details and products, replayed from a recording.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--recording", type=Path, required=True, help="folder with detail/ and product/")
    parser.add_argument("--clock", type=Path, help="file with the replayed instant")
    given = parser.parse_args()
    server = create_server(
        create_app(Recording(given.recording), Clock(given.clock)), host="127.0.0.1", port=given.port, threads=8
    )
    print(json.dumps({"service": "usgs", "port": int(server.effective_port)}), flush=True)
    server.run()


if __name__ == "__main__":
    sys.exit(main())
