"""The two stories that the demo plays through the stack: quiet mountains in December 2023, and the Noto earthquake of 2024.

The earthquake, its feed entry and its detail are recorded; its radar images and its landslides are SIMULATED, because no pre/post pair
over a real co-seismic landslide can be shipped. The quiet mountains are real backscatter (see `infra.local.quiet`).
"""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import shapely
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from shapely.geometry import mapping

from infra.local import elsewhere, quiet
from infra.local.stack import ROOT, Stack

BUILD = ROOT / "build"
RECORDINGS = ROOT / "tests" / "data"
NOTO, NOTO_ORIGIN = "us6000m0xl", datetime(2024, 1, 1, 7, 10, 9, 476000, tzinfo=UTC)
NOTO_AREA = shapely.box(136.885, 37.300, 137.020, 37.408)  # about 12 x 12 km of the Noto peninsula's mountains
QUIET_DATE = datetime(2023, 12, 9, 2, tzinfo=UTC)
QUIET = f"quiet{QUIET_DATE:%Y%m%d}"
NOTICE = "SIMULATED radar images and landslides: the earthquake is real, what the map shows is not"
PRETENDED = "PRETENDED EARTHQUAKE on real radar: 30 m gamma0 put on a 10 m grid; no landslide event is known here"
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
