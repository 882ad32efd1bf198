"""`quakeslide detect`: judge one local GeoTIFF by the pipeline's own code and write the same products."""

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from quakeslide.adapters.tf_serving import TfServing
from quakeslide.cli.judge_file import Part, count_windows, judge_file, parts_of
from quakeslide.cli.raster import Raster, open_raster
from quakeslide.cli.trigger import read_area
from quakeslide.cli.write_products import DETECTIONS, PAGE, write_products
from quakeslide.documents.card import read_card
from quakeslide.documents.manifest import read_manifest
from quakeslide.domain.composite import Composite
from quakeslide.domain.model_card import FIRST_STAGE, ModelCard, model_name
from quakeslide.domain.sentinel1 import OrbitPass, Track
from quakeslide.domain.windows import LEAST_SLOPE_DEG
from quakeslide.errors import LyingManifest, ModelMissing, ModelUnavailable, UnreadableInput, UnusableComposite
from quakeslide.json_values import instant
from quakeslide.ports import LandslideModel

MESSAGES = Path("build/messages")
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)

HELP = """Find landslides in COMPOSITE, a GeoTIFF with sigma0 in dB.

Bands are found by their descriptions (postVV postVH diffVV diffVH, or postVV diffVV; geometry, slope, localIncidence, nPre and
nPost are used if there); four or two bands without any are taken in that order, as the published notebooks write them. A model
server must run. A file in several parts can be given as a GDAL virtual raster (.vrt). Exit code 3: nothing found.

\b
Examples:
  quakeslide detect composite.tif --model vv_vh_ascending_60_12
  quakeslide detect composite.tif --manifest 0123456789ab.json --out map
  quakeslide detect notebook.tif --model vv_vh_descending_60_12 --nms published
"""


@click.command(help=HELP)
@click.argument("composite", type=FILE)
@click.option("--model-server", default="127.0.0.1:8500", show_default=True, help="gRPC port of TF Serving.")
@click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/models"),
    show_default=True,
    help="Folder with NAME/VERSION/card.json, as served.",
)
@click.option("--card", type=FILE, help="The model's card, instead of looking in --models.")
@click.option("--model", help="Name of the model, such as vv_vh_descending_60_12; says the pass and the stage.")
@click.option("--track", help="Track, such as A069, for the products.")
@click.option("--post-start", help="Time of the earthquake, such as 2024-01-01T07:10:09Z, for the products.")
@click.option("--manifest", type=FILE, help="Manifest of one of our composites; says all that the file does not.")
@click.option("--aoi", type=FILE, help="GeoJSON polygon in lon/lat; the whole file otherwise.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder; NAME-landslides otherwise.")
@click.option(
    "--nms",
    type=click.Choice(["score", "published"]),
    default="score",
    show_default=True,
    help="Which of overlapping windows stays: the best, or the lowest as in the published notebook.",
)
@click.option("--label", default="", help="Which version of the model: stable or canary; the newest otherwise.")
@click.option(
    "--least-slope",
    type=click.FloatRange(0, 90),
    default=LEAST_SLOPE_DEG,
    show_default=True,
    help="Windows without slopes of so many degrees are not judged (band `slope`); 0 judges all.",
)
@click.pass_context
def detect(
    ctx: click.Context,
    composite: Path,
    model_server: str,
    models: Path,
    card: Path | None,
    model: str | None,
    track: str | None,
    post_start: str | None,
    manifest: Path | None,
    aoi: Path | None,
    out: Path | None,
    nms: str,
    label: str,
    least_slope: float,
) -> None:
    """Judge a file, say what was assumed, write products."""
    console = Console(stderr=True)
    raster = open_raster(composite)
    for assumption in raster.assumptions:
        console.print(f"assumed: {assumption}", highlight=False)
    known = _manifest(manifest, raster) if manifest else None
    given = _track(track)
    name = model or _model_of(raster, known, given, console)
    _find_messages()
    with contextlib.closing(TfServing(model_server, label=label)) as server:
        judge = _card(name, card, models, server)
        if set(judge.bands) - set(raster.indexes):
            raise UnreadableInput(f"{composite}: model {name} wants the bands {', '.join(judge.bands)}")
        area = read_area(aoi) if aoi else None
        parts = parts_of(raster, name=name, track=given, post_start=_time(post_start), aoi=area, manifest=known)
        try:
            with _progress(parts, console) as advance:
                judged = judge_file(
                    raster,
                    parts,
                    judge,
                    server,
                    is_published_nms=nms == "published",
                    on_windows=advance,
                    least_slope_deg=least_slope,
                )
        except UnusableComposite as error:
            raise UnreadableInput(f"{composite}: {error}") from error
    if not any(one.in_aoi.any() for one in judged):
        raise UnreadableInput(f"{aoi}: no window of {composite} has its centre in this area")
    to = out or composite.with_name(f"{composite.stem}-landslides")
    document = write_products(parts, judged, to)
    counts = document["counts"]
    click.echo(f"{document['outcome']}: {counts['detections']} of {counts['windows_scored']} windows scored by {name}")
    click.echo(f"  GeoJSON  {to / DETECTIONS}\n  picture  {to / 'quicklook.png'}\n  map      {to / PAGE}")
    if not document["features"]:
        ctx.exit(3)


def _find_messages() -> None:
    """Put the messages of tensorflow-serving-api on the path where `make` left them.

    Raises:
        ModelUnavailable: they are nowhere.
    """
    if importlib.util.find_spec("tensorflow_serving") is None and MESSAGES.is_dir():
        sys.path.append(str(MESSAGES.resolve()))
        importlib.invalidate_caches()
    if importlib.util.find_spec("tensorflow_serving") is None:
        raise ModelUnavailable(
            f"the messages of tensorflow-serving-api are missing: run `make envs` in the project's folder and "
            f"start from there (it copies them to {MESSAGES}), or install that package"
        )


def _manifest(path: Path, raster: Raster) -> Composite:
    try:
        composite = read_manifest(path.read_bytes(), str(path))
    except LyingManifest as error:
        raise UnreadableInput(str(error)) from error
    said = (composite.rectangle.height, composite.rectangle.width, composite.lattice.crs)
    if said != (raster.height, raster.width, raster.crs):
        raise UnreadableInput(
            f"{raster.path} is {raster.height} x {raster.width} px in {raster.crs}; {path} says "
            f"{said[0]} x {said[1]} px in {said[2]}"
        )
    return composite


def _model_of(raster: Raster, known: Composite | None, track: Track | None, console: Console) -> str:
    """Return the model that fits what is known; the pass is guessed, and said, where nothing tells it."""
    if known is not None:
        return model_name(known.polarisation, known.track.orbit_pass, known.stage)
    if track is None:
        console.print("assumed: ascending pass, 60-12 days; --model or --track says otherwise", highlight=False)
    return model_name(raster.polarisation, track.orbit_pass if track else OrbitPass.ASCENDING, FIRST_STAGE)


def _card(name: str, path: Path | None, models: Path, server: LandslideModel) -> ModelCard:
    """Return the card of the version that is served."""
    version = server.served_version(name)
    path = path or models / name / str(version) / "card.json"
    if not path.is_file():
        raise ModelMissing(f"{path}: no card of model {name} version {version}; name it with --card or --models")
    card = read_card(path.read_bytes(), str(path))
    if (card.name, card.version) != (name, version):
        raise UnreadableInput(
            f"{path} is the card of {card.name} version {card.version}; served is {name} version {version}"
        )
    return card


def _track(text: str | None) -> Track | None:
    try:
        return Track.parse(text) if text else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--track") from error


def _time(text: str | None) -> datetime | None:
    try:
        return instant(text) if text else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--post-start") from error


@contextlib.contextmanager
def _progress(parts: list[Part], console: Console) -> Iterator[Callable[[int], None]]:
    """Show windows done and seconds left; yields the function to tell."""
    bar = Progress(
        TextColumn("windows"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
    )
    with bar:
        task = bar.add_task("windows", total=count_windows([cell for part in parts for cell in part.composite.cells()]))
        yield lambda windows: bar.advance(task, windows)
