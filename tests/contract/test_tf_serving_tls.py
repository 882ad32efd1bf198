"""The model server as Cloud Run offers it: TLS, and no answer without an identity token in every call."""

import datetime
import ipaddress
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import google.auth.exceptions
import google.oauth2.credentials
import google.oauth2.id_token
import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from quakeslide.adapters.tf_serving import MODEL_STATUS, TfServing
from quakeslide.errors import ModelUnavailable
from tests.contract.model_server_service import TEN_MODULES, copy_modules

TOKEN = "the-token-of-detect-landslides"


@pytest.fixture(scope="module", autouse=True)
def message_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("messages")
    copy_modules(folder, TEN_MODULES)
    sys.path.append(str(folder))
    yield
    sys.path.remove(str(folder))


def certificate() -> tuple[bytes, bytes]:
    """Return key and certificate of 127.0.0.1 for a day, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(pem, form, plain), made.public_bytes(pem)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, bytes]]:
    """A server that answers GetModelStatus to the bearer of the token; yields its address and certificate."""
    from tensorflow_serving.apis import get_model_status_pb2

    def status(request: bytes, context: grpc.ServicerContext) -> bytes:
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {TOKEN}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no identity token")
        reply = get_model_status_pb2.GetModelStatusResponse()
        reply.model_version_status.add(version=3, state=30)
        answer: bytes = reply.SerializeToString()
        return answer

    class Handlers(grpc.GenericRpcHandler):
        def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
            return grpc.unary_unary_rpc_method_handler(status) if call.method == MODEL_STATUS else None

    key, trusted = certificate()
    with ThreadPoolExecutor(2) as pool:
        made = grpc.server(pool, handlers=[Handlers()])
        port = made.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, trusted)]))
        made.start()
        yield f"https://127.0.0.1:{port}", trusted
        made.stop(None).wait()


def test_every_call_carries_the_identity_token(server: tuple[str, bytes]) -> None:
    address, trusted = server
    model = TfServing(address, attempts=1, identity=google.oauth2.credentials.Credentials(TOKEN), trusted=trusted)
    assert model.served_version("first") == 3
    model.close()


def test_another_token_is_not_enough(server: tuple[str, bytes]) -> None:
    address, trusted = server
    model = TfServing(address, attempts=1, identity=google.oauth2.credentials.Credentials("other"), trusted=trusted)
    with pytest.raises(ModelUnavailable, match="UNAUTHENTICATED"):
        model.served_version("first")
    model.close()


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(server: tuple[str, bytes]) -> None:
    model = TfServing(server[0], attempts=1, identity=google.oauth2.credentials.Credentials(TOKEN))
    with pytest.raises(ModelUnavailable, match="UNAVAILABLE"):
        model.served_version("first")
    model.close()


def test_without_an_account_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))  # type: ignore[operator]
    with pytest.raises(ModelUnavailable, match="there is no account here"):
        TfServing("https://model-server.example")
