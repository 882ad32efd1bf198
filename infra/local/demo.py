"""The demo: quiet mountains first, then the Noto earthquake of 2024, from the USGS feed to the map of landslides and its judgement."""

import fcntl
import shutil
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from shapely.geometry import mapping

from infra.local.baseline import baseline_detections
from infra.local.judge import Verdict, judge, read
from infra.local.stack import ROOT, Stack
from infra.local.stories import (
    BUILD,
    NOTO,
    NOTO_AREA,
    PRETENDED,
    QUIET,
    QUIET_DATE,
    RECORDINGS,
    DemoFailed,
    console,
    prepare_archive,
    run_noto,
    run_quiet,
    step,
)

OUT = BUILD / "demo"
SETTINGS = {"SHARD_PX": "512", "STAGES": "60-12"}


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
