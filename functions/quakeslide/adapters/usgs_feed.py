"""The USGS summary feed and what its entries lead to, over HTTP, bounded in time and size."""

import json
import logging
from typing import Any

import requests
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from quakeslide.documents.shakemap import preferred_shakemap, read_grid
from quakeslide.documents.usgs_feed import read_features
from quakeslide.domain.aoi import ShakeGrid
from quakeslide.domain.earthquake import Earthquake
from quakeslide.errors import FeedUnavailable
from quakeslide.telemetry import say

TIMEOUT_S = (5, 20)
MAX_BYTES = 64 << 20  # the largest recorded grid.xml is 7.6 MB, a month's feed of all events about 10 MB


class UsgsFeed:
    """Reads one summary feed and what its entries lead to.

    Args:
        url: of the summary feed.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()

    def recent(self) -> list[Earthquake]:
        """Return the feed's entries that can be read.

        Raises:
            FeedUnavailable: the feed cannot be had or is no GeoJSON feed.
        """
        document = self._json(self._url)
        features = document.get("features")
        if not isinstance(features, list):
            raise FeedUnavailable(f"{self._url}: no list of features; is this a USGS GeoJSON feed?")
        return list(read_features(features))

    def shaking(self, quake: Earthquake) -> ShakeGrid | None:
        """Return the preferred ShakeMap's grid, or None where there is none, it is no real one, or its grid cannot be had.

        Raises:
            FeedUnavailable: the event's detail cannot be had.
        """
        product = preferred_shakemap(self._json(quake.detail_url))
        if product is None:
            return None
        url = product["contents"]["download/grid.xml"]["url"]
        try:
            return read_grid(self._get(url), version=str(product["properties"].get("version", product["updateTime"])))
        except (FeedUnavailable, ValueError) as error:
            say("ShakeMap grid not usable", level=logging.WARNING, event=quake.preferred_id, url=url, reason=str(error))
            return None

    def _json(self, url: str) -> dict[str, Any]:
        try:
            document = json.loads(self._get(url))
        except ValueError as error:
            raise FeedUnavailable(f"{url}: no JSON ({error})") from error
        if not isinstance(document, dict):
            raise FeedUnavailable(f"{url}: no JSON object")
        return document

    @retry(
        retry=retry_if_exception_type(requests.ConnectionError),
        wait=wait_exponential_jitter(initial=0.5, max=5),
        stop=stop_after_attempt(3),
        reraise=True,
    )
    def _fetch(self, url: str) -> bytes:
        with self._session.get(url, timeout=TIMEOUT_S, stream=True) as reply:
            reply.raise_for_status()
            body = bytearray()
            for block in reply.iter_content(1 << 16):
                body += block
                if len(body) > MAX_BYTES:
                    raise FeedUnavailable(f"{url}: more than {MAX_BYTES >> 20} MB")
            return bytes(body)

    def _get(self, url: str) -> bytes:
        try:
            return self._fetch(url)
        except requests.RequestException as error:
            raise FeedUnavailable(f"{url}: {error}") from error
