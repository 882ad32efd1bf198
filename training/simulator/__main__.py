"""`python -m training.simulator`: writes archives of simulated events."""

import time
from pathlib import Path

import click

from training.simulator.archive import NOTICE, write_archive
from training.simulator.events import ARCHIVED
from training.simulator.grid import read_aoi


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
def archive(name: str, out: Path, aoi: Path, seed: int, size_px: int | None, post_days: float) -> None:
    r"""Write the archive of one event: images, metadata, height model, truth.

    \b
    Example:
      python -m training.simulator archive --event noto-2024 --aoi aoi.geojson --out build/archive
    """
    started = time.monotonic()
    try:
        about = write_archive(ARCHIVED[name], read_aoi(aoi), out, seed=seed, post_days=post_days, size_px=size_px)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"{out}: {about['images']} images, {about['truth_slides']} of {about['slides']} slides to be found, "
        f"{time.monotonic() - started:.1f} s\n{NOTICE}"
    )


if __name__ == "__main__":
    main()
