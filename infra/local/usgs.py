"""USGS, replayed: summary feeds, event details and products from a recording, as they would stand at the stack's clock.

A product body that was not recorded is a 404; nothing is ever made up. Feeds answer conditional requests. `POST /_local/faults` takes a
list of `{"kind": "delete", "event_id": ID}` (gone from the feeds, 409 as a detail, listed by the event service with `includedeleted`),
`{"kind": "status", "status": 503, "path": PREFIX, "times": N or null}`.
"""

import argparse
import hashlib
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, jsonify, request, send_file
from waitress import create_server

from infra.local.clock import Clock
from infra.local.usgs_recording import Recording, origin_time

SPANS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
# The 4.5 feed means magnitude >= 4.45; the feeds filter on origin time, not on `updated`.
LEVELS = {"significant": 5.95, "4.5": 4.45, "2.5": 2.45, "1.0": 0.95, "all": -10.0}
REAL_HOST = "https://earthquake.usgs.gov"
QUERY_LIMIT = 20_000


def create_app(recording: Recording, clock: Clock) -> Flask:
    """Return the HTTP service."""
    app = Flask("usgs")
    requests_seen = {"feed": 0, "detail": 0, "product": 0, "query": 0, "unchanged": 0}
    faults: list[dict[str, Any]] = []

    def deleted() -> set[str]:
        return {fault["event_id"] for fault in faults if fault["kind"] == "delete"}

    def known(now: datetime) -> list[dict[str, Any]]:
        gone = deleted()
        return [d for d in recording.visible(now) if not gone & set(d["properties"]["ids"].split(","))]

    @app.before_request
    def fail() -> Response | None:
        for fault in faults:
            if fault["kind"] == "status" and request.path.startswith(fault["path"]) and fault.get("times") != 0:
                if fault.get("times"):
                    fault["times"] -= 1
                return Response("failing on purpose", status=fault["status"])
        return None

    @app.post("/_local/faults")
    def set_faults() -> Response:
        wanted = request.get_json()
        for fault in wanted:
            fields = {"delete": {"event_id"}, "status": {"status", "path", "times"}}.get(fault.get("kind"))
            if fields is None or not set(fault) <= fields | {"kind"}:
                abort(400, description=f"{fault!r} is no fault of this service")
        faults[:] = wanted
        return jsonify(faults)

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
        recent = [d for d in known(now) if origin_time(d) > now - SPANS[span]]
        strong = [d for d in recent if (d["properties"]["mag"] or -99) >= LEVELS[level]]
        reply = here(_collection(strong, now))
        marks = sorted((d["id"], d["properties"]["updated"]) for d in strong)
        reply.set_etag(hashlib.sha256(json.dumps([name, marks]).encode()).hexdigest()[:16])
        reply.make_conditional(request)
        requests_seen["unchanged"] += reply.status_code == 304
        return reply

    @app.get("/fdsnws/event/1/query")
    def query() -> Response:
        """The event service's search, as far as a catch-up needs it; any other parameter is refused as by the real one."""
        requests_seen["query"] += 1
        asked = request.args.to_dict()
        known_names = {
            *("format", "starttime", "endtime", "updatedafter", "minmagnitude"),
            *("includedeleted", "orderby", "limit", "offset"),
        }
        if unknown := set(asked) - known_names:
            return Response(f"Bad Request: unknown parameter(s): {', '.join(sorted(unknown))}", status=400)
        limit, offset = int(asked.get("limit", QUERY_LIMIT)), int(asked.get("offset", 1))
        if asked.get("format") != "geojson" or not 0 < limit <= QUERY_LIMIT or offset < 1:
            return Response("Bad Request: format must be geojson, limit 1 to 20000, offset at least 1", status=400)
        now = clock.now()
        start = _utc(asked["starttime"]) if "starttime" in asked else now - timedelta(days=30)
        end = _utc(asked["endtime"]) if "endtime" in asked else now
        after = _utc(asked["updatedafter"]).timestamp() * 1000 if "updatedafter" in asked else float("-inf")
        least = float(asked.get("minmagnitude", -10))
        found = [
            d
            for d in known(now)
            if start <= origin_time(d) <= end
            and d["properties"]["updated"] > after
            and (d["properties"]["mag"] or -99) >= least
        ]
        features = _collection(found, now)["features"]
        if asked.get("orderby") == "time-asc":
            features.reverse()
        if asked.get("includedeleted") == "true":
            features += [
                _gone(d, now) for d in recording.visible(now) if deleted() & set(d["properties"]["ids"].split(","))
            ]
        return here(_collection([], now) | {"features": features[offset - 1 : offset - 1 + limit]})

    @app.get("/earthquakes/feed/v1.0/detail/<event_id>.geojson")
    def detail(event_id: str) -> Response:
        requests_seen["detail"] += 1
        found = recording.find(event_id, clock.now())
        if found and deleted() & set(found["properties"]["ids"].split(",")):
            return Response("Event deleted", status=409)
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
        return jsonify(requests=requests_seen, visible=[d["id"] for d in known(clock.now())])

    return app


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _gone(detail: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return what the event service lists of a deleted event: its ids, and null for what it said."""
    properties = {key: detail["properties"][key] for key in ("ids", "net", "code", "type")}
    nulls = {"mag": None, "time": None, "status": "deleted", "updated": int(now.timestamp() * 1000)}
    return {"type": "Feature", "id": detail["id"], "properties": properties | nulls, "geometry": None}


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
