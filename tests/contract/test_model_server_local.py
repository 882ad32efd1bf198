"""What only our model server has: faults, state, limits, its options, and how it ends."""

import shutil
import signal
import sys
import time

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
    local_server,
)

pytestmark = pytest.mark.timeout(1200)  # the models are exported first, by TensorFlow, which may take minutes


@pytest.fixture(scope="module")
def exported():
    return exported_models()


@pytest.fixture(scope="module", autouse=True)
def message_modules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("messages")
    copy_modules(folder, TEN_MODULES)
    sys.path.append(str(folder))
    yield
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def server(exported):
    with local_server("--models", exported / "models", "--tensors-as", "values", "--poll-seconds", "0.2") as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    made = Client(server.port)
    yield made
    made.channel.close()


@pytest.fixture(scope="module")
def image(exported):
    return np.load(exported / "image.npy")


@pytest.fixture
def inject(server):
    def post(*faults):
        answer = requests.post(f"{server.url}/_local/faults", json=list(faults), timeout=30)
        assert answer.status_code == 200, answer.text

    yield post
    post()


def state(server):
    return requests.get(f"{server.url}/_local/state", timeout=30).json()


def test_without_a_config_every_version_is_served_and_values_may_come_as_fields(server, client, exported, image):
    assert state(server)["models"]["first"] == [2, 1]
    for version in (1, 2):
        scores = client.predict("first", {"image": image}, signature="tile", version=version).outputs["scores"]
        assert not scores.tensor_content
        np.testing.assert_allclose(array(scores), np.load(exported / f"expected_first_{version}.npy"), atol=1e-5)


def test_state_counts_calls_and_windows(server, client, image):
    before = state(server)
    client.predict("second", {"image": image}, signature="tile")
    client.predict("second", {"patches": np.stack([image[:64, :64]] * 3)})
    after = state(server)
    assert after["predict_calls"] - before["predict_calls"] == 2
    assert after["windows"] - before["windows"] == 12 + 3


@pytest.mark.parametrize(
    ("action", "code"),
    [("unavailable", grpc.StatusCode.UNAVAILABLE), ("resource_exhausted", grpc.StatusCode.RESOURCE_EXHAUSTED)],
)
def test_error_faults_hit_as_often_as_asked(client, image, inject, action, code):
    inject({"on": "predict", "action": action, "times": 2})
    for _ in range(2):
        with pytest.raises(grpc.RpcError) as error:
            client.predict("first", {"image": image}, signature="tile")
        assert error.value.code() == code
    assert client.predict("first", {"image": image}, signature="tile").model_spec.version.value == 2


def test_wrong_version_fault_names_another_version(client, image, inject):
    inject({"on": "predict", "action": "wrong_version"})
    assert client.predict("first", {"image": image}, signature="tile", version=1).model_spec.version.value != 1
    assert client.predict("first", {"image": image}, signature="tile", version=1).model_spec.version.value == 1


def test_older_version_fault_names_the_version_before_and_hides_the_newest(client, image, inject):
    inject({"on": "predict", "action": "older_version"}, {"on": "status", "action": "older_version"})
    assert client.predict("first", {"image": image}, signature="tile", version=2).model_spec.version.value == 1
    assert [status.version for status in client.status("first").model_version_status] == [1]
    assert [status.version for status in client.status("first").model_version_status] == [2, 1]


def test_answers_are_spoilt_as_asked(client, image, inject):
    inject(*({"on": "predict", "action": action} for action in ("half", "nan", "wrong_shape")))
    half, nan, wrong_shape, right = (
        client.predict("first", {"image": image}, signature="tile").outputs for _ in range(4)
    )
    rows, cols = array(right["scores"]).shape
    assert [dim.size for dim in half["scores"].tensor_shape.dim] == [rows, cols]
    assert len(half["scores"].tensor_content) == 4 * rows * cols // 2
    assert np.isnan(array(nan["scores"])).all()
    np.testing.assert_array_equal(array(nan["valid_fraction"]), array(right["valid_fraction"]))
    assert array(wrong_shape["scores"]).shape == (rows - 1, cols)
    assert np.isfinite(array(right["scores"])).all()


def test_models_are_warmed_up_with_the_requests_that_lie_in_them(server, exported):
    """Records that training wrote by hand are read here with the package's own messages."""
    requests_run = state(server)["warm_up_requests"]
    assert requests_run == {"first/1": 3, "first/2": 3, "second/7": 3}


def test_version_whose_warm_up_fails_is_not_served(exported, tmp_path, capfd):
    for version in (1, 2):
        shutil.copytree(exported / "models" / "first" / str(version), tmp_path / "first" / str(version))
    warm_up = tmp_path / "first" / "2" / "assets.extra" / "tf_serving_warmup_requests"
    warm_up.write_bytes(warm_up.read_bytes()[:-20])
    with local_server("--models", tmp_path) as running:
        assert state(running)["models"] == {"first": [1]}
    assert "first version 2 cannot be loaded" in capfd.readouterr().err


def test_delay_fault_delays_one_model(client, image, inject):
    inject({"on": "predict", "action": "delay", "seconds": 0.7, "model": "first"})
    client.predict("second", {"image": image}, signature="tile")
    start = time.monotonic()
    client.predict("first", {"image": image}, signature="tile")
    assert time.monotonic() - start >= 0.7


def test_exported_patches_are_warmed_up_in_batches_and_a_version_with_broken_parameters_is_not_served(
    exported, tmp_path, capfd
):
    for version in (1, 2):
        shutil.copytree(exported / "batched/first_patches/1", tmp_path / "first_patches" / str(version))
    (tmp_path / "first_patches/2/batching_params.pbtxt").write_text("max_batch { value: 8 }")
    with local_server("--models", tmp_path, "--batching", "true", "--batching-per-model", "true") as running:
        assert state(running)["models"] == {"first_patches": [1]}
        assert state(running)["warm_up_requests"] == {"first_patches/1": 1}
    error = capfd.readouterr().err
    assert "first_patches version 2 cannot be loaded" in error
    assert "max_batch" in error


def test_status_fault_leaves_predict_alone(client, image, inject):
    inject({"on": "status", "action": "unavailable"})
    client.predict("first", {"image": image}, signature="tile")
    with pytest.raises(grpc.RpcError) as error:
        client.status("first")
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE
    assert client.status("first").model_version_status[0].version == 2


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ({"on": "predict", "action": "explode"}, "explode"),
        ({"on": "train", "action": "unavailable"}, "train"),
        ({"on": "predict", "action": "unavailable", "often": 2}, "often"),
        ({"on": "predict", "action": "delay"}, "seconds"),
        ({"on": "status", "action": "half"}, "half"),
        ({"on": "predict", "action": "unavailable", "times": 0}, "times"),
    ],
)
def test_unknown_faults_are_refused_by_name(server, fault, word):
    answer = requests.post(f"{server.url}/_local/faults", json=[fault], timeout=30)
    assert answer.status_code == 400
    assert word in answer.json()["error"]
    assert state(server)["faults"] == []


def test_too_large_a_message_is_refused(client):
    too_large = np.zeros((2048, 2048, 4), np.float32)  # 64 MiB and the bytes around it
    with pytest.raises(grpc.RpcError) as error:
        client.predict("first", {"image": too_large}, signature="tile")
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_version_that_appears_is_served_and_one_that_goes_is_not(server, client, exported, image):
    shutil.copytree(exported / "unserved" / "late", exported / "models" / "late")
    wait_for(lambda: state(server)["models"].get("late") == [1])
    scores = array(client.predict("late", {"image": image}, signature="tile").outputs["scores"])
    np.testing.assert_allclose(scores, np.load(exported / "expected_late_1.npy"), atol=1e-5)
    shutil.rmtree(exported / "models" / "late")
    wait_for(lambda: "late" not in state(server)["models"])
    with pytest.raises(grpc.RpcError) as error:
        client.predict("late", {"image": image}, signature="tile")
    assert error.value.details() == "Servable not found for request: Latest(late)"


def test_folder_of_models_that_is_away_for_a_while_ends_nothing(server, client, exported, image):
    models, away = exported / "models", exported / "away"
    models.rename(away)
    try:
        time.sleep(1)  # the server looks five times meanwhile, and finds nothing
        assert client.predict("first", {"image": image}, signature="tile").model_spec.version.value == 2
    finally:
        away.rename(models)
    (models / "first" / "3").mkdir()  # a version without its graph is none
    time.sleep(0.5)
    assert server.process.poll() is None
    assert state(server)["models"]["first"] == [2, 1]
    (models / "first" / "3").rmdir()


def test_config_of_the_image_serves_from_a_local_folder_and_sigterm_ends_cleanly(exported, tmp_path):
    for version in (1, 2, 3):  # the config asks for the two newest
        shutil.copytree(exported / "models" / "first" / "1", tmp_path / "vv_vh_ascending_60_12" / str(version))
    shutil.copytree(exported / "models" / "second" / "7", tmp_path / "not_in_the_config" / "7")
    options = ["--model_config_file", ROOT / "serving/models.config"]
    options += ["--allow_version_labels_for_unavailable_models=true"]  # `stable` is version 1
    with local_server("--models", tmp_path, *options) as running:
        assert state(running)["models"] == {"vv_vh_ascending_60_12": [3, 2]}
        stale = Client(running.port)
        with pytest.raises(grpc.RpcError) as error:
            stale.predict("vv_vh_ascending_60_12", {}, signature="tile", version_label="stable")
        assert error.value.code() == grpc.StatusCode.NOT_FOUND
        stale.channel.close()
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) == 0


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("model_config_list {", "models.config"),
        (
            'model_config_list { config { name: "first" base_path: "/models/first" model_platform: "tensorflow" '
            'version_labels { key: "stable" value: 9 } } }',
            "version 9 is not served",
        ),
    ],
    ids=["broken", "label"],
)
def test_config_that_cannot_be_served_is_refused(exported, tmp_path, capfd, text, word):
    config = tmp_path / "models.config"
    config.write_text(text)
    with (
        pytest.raises(AssertionError, match="ended with 1"),
        local_server("--models", exported / "models", "--model_config_file", config),
    ):
        pass
    assert word in capfd.readouterr().err


def wait_for(is_so, seconds=120):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)
