"""`python -m training.simulator`: writes archives of simulated events; shows real figures beside simulated ones."""

import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from training.simulator.archive import write_archive
from training.simulator.events import ARCHIVED, events_for
from training.simulator.grid import read_aoi
from training.simulator.realism import STRUCTURE_M, real_changes, real_levels, simulated_changes, simulated_level

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
    events, seeds = events_for("train"), range(scenes)
    real = list(real_levels(sorted((recorded / "landslide_stats").glob("*.csv"))).values())
    simulated = [simulated_level(e, p, seed=s) for e in events for s in seeds for p in ("ASCENDING", "DESCENDING")]
    levels = Table(
        "VV and VH pooled, linear power, 128 px patches", "real, median (range)", "simulated, median (range)"
    )
    for title, figure in (("mean", "mean"), ("standard deviation", "deviation"), ("1 %", "p1"), ("99 %", "p99")):
        levels.add_row(title, *(_spread([getattr(level, figure) for level in side], 3) for side in (real, simulated)))
    recorded_changes = [
        c for site in sorted((recorded / "california").iterdir()) if site.is_dir() for c in real_changes(site)
    ]
    simulated_ = [c for e in events for c in simulated_changes(e, "ASCENDING", seeds=seeds)]
    changes = Table("nothing slid; six dates, 30 m pixels, dB", "real, gamma0", "simulated, sigma0")
    sides = (recorded_changes, simulated_)
    changes.add_row(
        "last date against five: scene's shift", *(_spread([abs(c.shift_db) for c in side], 2) for side in sides)
    )
    changes.add_row("noise of a pixel", *(_spread([c.noise_db for c in side], 2) for side in sides))
    changes.add_row("three against three: noise", *(_spread([c.medians_noise_db for c in side], 2) for side in sides))
    for number, metres in enumerate(STRUCTURE_M):
        changes.add_row(
            f"last against five, over {metres} m",
            *(_spread([c.structure_db[number] for c in side], 2) for side in sides),
        )
    console = Console(width=max(110, Console().width))
    console.print(levels, changes)


def _spread(values: Sequence[float], digits: int) -> str:
    low, middle, high = np.percentile(values, (0, 50, 100))
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


if __name__ == "__main__":
    main()
