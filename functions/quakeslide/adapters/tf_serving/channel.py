"""The connection to a model server: in the clear on loopback, with TLS and an identity token to Cloud Run."""

import google.auth.exceptions
import grpc
from google.auth.credentials import Credentials
from google.auth.transport.grpc import secure_authorized_channel
from google.auth.transport.requests import Request
from google.oauth2 import id_token

from quakeslide.errors import ModelUnavailable

MAX_MESSAGE = 64 << 20  # bytes; gRPC's own limit of 4 MB is less than a tile of 1024 px


def open_channel(address: str, identity: Credentials | None, trusted: bytes | None) -> grpc.Channel:
    """Open a connection; arguments as in `TfServing`.

    Raises:
        ModelUnavailable: an https address, and this process has no account.
    """
    options = [("grpc.max_send_message_length", MAX_MESSAGE), ("grpc.max_receive_message_length", MAX_MESSAGE)]
    if not address.startswith("https://"):
        return grpc.insecure_channel(address, options=options)
    request = Request()
    if identity is None:
        try:
            identity = id_token.fetch_id_token_credentials(address, request=request)  # type: ignore[no-untyped-call]
        except google.auth.exceptions.GoogleAuthError as error:
            raise ModelUnavailable(
                f"{address} wants an identity token, and there is no account here: {error}"
            ) from error
    host = address.removeprefix("https://").rstrip("/")
    target = host if ":" in host else f"{host}:443"
    return secure_authorized_channel(  # type: ignore[no-untyped-call]
        identity, request, target, ssl_credentials=grpc.ssl_channel_credentials(trusted), options=options
    )
