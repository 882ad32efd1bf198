"""Fetches the weights that the authors of SAR-LRA published, and keeps them only if they are the known files.

They are never redistributed: their licence is not confirmed. Size and sha256 identify them; the network they belong to is
recorded beside them, because the files do not say it and load into the wrong one without an error.
"""

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

MAX_BYTES = 64 << 20  # more than twice the larger file
TIMEOUT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedWeights:
    """One released HDF5 file.

    Attributes:
        name: of the model, as it would be served.
        filters: channels of each convolution.
        size: bytes of the file.
    """

    name: str
    filters: int
    size: int


# Released SAR-LRA tool: 60 days before, 12 after, VV and VH, raw dB, pixels of 10 m in EPSG:4326. `training` reads the file, too.
KNOWN: Mapping[str, PublishedWeights] = {
    sha256: PublishedWeights(**facts)
    for sha256, facts in json.loads(Path(__file__).with_name("published_weights.json").read_text("utf-8")).items()
}


class UnknownWeights(ValueError):
    """What was fetched is none of the published files; nothing was written."""


def fetch(source: str, to: Path, known: Mapping[str, PublishedWeights] = KNOWN) -> Path:
    """Fetch one file and write `to/<name>/weights.hdf5` with `origin.json` beside it.

    Args:
        source: an http or https address, or a path.
        to: folder for published weights.
        known: the files that are accepted, by sha256.

    Returns:
        The folder written.

    Raises:
        UnknownWeights: the content is none of the known files.
        OSError: the source cannot be read.
    """
    content = _read(source)
    digest = hashlib.sha256(content).hexdigest()
    if digest not in known:
        raise UnknownWeights(f"{source}: sha256 {digest} ({len(content)} bytes) is none of the published weights")
    weights = known[digest]
    folder = to / weights.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.hdf5").write_bytes(content)  # the suffix tells Keras to load by the order of layers
    origin = {
        "sha256": digest,
        "name": weights.name,
        "variant": "published",
        "filters": weights.filters,
        "bands": ["postVV", "postVH", "diffVV", "diffVH"],
        "standardisation": None,
        "pixel_geometry": "epsg4326_10m",
        "threshold": 0.6,
        "licence": "not confirmed: do not redistribute",
    }
    (folder / "origin.json").write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
    return folder


def _read(source: str) -> bytes:
    """Return the content of an address or a file, refusing more than any known file could have."""
    if source.startswith(("https://", "http://")):
        try:
            with urllib.request.urlopen(source, timeout=TIMEOUT_S) as reply:
                content: bytes = reply.read(MAX_BYTES + 1)
        except urllib.error.HTTPError as error:
            error.close()  # it is the open reply, too
            raise OSError(f"HTTP {error.code} {error.reason}") from None
    else:
        with Path(source).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise UnknownWeights(f"{source}: more than {MAX_BYTES} bytes, none of the published weights is that large")
    return content


@click.command("fetch_models")
@click.option("--from", "source", required=True, metavar="URL_OR_FILE", help="Where one weights file lies.")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/published"),
    show_default=True,
    help="Folder for published weights.",
)
def main(source: str, to: Path) -> None:
    """Fetch one published weights file, check its sha256, keep it outside version control."""
    try:
        folder = fetch(source, to)
    except UnknownWeights as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{source}: {error}") from error
    click.echo(f"{source} -> {folder}")


if __name__ == "__main__":
    main()
