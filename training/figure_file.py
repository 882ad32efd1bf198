"""Where a figure goes: what matplotlib writes by itself follows from the end of the name."""

from pathlib import Path

from click import BadParameter
from matplotlib.figure import Figure

SUFFIXES = (".png", ".pdf", ".svg")


def refuse_other_suffix(out: Path) -> None:
    """Refuse a file whose name does not say which kind of figure it is; matplotlib would add an end to a name that has none.

    Raises:
        click.BadParameter: it ends otherwise.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise BadParameter(f"{out}: a figure ends in {', '.join(SUFFIXES)}")


def save_figure(figure: Figure, out: Path) -> None:
    """Write a figure, into a folder that may not be there yet."""
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=130)
