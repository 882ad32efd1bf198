"""The demo: quiet mountains first, then the Noto earthquake of 2024, from the USGS feed to the map of landslides.

The earthquake, its feed entry and its detail are recorded; its radar images and its landslides are SIMULATED, because no pre/post pair
over a real co-seismic landslide can be shipped. The quiet mountains are real backscatter (see `infra.local.quiet`).
"""

import fcntl
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import shapely
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from shapely.geometry import mapping

from infra.local import elsewhere, quiet
from infra.local.baseline import baseline_detections
from infra.local.judge import Verdict, judge, read
from infra.local.stack import ROOT, Stack

BUILD = ROOT / "build"
OUT = BUILD / "demo"
RECORDINGS = ROOT / "tests" / "data"
NOTO, NOTO_ORIGIN = "us6000m0xl", datetime(2024, 1, 1, 7, 10, 9, 476000, tzinfo=UTC)
NOTO_AREA = shapely.box(136.885, 37.300, 137.020, 37.408)  # about 12 x 12 km of the Noto peninsula's mountains
QUIET_DATE = datetime(2023, 12, 9, 2, tzinfo=UTC)
QUIET = f"quiet{QUIET_DATE:%Y%m%d}"
NOTICE = "SIMULATED radar images and landslides: the earthquake is real, what the map shows is not"
PRETENDED = "PRETENDED EARTHQUAKE on real radar: 30 m gamma0 put on a 10 m grid; no landslide event is known here"
SETTINGS = {"SHARD_PX": "512", "STAGES": "60-12"}
STEP = timedelta(hours=6)

console = Console(highlight=False, soft_wrap=True)


class DemoFailed(RuntimeError):
    """The demo did not do what it shows; the text says what and where."""


@contextmanager
def step(what: str) -> Iterator[None]:
    """Say what is being done and how long it took."""
    started = time.monotonic()
    console.print(f"[bold]{what}[/bold] ...")
    yield
    console.print(f"  done in {time.monotonic() - started:.1f} s")


def prepare_archive(archive: Path, scenes: Path, event: str, area: dict[str, Any]) -> None:
    """Write the simulated scenes of an event and the quiet mountains into one archive."""
    shutil.rmtree(scenes, ignore_errors=True)
    scenes.mkdir(parents=True)
    aoi_file = scenes / "aoi.geojson"
    aoi_file.write_text(json.dumps(area), encoding="utf-8")
    python = BUILD / "envs" / "training" / "bin" / "python"
    command = [python, "-m", "training.simulator", "archive", "--event", event, "--aoi", aoi_file, "--out", archive]
    done = subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoFailed(f"the simulator failed:\n{done.stderr[-2000:]}")
    quiet.write_archive(RECORDINGS / "california", archive)
    elsewhere.write_archive(archive, QUIET_DATE, NOTO_ORIGIN + timedelta(days=16))


def run_quiet(stack: Stack) -> None:
    """Real backscatter without a known landslide, under an id of our own, by a manual message."""
    stack.go_to(QUIET_DATE + timedelta(hours=1))
    area = quiet.area(RECORDINGS / "california")
    stack.publish(
        "earthquakes",
        {
            "kind": "manual",
            "version": 1,
            "event_id": QUIET,
            "aoi": area,
            "post_start": QUIET_DATE.isoformat(),
            "stages": ["60-12"],
        },
    )
    stack.settle()
    walk(stack, QUIET_DATE + timedelta(days=14), QUIET, "quiet mountains")


def run_noto(stack: Stack) -> None:
    """The recorded earthquake, from its posting in the feed to the final map twelve days later."""
    stack.redeploy("export_composites", {"DATA_NOTICE": NOTICE})
    stack.go_to(NOTO_ORIGIN + timedelta(minutes=25))
    watch = stack.bucket("state").blob(f"watches/open/{NOTO}.json")
    if not watch.exists():
        raise DemoFailed(f"the poller did not announce {NOTO}; see {stack.folder / 'logs'}")
    console.print(f"  {stack.clock.now():%Y-%m-%d %H:%M} UTC  the feed shows M 7.5 {NOTO}: announced and under watch")
    stack.publish(
        "earthquakes",
        {"kind": "manual", "version": 1, "event_id": NOTO, "aoi": mapping(NOTO_AREA), "stages": ["60-12"]},
    )
    stack.settle()
    started = stack.state_of("earth_engine")["exports_started"]
    stack.go_to(NOTO_ORIGIN + timedelta(hours=12))
    if stack.state_of("earth_engine")["exports_started"] != started:
        raise DemoFailed("an export was started before the first pass after the earthquake")
    walk(stack, NOTO_ORIGIN + timedelta(days=14), NOTO, "Noto")


def walk(stack: Stack, until: datetime, event_id: str, name: str) -> None:
    """Move the clock on in steps, telling what came of each, until the event has final products or time is up."""
    told: dict[str, str] = {}
    steps = int((until - stack.clock.now()) / STEP) + 1
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} steps"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, TextColumn("left"), TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task(name, total=steps)
        while stack.clock.now() < until:
            now = stack.clock.now() + STEP
            stack.go_to(now)
            scored = sum(1 for _ in stack.bucket("state").list_blobs(prefix="cells/"))
            progress.update(task, advance=1, description=f"{name} {now:%Y-%m-%d %H:%M} UTC, {scored} tiles scored")
            for key, text in status_lines(stack, event_id):
                if told.get(key) != text:
                    told[key] = text
                    progress.console.print(f"  {now:%Y-%m-%d %H:%M} UTC  {key}: {text}")


def status_lines(stack: Stack, event_id: str) -> list[tuple[str, str]]:
    """Return (track and stage, words) of the event's status document."""
    blob = stack.bucket("results").blob(f"status/{event_id}.json")
    if not blob.exists():
        return []
    tracks = json.loads(blob.download_as_bytes()).get("tracks", [])
    return [(f"{entry['track']} {entry['stage']}", entry["text"]) for entry in tracks]


def fetch(stack: Stack, event_id: str, to: Path) -> list[Path]:
    """Copy the event's products out of the results bucket, under the names they have there."""
    shutil.rmtree(to, ignore_errors=True)
    found = []
    for blob in stack.bucket("results").list_blobs():
        if event_id in Path(blob.name).parts or Path(blob.name).stem == event_id:
            target = to / blob.name
            target.parent.mkdir(parents=True, exist_ok=True)
            blob.download_to_filename(str(target))
            found.append(target)
    return sorted(found)


def latest(folder: Path) -> list[dict[str, Any]]:
    """Return the pointers to each track's newest products."""
    return [read(path) for path in sorted(folder.glob("latest/*/*/*.json"))]


def fetch_shards(stack: Stack, folder: Path, to: Path) -> dict[str, list[Path]]:
    """Copy each track's newest composite out of its bucket, for the baseline; return the files by track."""
    found: dict[str, list[Path]] = {}
    for pointer in latest(folder):
        prefix = f"shards/{NOTO}/{pointer['track']}/{pointer['stage']}/{pointer['composite_id']}/"
        for blob in stack.bucket("composites").list_blobs(prefix=prefix):
            target = to / Path(blob.name).relative_to("shards")
            target.parent.mkdir(parents=True, exist_ok=True)
            blob.download_to_filename(str(target))
            found.setdefault(pointer["track"], []).append(target)
    return found


def judge_noto(folder: Path, shards: dict[str, list[Path]]) -> list[Verdict]:
    """Judge every track's final detections, a threshold on the same composite, and the fused detections, against the truth."""
    truth = read(folder / "truth.geojson")
    verdicts = []
    raster = None
    for path in sorted(folder.glob(f"detections/{NOTO}/*/*/*-final.geojson")):
        track, run = path.parts[-3], path.stem
        raster = folder / "support" / NOTO / track / path.parts[-2] / run / "score.tif"
        verdicts.append(judge(f"{track} final", read(path), truth, raster, mapping(NOTO_AREA)))
        card = read(BUILD / "models" / read(path)["model"]["name"] / str(read(path)["model"]["version"]) / "card.json")
        threshold = baseline_detections(shards[track], card["evaluation"]["baseline_rule"], NOTO_AREA)
        verdicts.append(judge(f"{track} threshold", threshold, truth, raster, mapping(NOTO_AREA)))
    if raster is None:
        raise DemoFailed(
            f"no final detections under {folder / 'detections'}; status: {folder / 'status' / (NOTO + '.json')}"
        )
    verdicts.append(judge("fused", read(folder / "summary" / f"{NOTO}.geojson"), truth, raster, mapping(NOTO_AREA)))
    return verdicts


def report(verdicts: list[Verdict]) -> list[str]:
    """Print the verdicts; return the complaints about the tracks' final detections."""
    console.print(
        f"[bold]Against the simulated truth[/bold] ({verdicts[0].slides} slides of at least 20 480 m2 in the area)"
    )
    complaints = []
    for v in verdicts:
        console.print(
            f"  {v.name:15} {v.detections:4} detections, precision {v.precision:.2f} "
            f"(all windows: {v.base_rate:.2f}), recall {v.recall:.2f}"
        )
        complaints += [f"{v.name}: {complaint}" for complaint in v.complaints] if v.name.endswith("final") else []
    return complaints


def main() -> int:
    """Run the demo; return its exit code."""
    for sign in (signal.SIGINT, signal.SIGTERM):  # SIGINT is ignored in a process that a shell put in the background
        signal.signal(sign, signal.default_int_handler)
    began = time.monotonic()
    lock = (BUILD / "demo.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        console.print("The demo runs already in this folder; wait for it or stop it.")
        return 1
    archive, stack_folder = OUT / "archive", OUT / "stack"
    shutil.rmtree(OUT, ignore_errors=True)
    try:
        with step("Simulating Sentinel-1 over Noto (two tracks) and laying out the real series of the quiet mountains"):
            prepare_archive(archive, OUT / "scenes", "noto-2024", mapping(NOTO_AREA))
        stack = Stack(
            stack_folder,
            archive=archive,
            recording=RECORDINGS / "usgs",
            models=BUILD / "models",
            bundles=BUILD / "bundles",
            start=QUIET_DATE,
            settings={"export_composites": SETTINGS | {"DATA_NOTICE": PRETENDED}},
        )
        with ExitStack() as ending:
            with step("Starting the local stack"):
                ending.enter_context(stack)
            with step("Quiet mountains: real backscatter, California, December 2023"):
                run_quiet(stack)
            with step("Noto, 1 January 2024: recorded earthquake, simulated radar"):
                run_noto(stack)
            fetch(stack, QUIET, OUT / "quiet")
            fetch(stack, NOTO, OUT / "noto")
            shards = fetch_shards(stack, OUT / "noto", OUT / "composites")
        shutil.copy(archive / "truth.geojson", OUT / "noto" / "truth.geojson")
        complaints = report(judge_noto(OUT / "noto", shards))
        if complaints:
            raise DemoFailed("the map is not good enough: " + "; ".join(complaints))
    except KeyboardInterrupt:
        console.print("\nstopped; nothing is left running")
        return 130
    except (DemoFailed, RuntimeError, TimeoutError, OSError) as error:
        console.print(f"[bold red]The demo failed:[/bold red] {error}\nLogs: {stack_folder / 'logs'}", soft_wrap=True)
        return 1
    tell_where(OUT / "noto", OUT / "quiet")
    console.print(f"All in {time.monotonic() - began:.0f} s.")
    return 0


def tell_where(noto: Path, quiet_folder: Path) -> None:
    """End by saying where everything is."""
    for pointer in latest(quiet_folder):
        console.print(f"[bold]Quiet mountains[/bold] {pointer['track']} {pointer['stage']}: {pointer['outcome']}")
    console.print("[bold]Results[/bold]")
    for kind, pattern in (
        ("GeoJSON", "detections/*/*/*/*-final.geojson"),
        ("fused", "summary/*.geojson"),
        ("picture", "support/*/*/*/*-final/quicklook.png"),
        ("map page", "pages/*/index.html"),
    ):
        for path in sorted(noto.glob(pattern)):
            console.print(f"  {kind:9} {path.relative_to(ROOT)}", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
