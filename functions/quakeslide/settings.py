"""Settings: one frozen dataclass per function; `from_env` is the only reader of the environment.

Scientific constants (thresholds, windows, bands) are in `domain/` beside their citation, not here.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Self


def setting(env: str, meaning: str, *, default: Any = MISSING) -> Any:
    """Declare a setting read from the environment variable `env`."""
    return field(default=default, metadata={"env": env, "meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Reads its fields from the environment.

    Every deployed function gets these three.
    """

    project: str = setting("PROJECT", "Google Cloud project id")
    state_bucket: str = setting("STATE_BUCKET", "bucket of ledger, watches, outbox, problems and cells")
    dead_letters: str = setting(
        "DEAD_LETTERS", "where malformed messages go: `topic=dead letter topic`, comma separated", default=""
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read all settings.

        Raises:
            ValueError: names every missing or unreadable variable at once.
        """
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for item in fields(cls):
            name = item.metadata["env"]
            if item.default is MISSING and not environ.get(name):
                wrong.append(f"{name} is missing ({item.metadata['meaning']})")
                continue
            if name not in environ:
                continue
            try:
                values[item.name] = _convert(environ[name], item.type)
            except ValueError:
                wrong.append(f"{name}={environ[name]!r} is no {type_name(item.type)} ({item.metadata['meaning']})")
        if wrong:
            raise ValueError("settings: " + "; ".join(wrong))
        return cls(**values)

    def dead_letter_topic(self, topic: str) -> str:
        """Return the dead-letter topic of a topic.

        Raises:
            KeyError: none is configured.
        """
        pairs = dict(pair.split("=", 1) for pair in self.dead_letters.split(",") if "=" in pair)
        return pairs[topic]


def type_name(kind: Any) -> str:
    """Return a field's type in a word."""
    return str(getattr(kind, "__name__", kind))


def _convert(text: str, kind: Any) -> Any:
    """Turn an environment variable into the field's type."""
    if kind is bool:
        if text not in ("true", "false"):
            raise ValueError(text)
        return text == "true"
    return kind(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollSettings(Settings):
    """Settings of `poll_earthquakes`."""

    feed_url: str = setting(
        "FEED_URL",
        "USGS summary feed, one magnitude step below the threshold",
        default="https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/4.5_week.geojson",
    )
    rule: str = setting("RULE", "which earthquakes are taken: default or sensitive", default="default")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings(Settings):
    """Settings of `export_composites`."""

    composites_bucket: str = setting("COMPOSITES_BUCKET", "bucket of manifests and shards")
    results_bucket: str = setting("RESULTS_BUCKET", "bucket of products; the exporter renders `status/` there")
    earth_engine_url: str = setting(
        "EARTH_ENGINE_URL", "Earth Engine's REST endpoint; only loopback over http", default=""
    )
    stages: str = setting("STAGES", "ladder of stages, comma separated", default="60-12,60-24,60-48,60-60")
    shard_px: int = setting("SHARD_PX", "side of an export shard in px, a multiple of 256 up to 2048", default=2048)
    eecu_hours_per_event: float = setting(
        "EECU_HOURS_PER_EVENT",
        "Earth Engine computing that the exports of one event may use; later ones wait",
        default=200.0,
    )
    eecu_hours_per_day: float = setting(
        "EECU_HOURS_PER_DAY", "likewise of all exports started on one day, UTC", default=500.0
    )
    backscatter: str = setting(
        "BACKSCATTER",
        "sigma0, or terrain-flattened gamma0_terrain_volume or gamma0_terrain_surface (Vollrath 2020); published weights expect sigma0",
        default="sigma0",
    )
    mask_buffer_m: int = setting(
        "MASK_BUFFER_M", "pixels within so many metres of layover or shadow count as such, 0 to 500", default=0
    )
    data_notice: str = setting("DATA_NOTICE", "sentence copied into every product, such as SIMULATED ...", default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectSettings(Settings):
    """Settings of `detect_landslides`."""

    composites_bucket: str = setting("COMPOSITES_BUCKET", "bucket of manifests and shards")
    results_bucket: str = setting("RESULTS_BUCKET", "bucket of products")
    models_bucket: str = setting(
        "MODELS_BUCKET", "bucket of model cards, beside the models: {name}/{version}/card.json"
    )
    model_server: str = setting("MODEL_SERVER", "TF Serving's gRPC port: host:port, or https://host on Cloud Run")
    model_label: str = setting(
        "MODEL_LABEL",
        "which version of a model is asked: stable or canary, as in models.config; newest if empty",
        default="",
    )
