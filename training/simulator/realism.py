"""How near the simulated backscatter comes to real Sentinel-1: the same figures of both, side by side.

Level and contrast are compared with statistics of real landslide regions (VV and VH pooled, linear power, patches of 128 px), noise
and weather with a real series over two quiet mountain sites. The real deviation and percentiles are over 15 dates of a patch, the
simulated ones over one, which makes deviation and highest percentile smaller by up to a tenth or so; whether the real ones are of
flattened backscatter is not said where they come from. The real series is flattened gamma0 on 30 m pixels, the simulated one
sigma0 on 10 m pixels: its power is averaged over 3 x 3 of them first, so that pixels of one size are compared.
"""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from scipy import ndimage

from training.simulator.events import Event
from training.simulator.geometry import OrbitPass
from training.simulator.scene import Scene

Stack = NDArray[np.float32]

PATCH_PX = 128  # of the real statistics
CEILING = 1.0  # they are clipped there
PRE_DATES = 5  # a 60-12 composite: five dates before, one after
REAL_PIXEL_M, COARSER = 30.0, 3  # the real series' pixels, and how many simulated ones lie along a side of them
STRUCTURE_M = (90, 210)
NAME = re.compile(r"_(?P<time>\d{8}T\d{6})Z_\d{8}T\d{6}Z_S1[A-D]_30_v1\.0_(?P<polarisation>V[VH])\.tif")


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Backscatter of patches, VV and VH pooled, linear power: means over patches of their mean, deviation and percentiles."""

    mean: float
    deviation: float
    p1: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The difference of one date to the median of the five before it, where nothing slid; dB.

    Attributes:
        shift_db: mean over the scene: weather and season.
        noise_db: standard deviation of single pixels about it.
        structure_db: the same after smoothing over STRUCTURE_M metres.
        medians_noise_db: standard deviation of single pixels between the medians of the first three dates and of the last three.
    """

    shift_db: float
    noise_db: float
    structure_db: tuple[float, ...]
    medians_noise_db: float


def real_levels(statistics: Sequence[Path]) -> dict[str, Level]:
    """Return the level of every inventory of the real statistics, of all files together.

    Raises:
        ValueError: there is no file, or one is none of those statistics.
    """
    if not statistics:
        raise ValueError("landslide_stats: no *.csv there")
    levels = {}
    for path in statistics:
        with path.open(newline="", encoding="utf-8") as file:
            first, second, *rows = csv.reader(file)
        columns = {pair: number for number, pair in enumerate(zip(first, second, strict=True))}
        try:
            wanted = [columns[name, "mean"] for name in ("mean", "std", "p1", "p99")]
        except KeyError as missing:
            raise ValueError(f"{path}: no column {missing}") from missing
        for row in rows:
            mean, deviation, p1, p99 = (float(row[number]) for number in wanted)
            levels[f"{path.stem.split('_')[0]} {row[0]}"] = Level(mean=mean, deviation=deviation, p1=p1, p99=p99)
    return levels


def simulated_level(event: Event, orbit_pass: OrbitPass, *, seed: int, size_px: int = 512) -> Level:
    """Return the level of a simulated scene, of one date before the earthquake."""
    scene = Scene(event, seed=seed, shape=(size_px, size_px))
    figures = []
    for polarisation in ("VV", "VH"):
        power = np.minimum(10 ** (scene.acquire(orbit_pass, -10.0, polarisation) / 10), CEILING)
        blocks = power.reshape(size_px // PATCH_PX, PATCH_PX, -1, PATCH_PX).swapaxes(1, 2).reshape(-1, PATCH_PX**2)
        percentiles = np.percentile(blocks, (1, 99), axis=1)
        figures.append([blocks.mean(), blocks.std(axis=1).mean(), *percentiles.mean(axis=1)])
    mean, deviation, p1, p99 = np.mean(figures, axis=0)
    return Level(mean=float(mean), deviation=float(deviation), p1=float(p1), p99=float(p99))


def change(stack_db: Stack, pixel_m: float) -> Change:
    """Return the change of the last date of a stack [1 + PRE_DATES, H, W], dB, against the median of those before it."""
    difference = stack_db[-1] - np.median(stack_db[:-1], axis=0)
    shift = float(np.nanmean(difference))
    rest = np.nan_to_num(difference - shift)
    smoothed = tuple(float(ndimage.uniform_filter(rest, round(metres / pixel_m)).std()) for metres in STRUCTURE_M)
    half = len(stack_db) // 2
    medians = np.median(stack_db[half:], axis=0) - np.median(stack_db[:half], axis=0)
    return Change(
        shift_db=shift,
        noise_db=float(rest.std()),
        structure_db=smoothed,
        medians_noise_db=float(np.nanstd(medians)),
    )


def coarser(stack_db: Stack) -> Stack:
    """Return a stack [N, H, W] whose pixels are the mean power of COARSER x COARSER of another's; what is left over at the rim is lost."""
    dates, rows, columns = (size // step for size, step in zip(stack_db.shape, (1, COARSER, COARSER), strict=True))
    power = np.power(10, stack_db[:, : rows * COARSER, : columns * COARSER] / 10)
    mean = power.reshape(dates, rows, COARSER, columns, COARSER).mean(axis=(2, 4))
    return (10 * np.log10(mean)).astype(np.float32)


def simulated_changes(
    event: Event, orbit_pass: OrbitPass, *, seeds: Sequence[int], size_px: int = 512
) -> Iterator[Change]:
    """Yield the changes of simulated scenes before their earthquake, VV and VH, on pixels as large as the real ones."""
    for seed in seeds:
        scene = Scene(event, seed=seed, shape=(size_px, size_px))
        days = [-2.0 - 12 * n for n in reversed(range(PRE_DATES + 1))]
        for polarisation in ("VV", "VH"):
            stack = np.stack([scene.acquire(orbit_pass, day, polarisation) for day in days])
            yield change(coarser(stack), REAL_PIXEL_M)


def real_changes(site: Path) -> Iterator[Change]:
    """Yield the changes of every six dates of a recorded site that follow one another by twelve days, as the simulated ones do, VV and VH.

    Raises:
        ValueError: nothing was recorded there.
    """
    for polarisation in ("VV", "VH"):
        dated = sorted(
            (datetime.strptime(match["time"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC), path)
            for path in site.glob(f"*/*_{polarisation}.tif")
            if (match := NAME.search(path.name))
        )
        if not dated:
            raise ValueError(f"{site}: no OPERA_L2_RTC-S1 files")
        times = [time for time, _ in dated]
        stack = np.stack([_decibel(path) for _, path in dated])
        for last in range(PRE_DATES, len(dated)):
            gaps = [after - before for before, after in itertools.pairwise(times[last - PRE_DATES : last + 1])]
            if all(abs(gap - timedelta(days=12)) < timedelta(days=1) for gap in gaps):
                yield change(stack[last - PRE_DATES : last + 1], REAL_PIXEL_M)


def _decibel(path: Path) -> NDArray[np.float32]:
    with rasterio.open(path) as source:
        power = source.read(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(power > 0, 10 * np.log10(power), np.nan).astype(np.float32)
