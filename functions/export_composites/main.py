"""Cloud Function `export_composites`: watches an earthquake's area and has Earth Engine export composites of it."""

import os
from functools import cache

import functions_framework
from cloudevents.http import CloudEvent

from quakeslide.adapters.earth_engine import EarthEngineExporter, EarthEngineScenes, connect
from quakeslide.adapters.gcs_store import GcsStore
from quakeslide.adapters.pubsub_bus import PubsubBus
from quakeslide.settings import ExportSettings
from quakeslide.telemetry import configure_logging
from quakeslide.usecases.export_message import Exporting, deliver_export_message


@cache
def wiring() -> tuple[ExportSettings, Exporting]:
    """Made once per instance; importing this module does no I/O."""
    configure_logging()
    connect((s := ExportSettings.from_env(os.environ)).project, s.earth_engine_url)
    stores = [GcsStore(bucket) for bucket in (s.state_bucket, s.composites_bucket, s.results_bucket)]
    engine = {"archive": EarthEngineScenes(), "exporter": EarthEngineExporter(s.composites_bucket)}
    return s, Exporting.of(s, *stores, bus=PubsubBus(s.project), **engine)


@functions_framework.cloud_event
def export_composites(cloud_event: CloudEvent) -> None:
    """Handle one delivery of topic `earthquakes` or `watches`."""
    deliver_export_message(cloud_event, *wiring())
