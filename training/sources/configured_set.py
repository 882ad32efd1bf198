"""A command that makes a patch set as a configuration file says: where it goes, how far it is, what is wrong with it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from training.campaign.claim import claim, holder
from training.dataset import PATCHES
from training.experiments import WINDOWS
from training.patches.store import UnusableDataset
from training.report import Steps
from training.sources.cells import differences
from training.sources.configuration import read_configuration

configuration_option = click.option(
    "--config", "configuration", type=click.Path(path_type=Path), required=True, help="JSON, as above."
)
out_option = click.option(
    "--out", type=click.Path(path_type=Path), help=f"Folder of the set; {PATCHES}/PRE-POST where not given."
)


def make_set(
    build: Callable[[Path, Path, Callable[[str], None]], Iterator[tuple[int, int]]],
    configuration: Path,
    out: Path | None,
    *,
    schema: dict[str, Any],
) -> None:
    """Build a patch set and print what was left out, where its cells differ from those of other windows beside it, and its folder.

    Args:
        build: from configuration, folder and what takes lines for the user; yields how many files are done, and how many there are.
        configuration: its windows name the folder where `out` is None.
        out: the set's folder.
        schema: of the configuration.

    Raises:
        click.ClickException: the configuration, or what it names, cannot be used, or somebody else writes to the folder.
    """
    lines: list[str] = []  # told at the end: they would break up the progress bar
    try:
        wanted = read_configuration(configuration, schema)
        if (windows := (wanted["pre_days"], wanted["post_days"])) not in WINDOWS:
            there_are = ", ".join(f"{pre}-{post}" for pre, post in WINDOWS)
            raise UnusableDataset(
                f"{configuration}: no model has the windows {windows[0]}-{windows[1]}; there are {there_are}"
            )
        folder = out or PATCHES / f"{wanted['pre_days']}-{wanted['post_days']}"
        with claim(folder) as is_ours:
            if not is_ours:
                raise UnusableDataset(
                    f"{folder}: {holder(folder) or 'somebody'} writes there already; wait for it, or choose another folder"
                )
            with Steps("file") as steps:
                for done, files in build(configuration, folder, lines.append):
                    steps(done, files)
        lines += differences(folder)
    except UnusableDataset as error:
        raise click.ClickException(str(error)) from error
    for line in (*lines, str(folder)):
        click.echo(line)
