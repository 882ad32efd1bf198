"""The REST API of TensorFlow Serving, and `/_local` to look into this server and to break it on purpose."""

import re
from urllib.parse import unquote

import flask
import grpc
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2, predict_pb2

from serving.local_server import rest_json
from serving.local_server.api import DEFAULT_SIGNATURE, SIGNATURE_FIELD, ModelServerApi
from serving.local_server.errors import Refusal, invalid
from serving.local_server.faults import Faults
from serving.local_server.metrics import Metrics
from serving.local_server.tensors import to_array, to_proto

# http_rest_api_util.cc
VERSION = r"(?:(?:/versions/(?P<version>\d+))|(?:/labels/(?P<label>[^/:]+)))?"
PREDICTION = re.compile(rf"(?i)/v1/models/(?P<name>[^/:]+){VERSION}:(?P<method>classify|regress|predict)")
STATUS = re.compile(rf"(?i)/v1/models(?:/(?P<name>[^/:]+))?{VERSION}(?:/(?P<metadata>metadata))?")


def rest_app(api: ModelServerApi, faults: Faults, metrics: Metrics, metrics_path: str | None) -> flask.Flask:
    """Return the WSGI application.

    Args:
        api: what the calls do.
        faults: the faults to come.
        metrics: counts what is called below /v1.
        metrics_path: where Prometheus reads them; None for nowhere.
    """
    app = flask.Flask("model_server")
    app.url_map.merge_slashes = False

    @app.errorhandler(Refusal)
    def refused(error: Refusal) -> flask.Response:
        return flask.Response(
            flask.json.dumps({"error": error.message}), status=error.http_status, mimetype="application/json"
        )

    # The path is matched as TensorFlow Serving does, on what was sent: a name may hold an escaped slash.
    @app.route("/v1/<path:_>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def serve(_: str) -> flask.Response:
        method, path = flask.request.method, _raw_path()
        patterns = {"GET": STATUS, "POST": PREDICTION}
        match = patterns[method].fullmatch(path) if method in patterns else None
        named = match.groupdict() if match else {}
        with metrics.request(unquote(named.get("name") or ""), (named.get("method") or "").lower(), "REST"):
            if match is None:
                raise invalid(f"Malformed request: {method} {path}")
            if method == "GET":
                text = _metadata(api, match) if match["metadata"] else _status(api, match)
            elif match["method"].lower() == "predict":
                text = _predict(api, match, flask.request.get_data())
            else:
                text = f"{match['method']}: this local server knows predict only"
                raise Refusal(grpc.StatusCode.UNIMPLEMENTED, text)
        return flask.Response(text, mimetype="application/json")

    if metrics_path is not None:

        @app.get(metrics_path)
        def read_metrics() -> flask.Response:
            return flask.Response(metrics.page(), mimetype="text/plain")

    @app.get("/_local/state")
    def state() -> flask.Response:
        return flask.jsonify(api.state())

    @app.post("/_local/faults")
    def inject() -> flask.Response:
        faults.replace(rest_json.parse(flask.request.get_data()))
        return flask.jsonify(faults.remaining())

    return app


def _raw_path() -> str:
    """Return the path as sent, before unescaping."""
    raw = flask.request.environ.get("RAW_URI") or flask.request.environ.get("REQUEST_URI")
    return raw.split("?")[0] if raw else flask.request.path


def _spec(match: re.Match[str]) -> model_pb2.ModelSpec:
    if not match["name"]:
        raise invalid("Missing model name in request.")
    spec = model_pb2.ModelSpec(name=unquote(match["name"]))
    if match["version"]:
        if int(match["version"]) >= 2**63:
            raise invalid(f"Failed to convert version: {match['version']} to numeric.")
        spec.version.value = int(match["version"])
    if match["label"]:
        spec.version_label = unquote(match["label"])
    return spec


def _status(api: ModelServerApi, match: re.Match[str]) -> str:
    request = get_model_status_pb2.GetModelStatusRequest(model_spec=_spec(match))
    return json_format.MessageToJson(api.get_model_status(request), always_print_fields_with_no_presence=True, indent=1)


def _metadata(api: ModelServerApi, match: re.Match[str]) -> str:
    request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=_spec(match), metadata_field=[SIGNATURE_FIELD])
    response = api.get_model_metadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata[SIGNATURE_FIELD].Unpack(signatures)

    def plain(message: object) -> object:
        return json_format.MessageToDict(
            message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
        )

    return flask.json.dumps(
        {"model_spec": plain(response.model_spec), "metadata": {SIGNATURE_FIELD: plain(signatures)}}, indent=1
    )


def _predict(api: ModelServerApi, match: re.Match[str], body: bytes) -> str:
    spec = _spec(match)
    document = rest_json.parse_object(body)
    spec.signature_name = rest_json.signature_name(document)
    key = spec.signature_name or DEFAULT_SIGNATURE
    signatures = api.find(spec).signature_defs
    if key not in signatures:
        raise invalid(f'Serving signature name: "{key}" not found in signature def')
    form, arrays = rest_json.tensors(document, signatures[key].inputs)
    request = predict_pb2.PredictRequest(model_spec=spec)
    for name, array in arrays.items():
        request.inputs[name].CopyFrom(to_proto(array, as_content=True))
    response = api.predict(request)
    return rest_json.render(form, {name: to_array(proto, name) for name, proto in response.outputs.items()})
