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
    wall, cpu = [], []
    for _ in range(rounds):
        start = time.perf_counter(), time.process_time()
        kept = suppress_on_lattice(windows, scores)
        wall.append(time.perf_counter() - start[0])
        cpu.append(time.process_time() - start[1])
    taken = {"wall": statistics.median(wall), "cpu": statistics.median(cpu)}
    say({"candidates": candidates, "kept": len(kept), "rounds": rounds, "seconds": taken})


if __name__ == "__main__":
    sys.exit(main())
