"""`python -m training.simulator`: writes archives of simulated events; shows real figures beside simulated ones."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from training.simulator.archive import write_archive
from training.simulator.events import ARCHIVED, events_for
from training.simulator.geometry import OrbitPass
from training.simulator.grain import LAGS_PX, recorded_grains, simulated_grains
from training.simulator.grid import read_aoi
from training.simulator.realism import (
    STRUCTURE_M,
    Change,
    real_changes,
    real_levels,
    simulated_changes,
    simulated_level,
)

RECORDED = Path("tests/data")


@click.group()
def main() -> None:
    """Simulate Sentinel-1 over an earthquake that triggers landslides."""


@main.command()
@click.option("--event", "name", type=click.Choice(sorted(ARCHIVED)), required=True, help="Which simulated earthquake.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder, the archive's root.")
@click.option("--aoi", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True, help="GeoJSON.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another seed, another terrain.")
@click.option("--size-px", type=click.IntRange(min=128), help="A square of this size instead of AOI + 1.5 km.")
@click.option(
    "--post-days",
    type=click.FloatRange(min=1, max=62),
    default=16.0,
    show_default=True,
    help="Passes until this many days after the earthquake. Beyond 12, a pass shows that the 12-day window is closed.",
)
@click.option(
    "--height-model",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A real height model (any raster, metres) instead of fractal mountains.",
)
def archive(
    name: str, out: Path, aoi: Path, seed: int, size_px: int | None, post_days: float, height_model: Path | None
) -> None:
    r"""Write the archive of one event: images, metadata, height model, truth.

    \b
    Example:
      python -m training.simulator archive --event noto-2024 --aoi aoi.geojson --out build/archive
    """
    started = time.monotonic()
    try:
        about = write_archive(
            ARCHIVED[name],
            read_aoi(aoi),
            out,
            seed=seed,
            post_days=post_days,
            size_px=size_px,
            height_model=height_model,
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"{out}: {about['images']} images, {about['truth_slides']} of {about['slides']} slides to be found, "
        f"{time.monotonic() - started:.1f} s\n{about['notice']}"
    )


@main.command()
@click.option(
    "--recorded", type=click.Path(exists=True, file_okay=False, path_type=Path), default=RECORDED, show_default=True
)
@click.option("--scenes", type=click.IntRange(min=1), default=4, show_default=True, help="Simulated ones per event.")
def compare(recorded: Path, scenes: int) -> None:
    r"""Show level, contrast, noise and weather of real Sentinel-1 beside the simulated.

    \b
    Example:
      python -m training.simulator compare
    """
    try:
        tables = _levels(recorded, scenes), _grains(recorded), _changes(recorded, scenes)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    Console(width=max(110, Console().width)).print(*tables)


def _levels(recorded: Path, scenes: int) -> Table:
    real = list(real_levels(sorted((recorded / "landslide_stats").glob("*.csv"))).values())
    passes: tuple[OrbitPass, ...] = get_args(OrbitPass)
    simulated = [
        simulated_level(e, p, seed=seed) for e in events_for("train") for seed in range(scenes) for p in passes
    ]
    table = Table("VV and VH pooled, linear power, 128 px patches", "real, median (range)", "simulated, median (range)")
    for title, figure in (("mean", "mean"), ("standard deviation", "deviation"), ("1 %", "p1"), ("99 %", "p99")):
        table.add_row(title, *(_spread([getattr(level, figure) for level in side], 3) for side in (real, simulated)))
    return table


def _grains(recorded: Path) -> Table:
    real = recorded_grains(recorded / "grd_10m")
    simulated = [g for e in events_for("train") for g in simulated_grains(e, "ASCENDING", seed=0)]
    table = Table(
        "10 m pixels, the tenth of windows that varies least", "real, lowland and hills", "simulated, mountains"
    )
    table.add_row("looks", *(_spread([g.looks for g in side], 1) for side in (real, simulated)))
    for number, lag in enumerate(LAGS_PX):
        figures = ([g.correlation[number] for g in side] for side in (real, simulated))
        table.add_row(f"correlation over {lag} px", *(_spread(side, 2) for side in figures))
    return table


def _changes(recorded: Path, scenes: int) -> Table:
    sites = [site for site in sorted((recorded / "california").iterdir()) if site.is_dir()]
    real = [c for site in sites for c in real_changes(site)]
    simulated = [c for e in events_for("train") for c in simulated_changes(e, "ASCENDING", seeds=range(scenes))]
    table = Table("nothing slid; six dates, 30 m pixels, dB", "real, gamma0", "simulated, sigma0")

    def row(title: str, figure: Callable[[Change], float]) -> None:
        table.add_row(title, *(_spread([figure(c) for c in side], 2) for side in (real, simulated)))

    row("last date against five: scene's shift", lambda c: abs(c.shift_db))
    row("noise of a pixel", lambda c: c.noise_db)
    row("three against three: noise", lambda c: c.medians_noise_db)
    for number, metres in enumerate(STRUCTURE_M):
        row(f"last against five, over {metres} m", partial(_structure_db, number))
    return table


def _structure_db(number: int, change: Change) -> float:
    return change.structure_db[number]


def _spread(values: Sequence[float], digits: int) -> str:
    low, middle, high = np.percentile(values, (0, 50, 100))
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


if __name__ == "__main__":
    main()
