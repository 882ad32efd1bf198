"""Cloud Function: reads the USGS feed once a minute and publishes what qualifies."""

import os
from functools import cache

import flask
import functions_framework

from quakeslide.adapters.gcs_store import GcsStore
from quakeslide.adapters.pubsub_bus import PubsubBus
from quakeslide.adapters.usgs_feed import UsgsFeed
from quakeslide.messages import instant
from quakeslide.settings import PollSettings
from quakeslide.telemetry import configure_logging
from quakeslide.usecases.announce_earthquakes import announce_earthquakes

configure_logging()


@cache
def wiring() -> tuple[UsgsFeed, GcsStore, PubsubBus]:
    """Connect once per instance."""
    settings = PollSettings.from_env(os.environ)
    return UsgsFeed(settings.feed_url), GcsStore(settings.state_bucket), PubsubBus(settings.project)


@functions_framework.http
def poll_earthquakes(request: flask.Request) -> dict[str, int]:
    """Run one poll at the schedule's own time; after an error the next minute tries again."""
    feed, state, bus = wiring()
    now = instant(request.headers["X-CloudScheduler-ScheduleTime"])
    return announce_earthquakes(feed, state=state, bus=bus, now=now)
