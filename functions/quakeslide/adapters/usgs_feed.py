"""The USGS summary feed, the FDSN event service behind it and what their entries lead to: over HTTP, bounded in time and size."""

import json
import logging
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urljoin

import requests
from tenacity import (
    RetryCallState,
    retry,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential_jitter,
)

from quakeslide.documents.products import landslide_alert
from quakeslide.documents.shakemap import preferred_shakemap, read_shaking, shaking_urls, version_of
from quakeslide.documents.usgs_feed import read_feature, read_features
from quakeslide.domain.aoi import Detail, ShakeGrid
from quakeslide.domain.earthquake import Deleted, Earthquake
from quakeslide.errors import FeedUnavailable
from quakeslide.telemetry import say

TIMEOUT_S = (5, 20)
BODY_S = 40.0  # for a whole body: a server that drips must not hold the poll
MAX_BYTES = 128 << 20  # 100 000 features are about 80 MB; the largest recorded grid.xml is 7.6 MB
PAGE = 10_000  # the service refuses more than 20 000 with HTTP 400
MAX_PAGES = 50
SPANS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
AGAIN = frozenset({429, 500, 502, 503, 504})


def _may_help(error: BaseException) -> bool:
    """Say whether trying again may help: no answer, too many requests, or the server's own trouble."""
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in AGAIN
    return isinstance(error, requests.ConnectionError | requests.Timeout)


def _told(call: RetryCallState) -> None:
    say("trying again", attempt=call.attempt_number, reason=str(call.outcome.exception())[:200] if call.outcome else "")


class UsgsFeed:
    """Reads one summary feed and what its entries lead to.

    Args:
        url: of the summary feed; details and the event service are on the same host.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._marks: dict[str, str] = {}  # of the last full answer, for conditional requests
        self._last: list[Earthquake | Deleted] = []
        words = url.rpartition("_")[2].partition(".")[0]
        self.span = SPANS.get(words, SPANS["day"])

    def recent(self) -> list[Earthquake | Deleted]:
        """Return the feed's entries that can be read; those of the last time where the server says nothing changed.

        Raises:
            FeedUnavailable: the feed cannot be had or is no GeoJSON feed.
        """
        reply, body = self._get(self._url, self._marks)
        if reply.status_code == 304:
            return self._last
        self._last = list(read_features(_features(body, self._url)))
        kept = {"If-None-Match": reply.headers.get("ETag"), "If-Modified-Since": reply.headers.get("Last-Modified")}
        self._marks = {name: value for name, value in kept.items() if value}
        return self._last

    def updated_since(
        self, since: datetime, *, origin_after: datetime, least_magnitude: float
    ) -> list[Earthquake | Deleted]:
        """Return every entry changed since an instant, deleted ones too, page by page.

        Raises:
            FeedUnavailable: the event service cannot be had, or there are more pages than can be.
        """
        found: list[Earthquake | Deleted] = []
        for page in range(MAX_PAGES):
            query = {
                "format": "geojson",
                "starttime": f"{origin_after:%Y-%m-%dT%H:%M:%S}",
                "updatedafter": f"{since:%Y-%m-%dT%H:%M:%S}",
                "minmagnitude": f"{least_magnitude:g}",
                "includedeleted": "true",
                "orderby": "time-asc",
                "limit": PAGE,
                "offset": 1 + page * PAGE,
            }
            url = f"{urljoin(self._url, '/fdsnws/event/1/query')}?{urlencode(query)}"
            reply, body = self._get(url)
            features = [] if reply.status_code == 204 else _features(body, url)
            found += read_features(features)
            if len(features) < PAGE:
                return found
        raise FeedUnavailable(f"more than {MAX_PAGES * PAGE} entries changed since {since.isoformat()}")

    def look(self, event_id: str) -> Earthquake | Deleted | None:
        """Return one entry as it stands now; None where the server knows none of that id.

        Raises:
            FeedUnavailable: the detail cannot be had or cannot be read.
        """
        url = urljoin(self._url, f"/earthquakes/feed/v1.0/detail/{event_id}.geojson")
        try:
            reply, body = self._get(url)
        except FeedUnavailable as error:
            status = getattr(getattr(error.__cause__, "response", None), "status_code", None)
            if status == 409:
                return Deleted(ids=frozenset({event_id}))
            if status in (204, 404):
                return None
            raise
        if reply.status_code == 204:
            return None
        feature = _object(body, url)
        try:
            return read_feature({**feature, "properties": {"detail": url, **feature["properties"]}})
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
            raise FeedUnavailable(f"{url}: no readable entry ({type(error).__name__}: {error})") from error

    def detail(self, quake: Earthquake) -> Detail:
        """Return what the preferred ShakeMap and ground-failure products say.

        Raises:
            FeedUnavailable: the detail or the grid cannot be had now; asking again may help.
        """
        detail = _object(self._get(quake.detail_url)[1], quake.detail_url)
        product = preferred_shakemap(detail)
        shaking = self._shaking(product, quake) if product else None
        return Detail(shaking=shaking, landslide_alert=landslide_alert(detail))

    def _shaking(self, product: dict[str, Any], quake: Earthquake) -> ShakeGrid | None:
        for content, url in shaking_urls(product).items():
            try:
                return read_shaking(content, self._get(url)[1], version=version_of(product))
            except ValueError as error:
                reason = str(error)
            except FeedUnavailable as error:
                status = getattr(getattr(error.__cause__, "response", None), "status_code", None)
                if status not in (403, 404, 410):
                    raise
                reason = str(error)
            say("ShakeMap not usable", level=logging.WARNING, event=quake.preferred_id, url=url, reason=reason[:300])
        return None

    @retry(
        retry=retry_if_exception(_may_help),
        wait=wait_exponential_jitter(multiplier=0.5, max=5),
        stop=stop_after_attempt(3) | stop_after_delay(45),
        before_sleep=_told,
        reraise=True,
    )
    def _fetch(self, url: str, headers: Mapping[str, str]) -> tuple[requests.Response, bytes]:
        end = time.monotonic() + BODY_S
        with self._session.get(url, timeout=TIMEOUT_S, stream=True, headers=headers) as reply:
            reply.raise_for_status()
            body = bytearray()
            for block in reply.iter_content(1 << 16):
                body += block
                if len(body) > MAX_BYTES:
                    raise FeedUnavailable(f"{url}: more than {MAX_BYTES >> 20} MB")
                if time.monotonic() > end:
                    raise FeedUnavailable(f"{url}: not whole within {BODY_S:g} s")
            return reply, bytes(body)

    def _get(self, url: str, headers: Mapping[str, str] | None = None) -> tuple[requests.Response, bytes]:
        try:
            return self._fetch(url, headers or {})
        except requests.RequestException as error:
            raise FeedUnavailable(f"{url}: {error}") from error


def _object(body: bytes, url: str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FeedUnavailable(f"{url}: no JSON ({error})") from error
    if not isinstance(document, dict):
        raise FeedUnavailable(f"{url}: no JSON object")
    return document


def _features(body: bytes, url: str) -> list[Any]:
    features = _object(body, url).get("features")
    if not isinstance(features, list):
        raise FeedUnavailable(f"{url}: no list of features; is this a USGS GeoJSON feed?")
    return features
