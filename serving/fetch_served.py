"""Brings the models that an image serves, and only those: every file by its sha256, from a folder, an address or a bucket.

`SHA256SUMS` beside the models names every file and its sha256 (as `sha256sum` writes it). Who builds the image names the sha256 of that
list; so nothing comes in that was not there when the list was made. Standard library only: it runs in the image's first stage.
"""

import argparse
import hashlib
import os
import re
import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path, PurePosixPath

LIST = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64})  (.+)")
SERVED = re.compile(r"[a-z0-9_]+/[0-9]+/.+")  # NAME/VERSION/...
BUCKETS = "https://storage.googleapis.com"
EMULATOR = "STORAGE_EMULATOR_HOST"  # as Google's own clients name it
TOKEN = "GOOGLE_ACCESS_TOKEN"
TIMEOUT_S = 120


class UntrustedModels(ValueError):
    """A file is missing or is not the one that the list names; nothing is served from it."""


def write_list(models: Path) -> str:
    """Write `SHA256SUMS` for all model files below a folder; return the sha256 of the list."""
    files = sorted(path for path in models.glob("*/*/**/*") if path.is_file())
    lines = [f"{_sha256(path.read_bytes())}  {path.relative_to(models).as_posix()}\n" for path in files]
    lines = [line for line in lines if SERVED.fullmatch(LINE.match(line)[2])]  # type: ignore[index]
    text = "".join(lines).encode()
    (models / LIST).write_bytes(text)
    return _sha256(text)


def fetch(source: str, to: Path, sha256: str | None) -> int:
    """Fetch what a list names; the target appears at once and whole.

    Args:
        source: a folder, an `https://` address, or `gs://BUCKET/PREFIX`.
        to: must not exist.
        sha256: of the list; None trusts a list in a folder of one's own, nothing else.

    Returns:
        How many files were fetched.

    Raises:
        UntrustedModels: see there; also a source that is no folder without `sha256`.
        OSError: the source cannot be read.
    """
    is_folder = "://" not in source
    if sha256 is None and not is_folder:
        raise UntrustedModels(f"{source}: say the sha256 of its {LIST}; only a folder of your own is taken without")
    text = _read(source, LIST)
    if sha256 is not None and _sha256(text) != sha256:
        raise UntrustedModels(f"{source}/{LIST}: sha256 is {_sha256(text)}, wanted is {sha256}")
    draft = to.with_name(f".{to.name}-{os.getpid()}")
    count = 0
    try:
        for line in text.decode().splitlines():
            match = LINE.fullmatch(line)
            if match is None or not SERVED.fullmatch(match[2]) or ".." in PurePosixPath(match[2]).parts:
                raise UntrustedModels(f"{source}/{LIST}: no model file in the line {line!r}")
            content = _read(source, match[2])
            if _sha256(content) != match[1]:
                raise UntrustedModels(f"{source}/{match[2]}: sha256 is {_sha256(content)}, the list says {match[1]}")
            (draft / match[2]).parent.mkdir(parents=True, exist_ok=True)
            (draft / match[2]).write_bytes(content)
            count += 1
        if not count:
            raise UntrustedModels(f"{source}/{LIST} names no file")
        draft.rename(to)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return count


def _read(source: str, name: str) -> bytes:
    """Return one file of a source."""
    if "://" not in source:
        return (Path(source) / name).read_bytes()
    if source.startswith("gs://"):
        bucket, _, prefix = source.removeprefix("gs://").strip("/").partition("/")
        wanted = urllib.parse.quote(f"{prefix}/{name}".lstrip("/"), safe="")
        host = os.environ.get(EMULATOR, BUCKETS).rstrip("/")
        request = urllib.request.Request(f"{host}/storage/v1/b/{bucket}/o/{wanted}?alt=media")
    else:
        request = urllib.request.Request(f"{source.rstrip('/')}/{urllib.parse.quote(name)}")
    if source.startswith("gs://") and (token := os.environ.get(TOKEN)):
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
            content: bytes = reply.read()
    except urllib.error.HTTPError as error:
        error.close()  # it is the open reply, too
        raise OSError(f"{request.full_url}: HTTP {error.code} {error.reason}") from None
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main() -> int:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(description="Models by sha256.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help=f"write {LIST} for a folder of models and print its sha256")
    listing.add_argument("models", type=Path)
    fetching = commands.add_parser("fetch", help="fetch what the list names, checking every file")
    fetching.add_argument("source", help="folder, https address, or gs://BUCKET/PREFIX")
    fetching.add_argument("--to", type=Path, required=True)
    fetching.add_argument("--sha256", help=f"of {LIST}; empty or absent only for a folder")
    given = parser.parse_args()
    try:
        if given.command == "list":
            print(write_list(given.models))
        else:
            print(f"{fetch(given.source, given.to, given.sha256 or None)} files -> {given.to}")
    except (UntrustedModels, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
