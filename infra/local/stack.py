"""The whole system as ordinary processes on loopback, wired by `topology.json`, under one clock.

Each function runs from its zip, in the environment made from its own lock, behind functions-framework, as it does in the cloud.
"""

import json
import shutil
import time
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from infra.local.clock import Clock
from infra.local.model_server import ModelServer
from infra.local.processes import Child, ReservedPort, wait_until_free
from infra.local.provision import PROJECT, bucket_name, client_environment, provision, use_here
from infra.local.scheduler import Scheduler

ROOT = Path(__file__).resolve().parents[2]
TOPOLOGY = json.loads((ROOT / "infra" / "topology.json").read_text(encoding="utf-8"))
SIGNATURE = {"poll_earthquakes": "http"}  # the others take CloudEvents


class Stack:
    """The running system; a context manager that leaves no process behind.

    Args:
        folder: for state, logs and unzipped functions; emptied first.
        archive: of the local Earth Engine.
        recording: of the USGS replay.
        models: folder of SavedModels, `<name>/<version>/`.
        bundles: folder of the functions' zips.
        start: first instant of the replayed clock.
        settings: further environment of each function, by function.
    """

    def __init__(
        self,
        folder: Path,
        *,
        archive: Path,
        recording: Path,
        models: Path,
        bundles: Path,
        start: datetime,
        settings: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.archive = archive.resolve()
        self.recording = recording.resolve()
        self.models = models.resolve()
        self.bundles = bundles.resolve()
        self._settings = settings or {}
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.clock = Clock(self.folder / "clock")
        self.clock.set(start)
        self.children: dict[str, Child] = {}
        self._ports: dict[str, ReservedPort] = {}
        self.urls: dict[str, str] = {}
        self.environment: dict[str, str] = {}
        self.model_server = ""

    def __enter__(self) -> Self:
        """Start everything, or nothing."""
        try:
            self._start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        self.end()

    def end(self) -> None:
        """End all processes and give their ports back."""
        for child in reversed(self.children.values()):
            child.end()
        self.children.clear()
        for port in self._ports.values():
            port.close()
        self._ports.clear()

    def _start(self) -> None:
        clock = ["--clock", self.clock.path]
        pubsub = self._service("pubsub", *clock).ready_line()
        model_server = ModelServer(ROOT, self.models, self.folder)
        self.children["model_server"] = model_server
        storage = self._service(
            "storage", "--root", self.folder / "storage", "--pubsub", f"127.0.0.1:{pubsub['port']}", *clock
        ).ready_line()
        self.environment = client_environment(storage["port"], pubsub["port"])
        use_here(self.environment)
        earth_engine = self._service(
            "earth_engine", "--archive", self.archive, "--storage", f"http://127.0.0.1:{storage['port']}", *clock
        )
        usgs = self._service("usgs", "--recording", self.recording, *clock).ready_line()
        self.urls = {
            "pubsub": f"http://127.0.0.1:{pubsub['control_port']}",
            "storage": f"http://127.0.0.1:{storage['port']}",
            "usgs": f"http://127.0.0.1:{usgs['port']}",
            "earth_engine": f"http://127.0.0.1:{earth_engine.ready_line()['port']}",
        }
        for name in TOPOLOGY["functions"]:
            self._ports[name] = ReservedPort()
        ports = {name: port.number for name, port in self._ports.items()}
        endpoints = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        provision(TOPOLOGY, endpoints)
        self._upload_cards()
        self.model_server, controls = model_server.addresses()
        if controls:
            self.urls["model_server"] = controls
        for name, port in ports.items():
            self._function(name, port)
        for name, port in ports.items():
            self.children[name].wait_for_port(port)
        self.scheduler = Scheduler(TOPOLOGY["schedules"], self.clock, PROJECT, endpoints)

    def _service(self, name: str, *options: Any) -> Child:
        """Start one of our services."""
        python = ROOT / "build" / "envs" / "local" / "bin" / "python"
        command = [python, "-m", f"infra.local.{name}", "--port", "0", *options]
        child = Child(name, command, self.environment, ROOT, self.folder / "logs" / f"{name}.log")
        self.children[name] = child
        return child

    def _upload_cards(self) -> None:
        """Put the model cards where the detector reads them: the models bucket."""
        bucket = self.bucket("models")
        for card in sorted(self.models.glob("*/*/card.json")):
            bucket.blob(card.relative_to(self.models).as_posix()).upload_from_filename(str(card))

    def _function(self, name: str, port: int) -> None:
        """Unzip a function and start it in its own environment."""
        place = self.folder / "functions" / name
        shutil.rmtree(place, ignore_errors=True)
        with zipfile.ZipFile(self.bundles / f"{name}.zip") as bundle:
            bundle.extractall(place)
        framework = ROOT / "build" / "envs" / name / "bin" / "functions-framework"
        signature = SIGNATURE.get(name, "cloudevent")
        command = [
            framework,
            "--target",
            name,
            "--signature-type",
            signature,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        environment = self.environment | self._function_environment(name)
        self.children[name] = Child(name, command, environment, place, self.folder / "logs" / f"{name}.log")

    def redeploy(self, name: str, settings: Mapping[str, str]) -> None:
        """Start a function anew with other settings, on the same port."""
        port = self._ports[name].number
        self.children.pop(name).end()
        wait_until_free(port)
        self._settings = {**self._settings, name: {**self._settings.get(name, {}), **settings}}
        self._function(name, port)
        self.children[name].wait_for_port(port)

    def _function_environment(self, name: str) -> dict[str, str]:
        """Return the settings of a function, as Terraform gives them in the cloud, with local addresses."""
        dead_letters = ",".join(f"{topic}={dead}" for topic, dead in TOPOLOGY["dead_letters"].items())
        environment = {"PROJECT": PROJECT, "DEAD_LETTERS": dead_letters}
        for short in TOPOLOGY["functions"][name]["buckets"]:
            environment[f"{short.upper()}_BUCKET"] = bucket_name(short)
        if name == "poll_earthquakes":
            environment["FEED_URL"] = f"{self.urls['usgs']}/earthquakes/feed/v1.0/summary/4.5_week.geojson"
        if name == "export_composites":
            environment["EARTH_ENGINE_URL"] = self.urls["earth_engine"]
        if name == "detect_landslides":
            environment["MODEL_SERVER"] = self.model_server
        return environment | dict(self._settings.get(name, {}))

    def bucket(self, short: str) -> Any:
        """Return a bucket through the real client."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        return storage.Client(project=PROJECT, credentials=AnonymousCredentials()).bucket(bucket_name(short))

    def publish(self, topic: str, document: Mapping[str, Any]) -> None:
        """Publish a message as a person or another system would."""
        from google.cloud import pubsub_v1

        with pubsub_v1.PublisherClient() as publisher:
            data = json.dumps(document, sort_keys=True).encode()
            kind = {"kind": str(document["kind"])} if "kind" in document else {}
            publisher.publish(publisher.topic_path(PROJECT, topic), data, **kind).result(timeout=30)

    def state_of(self, service: str) -> dict[str, Any]:
        """Return what a service says of itself."""
        reply = requests.get(f"{self.urls[service]}/_local/state", timeout=30)
        reply.raise_for_status()
        state: dict[str, Any] = reply.json()
        return state

    def set_faults(self, service: str, faults: list[dict[str, Any]]) -> None:
        """Make a service fail on purpose from now on; an empty list ends it."""
        requests.post(f"{self.urls[service]}/_local/faults", json=faults, timeout=30).raise_for_status()

    def is_quiet(self) -> bool:
        """Say whether nothing is being delivered, notified or exported."""
        exports = self.state_of("earth_engine")
        return bool(
            not exports["running"]
            and not exports["pending"]
            and not self.state_of("storage")["pending_notifications"]
            and self.state_of("pubsub")["quiet"]
        )

    def settle(self, patience_s: float = 120) -> None:
        """Wait until everything that was set off has come to rest; retries wait for the clock and do not count.

        Raises:
            TimeoutError: it did not come to rest in time.
            RuntimeError: a process ended.
        """
        end = time.monotonic() + patience_s
        calm = 0
        while calm < 2:
            dead = [name for name, child in self.children.items() if not child.is_alive()]
            if dead:
                raise RuntimeError(f"{dead[0]} ended: {self.children[dead[0]].last_words()}")
            if time.monotonic() > end:
                raise TimeoutError(
                    f"the stack did not come to rest within {patience_s:.0f} s; logs in {self.folder / 'logs'}"
                )
            calm = calm + 1 if self.is_quiet() else 0
            time.sleep(0.03)

    def go_to(self, instant: datetime, patience_s: float = 120) -> list[str]:
        """Move the clock, fire what is due, wait until all is at rest; return the schedules fired."""
        self.clock.set(instant)
        fired = self.scheduler.run_due()
        self.settle(patience_s)
        return fired
