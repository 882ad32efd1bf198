"""Cloud Function `detect_landslides`: shards of a composite in, map of landslides out."""

import os
from functools import cache, partial

import functions_framework

from quakeslide import settings, telemetry
from quakeslide.adapters import gcs_store, geotiff, model_cards, pubsub_bus, renderer, tf_serving
from quakeslide.usecases import delivery, render_status, rescan, run


@cache
def _wiring() -> partial[None]:  # once per instance; importing this module does nothing
    telemetry.configure_logging()
    s = settings.DetectSettings.from_env(os.environ)
    names = (s.composites_bucket, s.state_bucket, s.results_bucket, s.models_bucket)
    composites, state, results, models = (gcs_store.GcsStore(name) for name in names)
    server, cards = tf_serving.TfServing(s.model_server, label=s.model_label), model_cards.StoredModelCards(models)
    pixels, bus, pens = geotiff.ShardPixels(composites), pubsub_bus.PubsubBus(s.project), renderer.ProductRenderer()
    judges = run.Detector(composites, state, results, bus, server, cards, pixels, pens)
    show = partial(render_status.render_status, state=state, composites=composites, results=results)
    outside = {"state": state, "bus": bus, "dead_letter_topic": s.dead_letter_topic, "on_problem": show}
    return partial(delivery.deliver, handle=partial(rescan.detect, detector=judges), **outside)


@functions_framework.cloud_event
def detect_landslides(cloud_event: delivery.CloudEventLike) -> None:
    """Handle one delivery."""
    _wiring()(cloud_event)
