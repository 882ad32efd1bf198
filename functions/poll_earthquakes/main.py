"""Cloud Function: reads the USGS feed once a minute and publishes what qualifies."""

import os
from functools import cache

import flask
import functions_framework

from quakeslide.adapters.gcs_store import GcsStore
from quakeslide.adapters.pubsub_bus import PubsubBus
from quakeslide.adapters.usgs_feed import UsgsFeed
from quakeslide.domain.rule import Rule, rule_named
from quakeslide.messages import instant
from quakeslide.settings import PollSettings
from quakeslide.telemetry import configure_logging
from quakeslide.usecases.announce_earthquakes import announce_earthquakes

configure_logging()


@cache
def wiring() -> tuple[UsgsFeed, GcsStore, PubsubBus, Rule]:
    """Connect once per instance."""
    settings = PollSettings.from_env(os.environ)
    rule = rule_named(settings.rule)
    return UsgsFeed(settings.feed_url), GcsStore(settings.state_bucket), PubsubBus(settings.project), rule


@functions_framework.http
def poll_earthquakes(request: flask.Request) -> dict[str, int]:
    """Run one poll at the schedule's own time; after an error the next minute tries again."""
    feed, state, bus, rule = wiring()
    now = instant(request.headers["X-CloudScheduler-ScheduleTime"])
    return announce_earthquakes(feed, state=state, bus=bus, now=now, rule=rule)
