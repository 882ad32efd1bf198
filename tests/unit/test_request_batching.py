"""The local model server joins requests as TensorFlow Serving's batching session does."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from serving.local_server.batching import BatchingSession, BatchThreads
from serving.local_server.batching_config import BatchLimits, threads_of
from serving.local_server.errors import Refusal
from serving.local_server.metrics import Metrics


class Graph:
    """Doubles its input; where asked, holds every run until it is let go."""

    def __init__(self, *, is_held=False):
        self.sizes = []
        self.has_begun = threading.Semaphore(0)
        self.may_go = threading.Event()
        if not is_held:
            self.may_go.set()

    def run(self, feeds, fetches):
        (array,) = feeds.values()
        self.sizes.append(len(array))
        self.has_begun.release()
        assert self.may_go.wait(10)
        return [2 * array for _ in fetches]


def session(graph, *, threads=1, sizes=(), rows=4, wait_s=0.0, enqueued=2, run=None):
    limits = BatchLimits(rows=rows, wait_s=wait_s, enqueued=enqueued, sizes=sizes)
    return BatchingSession(BatchThreads(threads), limits, run or graph.run, Metrics())


def ask(batches, *values):
    return batches.run({"x": np.array(values)}, ["y"])[0].tolist()


def test_requests_that_wait_run_together_and_the_rest_is_refused():
    graph = Graph(is_held=True)
    batches = session(graph)
    with ThreadPoolExecutor(8) as pool:
        running = pool.submit(ask, batches, 1)
        assert graph.has_begun.acquire(timeout=10)
        # The only thread is busy: two batches of four may wait, eight values in all.
        waiting = []
        for first in (10, 20, 30, 40):
            waiting.append(pool.submit(ask, batches, first, first + 1))
            while sum(batch.rows for queue in batches._queues.values() for batch in queue.batches) < 2 * len(waiting):
                time.sleep(0.001)
        with pytest.raises(Refusal) as refused:
            ask(batches, 5)
        assert refused.value.code == grpc.StatusCode.UNAVAILABLE
        assert "currently 2 batches enqueued and max_enqueued_batches is 2" in refused.value.message
        graph.may_go.set()
        assert running.result(10) == [2]
        assert [one.result(10) for one in waiting] == [[20, 22], [40, 42], [60, 62], [80, 82]]
    assert graph.sizes == [1, 4, 4]


def test_request_that_nobody_joins_runs_when_its_time_is_over():
    graph = Graph()
    assert ask(session(graph, wait_s=0.01), 3) == [6]
    assert graph.sizes == [1]


def test_at_the_end_waiting_requests_are_answered_and_later_ones_refused():
    graph = Graph(is_held=True)
    threads = BatchThreads(1)
    batches = BatchingSession(threads, BatchLimits(rows=4, wait_s=0.0, enqueued=2, sizes=()), graph.run, Metrics())
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(ask, batches, 1)]
        assert graph.has_begun.acquire(timeout=10)
        asked.append(pool.submit(ask, batches, 2))
        while not any(queue.batches[0].tasks for queue in batches._queues.values()):
            time.sleep(0.001)
        end = pool.submit(threads.close)
        while not threads.is_ending:
            time.sleep(0.001)
        with pytest.raises(Refusal, match="UNAVAILABLE: the server is ending"):
            ask(batches, 3)
        graph.may_go.set()
        end.result(10)
        assert [one.result(10) for one in asked] == [[2], [4]]


def test_batch_is_filled_up_to_an_allowed_size():
    graph = Graph()
    assert ask(session(graph, sizes=(2, 4)), 1, 2, 3) == [2, 4, 6]
    assert graph.sizes == [4]


def test_error_of_a_run_reaches_every_request_and_the_next_batch_runs():
    graph = Graph()

    def run(feeds, fetches):
        if feeds["x"].max() > 9:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "too much")
        return graph.run(feeds, fetches)

    batches = session(graph, run=run, rows=2, wait_s=60.0)  # the two are one batch, and full: nothing waits so long
    with ThreadPoolExecutor(2) as pool:
        for one in [pool.submit(ask, batches, value) for value in (1, 10)]:
            with pytest.raises(Refusal, match="too much"):
                one.result(10)
    assert ask(batches, 1, 2) == [2, 4]


def test_outputs_of_another_first_axis_cannot_be_split():
    """As with `tile`: the first axis of an image is its height, that of its scores is not."""
    with pytest.raises(Refusal, match="0th dimension does not equal the sum") as refused:
        ask(session(Graph(), run=lambda feeds, _: [feeds["x"][:-1]]), 1, 2, 3)
    assert refused.value.code == grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("feeds", "word"),
    [
        ({}, "at least one input"),
        ({"x": np.float32(1)}, "one dimension"),
        ({"x": np.ones(2), "z": np.ones(1)}, "equal 0th"),
    ],
)
def test_inputs_without_a_common_first_axis_are_refused(feeds, word):
    with pytest.raises(Refusal, match=word):
        session(Graph()).run({name: np.asarray(value) for name, value in feeds.items()}, ["y"])


def test_parameters_are_read_from_tensorflow_servings_file(tmp_path):
    file = tmp_path / "batching_params.pbtxt"
    file.write_text(
        "# words\nmax_batch_size { value: 64 } batch_timeout_micros { value: 2000 } allowed_batch_sizes: [8, 64]"
    )
    assert BatchLimits.read(file) == BatchLimits(rows=64, wait_s=0.002, enqueued=10, sizes=(8, 64))
    assert threads_of(file) is None
    file.write_text("num_batch_threads { value: 3 }")
    assert threads_of(file) == 3


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("max_batch { value: 1 }", "max_batch"),
        ("max_batch_size { value: 0 }", "positive"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: 4", "rise to max_batch_size, 8"),
        ("enable_large_batch_splitting { value: true }", "nor splits"),
        ("batch_timeout_micros { value: -1 }", "not negative"),
    ],
)
def test_parameters_that_cannot_be_are_refused(tmp_path, text, word):
    file = tmp_path / "batching_params.pbtxt"
    file.write_text(text)
    with pytest.raises(ValueError, match=word):
        BatchLimits.read(file)
