"""The options by which commands choose trainings, once for all of them."""

import fnmatch
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, get_args

import click

from training.architectures import Architecture, Variant
from training.experiments import (
    WINDOWS,
    Experiment,
    Precision,
    Preset,
    preset_runs,
)
from training.model_name import Polarisation
from training.patches.split import Split

CHANGES = (
    click.option(
        "--network", type=click.Choice(get_args(Architecture)), help="Of Table A1; cnn in all presets but appendix."
    ),
    click.option("--filters", type=click.IntRange(1), help="Of the first block."),
    click.option("--imbalance", type=click.IntRange(1), help="Background patches per landslide patch."),
    click.option("--dropout", type=click.FloatRange(0, 0.95), help="Share of the features left out in training."),
    click.option("--learning-rate", type=click.FloatRange(0, min_open=True), help="Of Adam."),
    click.option("--batch-size", type=click.IntRange(1), help="Patches; 512 in the paper, 64 in demo."),
    click.option(
        "--batch-norm-momentum", type=click.FloatRange(0, 1, max_open=True), help="0.99 in the paper, 0.9 in demo."
    ),
    click.option("--standardise/--raw", default=None, help="Constants in front of the network, or raw dB."),
    click.option(
        "--split", type=click.Choice(get_args(Split)), help="Cells as in the paper, or blocks of 8 x 8 cells."
    ),
    click.option("--event", "events", multiple=True, help="Learn from this event only; may be given again."),
    click.option("--precision", type=click.Choice(get_args(Precision)), help="mixed_float16 is for GPUs."),
    click.option("--epochs", type=click.IntRange(1), help="At most; 500 where not given."),
    click.option(
        "--patience",
        type=click.IntRange(1),
        help="Epochs without a better validation loss that end it; 30 where not given.",
    ),
)
"""Options that change a value of every chosen training; one that is not given leaves the preset's."""

PRESETS = (
    "demo: short trainings on simulated scenes; paper: the 40 models, 24 trainings each; published: the four models of Table 4; "
    "appendix: the 72 trainings of Table A1."
)

COMPARED = (
    click.option(
        "--variant",
        "variants",
        type=click.Choice(get_args(Variant)),
        multiple=True,
        help="Of the CNN, other networks have none; repeat it for both.",
    ),
    click.option(
        "--seed", "seeds", type=click.IntRange(0), multiple=True, help="May be repeated: a training for each."
    ),
)
"""Options of which several values mean a training for each, with all else alike."""


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that `chosen` reads."""
    windows = [f"{pre}-{post}" for pre, post in WINDOWS]
    choosing = (
        click.option("--preset", type=click.Choice(get_args(Preset)), default="demo", show_default=True, help=PRESETS),
        click.option("--grid", is_flag=True, help="The paper's 960 trainings: --preset paper."),
        click.option(
            "--models", multiple=True, help="Only models of this name, such as vv_vh_*_60_12; may be repeated."
        ),
        click.option("--polarisation", type=click.Choice(get_args(Polarisation))),
        click.option("--pass", "orbit_pass", type=click.Choice(["ascending", "descending"])),
        click.option("--windows", type=click.Choice(windows), help="Days before and after."),
        click.option("--part", default="1/1", show_default=True, help="One of several disjoint parts, such as 2/4."),
    )
    for option in reversed((*choosing, *CHANGES, *COMPARED)):
        command = option(command)
    return command


def choice_in(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a command's parameters that `chosen` takes."""
    bare = click.command()(options(lambda: None))
    return {option.name: parameters[option.name] for option in bare.params if option.name}


def matching(runs: Sequence[Experiment], patterns: Sequence[str]) -> tuple[Experiment, ...]:
    """Return the trainings whose model name fits one of some patterns such as `vv_vh_*_60_12`; all where there are none.

    Raises:
        ValueError: a pattern fits no training.
    """
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(run.model_name, pattern) for run in runs):
            raise ValueError(f"no model is called {pattern!r}; names look like vv_vh_ascending_60_12")
    return tuple(run for run in runs if not patterns or any(fnmatch.fnmatchcase(run.model_name, p) for p in patterns))


def part_of_runs(runs: Sequence[Experiment], part: int, parts: int) -> tuple[Experiment, ...]:
    """Return one of several disjoint parts of some trainings, for machines that share no folder: the same on each of them.

    Args:
        runs: all of them.
        part: 1 to `parts`.
        parts: how many.

    Raises:
        ValueError: there is no such part.
    """
    if not 1 <= part <= parts:
        raise ValueError(f"part {part} of {parts}: parts are numbered from 1")
    return tuple(runs)[part - 1 :: parts]


def _plain(run: Experiment) -> Experiment:
    """Return a training with a value that its network ignores as it is anyway: two that differ in it alone are one."""
    return run if run.network == "cnn" else replace(run, variant="published")


def chosen(
    *,
    preset: Preset,
    grid: bool,
    models: tuple[str, ...],
    polarisation: str | None,
    orbit_pass: str | None,
    windows: str | None,
    part: str,
    events: tuple[str, ...],
    variants: tuple[Variant, ...] = (),
    seeds: tuple[int, ...] = (),
    **changes: Any,
) -> tuple[Experiment, ...]:
    """Return the trainings that some options mean. Without any, `demo` means 60-12 with both polarisations of bands, both passes.

    With several variants or seeds, all trainings of the first pair come before those of the next: what is stopped half way is whole seeds.

    Raises:
        click.UsageError: they mean none, or cannot be meant so.
    """
    runs = preset_runs("paper" if grid else preset)
    if not grid and preset == "demo" and not models:
        polarisation, windows = polarisation or "vv_vh", windows or "60-12"
    runs = tuple(
        run
        for run in runs
        if polarisation in (None, run.polarisation)
        and orbit_pass in (None, run.orbit_pass.lower())
        and windows in (None, f"{run.pre_days}-{run.post_days}")
    )
    given = {name: value for name, value in changes.items() if value is not None}
    if events:
        given["events"] = tuple(sorted(set(events)))
    compared: list[dict[str, Any]] = [
        {key: value for key, value in (("variant", variant), ("seed", seed)) if value is not None}
        for variant, seed in product(variants or (None,), seeds or (None,))
    ]
    runs = tuple(dict.fromkeys(_plain(replace(run, **given, **one)) for one in compared for run in runs))
    if not (numbers := re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", part)):
        raise click.UsageError(f"--part {part}: write which part of how many, such as 2/4")
    try:
        runs = part_of_runs(matching(runs, models), int(numbers[1]), int(numbers[2]))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if not runs:
        raise click.UsageError("these options mean no training; `python -m training list` shows which there are")
    return runs
