"""The numbers of Nava et al. 2026, as `results/published.csv` holds them: Tables 4, 5, A1, A2, A3.

Columns: table, polarisation, orbit_pass, stack, architecture, event (the row), metric, value and spread as printed, source_line (in the
text extract of the paper whose sha256 begins with 65719329), suspect (why a value is not to be relied on; empty for most). Tables 4,
A1, A2 and A3 are in percent, Table 5 in shares.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parents[1] / "results" / "published.csv"
ROW_KEYS = ("polarisation", "orbit_pass", "stack", "architecture", "event")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One row of a table.

    Attributes:
        table: 4, 5, A1, A2 or A3.
        polarisation, orbit_pass, stack, architecture, event: which row; empty where the table does not tell them apart.
        values: printed text by metric.
        spreads: printed standard deviations by metric, in percent; empty in Tables 4 and 5.
        suspect: why not to rely on it; empty for most.
    """

    table: str
    polarisation: str
    orbit_pass: str
    stack: str
    architecture: str
    event: str
    values: dict[str, str]
    spreads: dict[str, str]
    suspect: tuple[str, ...]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Polarisation, pass, stack, network, as those of a run."""
        return self.polarisation, self.orbit_pass, self.stack, self.architecture

    def cell(self, metric: str) -> str:
        """Return a value as the paper prints it, with its spread."""
        spread = self.spreads.get(metric, "")
        return f"{self.values[metric]} ± {spread}" if spread else self.values.get(metric, "")

    def share(self, metric: str) -> float:
        """Return a value as a share of 1."""
        return float(self.values[metric]) / (1 if self.table == "5" else 100)


def read_published(table: str) -> tuple[Published, ...]:
    """Return the rows of a table in the paper's order; none for a table that is not there."""
    with FILE.open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["table"] == table]
    return tuple(_rows(lines))


def _rows(lines: Sequence[dict[str, str]]) -> Iterator[Published]:
    for key in dict.fromkeys(tuple(line[name] for name in ROW_KEYS) for line in lines):
        own = [line for line in lines if tuple(line[name] for name in ROW_KEYS) == key]
        yield Published(
            table=own[0]["table"],
            **dict(zip(ROW_KEYS, key, strict=True)),
            values={line["metric"]: line["value"] for line in own},
            spreads={line["metric"]: line["spread"] for line in own if line["spread"]},
            suspect=tuple(dict.fromkeys(line["suspect"] for line in own if line["suspect"])),
        )
