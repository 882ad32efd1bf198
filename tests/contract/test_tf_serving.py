"""The detector's model server adapter, on our server, on a scripted one for the faults, and beside the fake that unit tests use."""

import itertools
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import numpy as np
import pytest

from quakeslide.adapters.tf_serving import MODEL_STATUS, PREDICT, TfServing
from quakeslide.errors import ModelMissing, ModelUnavailable, TileTooLarge, UnusableComposite
from tests.contract.model_server_service import (
    TEN_MODULES,
    copy_modules,
    exported_models,
    local_server,
    messages,
    tensor,
)
from tests.fakes_detector import MeanChangeModel

pytestmark = pytest.mark.timeout(1200)  # the models are exported first, by TensorFlow, which may take minutes


@pytest.fixture(scope="module", autouse=True)
def message_modules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("messages")
    copy_modules(folder, TEN_MODULES)
    sys.path.append(str(folder))
    yield
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def exported():
    return exported_models()


@pytest.fixture(scope="module")
def model(exported):
    with local_server("--models", exported / "models") as server:
        adapter = TfServing(f"127.0.0.1:{server.port}", attempts=2)
        yield adapter
        adapter.close()


def test_tensorflow_is_not_imported(model):
    assert model.served_version("first") == 2
    assert not [name for name in sys.modules if name.startswith("tensorflow.python")]
    assert not [name for name in sys.modules if name.endswith("_pb2_grpc") and "tensorflow" in name]


def test_scores_equal_the_reference(model, exported):
    image = np.load(exported / "image.npy")
    answer = model.score(image, np.ones((4, 3), bool), name="first", version=2)
    np.testing.assert_allclose(answer.scores, np.load(exported / "expected_first_2.npy"), atol=1e-5)
    missing = np.isnan(image).any(axis=2)
    expected = [[1 - missing[32 * r : 32 * r + 64, 32 * c : 32 * c + 64].mean() for c in range(3)] for r in range(4)]
    np.testing.assert_allclose(answer.valid_fraction, expected, atol=1e-6)


def test_blocks_give_what_single_windows_give_and_unwanted_ones_are_not_sent(model):
    image = np.random.default_rng(3).normal(-3, 3, (64 + 32 * 17, 64 + 32 * 9, 4)).astype(np.float32)
    wanted = np.ones((18, 10), bool)
    wanted[:8, :8] = False
    answer = model.score(image, wanted, name="second", version=7)
    assert answer.scores.shape == (18, 10)
    assert np.isnan(answer.scores[:8, :8]).all()
    assert (answer.valid_fraction[:8, :8] == 0).all()
    for row, col in ((8, 0), (0, 8), (9, 8), (17, 9)):
        window = image[32 * row : 32 * row + 64, 32 * col : 32 * col + 64]
        alone = model.score(window, ONE, name="second", version=7)
        assert answer.scores[row, col] == pytest.approx(alone.scores[0, 0], abs=1e-5)
        assert answer.valid_fraction[row, col] == alone.valid_fraction[0, 0]


def test_fake_sees_the_same_windows_and_valid_pixels(model, exported):
    image = np.load(exported / "image.npy")
    fake = MeanChangeModel(versions={"first": 2}).score(image, np.ones((4, 3), bool), name="first", version=2)
    real = model.score(image, np.ones((4, 3), bool), name="first", version=2)
    assert fake.scores.shape == real.scores.shape
    assert fake.scores.dtype == real.scores.dtype == np.float32
    np.testing.assert_allclose(fake.valid_fraction, real.valid_fraction, atol=1e-6)


def test_model_that_is_not_served_is_missing(model):
    with pytest.raises(ModelMissing, match=r"status of model nobody at 127.0.0.1:.*NOT_FOUND"):
        model.served_version("nobody")
    with pytest.raises(ModelMissing, match="NOT_FOUND"):
        model.score(WINDOW, ONE, name="nobody", version=1)
    with pytest.raises(ModelMissing, match="version 9"):
        model.score(WINDOW, ONE, name="first", version=9)


def test_tile_of_other_bands_is_unusable(model):
    with pytest.raises(UnusableComposite, match="INVALID_ARGUMENT"):
        model.score(WINDOW[..., :2], ONE, name="first", version=2)


def test_tile_smaller_than_a_window_is_unusable(model):
    with pytest.raises(UnusableComposite, match="1 x 500 px holds no window"):
        model.score(np.zeros((1, 500, 4), np.float32), np.ones((0, 14), bool), name="first", version=2)


def test_silent_server_is_unavailable():
    model = TfServing("127.0.0.1:1", attempts=2)
    with pytest.raises(ModelUnavailable, match=r"status of model first at 127.0.0.1:1: UNAVAILABLE"):
        model.served_version("first")
    model.close()


class Script(grpc.GenericRpcHandler):
    """Answers each method by a list of functions, one a call, the last for ever."""

    def __init__(self, **answers):
        self.answers, self.calls = answers, []

    def service(self, details):
        kind = {PREDICT: "predict", MODEL_STATUS: "status"}[details.method]
        module = messages("predict_pb2" if kind == "predict" else "get_model_status_pb2")
        request = module.PredictRequest if kind == "predict" else module.GetModelStatusRequest

        def answer(message, context):
            self.calls.append(message)
            steps = self.answers[kind]
            step = steps.pop(0) if len(steps) > 1 else steps[0]
            return step(message, context).SerializeToString()

        return grpc.unary_unary_rpc_method_handler(answer, request_deserializer=request.FromString)


@contextmanager
def scripted(*, limit=None, label="", deadline_s=60, **answers):
    script = Script(**answers)
    options = [("grpc.max_receive_message_length", limit)] if limit else []
    server = grpc.server(ThreadPoolExecutor(8), handlers=[script], options=options)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    model = TfServing(f"127.0.0.1:{port}", attempts=3, label=label, deadline_s=deadline_s)
    try:
        yield model, script
    finally:
        model.close()
        server.stop(None).wait()


def refuse(code):
    return lambda _, context: context.abort(code, "scripted")


def predicted(value=0.25, *, name="m", version=1, **outputs):
    """A reply for one window, with the scores as a single `float_val` unless given."""

    def answer(*_):
        reply = messages("predict_pb2").PredictResponse()
        reply.model_spec.name = name
        reply.model_spec.version.value = version
        given = {"scores": np.array([[value]], np.float32), "valid_fraction": np.ones((1, 1), np.float32)} | outputs
        for output, array in given.items():
            if array is not None:
                reply.outputs[output].CopyFrom(tensor(array))
        if "scores" in reply.outputs:
            reply.outputs["scores"].tensor_content = b""
            reply.outputs["scores"].float_val.append(value)
        return reply

    return answer


WINDOW, ONE = np.zeros((64, 64, 4), np.float32), np.ones((1, 1), bool)


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED]
)
def test_passing_trouble_is_tried_again(code):
    with scripted(predict=[refuse(code), refuse(code), predicted(0.25)]) as (model, script):
        assert model.score(WINDOW, ONE, name="m", version=1).scores.tolist() == [[0.25]]
        assert len(script.calls) == 3
        assert script.calls[0].model_spec.version.value == 1
        assert script.calls[0].model_spec.signature_name == "tile"


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.CANCELLED,
    ],
)
def test_lasting_trouble_is_given_back(code):
    with scripted(predict=[refuse(code)]) as (model, script):
        with pytest.raises(ModelUnavailable, match=code.name):
            model.score(WINDOW, ONE, name="m", version=1)
        assert len(script.calls) == 3


@pytest.mark.parametrize(
    ("code", "error"),
    [(grpc.StatusCode.NOT_FOUND, ModelMissing), (grpc.StatusCode.INVALID_ARGUMENT, UnusableComposite)],
)
def test_what_a_retry_does_not_heal_is_not_tried_again(code, error):
    with scripted(predict=[refuse(code)]) as (model, script):
        with pytest.raises(error, match="scripted"):
            model.score(WINDOW, ONE, name="m", version=1)
        assert len(script.calls) == 1


def test_reply_of_another_version_is_refused():
    with (
        scripted(predict=[predicted(version=2)]) as (model, _),
        pytest.raises(ModelUnavailable, match=r"asked .* for m version 1, answered by m 2"),
    ):
        model.score(WINDOW, ONE, name="m", version=1)


def test_reply_of_another_signature_is_refused():
    for wrong in ({"scores": None}, {"valid_fraction": np.ones((2, 1), np.float32)}):
        with (
            scripted(predict=[predicted(**wrong)]) as (model, _),
            pytest.raises(ModelMissing, match="signature is another"),
        ):
            model.score(WINDOW, ONE, name="m", version=1)


def statuses(*versions):
    def answer(*_):
        reply = messages("get_model_status_pb2").GetModelStatusResponse()
        for version, state in versions:
            reply.model_version_status.add(version=version, state=state)
        return reply

    return answer


def test_newest_available_version_answers():
    with scripted(status=[statuses((3, 20), (2, 30), (1, 30))]) as (model, _):
        assert model.served_version("m") == 2


def test_model_that_is_still_loading_is_waited_for():
    with scripted(status=[statuses((3, 20)), statuses((3, 30))]) as (model, _):
        assert model.served_version("m") == 3
    with scripted(status=[statuses((3, 20))]) as (model, _), pytest.raises(ModelUnavailable, match="3 LOADING"):
        model.served_version("m")


def test_message_over_the_servers_limit_is_a_clear_end():
    with scripted(limit=10_000, predict=[predicted()]) as (model, script):
        with pytest.raises(TileTooLarge, match="larger than max"):
            model.score(WINDOW, ONE, name="m", version=1)
        assert script.calls == []


def late(is_over):
    """An answer that comes only when the test is over."""

    def answer(*_):
        is_over.wait(30)
        return predicted()()

    return answer


def test_late_answer_is_asked_for_again_and_given_up_at_last():
    is_over = threading.Event()
    with scripted(predict=[late(is_over), predicted(0.25)], deadline_s=2) as (model, script):
        assert model.score(WINDOW, ONE, name="m", version=1).scores.tolist() == [[0.25]]
        assert len(script.calls) == 2
        is_over.set()
    is_over = threading.Event()
    with scripted(predict=[late(is_over)], deadline_s=0.2) as (model, _):
        with pytest.raises(ModelUnavailable, match="DEADLINE"):
            model.score(WINDOW, ONE, name="m", version=1)
        is_over.set()


def half(*_):
    """An answer whose bytes end half way."""
    reply = predicted()()
    reply.outputs["scores"].ClearField("float_val")
    reply.outputs["scores"].tensor_shape.dim[0].size = 2
    reply.outputs["scores"].tensor_content = np.ones(1, np.float32).tobytes() + b"\0\0"
    reply.outputs["valid_fraction"].CopyFrom(tensor(np.ones((2, 1), np.float32)))
    return reply


def test_half_an_answer_is_refused():
    tall = np.zeros((96, 64, 4), np.float32)
    with (
        scripted(predict=[half]) as (model, _),
        pytest.raises(ModelMissing, match=r"'scores' is not \[2, 1\]"),
    ):
        model.score(tall, np.ones((2, 1), bool), name="m", version=1)


def block(message, _):
    """Scores of a whole block, whatever its size."""
    height, width = (dim.size for dim in message.inputs["image"].tensor_shape.dim[:2])
    ones = np.ones((height // 32 - 1, width // 32 - 1), np.float32)
    reply = messages("predict_pb2").PredictResponse()
    reply.model_spec.name, reply.model_spec.version.value = "m", 1
    for output in ("scores", "valid_fraction"):
        reply.outputs[output].CopyFrom(tensor(ones))
    return reply


class Gauge:
    """Answers blocks after a moment and counts how many are asked for at once; refuses the first few.

    The first four wait for each other: how far apart they arrive depends on how busy the machine is.
    """

    def __init__(self, refusals, pause=0.05):
        self.lock, self.refusals, self.pause, self.now, self.seen = threading.Lock(), refusals, pause, 0, []
        self.first_four = threading.Barrier(4)

    def __call__(self, message, context):
        with self.lock:
            self.now += 1
            self.seen.append(self.now)
            number = len(self.seen)
        if number <= 4:
            self.first_four.wait(30)
        if number <= self.refusals:
            with self.lock:
                self.now -= 1
            self.first_four.wait(30)  # the client hears of no refusal while another call still counts as under way
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "scripted")
        try:
            time.sleep(self.pause)
            return block(message, context)
        finally:
            with self.lock:
                self.now -= 1


MANY = np.zeros((64 + 32 * 31, 64 + 32 * 31, 2), np.float32), np.ones((32, 32), bool)  # 16 blocks


def test_a_few_calls_are_always_under_way_and_never_more():
    gauge = Gauge(0)
    with scripted(predict=[gauge]) as (model, _):
        assert (model.score(*MANY, name="m", version=1).scores == 1).all()
    assert len(gauge.seen) == 16
    assert max(gauge.seen) == 4


def test_the_next_call_goes_out_with_the_first_answer_not_after_a_round():
    fifth, calls = threading.Event(), itertools.count(1)
    tile, wanted = MANY[0].copy(), MANY[1]
    tile[0, 0] = 1  # marks the first block: calls may arrive in another order than they were sent

    def answer(message, context):
        if next(calls) == 5:
            fifth.set()
        is_first = np.frombuffer(message.inputs["image"].tensor_content, np.float32).any()
        if not is_first and not fifth.wait(10):
            context.abort(grpc.StatusCode.NOT_FOUND, "the fifth call never came")
        return block(message, context)

    with scripted(predict=[answer]) as (model, _):
        assert (model.score(tile, wanted, name="m", version=1).scores == 1).all()


def test_after_a_refusal_calls_go_one_by_one():
    gauge = Gauge(4, pause=0.6)  # all that were under way; longer than the first pause before a retry
    with scripted(predict=[gauge]) as (model, _):
        assert (model.score(*MANY, name="m", version=1).scores == 1).all()
    assert gauge.seen[4:7] == [1, 1, 1]
    assert max(gauge.seen[7:]) > 1


def test_error_of_one_block_ends_the_others():
    with scripted(predict=[block, refuse(grpc.StatusCode.NOT_FOUND)]) as (model, script):
        with pytest.raises(ModelMissing):
            model.score(*MANY, name="m", version=1)
        assert len(script.calls) < 8


def test_label_names_the_version():
    with scripted(label="canary", predict=[predicted(version=7)], status=[statuses((9, 30))]) as (model, script):
        assert model.served_version("m") == 7
        (call,) = script.calls
        assert call.model_spec.version_label == "canary"
        assert [dim.size for dim in call.inputs["image"].tensor_shape.dim] == [64, 64, 2]
        assert model.score(WINDOW, ONE, name="m", version=7).scores.size == 1
        assert script.calls[-1].model_spec.version.value == 7


@pytest.fixture(scope="module")
def labelled(exported, tmp_path_factory):
    config = tmp_path_factory.mktemp("labels") / "models.config"
    base = exported / "models" / "first"
    config.write_text(
        f"""model_config_list {{ config {{ name: "vv_vh_first" base_path: "{base}" model_platform: "tensorflow"
        model_version_policy {{ all {{}} }} version_labels {{ key: "stable" value: 1 }} version_labels {{ key: "canary" value: 2 }} }} }}"""
    )
    with local_server("--models-config", config) as server:
        yield f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(("label", "version"), [("stable", 1), ("canary", 2), ("", 2)])
def test_labels_are_resolved_by_a_server(labelled, label, version):
    model = TfServing(labelled, label=label, attempts=2)
    assert model.served_version("vv_vh_first") == version
    model.close()


def test_unknown_label_is_a_missing_model(labelled):
    model = TfServing(labelled, label="nightly", attempts=2)
    with pytest.raises(ModelMissing, match=r"'nightly'.*label"):
        model.served_version("vv_vh_first")
    model.close()
