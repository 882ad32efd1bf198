"""Cloud Function `poll_earthquakes`: reads the USGS feed once a minute and publishes what qualifies."""

import os
from functools import cache, partial

import flask
import functions_framework

from quakeslide.adapters import gcs_store, pubsub_bus, usgs_feed
from quakeslide.domain.rule import rule_named
from quakeslide.json_values import instant
from quakeslide.settings import PollSettings
from quakeslide.telemetry import configure_logging
from quakeslide.usecases.announce_earthquakes import announce_earthquakes


@cache
def wiring() -> partial[dict[str, int]]:
    """Make the clients, once per instance."""
    configure_logging()
    s = PollSettings.from_env(os.environ)
    outside = {"state": gcs_store.GcsStore(s.state_bucket), "bus": pubsub_bus.PubsubBus(s.project)}
    return partial(announce_earthquakes, usgs_feed.UsgsFeed(s.feed_url), rule=rule_named(s.rule), **outside)


@functions_framework.http
def poll_earthquakes(request: flask.Request) -> dict[str, int]:
    """Run one poll at the schedule's own time; after an error the next minute tries again."""
    now = instant(request.headers["X-CloudScheduler-ScheduleTime"])
    return wiring()(now=now)
