"""Trains tasks on a Ray cluster: the one at RAY_ADDRESS, or a small one started here for as long as it is needed.

Ray places the runs and starts workers; data and runs lie in folders that every node sees under the same path, as does this checkout.
"""

import os
from collections.abc import Generator, Sequence

import click
import ray
import ray.exceptions

from training.campaign.plan import Task, record_failure
from training.campaign.worker import ROOT, RUNS_PER_WORKER, train_task


def train_on_ray(
    tasks: Sequence[Task], *, jobs: int, threads: int, gpus_per_run: float = 0.0
) -> Generator[tuple[Task, str]]:
    """Train tasks and yield each with its outcome as it ends: finished, kept, claimed or failed.

    Args:
        tasks: in the order in which Ray is given them.
        jobs: runs at a time, on a cluster started here; one that is there decides by its own processors.
        threads: processors that a run takes.
        gpus_per_run: share of a GPU that a run takes.
    """
    address = os.environ.get("RAY_ADDRESS")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster started here tells nobody of it
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    inherited = {
        name: os.environ[name] for name in ("TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS") if name in os.environ
    }
    variables = {"PYTHONPATH": paths, **inherited}
    here = {} if address else {"num_cpus": jobs * threads, "include_dashboard": False}
    # without an address Ray would look for one by itself, such as the last cluster that was started on this machine
    ray.init(address=address or "local", log_to_driver=False, runtime_env={"env_vars": variables}, **here)
    try:
        remote = ray.remote(num_cpus=threads, num_gpus=gpus_per_run, max_retries=0, max_calls=RUNS_PER_WORKER)(_train)
        running = {remote.remote(task.to_json(), threads, gpus_per_run > 0): task for task in tasks}
        while running:
            (reference,), _ = ray.wait(list(running), num_returns=1)
            task = running.pop(reference)
            try:
                outcome = ray.get(reference)
            except ray.exceptions.RayError as error:  # the run's own error, or the end of its worker
                record_failure(task.folder, click.unstyle(str(error)))
                outcome = "failed"
            yield task, outcome
    finally:
        ray.shutdown()


_prepared: list[int] = []  # TensorFlow's threads are set once a process


def _train(line: str, threads: int, needs_gpu: bool) -> str:
    """Run in a Ray worker."""
    if not _prepared:
        from training.fitting.tensorflow_setup import prepare

        prepare(threads, needs_gpu=needs_gpu)
        _prepared.append(threads)
    return train_task(Task.from_json(line))
