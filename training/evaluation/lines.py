"""Lines of a table, and how they are written: for the eye and for Markdown at once, or as CSV."""

import csv
import io
from collections.abc import Sequence

Line = dict[str, str]
"""Text by the title of its column; all lines of a table have the titles of the first."""


def as_markdown(lines: Sequence[Line]) -> str:
    """Return lines as a table in Markdown whose columns stand below each other in plain text, too."""
    head = list(lines[0])
    rows = [head, *([line[name] for name in head] for line in lines)]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "".join(f"| {' | '.join(row)} |\n" for row in padded)


def as_csv(lines: Sequence[Line]) -> str:
    """Return lines as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def percent(value: float, spread: float | None = None) -> str:
    """Return a share of 1 in percent as the paper prints it, with its standard deviation where there is one."""
    return f"{100 * value:.2f}" if spread is None else f"{100 * value:.2f} ± {100 * spread:.1f}"
