"""`python -m serving.local_server`: load the models, print one JSON line with the ports, serve until SIGTERM."""

import json
import logging
import signal
import sys
import threading
from pathlib import Path

import click
import waitress

from serving.local_server.api import ModelServerApi
from serving.local_server.batching import Batching, BatchThreads
from serving.local_server.batching_config import BatchLimits, threads_of
from serving.local_server.faults import Faults
from serving.local_server.grpc_service import grpc_server
from serving.local_server.metrics import Metrics
from serving.local_server.repository import ModelRepository
from serving.local_server.rest import rest_app
from serving.local_server.text_config import read_text

log = logging.getLogger("serving.local_server")

METRICS_PATH = "/monitoring/prometheus/metrics"  # prometheus_exporter.cc, where the config names no other


@click.command("local_server")
@click.option("--models", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder NAME/VERSION/.")
@click.option("--port", type=int, default=8500, show_default=True, help="gRPC port on loopback; 0 picks a free one.")
@click.option(
    "--rest-port",
    "--rest_api_port",
    type=int,
    default=8501,
    show_default=True,
    help="REST and /_local port on loopback; 0 picks a free one.",
)
@click.option(
    "--models-config",
    "--model_config_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Text-format ModelServerConfig; its paths below /models are looked for in --models.",
)
@click.option(
    "--parallelism",
    "--tensorflow_session_parallelism",
    type=int,
    default=0,
    show_default=True,
    help="Threads of a TensorFlow session; 0: one per core.",
)
@click.option("--concurrent-runs", type=click.IntRange(min=1), default=2, show_default=True, help="Graphs at a time.")
@click.option("--threads", type=click.IntRange(min=1), default=16, show_default=True, help="gRPC calls at a time.")
@click.option(
    "--max-message-bytes", type=int, default=64 << 20, show_default=True, help="Largest gRPC request that is read."
)
@click.option(
    "--tensors-as",
    type=click.Choice(["content", "values"]),
    default="content",
    show_default=True,
    help="content: as TensorFlow Serving with --enable_serialization_as_tensor_content; values: as without it.",
)
@click.option(
    "--allow-labels-of-unserved-versions",
    "--allow_version_labels_for_unavailable_models",
    type=bool,
    default=False,
    show_default=True,
    help="Whether a config may label a version that is not there; a call that names the label is NOT_FOUND then.",
)
@click.option(
    "--batching",
    "--enable_batching",
    type=bool,
    default=False,
    show_default=True,
    help="Join requests to the same signature along their first axis.",
)
@click.option(
    "--batching-per-model",
    "--enable_per_model_batching_parameters",
    type=bool,
    default=False,
    show_default=True,
    help="Join requests only to versions with a batching_params.pbtxt, and as it says.",
)
@click.option(
    "--batching-parameters",
    "--batching_parameters_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Text-format BatchingParameters: threads of all batches and, without the option above, all the rest.",
)
@click.option(
    "--monitoring-config",
    "--monitoring_config_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Text-format MonitoringConfig: whether and where metrics can be read on the REST port; nowhere without it.",
)
@click.option(
    "--poll-seconds",
    "--file_system_poll_wait_seconds",
    type=float,
    default=1.0,
    show_default=True,
    help="How often new versions are looked for.",
)
def main(
    models: Path | None,
    port: int,
    rest_port: int,
    models_config: Path | None,
    parallelism: int,
    concurrent_runs: int,
    threads: int,
    max_message_bytes: int,
    tensors_as: str,
    allow_labels_of_unserved_versions: bool,
    batching: bool,
    batching_per_model: bool,
    batching_parameters: Path | None,
    monitoring_config: Path | None,
    poll_seconds: float,
) -> None:
    """Serve SavedModels with TensorFlow Serving's gRPC and REST API."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    faults, metrics = Faults(), Metrics()
    try:
        metrics_path = read_metrics_path(monitoring_config)
        joined = make_batching(batching_parameters, metrics, per_model=batching_per_model) if batching else None
        repository = ModelRepository(
            models,
            models_config,
            parallelism,
            batching=joined,
            may_label_unserved=allow_labels_of_unserved_versions,
        )
        repository.refresh()
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    api = ModelServerApi(
        repository, faults, metrics, concurrent_runs=concurrent_runs, as_content=tensors_as == "content"
    )
    calls = grpc_server(api, metrics, threads=threads, max_message_bytes=max_message_bytes)
    port = calls.add_insecure_port(f"127.0.0.1:{port}")
    web = waitress.create_server(
        rest_app(api, faults, metrics, metrics_path),
        host="127.0.0.1",
        port=rest_port,
        threads=32,
        clear_untrusted_proxy_headers=True,
    )
    calls.start()
    threading.Thread(target=web.run, daemon=True, name="rest").start()
    print(json.dumps({"service": "model_server", "port": port, "rest_port": int(web.effective_port)}), flush=True)
    while not stop.wait(poll_seconds):
        try:
            repository.refresh()
        except (OSError, ValueError) as error:  # a config edited wrongly, a folder gone meanwhile: what is served stays
            log.error("%s", error)
    calls.stop(grace=None)
    web.close()
    api.close()
    if joined is not None:
        joined.close()


def make_batching(file: Path | None, metrics: Metrics, *, per_model: bool) -> Batching:
    """Return what joins requests.

    Raises:
        ValueError: the file holds no BatchingParameters that can be used.
    """
    threads = BatchThreads(threads_of(file))
    return Batching(threads, None if per_model else BatchLimits.read(file), metrics)


def read_metrics_path(config: Path | None) -> str | None:
    """Return where a MonitoringConfig wants metrics to be read; None for nowhere.

    Raises:
        ValueError: it is no MonitoringConfig.
    """
    if config is None:
        return None
    wanted = read_text(config, "MonitoringConfig").prometheus_config
    return (wanted.path or METRICS_PATH) if wanted.enable else None


if __name__ == "__main__":
    main()
