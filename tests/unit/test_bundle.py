"""bundle.py is a script beside the library, run by the Makefile; here it is loaded from its file."""

import importlib.util
import os
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
FUNCTIONS = ("poll_earthquakes", "export_composites", "detect_landslides")
MESSAGES = (
    "tensorflow/core/framework/tensor_pb2.py",
    "tensorflow_serving/apis/get_model_status_pb2.py",
    "tensorflow_serving/apis/model_pb2.py",
    "tensorflow_serving/apis/predict_pb2.py",
)


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bundle", ROOT / "functions" / "bundle.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bundle = load()


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    """What pip installs of tensorflow-serving-api, as far as the bundle looks at it."""
    texts = {
        "tensorflow/__init__.py": "raise ImportError('all of TensorFlow')",
        "tensorflow_serving/__init__.py": "",
        "tensorflow_serving/apis/__init__.py": "from tensorflow_serving.apis import predict_pb2_grpc",
        MESSAGES[0]: "from google.protobuf import descriptor as _descriptor",
        MESSAGES[1]: "from tensorflow_serving.apis import model_pb2 as _model",
        MESSAGES[2]: "from google.protobuf import wrappers_pb2 as _wrappers",
        MESSAGES[
            3
        ]: "from tensorflow.core.framework import tensor_pb2 as _t\nfrom tensorflow_serving.apis import model_pb2 as _m",
        "tensorflow_serving/apis/predict_pb2_grpc.py": "import tensorflow",
        "tensorflow_serving/apis/classification_pb2.py": "",
        "google/protobuf/descriptor.py": "",
        "google/protobuf/wrappers_pb2.py": "",
    }
    for name, text in texts.items():
        file = tmp_path / "site-packages" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "site-packages"


def names(function: str, site_packages: Path) -> set[str]:
    return set(bundle.contents(function, site_packages))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_zip_is_the_same_bytes_every_time(function: str, site_packages: Path, tmp_path: Path):
    first, second = tmp_path / "first.zip", tmp_path / "later" / "second.zip"
    bundle.write_zip(bundle.contents(function, site_packages), first)
    for file in site_packages.rglob("*.py"):
        os.utime(file, (0, 0))
        file.chmod(0o600)
    bundle.write_zip(dict(reversed(bundle.contents(function, site_packages).items())), second)
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as made:
        assert made.testzip() is None
        listed = made.namelist()
    assert listed == sorted(listed)
    assert len(set(listed)) == len(listed)
    assert not list(tmp_path.rglob("*.draft"))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_zip_holds_main_lock_licence_and_everything_imported(function: str, site_packages: Path):
    files = bundle.contents(function, site_packages)
    assert {"main.py", "requirements.txt", "LICENSE", "NOTICE", "quakeslide/__init__.py"} <= set(files)
    for name, path in files.items():
        if not name.endswith(".py"):
            continue
        for imported in bundle.imported_modules(path):
            place = ROOT / "functions" / Path(*imported.split("."))
            for found in (place.with_suffix(".py"), place / "__init__.py"):
                if found.is_file():
                    assert found.relative_to(ROOT / "functions").as_posix() in files, f"{name} imports {imported}"


def test_zips_hold_only_what_their_function_imports(site_packages: Path):
    poll, export, detect = (names(function, site_packages) for function in FUNCTIONS)
    adapters = "quakeslide/adapters/"
    assert f"{adapters}usgs_feed.py" in poll - export - detect
    assert f"{adapters}earth_engine/expression.py" in export - poll - detect
    assert f"{adapters}tf_serving/client.py" in detect - poll - export
    assert {f"{adapters}gcs_store.py", f"{adapters}pubsub_bus.py"} <= poll & export & detect
    for files in (poll, export, detect):
        assert not any(name.startswith("quakeslide/cli") or "test" in name or "__pycache__" in name for name in files)


def test_data_files_travel_with_their_module(site_packages: Path):
    detect = names("detect_landslides", site_packages)
    assert {f"quakeslide/adapters/renderer/map_page.{end}" for end in ("py", "js", "css", "html.j2")} <= detect


def test_only_the_messages_needed_travel_without_tensorflow(site_packages: Path):
    found = {name for name in names("detect_landslides", site_packages) if name.startswith("tensorflow")}
    assert found == set(MESSAGES)
    for function in FUNCTIONS[:2]:
        assert not any(name.startswith("tensorflow") for name in names(function, site_packages))


def test_missing_serving_environment_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(FileNotFoundError, match="needs --site-packages of the serving environment"):
        bundle.contents("detect_landslides", None)
    arguments = ["zip", "detect_landslides", "--site-packages", str(tmp_path), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as ended:
        bundle.main(arguments)
    assert ended.value.code == 1
    assert "make the serving environment first" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_function_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        bundle.main(["zip", "make_coffee", "--out", str(tmp_path)])
    assert ended.value.code == 1
    assert "make_coffee" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_commands_write_zip_and_messages(site_packages: Path, tmp_path: Path):
    common = ["--site-packages", str(site_packages), "--out"]
    assert bundle.main(["zip", "poll_earthquakes", *common, str(tmp_path / "zips")]) == 0
    assert zipfile.is_zipfile(tmp_path / "zips" / "poll_earthquakes.zip")
    assert bundle.main(["messages", *common, str(tmp_path / "messages")]) == 0
    written = {
        p.relative_to(tmp_path / "messages").as_posix() for p in (tmp_path / "messages").rglob("*") if p.is_file()
    }
    assert written == set(MESSAGES)


def test_imports_inside_functions_count(tmp_path: Path):
    source = tmp_path / "a.py"
    source.write_text("import x.y\nfrom p import q as r\n\ndef f():\n    from deep.down import thing\n")
    assert list(bundle.imported_modules(source)) == ["x.y", "p", "p.q", "deep.down", "deep.down.thing"]
