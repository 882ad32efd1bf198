"""Google Cloud's REST APIs for the operator's commands, with every refusal said in words that tell what to do."""

from collections.abc import Callable
from typing import Any

import google.auth
import google.auth.exceptions
import requests
from google.auth.transport.requests import AuthorizedSession

SCOPES = ("https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/earthengine")
TIMEOUT_S = 30


class Refusal(Exception):
    """Something is missing or wrong in the project; the text says what, and how to mend it."""


class ApiError(Exception):
    """An answer other than 2xx.

    Attributes:
        status: of HTTP.
        message: Google's own words.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP {status}: {message}")
        self.status = status
        self.message = message


class GoogleApi:
    """Calls APIs as whoever runs the command.

    Args:
        session: answers `request(method, url, json=, timeout=)`; made from the machine's own credentials where None.
        address: turns the name of an API into its base address; tests answer on loopback.
    """

    def __init__(
        self,
        project: str,
        session: requests.Session | None = None,
        address: Callable[[str], str] = "https://{}.googleapis.com".format,
    ) -> None:
        self._session = session or credentials_session(project)
        self._address = address

    def get(self, api: str, path: str, **query: Any) -> dict[str, Any]:
        """Return the JSON answer to a GET.

        Raises:
            ApiError: any answer but 2xx.
            Refusal: no answer.
        """
        url = f"{self._address(api)}/{path}"
        try:
            reply = self._session.request("GET", url, params=query or None, timeout=TIMEOUT_S)
        except google.auth.exceptions.RefreshError as error:
            raise Refusal(
                f"Your credentials have expired ({error}). Run: gcloud auth application-default login"
            ) from error
        except requests.RequestException as error:
            raise Refusal(f"{url} does not answer: {error}. Check this machine's network and proxy.") from error
        if not reply.ok:
            raise ApiError(reply.status_code, _message(reply))
        body: dict[str, Any] = reply.json()
        return body


def credentials_session(project: str) -> requests.Session:
    """Return a session with the machine's own credentials.

    Raises:
        Refusal: there are none.
    """
    try:
        credentials, _ = google.auth.default(scopes=SCOPES, quota_project_id=project)
    except google.auth.exceptions.DefaultCredentialsError as error:
        raise Refusal(
            "No Google credentials on this machine. Run: gcloud auth application-default login "
            "(in CI: use workload identity federation, see infra/README.md)"
        ) from error
    session: requests.Session = AuthorizedSession(credentials)
    return session


def _message(reply: requests.Response) -> str:
    """Return Google's own words in an error, or the start of whatever came."""
    try:
        return str(reply.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return reply.text[:200]
