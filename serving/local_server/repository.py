"""Which versions of which models are served: folders `<base>/<model>/<integer version>/saved_model.pb` and an optional config.

The config is TensorFlow Serving's `--model_config_file`: a text-format `ModelServerConfig`.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.config import file_system_storage_path_source_pb2 as sources_pb2
from tensorflow_serving.config import model_server_config_pb2

from serving.local_server.batching import Batching
from serving.local_server.errors import Refusal, invalid, not_found
from serving.local_server.servable import Servable
from serving.local_server.warm_up import warm_up

IMAGE_BASE = PurePosixPath("/models")
"""Where the image built by `serving/Dockerfile` keeps models; in a config such paths are looked for in `--models`."""

VersionPolicy = sources_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """Where versions of one model come from.

    Attributes:
        base: folder of the version folders.
        policy: which of them are served.
        labels: version by label.
    """

    base: Path
    policy: VersionPolicy
    labels: Mapping[str, int] = field(default_factory=dict)


def read_config(file: Path, models: Path | None) -> dict[str, ModelSource]:
    """Return the sources that a config names.

    Raises:
        ValueError: no text-format ModelServerConfig, or a model that this server cannot serve.
    """
    config = model_server_config_pb2.ModelServerConfig()
    try:
        text_format.Parse(file.read_text(encoding="utf-8"), config)
    except text_format.ParseError as error:
        raise ValueError(f"{file}: {error}") from error
    sources = {}
    for model in config.model_config_list.config:
        if model.model_platform != "tensorflow":
            raise ValueError(f"{file}: model {model.name}: platform {model.model_platform!r} is not 'tensorflow'")
        base = PurePosixPath(model.base_path)
        is_in_image = models is not None and base.is_relative_to(IMAGE_BASE)
        folder = models / base.relative_to(IMAGE_BASE) if is_in_image else Path(base)
        sources[model.name] = ModelSource(
            base=folder, policy=model.model_version_policy, labels=dict(model.version_labels)
        )
    if not sources:
        raise ValueError(f"{file}: the config names no model")
    return sources


def every_model_in(models: Path) -> dict[str, ModelSource]:
    """Return a source for each folder, serving all its versions, for use without a config."""
    every_version = VersionPolicy(all=VersionPolicy.All())
    return {
        folder.name: ModelSource(base=folder, policy=every_version)
        for folder in sorted(models.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    }


class ModelRepository:
    """The loaded versions; safe to ask from many threads while `refresh` runs in one."""

    def __init__(
        self,
        models: Path | None,
        config: Path | None,
        parallelism: int,
        *,
        batching: Batching | None = None,
        may_label_unserved: bool = False,
    ) -> None:
        """Remember where to look; nothing is loaded before `refresh`.

        Args:
            models: folder of model folders.
            config: a ModelServerConfig; without it every model in `models` is served, in all versions.
            parallelism: threads of each session, 0 for one per core.
            batching: of requests; None for none.
            may_label_unserved: whether a config may label a version that is not served.
        """
        if models is None and config is None:
            raise ValueError("neither a folder of models nor a config was given")
        self._models = models
        self._config = config
        self._parallelism = parallelism
        self._batching = batching
        self._may_label_unserved = may_label_unserved
        self._lock = threading.Lock()
        self._loaded: dict[str, dict[int, Servable]] = {}
        self._labels: dict[str, Mapping[str, int]] = {}

    def refresh(self) -> None:
        """Load what is new on disk and drop what is gone.

        Raises:
            ValueError: the config cannot be served, for instance a label of a version that is not there.
        """
        if self._config is not None:
            sources = read_config(self._config, self._models)
        else:
            assert self._models is not None
            sources = every_model_in(self._models)
        for name, source in sources.items():
            wanted = _chosen_versions(source)
            have = self._loaded.get(name, {})
            fresh = {version: self._load(name, version, wanted[version]) for version in wanted.keys() - have.keys()}
            kept = {version: have[version] for version in have.keys() & wanted.keys()}
            with self._lock:
                self._loaded[name] = {**kept, **{v: s for v, s in fresh.items() if s is not None}}
            for label, version in source.labels.items():
                if version not in self._loaded[name] and not self._may_label_unserved:
                    raise ValueError(f"label {label!r} of model {name}: version {version} is not served")
            self._labels[name] = source.labels
        with self._lock:
            for name in self._loaded.keys() - sources.keys():
                del self._loaded[name]

    def _load(self, name: str, version: int, path: Path) -> Servable | None:
        log.info("loading %s version %d from %s", name, version, path)
        try:
            servable = Servable(name, version, path, self._parallelism, self._batching)
            servable.warm_up_requests = warm_up(servable, path)
            return servable
        except (tf.errors.OpError, OSError, RuntimeError, ValueError, Refusal) as error:
            # One broken version must not take the others down; TensorFlow Serving, too, serves on without it.
            log.error("%s version %d cannot be loaded: %s", name, version, error)
            return None

    def versions(self, name: str) -> list[int]:
        """Return the served versions of a model, newest first; empty for an unknown model."""
        with self._lock:
            return sorted(self._loaded.get(name, {}), reverse=True)

    def warm_up_requests(self) -> dict[str, int]:
        """Return how many requests each served version was warmed up with, by `name/version`."""
        with self._lock:
            served = [servable for versions in self._loaded.values() for servable in versions.values()]
        return {f"{one.name}/{one.version}": one.warm_up_requests for one in served}

    def names(self) -> list[str]:
        """Return the models that have a served version."""
        with self._lock:
            return sorted(name for name, versions in self._loaded.items() if versions)

    def find(self, name: str, *, version: int | None = None, label: str | None = None) -> Servable:
        """Return one version, the newest unless said otherwise.

        Raises:
            Refusal: NOT_FOUND or INVALID_ARGUMENT in TensorFlow Serving's words.
        """
        if not name:
            raise invalid("ModelSpec has no name specified.")
        if label is not None:
            if label not in self._labels.get(name, {}):
                raise invalid(f"Unrecognized servable version label: {label}")
            version = self._labels[name][label]
        with self._lock:
            loaded = self._loaded.get(name, {})
            if version is None:
                if not loaded:
                    raise not_found(f"Servable not found for request: Latest({name})")
                version = max(loaded)
            if version not in loaded:
                raise not_found(f"Servable not found for request: Specific({name}, {version})")
            return loaded[version]


def _chosen_versions(source: ModelSource) -> dict[int, Path]:
    """Return folder by version, as the policy chooses among those on disk; TensorFlow Serving's default is the latest."""
    try:
        folders = list(source.base.iterdir())
    except (FileNotFoundError, NotADirectoryError):  # not there yet, or being removed at this moment
        return {}
    found = {
        int(folder.name): folder
        for folder in folders
        if folder.name.isascii() and folder.name.isdigit() and (folder / "saved_model.pb").is_file()
    }
    choice = source.policy.WhichOneof("policy_choice")
    if choice == "all":
        return found
    if choice == "specific":
        return {version: found[version] for version in source.policy.specific.versions if version in found}
    newest_first = sorted(found, reverse=True)
    return {version: found[version] for version in newest_first[: source.policy.latest.num_versions or 1]}
