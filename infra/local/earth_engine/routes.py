"""The REST routes, and the control routes of the local stack."""

import itertools
import json
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from infra.local.earth_engine.archive import Archive, AssetNotFound
from infra.local.earth_engine.catalogue import shipped
from infra.local.earth_engine.encoding import asset, encode
from infra.local.earth_engine.errors import EarthEngineError
from infra.local.earth_engine.export_request import check_fields
from infra.local.earth_engine.faults import Faults
from infra.local.earth_engine.graph import Expression, refuse_nan
from infra.local.earth_engine.operations import Operations


def json_body() -> Any:
    """The request's JSON.

    Raises:
        EarthEngineError: it is none.
    """
    try:
        return json.loads(request.get_data() or b"{}")
    except json.JSONDecodeError as error:
        raise EarthEngineError(f"Invalid JSON payload received. {error}") from error


def discovery(root: str) -> dict[str, Any]:
    """The discovery document the client ships for its own tests, for this server and for v1."""
    document: dict[str, Any] = json.loads(shipped("cloud_api_discovery_document.json").replace("v1alpha", "v1"))
    return document | {"rootUrl": root, "baseUrl": root}


def create_app(archive: Archive, operations: Operations, faults: Faults) -> Flask:
    """The service as a WSGI application."""
    app = Flask(__name__)
    counter = itertools.count(1)
    served = {"requests": 0}

    @app.before_request
    def count() -> None:
        if not request.path.startswith("/_local/"):
            served["requests"] = next(counter)

    @app.errorhandler(EarthEngineError)
    def refused(error: EarthEngineError) -> tuple[dict[str, object], int]:
        return error.body(), error.status

    @app.errorhandler(HTTPException)
    def unknown(error: HTTPException) -> tuple[dict[str, object], int]:
        status = error.code if error.code in (404, 405) else 500
        message = f"local Earth Engine has no {request.method} {request.path}" if status != 500 else str(error)
        return EarthEngineError(message, status).body(), status

    @app.get("/$discovery/rest")
    def get_discovery() -> dict[str, Any]:
        return discovery(request.host_url)

    @app.get("/v1/projects/<project>/algorithms")
    def list_algorithms(project: str) -> Response:
        return Response(shipped("algorithms.json"), mimetype="application/json")

    @app.post("/v1/projects/<project>/value:compute")
    def compute_value(project: str) -> dict[str, Any]:
        body = json_body()
        check_fields(body, {"expression": None, "workloadTag": None}, "compute_value_request")
        refuse_nan(body, "compute_value_request")
        return {"result": encode(Expression(body.get("expression")).evaluate(archive))}

    @app.post("/v1/projects/<project>/image:export")
    def export_image(project: str) -> dict[str, Any]:
        return operations.start(project, json_body())

    @app.get("/v1/projects/<project>/operations")
    def list_operations(project: str) -> dict[str, Any]:
        return {"operations": operations.listed(project)}

    @app.get("/v1/projects/<project>/operations/<identity>")
    def get_operation(project: str, identity: str) -> dict[str, Any]:
        return operations.get(f"projects/{project}/operations/{identity}")

    @app.post("/v1/projects/<project>/operations/<identity>:cancel")
    def cancel_operation(project: str, identity: str) -> dict[str, Any]:
        operations.cancel(f"projects/{project}/operations/{identity}")
        return {}

    @app.get("/v1/projects/earthengine-public/assets/<path:identity>")
    def get_asset(identity: str) -> dict[str, Any]:
        try:
            return asset(archive.image(identity))
        except AssetNotFound as error:
            raise EarthEngineError(error.message, 404) from error

    @app.get("/_local/state")
    def local_state() -> dict[str, Any]:
        return operations.summary() | served

    @app.post("/_local/faults")
    def local_faults() -> dict[str, Any]:
        return {"faults": faults.replace(json_body())}

    return app
