"""An image gets the models that its list names, each file by its sha256, or none."""

import hashlib
import http.server
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from serving.fetch_served import LIST, UntrustedModels, fetch, write_list
from tests.contract.storage_service import StorageService, client_of

ROOT = Path(__file__).parents[2]
FILES = {
    "vv_vh_ascending_60_12/1/saved_model.pb": b"graph",
    "vv_vh_ascending_60_12/1/variables/variables.index": b"index",
    "vv_vh_ascending_60_12/1/assets.extra/tf_serving_warmup_requests": b"requests",
    "vv_vh_descending_60_12/12/card.json": b"{}",
}


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / ".done").touch()
    return folder


@pytest.fixture
def address(models):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(models))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("is_address", [False, True], ids=["folder", "address"])
def test_what_the_list_names_is_fetched_and_nothing_else(models, address, tmp_path, is_address):
    sha256 = write_list(models)
    (models / "vv_vh_ascending_60_12/1/later.txt").write_bytes(b"not listed")
    assert fetch(address if is_address else str(models), tmp_path / "out", sha256) == len(FILES)
    assert contents(tmp_path / "out") == FILES


@pytest.mark.parametrize("prefix", ["", "/serving/of a year"], ids=["bucket", "prefix"])
def test_bucket_is_read_through_storages_own_api(models, tmp_path, monkeypatch, prefix):
    sha256 = write_list(models)
    with StorageService(tmp_path / "storage") as service, client_of(service.url) as client:
        bucket = client.create_bucket("models-of-a-test")
        for name in (*FILES, LIST):
            bucket.blob(f"{prefix}/{name}".strip("/")).upload_from_filename(models / name)
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", service.url)
        assert fetch(f"gs://models-of-a-test{prefix}", tmp_path / "out", sha256) == len(FILES)
        assert contents(tmp_path / "out") == FILES
        with pytest.raises(OSError, match="HTTP 404"):
            fetch("gs://models-of-another", tmp_path / "none", sha256)


def test_list_is_what_sha256sum_writes(models):
    assert hashlib.sha256((models / LIST).read_bytes() if write_list(models) else b"").hexdigest() == write_list(models)
    done = subprocess.run(["sha256sum", "--check", "--quiet", LIST], cwd=models, check=False)
    assert done.returncode == 0


def test_changed_file_is_refused_and_nothing_is_left(models, tmp_path):
    sha256 = write_list(models)
    (models / "vv_vh_ascending_60_12/1/saved_model.pb").write_bytes(b"Graph")
    with pytest.raises(UntrustedModels, match=r"saved_model.pb: sha256 is .*, the list says"):
        fetch(str(models), tmp_path / "out", sha256)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models"]


def test_changed_list_is_refused(models, tmp_path):
    write_list(models)
    with pytest.raises(UntrustedModels, match=f"{LIST}: sha256 is .*, wanted is 0000"):
        fetch(str(models), tmp_path / "out", "0" * 64)


def test_list_from_elsewhere_must_be_named_by_its_sha256(address, models, tmp_path):
    write_list(models)
    with pytest.raises(UntrustedModels, match="say the sha256"):
        fetch(address, tmp_path / "out", None)


@pytest.mark.parametrize("name", ["../1/saved_model.pb", "a/1/../../../passwd", "a/saved_model.pb", "/a/1/b"])
def test_list_may_not_leave_the_folder(models, tmp_path, name):
    (models / LIST).write_text(f"{'0' * 64}  {name}\n")
    with pytest.raises(UntrustedModels, match="no model file in the line"):
        fetch(str(models), tmp_path / "out", None)


def test_command_says_what_is_missing(tmp_path):
    command = [sys.executable, "serving/fetch_served.py", "fetch", str(tmp_path), "--to", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert LIST in done.stderr
