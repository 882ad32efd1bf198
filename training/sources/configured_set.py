"""A command that makes a patch set as a configuration file says: where it goes, how far it is, what is wrong with it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from training.dataset import PATCHES
from training.patches.store import UnusableDataset
from training.report import Steps
from training.sources.configuration import read_configuration

configuration_option = click.option("--config", "configuration", type=click.Path(path_type=Path), required=True)
out_option = click.option(
    "--out", type=click.Path(path_type=Path), help=f"Folder of the set; {PATCHES}/PRE-POST where not given."
)


def make_set(
    build: Callable[[Path, Path], Iterator[tuple[int, int]]],
    configuration: Path,
    out: Path | None,
    *,
    schema: dict[str, Any],
) -> None:
    """Build a patch set and print its folder.

    Args:
        build: from configuration and folder; yields how many files are done, and how many there are.
        configuration: its windows name the folder where `out` is None.
        out: the set's folder.
        schema: of the configuration.

    Raises:
        click.ClickException: the configuration, or what it names, cannot be used.
    """
    try:
        wanted = read_configuration(configuration, schema)
        folder = out or PATCHES / f"{wanted['pre_days']}-{wanted['post_days']}"
        with Steps("file") as steps:
            for done, files in build(configuration, folder):
                steps(done, files)
    except UnusableDataset as error:
        raise click.ClickException(str(error)) from error
    click.echo(str(folder))
