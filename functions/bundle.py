"""Make a function's zip: main.py, its lock, and only what it imports of the library; the same bytes every time.

Tests, the local stack and Terraform all use these zips. The detector's zip also gets the generated message modules of
tensorflow-serving-api that Predict and GetModelStatus need, copied from the serving environment, because the package itself would
bring all of TensorFlow. They are Apache-2.0 like this project: LICENSE and NOTICE go with every zip.

    python functions/bundle.py zip detect_landslides --site-packages build/envs/serving/lib/python3.11/site-packages --out build/bundles
    python functions/bundle.py messages --site-packages ... --out build/messages
"""

import argparse
import ast
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

FUNCTIONS = Path(__file__).resolve().parent
NEEDS_MESSAGES = {"detect_landslides"}
MESSAGE_ROOTS = ("tensorflow_serving/apis/predict_pb2.py", "tensorflow_serving/apis/get_model_status_pb2.py")
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold; none of our files has a time of its own


def imported_modules(source: Path) -> Iterator[str]:
    """Yield the dotted names a file may import, at its top or inside functions; `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"), str(source))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def closure(start: list[Path], root: Path, ending: str = ".py") -> set[Path]:
    """Return the files below `root` with that ending that `start` imports, directly or not, with the packages they lie in."""
    found: set[Path] = set()
    waiting = list(start)
    while waiting:
        for name in imported_modules(waiting.pop()):
            parts = name.split(".")
            for depth in range(1, len(parts) + 1):
                place = root.joinpath(*parts[:depth])
                file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
                if file.name.endswith(ending) and file.is_file() and file not in found:
                    found.add(file)
                    waiting.append(file)
    return found


def library_files(function: str) -> dict[str, Path]:
    """Return what the function imports of the library by name in the zip, with data files named after their module."""
    files: dict[str, Path] = {}
    for module in closure([FUNCTIONS / function / "main.py"], FUNCTIONS):
        if module.is_relative_to(FUNCTIONS / "quakeslide"):
            beside = [p for p in module.parent.iterdir() if p.suffix != ".py" and p.name.split(".")[0] == module.stem]
            for path in (module, *(p for p in beside if p.is_file())):
                files[path.relative_to(FUNCTIONS).as_posix()] = path
    return files


def message_files(site_packages: Path) -> dict[str, Path]:
    """Return the generated message modules by name; the packages around them become namespaces, without any `__init__.py`.

    Raises:
        FileNotFoundError: tensorflow-serving-api is not installed there.
    """
    roots = [site_packages / name for name in MESSAGE_ROOTS]
    missing = [str(root) for root in roots if not root.is_file()]
    if missing:
        raise FileNotFoundError(f"no {missing[0]}: make the serving environment first (make envs)")
    files = {*roots, *closure(roots, site_packages, "_pb2.py")}
    ours = {path for path in files if path.relative_to(site_packages).parts[0].startswith("tensorflow")}
    return {path.relative_to(site_packages).as_posix(): path for path in ours}


def contents(function: str, site_packages: Path | None) -> dict[str, Path]:
    """Return every file of a function's zip by name in the zip.

    Raises:
        FileNotFoundError: there is no such function, or a part of it is missing.
    """
    folder = FUNCTIONS / function
    files = {name: folder / name for name in ("main.py", "requirements.txt")} | library_files(function)
    files |= {name: FUNCTIONS.parent / name for name in ("LICENSE", "NOTICE")}
    if function in NEEDS_MESSAGES:
        if site_packages is None:
            raise FileNotFoundError(f"{function} needs --site-packages of the serving environment")
        files |= message_files(site_packages)
    return files


def write_zip(files: dict[str, Path], to: Path) -> None:
    """Write the zip with sorted names and fixed times and modes, so that its hash says whether anything changed."""
    to.parent.mkdir(parents=True, exist_ok=True)
    draft = to.with_suffix(".draft")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            bundle.writestr(info, files[name].read_bytes())
    draft.replace(to)


def main(arguments: list[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    of_zip = commands.add_parser("zip", help="write FUNCTION.zip into --out")
    of_zip.add_argument("function")
    of_messages = commands.add_parser("messages", help="copy the message modules into --out")
    for command in (of_zip, of_messages):
        command.add_argument("--site-packages", type=Path, help="of the serving environment")
        command.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        if given.command == "zip":
            write_zip(contents(given.function, given.site_packages), given.out / f"{given.function}.zip")
        else:
            for name, path in message_files(given.site_packages).items():
                target = given.out / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
    except FileNotFoundError as error:
        parser.exit(1, f"bundle: {error}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
