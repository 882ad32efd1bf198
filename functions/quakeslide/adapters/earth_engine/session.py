"""Connecting to Earth Engine, and what its client's errors mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import ee
import ee.deprecation
import google.auth
import google.auth.exceptions
import requests
from google.auth.credentials import AnonymousCredentials

from quakeslide.errors import EarthEngineUnavailable, ExportFailed, ExportQueueFull, QuakeslideError

SCOPES = ("https://www.googleapis.com/auth/earthengine", "https://www.googleapis.com/auth/cloud-platform")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
DEADLINE_MS = 120_000  # of one request; a function has five minutes
RETRIES = 2  # the client's own, of 429 and 5xx, with growing pauses; beyond that the message is redelivered
NOT_FETCHED = "(not fetched)"
QUEUE_FULL = "Too many tasks"


def connect(project: str, url: str = "") -> None:
    """Initialize the client for this process.

    Args:
        project: Google Cloud project that Earth Engine bills and counts.
        url: of a local service; the real one where empty.

    Raises:
        ValueError: the url is not plain http on loopback. The client sends its bearer token to whatever it is told, unencrypted too.
        EarthEngineUnavailable: no credentials, or Earth Engine did not answer.
    """
    # the client would fetch a catalogue of deprecated assets from a fixed address without a timeout, only to warn of them
    ee.deprecation.deprecated_assets = {NOT_FETCHED: ee.deprecation.DeprecatedAsset(NOT_FETCHED, None, None, None)}
    ee.data.setMaxRetries(RETRIES)
    with translated("connecting", refusal=EarthEngineUnavailable):
        if url:
            parts = urlsplit(url)
            if parts.scheme != "http" or parts.hostname not in LOOPBACK:
                raise ValueError(f"EARTH_ENGINE_URL={url!r}: only http on loopback is allowed")
            nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
            ee.Initialize(nobody, url=url.rstrip("/"), project=project)
        else:
            credentials, _ = google.auth.default(scopes=SCOPES)
            ee.Initialize(credentials, project=project)
        ee.data.setDeadline(DEADLINE_MS)


def status_of(error: ee.EEException) -> int | None:
    """Return the HTTP status behind a client error: the client keeps only the text, but raises it while handling the reply's error."""
    response = getattr(error.__context__, "resp", None)
    status = getattr(response, "status", None)
    return int(status) if status is not None else None


@contextmanager
def translated(what: str, *, refusal: type[QuakeslideError] = ExportFailed) -> Iterator[None]:
    """Turn every error of the client into one of ours.

    | HTTP status, text        | becomes                |
    |--------------------------|------------------------|
    | "Too many tasks"         | ExportQueueFull        |
    | 429, on an export        | ExportQueueFull        |
    | 408, 429, 5xx, 401, 403  | EarthEngineUnavailable |
    | other 4xx, none          | `refusal`              |
    | no connection, timeout   | EarthEngineUnavailable |

    Args:
        what: was attempted, for the text.
        refusal: what a request that Earth Engine will never accept becomes.
    """
    try:
        yield
    except ee.EEException as error:
        status = status_of(error)
        text = f"Earth Engine, {what}: {error}"
        if QUEUE_FULL in str(error) or (status == 429 and refusal is ExportFailed):
            raise ExportQueueFull(text) from error
        if status is not None and (status in (401, 403, 408, 429) or status >= 500):
            raise EarthEngineUnavailable(text) from error
        raise refusal(text) from error
    except (google.auth.exceptions.GoogleAuthError, requests.RequestException, OSError) as error:
        raise EarthEngineUnavailable(f"Earth Engine, {what}: {error}") from error
