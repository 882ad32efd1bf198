"""Published weights are kept only if they are the known files."""

import hashlib
import http.server
import json
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from serving.fetch_models import KNOWN, PublishedWeights, UnknownWeights, fetch, main

CONTENT = b"not really HDF5"
OURS = {hashlib.sha256(CONTENT).hexdigest(): PublishedWeights(name="vv_vh_ascending_60_12", filters=32, size=15)}


@pytest.fixture
def address(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a.hdf5").write_bytes(CONTENT)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path / "site"))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_known_file_is_kept_with_its_network(address, tmp_path):
    folder = fetch(f"{address}/a.hdf5", tmp_path / "published", OURS)
    assert folder == tmp_path / "published" / "vv_vh_ascending_60_12"
    assert (folder / "weights.hdf5").read_bytes() == CONTENT
    origin = json.loads((folder / "origin.json").read_text())
    assert (origin["variant"], origin["filters"], origin["sha256"]) == ("published", 32, next(iter(OURS)))


@pytest.mark.parametrize("from_file", [True, False])
def test_unknown_file_is_refused_and_nothing_is_written(address, tmp_path, from_file):
    source = str(tmp_path / "site" / "a.hdf5") if from_file else f"{address}/a.hdf5"
    with pytest.raises(UnknownWeights, match=next(iter(OURS))):
        fetch(source, tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_command_says_what_is_wrong(address, tmp_path):
    for source, word in (
        (f"{address}/none.hdf5", "404"),
        (str(tmp_path / "none"), "none"),
        (f"{address}/a.hdf5", "sha256"),
    ):
        result = CliRunner().invoke(main, ["--from", source, "--to", str(tmp_path / "published")])
        assert result.exit_code == 1
        assert word in result.output


def test_known_files_have_the_size_of_their_networks():
    """Weights only: four bytes a parameter and a little HDF5 around them."""
    parameters = {32: 1_593_441, 64: 6_369_473}
    assert sorted(weights.filters for weights in KNOWN.values()) == [32, 64]
    for weights in KNOWN.values():
        assert 0 < weights.size - 4 * parameters[weights.filters] < 40_000


def test_no_weights_are_in_version_control():
    root = Path(__file__).parents[2]
    assert not [path for path in (root / "serving").rglob("*") if path.suffix in {".hdf5", ".h5"}]
