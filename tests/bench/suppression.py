"""Non-maximum suppression of very many candidates; run as a process, it prints one line of JSON."""

import statistics
import sys
import time

import click
import numpy as np

from quakeslide.domain.suppression import suppress_on_lattice
from tests.bench.lines import say

SHARE = 0.5  # of the lattice's windows that are candidates


@click.command()
@click.option("--candidates", type=click.IntRange(1), required=True)
@click.option("--rounds", type=click.IntRange(1), required=True)
def main(candidates: int, rounds: int) -> None:
    """Time it on random places of a lattice twice as large, with random scores of which many are equal."""
    rng = np.random.default_rng(0)
    side = int(np.ceil(np.sqrt(candidates / SHARE)))
    places = np.sort(rng.choice(side * side, candidates, replace=False))
    windows = np.stack([places // side, places % side], axis=1)
    scores = np.round(rng.uniform(0.6, 1, candidates), 4).astype(np.float32)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        kept = suppress_on_lattice(windows, scores)
        times.append(time.perf_counter() - start)
    say({"candidates": candidates, "kept": len(kept), "rounds": rounds, "seconds": statistics.median(times)})


if __name__ == "__main__":
    sys.exit(main())
