"""One contract for our model server and, where it is on PATH, for `tensorflow_model_server` itself."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
import requests

from tests.contract.model_server_service import (
    ROOT,
    TEN_MODULES,
    Client,
    array,
    copy_modules,
    exported_models,
    genuine_server,
    imported_by,
    local_server,
    messages,
    metrics,
    tensor,
)

pytestmark = pytest.mark.timeout(1200)  # the models are exported first, by TensorFlow, which may take minutes

CONFIG = """
model_config_list {{
  config {{
    name: "first" base_path: "{models}/first" model_platform: "tensorflow"
    model_version_policy {{ all {{}} }}
    version_labels {{ key: "stable" value: 1 }}
    version_labels {{ key: "canary" value: 2 }}
  }}
  config {{ name: "second" base_path: "{models}/second" model_platform: "tensorflow" }}
  config {{ name: "patches" base_path: "{models}/../batching/patches" model_platform: "tensorflow" }}
  config {{ name: "crowded" base_path: "{models}/../batching/crowded" model_platform: "tensorflow" }}
}}
"""
LIMITS = {
    "patches": "max_batch_size { value: 8 } batch_timeout_micros { value: 300000 } max_enqueued_batches { value: 100 }",
    "crowded": "max_batch_size { value: 1 } max_enqueued_batches { value: 1 }",
}
OPTIONS = [
    f"--monitoring_config_file={ROOT / 'serving/monitoring.config'}",
    "--enable_batching=true",
    "--enable_per_model_batching_parameters=true",
    f"--batching_parameters_file={ROOT / 'serving/batching.config'}",
]


@pytest.fixture(scope="module")
def exported():
    folder = exported_models()
    (folder / "models.config").write_text(CONFIG.format(models=folder / "models"))
    for name, limits in LIMITS.items():
        version = folder / "batching" / name / "1"
        shutil.copytree(folder / "batched/first_patches/1", version, dirs_exist_ok=True)
        (version / "batching_params.pbtxt").write_text(limits)
    return folder


@pytest.fixture(scope="module", autouse=True)
def message_modules(tmp_path_factory):
    """The ten modules on the import path, as the detector's bundle has them."""
    folder = tmp_path_factory.mktemp("messages")
    copy_modules(folder, TEN_MODULES)
    sys.path.append(str(folder))
    yield
    sys.path.remove(str(folder))


@pytest.fixture(scope="module", params=["local", "genuine"])
def server(request, exported):
    if request.param == "local":
        with local_server("--models-config", exported / "models.config", *OPTIONS) as running:
            yield running
        return
    if shutil.which("tensorflow_model_server") is None:
        pytest.skip("tensorflow_model_server is not on PATH: that it answers like our server is NOT shown by this run")
    with genuine_server(exported / "models.config", *OPTIONS) as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    made = Client(server.port)
    yield made
    made.channel.close()


@pytest.fixture(scope="module")
def image(exported):
    return np.load(exported / "image.npy")


def expected(exported, name, version):
    return np.load(exported / f"expected_{name}_{version}.npy")


def refusal(call, *args, **kwargs):
    """Return (code, text) of the error that a call must give."""
    with pytest.raises(grpc.RpcError) as error:
        call(*args, **kwargs)
    return error.value.code(), error.value.details()


# --- without a server ------------------------------------------------------------------------------------------------


def test_detector_needs_ten_message_modules():
    apis = [f"tensorflow_serving/apis/{name}_pb2.py" for name in ("predict", "get_model_status", "model")]
    assert sorted(imported_by(apis)) == sorted(TEN_MODULES)


def test_messages_import_no_tensorflow(tmp_path):
    copy_modules(tmp_path, TEN_MODULES)
    code = (
        "import sys; from tensorflow_serving.apis import predict_pb2, get_model_status_pb2, model_pb2\n"
        "print(sorted(n for n in sys.modules if n.startswith('tensorflow') and n.endswith('pb2')))"
    )
    out = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert out.stdout.count("_pb2") == len(TEN_MODULES)


# --- gRPC ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "version"), [("first", 1), ("first", 2), ("second", 7)])
def test_tile_scores_are_those_of_the_numpy_reference(client, exported, image, name, version):
    reply = client.predict(name, {"image": image}, signature="tile", version=version)
    assert (reply.model_spec.name, reply.model_spec.version.value) == (name, version)
    assert reply.model_spec.signature_name == "tile"
    assert sorted(reply.outputs) == ["scores", "valid_fraction"]
    np.testing.assert_allclose(array(reply.outputs["scores"]), expected(exported, name, version), atol=1e-5)
    valid = array(reply.outputs["valid_fraction"])
    assert valid.shape == (4, 3)
    assert valid[0, 0] == pytest.approx(1 - 40 * 50 / 4096, abs=1e-7)


def test_default_signature_scores_patches(client, exported, image):
    patches = np.stack([image[0:64, 32:96], image[96:160, 64:128]])
    reply = client.predict("first", {"patches": patches}, version=1)
    assert reply.model_spec.signature_name == "serving_default"
    reference = expected(exported, "first", 1)
    np.testing.assert_allclose(array(reply.outputs["score"]), reference[[0, 3], [1, 2]], atol=1e-5)


def test_single_window_comes_back_with_its_shape(client, image):
    reply = client.predict("second", {"image": np.ascontiguousarray(image[:64, :64])}, signature="tile")
    assert array(reply.outputs["scores"]).shape == (1, 1)


def test_newest_version_answers_unless_one_is_named(client, exported, image):
    reply = client.predict("first", {"image": image}, signature="tile")
    assert reply.model_spec.version.value == 2
    np.testing.assert_allclose(array(reply.outputs["scores"]), expected(exported, "first", 2), atol=1e-5)


@pytest.mark.parametrize(("label", "version"), [("stable", 1), ("canary", 2)])
def test_label_means_its_version(client, image, label, version):
    reply = client.predict("first", {"image": image}, signature="tile", version_label=label)
    assert reply.model_spec.version.value == version


def test_output_filter_chooses_outputs(client, image):
    reply = client.predict("first", {"image": image}, signature="tile", outputs=["valid_fraction"])
    assert list(reply.outputs) == ["valid_fraction"]


def test_unknown_models_versions_and_labels_are_not_found(client, image):
    tile = {"image": image}
    not_found, invalid = grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT
    assert refusal(client.predict, "none", tile, signature="tile") == (
        not_found,
        "Servable not found for request: Latest(none)",
    )
    assert refusal(client.predict, "first", tile, signature="tile", version=9) == (
        not_found,
        "Servable not found for request: Specific(first, 9)",
    )
    assert refusal(client.predict, "first", tile, signature="tile", version_label="old") == (
        invalid,
        "Unrecognized servable version label: old",
    )
    assert refusal(client.predict, "", tile)[0] == invalid


def test_unknown_signature_is_refused(client, image):
    code, text = refusal(client.predict, "first", {"image": image}, signature="tiles")
    assert (code, text) == (grpc.StatusCode.FAILED_PRECONDITION, 'Serving signature key "tiles" not found.')


def test_wrong_inputs_are_refused_by_name(client, image):
    code, text = refusal(client.predict, "first", {"image": image, "mask": image}, signature="tile")
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert text == (
        "input size does not match signature: 2!=1 len({image,mask}) != len({image}). Sent extra: {mask}. "
        "Missing but required: {}."
    )
    code, text = refusal(client.predict, "first", {"picture": image}, signature="tile")
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    code, text = refusal(client.predict, "first", {"image": image}, signature="tile", outputs=["score"])
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert text.startswith("output tensor alias not found in signature: score Outputs expected to be in the set {")


@pytest.mark.parametrize(
    ("shape", "word"),
    [((64, 63, 4), "at least 64"), ((64, 64, 2), "float32 [H, W, 4]"), ((64, 64), "float32 [H, W, 4]")],
    ids=str,
)
def test_wrong_shapes_are_refused_in_words(client, shape, word):
    code, text = refusal(client.predict, "first", {"image": np.zeros(shape, np.float32)}, signature="tile")
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert word in text


def test_wrong_dtype_is_refused(client):
    code, text = refusal(client.predict, "first", {"image": np.zeros((64, 64, 4))}, signature="tile")
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "float" in text
    assert "double" in text


def test_tensor_shorter_than_its_shape_is_refused(client):
    broken = tensor(np.zeros((64, 64, 4), np.float32))
    broken.tensor_content = broken.tensor_content[:-4]
    code, text = refusal(client.predict, "first", {"image": broken}, signature="tile")
    assert (code, text) == (grpc.StatusCode.INVALID_ARGUMENT, "tensor parsing error: image")


def test_status_lists_served_versions_newest_first(client):
    available = messages("get_model_status_pb2").ModelVersionStatus.AVAILABLE
    reply = client.status("first")
    assert [(s.version, s.state, s.status.error_code) for s in reply.model_version_status] == [
        (2, available, 0),
        (1, available, 0),
    ]
    assert [s.version for s in client.status("first", 1).model_version_status] == [1]


def test_status_of_what_is_not_served_is_not_found(client):
    code = grpc.StatusCode.NOT_FOUND
    assert refusal(client.status, "none") == (code, "Could not find any versions of model none")
    assert refusal(client.status, "first", 9) == (code, "Could not find version 9 of model first")


def test_metadata_holds_both_signatures(client, tmp_path, monkeypatch):
    modules = imported_by(["tensorflow_serving/apis/get_model_metadata_pb2.py"])
    copy_modules(tmp_path, sorted(modules))
    monkeypatch.syspath_prepend(str(tmp_path))
    metadata_pb2 = messages("get_model_metadata_pb2")
    request = metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "first"
    method = "PredictionService/GetModelMetadata"
    reply = client.call(method, request, metadata_pb2.GetModelMetadataResponse)
    assert reply.model_spec.version.value == 2
    signatures = metadata_pb2.SignatureDefMap()
    assert reply.metadata["signature_def"].Unpack(signatures)
    (patches,) = signatures.signature_def["serving_default"].inputs.values()
    assert [dim.size for dim in patches.tensor_shape.dim] == [-1, 64, 64, 4]
    assert sorted(signatures.signature_def["tile"].outputs) == ["scores", "valid_fraction"]
    request.metadata_field[:] = ["assets"]
    assert refusal(client.call, method, request, metadata_pb2.GetModelMetadataResponse) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "Metadata field assets is not supported",
    )


def test_concurrent_calls_give_the_same_scores(client, exported, image):
    def score(number):
        reply = client.predict("first", {"image": image}, signature="tile", version=1 + number % 2)
        return reply.model_spec.version.value, array(reply.outputs["scores"])

    with ThreadPoolExecutor(8) as pool:
        for version, scores in pool.map(score, range(24)):
            np.testing.assert_allclose(scores, expected(exported, "first", version), atol=1e-5)


# --- REST ------------------------------------------------------------------------------------------------------------


def test_rest_status(server):
    body = requests.get(f"{server.url}/v1/models/first", timeout=30).json()
    good = {"error_code": "OK", "error_message": ""}
    assert body == {
        "model_version_status": [
            {"version": "2", "state": "AVAILABLE", "status": good},
            {"version": "1", "state": "AVAILABLE", "status": good},
        ]
    }
    one = requests.get(f"{server.url}/v1/models/first/versions/1", timeout=30).json()
    assert [status["version"] for status in one["model_version_status"]] == ["1"]


def test_rest_metadata(server):
    for path, version in (("first", "2"), ("first/versions/1", "1"), ("first/labels/stable", "1")):
        body = requests.get(f"{server.url}/v1/models/{path}/metadata", timeout=30).json()
        assert body["model_spec"]["name"] == "first"
        assert body["model_spec"]["version"] == version
        tile = body["metadata"]["signature_def"]["signature_def"]["tile"]
        assert tile["inputs"]["image"]["dtype"] == "DT_FLOAT"
        assert [dim["size"] for dim in tile["inputs"]["image"]["tensor_shape"]["dim"]] == ["-1", "-1", "4"]


def test_rest_rows_give_predictions(server, exported, image):
    patches = [image[64:128, 32:96].tolist(), image[96:160, 64:128].tolist()]
    for instances in (patches, [{"patches": patch} for patch in patches]):
        url = f"{server.url}/v1/models/first/versions/1:predict"
        answer = requests.post(url, json={"instances": instances}, timeout=60)
        assert answer.status_code == 200, answer.text
        np.testing.assert_allclose(
            answer.json()["predictions"], expected(exported, "first", 1)[[2, 3], [1, 2]], atol=1e-5
        )


@pytest.mark.parametrize("wrap", [lambda image: image, lambda image: {"image": image}], ids=["plain", "named"])
def test_rest_columns_give_outputs(server, exported, image, wrap):
    seen = image[64:, :].tolist()  # no NaN: JSON has none
    body = {"signature_name": "tile", "inputs": wrap(seen)}
    answer = requests.post(f"{server.url}/v1/models/first/labels/stable:predict", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    outputs = answer.json()["outputs"]
    np.testing.assert_allclose(outputs["scores"], expected(exported, "first", 1)[2:], atol=1e-5)
    assert outputs["valid_fraction"] == [[1.0] * 3] * 2


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("GET", "/v1/models/none", None, 404, "Could not find any versions of model none"),
        ("GET", "/v1/models/first/versions/9", None, 404, "Could not find version 9 of model first"),
        ("GET", "/v1/models/none/metadata", None, 404, "Servable not found for request: Latest(none)"),
        ("GET", "/v1/models", None, 400, "Missing model name in request."),
        ("GET", "/v1/modules/first", None, 400, "Malformed request: GET /v1/modules/first"),
        ("POST", "/v1/models/first:guess", "{}", 400, "Malformed request: POST /v1/models/first:guess"),
        ("POST", "/v1/models/none:predict", '{"instances": [1]}', 404, "Servable not found for request: Latest(none)"),
        ("POST", "/v1/models/first:predict", "", 400, "JSON Parse error: The document is empty"),
        ("POST", "/v1/models/first:predict", "{", 400, "JSON Parse error: "),
        ("POST", "/v1/models/first:predict", "{}", 400, "Missing 'inputs' or 'instances' key"),
        ("POST", "/v1/models/first:predict", '{"instances": []}', 400, "No values in 'instances' array"),
        ("POST", "/v1/models/first:predict", '{"instances": [1], "inputs": [1]}', 400, "expecting only one of"),
        (
            "POST",
            "/v1/models/first:predict",
            '{"signature_name": "tiles", "instances": [1]}',
            400,
            'Serving signature name: "tiles" not found in signature def',
        ),
        ("POST", "/v1/models/first:predict", '{"instances": ["a"]}', 400, "is not of expected type: float"),
        ("POST", "/v1/models/first:predict", '{"instances": [[1, 2], [3]]}', 400, "Expecting "),
        (
            "POST",
            "/v1/models/first:predict",
            '{"inputs": [[1, 2], [3]]}',
            400,
            "Encountered list at unexpected size: 1",
        ),
        ("POST", "/v1/models/first:predict", '{"instances": [[[[1]]]]}', 400, "patches must be float32 [n, 64, 64, 4]"),
    ],
)
def test_rest_refusals(server, method, path, body, status, text):
    answer = requests.request(method, f"{server.url}{path}", data=body, timeout=30)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert text in answer.json()["error"]


def test_unknown_routes_are_not_found(server):
    assert requests.get(f"{server.url}/v2/models/first", timeout=30).status_code == 404


# --- metrics ---------------------------------------------------------------------------------------------------------


def test_metrics_count_answers_and_refusals_by_model(server, client, image):
    before = metrics(server)
    for _ in range(3):
        client.predict("first", {"image": image}, signature="tile")
    for _ in range(2):
        refusal(client.predict, "first", {"image": image}, signature="tiles")
    refusal(client.predict, "nowhere", {"image": image}, signature="tile")
    patch = [image[64:128, 32:96].tolist()]
    assert requests.post(f"{server.url}/v1/models/first:predict", json={"instances": patch}, timeout=60).ok
    after = metrics(server)

    def more(name):
        return after.get(f":tensorflow:serving:{name}", 0) - before.get(f":tensorflow:serving:{name}", 0)

    assert more('request_count{model_name="first",status="OK"}') == 4
    assert more('request_count{model_name="first",status="FAILED_PRECONDITION"}') == 2
    assert more('request_count{model_name="nowhere",status="NOT_FOUND"}') == 1
    grpc_calls = 'model_name="first",API="Predict",entrypoint="GRPC"'
    assert more(f"request_latency_count{{{grpc_calls}}}") == 3
    assert more(f'request_latency_bucket{{{grpc_calls},le="+Inf"}}') == 3
    assert more(f'request_latency_bucket{{{grpc_calls},le="10"}}') == 0  # microseconds
    assert more('request_latency_count{model_name="first",API="predict",entrypoint="REST"}') == 1
    graph = 'model_name="first",API="Predict",runtime="TF1"'
    assert more(f"runtime_latency_count{{{graph}}}") == 4
    answered = [grpc_calls, 'model_name="first",API="predict",entrypoint="REST"']
    assert 0 < more(f"runtime_latency_sum{{{graph}}}") < sum(more(f"request_latency_sum{{{one}}}") for one in answered)


def test_metrics_have_tensorflow_servings_buckets(server, client, image):
    client.predict("second", {"image": image}, signature="tile")
    start = ':tensorflow:serving:request_latency_bucket{model_name="second",API="Predict",entrypoint="GRPC",le="'
    found = {
        name.removeprefix(start).split('"')[0]: count
        for name, count in metrics(server).items()
        if name.startswith(start)
    }
    assert list(found)[:4] == ["10", "18", "32.4", "58.32"]
    assert len(found) == 34
    assert list(found.values()) == sorted(found.values())


# --- batches of patches ------------------------------------------------------------------------------------------------


def windows_of(image):
    """Yield (row, column, patch) of the eight windows without missing pixels, three times over."""
    cells = [(row, column) for row in range(4) for column in range(3) if row > 1 or column > 1]
    for row, column in 3 * cells:
        yield row, column, np.ascontiguousarray(image[32 * row : 32 * row + 64, 32 * column : 32 * column + 64])


def batch_runs(server):
    return metrics(server).get(":tensorflow:serving:batching_session:wrapped_run_count{}", 0)


def test_joined_requests_get_their_own_scores(server, client, exported, image):
    reference = expected(exported, "first", 1)
    before = batch_runs(server)

    def score(window):
        row, column, patch = window
        patches = np.stack([patch] * (1 + row % 2))
        return row, column, array(client.predict("patches", {"patches": patches}).outputs["score"])

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(score, windows_of(image)))
    assert len(answers) == 24
    for row, column, scores in answers:
        np.testing.assert_allclose(scores, [reference[row, column]] * (1 + row % 2), atol=1e-5)
    assert 36 / 8 <= batch_runs(server) - before <= 12  # 36 patches, eight a batch at most; alone it would be 24 runs


def test_requests_to_a_model_without_the_file_run_alone(server, client, image):
    before = batch_runs(server)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: client.predict("first", {"image": image}, signature="tile"), range(8)))
    assert batch_runs(server) == before


def test_too_many_patches_for_a_batch_are_refused(client, image):
    patches = np.stack([image[64:128, :64]] * 9)
    assert refusal(client.predict, "patches", {"patches": patches}) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "Task size 9 is larger than maximum input batch size 8",
    )


def test_wrong_patches_are_refused_through_a_batch(client):
    code, text = refusal(client.predict, "patches", {"patches": np.zeros((1, 64, 63, 4), np.float32)})
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert "patches must be float32 [n, 64, 64, 4]" in text


def test_model_of_patches_has_no_tiles(client, image):
    assert refusal(client.predict, "patches", {"image": image}, signature="tile") == (
        grpc.StatusCode.FAILED_PRECONDITION,
        'Serving signature key "tile" not found.',
    )


def test_requests_beyond_the_queue_are_unavailable(client, exported, image):
    reference = expected(exported, "first", 1)

    def score(window):
        row, column, patch = window
        try:
            scores = array(client.predict("crowded", {"patches": patch[np.newaxis]}).outputs["score"])
        except grpc.RpcError as error:
            return error.code(), error.details()
        np.testing.assert_allclose(scores, [reference[row, column]], atol=1e-5)
        return None

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(score, list(windows_of(image)) * 4))
    refusals = [answer for answer in answers if answer is not None]
    assert 0 < len(refusals) < len(answers)
    for code, text in refusals:
        assert code == grpc.StatusCode.UNAVAILABLE
        assert "1 batches enqueued and max_enqueued_batches is 1" in text
