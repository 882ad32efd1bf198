"""Alternated rounds: each way once, then each again; ratios within a round, medians over the rounds."""

import statistics
from collections.abc import Callable, Mapping, Sequence

from tests.bench.processes import Timing

Round = Mapping[str, Timing]


def alternate(ways: Mapping[str, Callable[[], Timing]], rounds: int, on_done: Callable[[], None]) -> list[Round]:
    """Run every way once a round, in the same order."""
    found = []
    for _ in range(rounds):
        timings = {}
        for name, run in ways.items():
            timings[name] = run()
            on_done()
        found.append(timings)
    return found


def median(rounds: Sequence[Round], value: Callable[[Round], float]) -> float:
    """Return the median of what a function says of each round."""
    return statistics.median(value(timings) for timings in rounds)


def seconds(rounds: Sequence[Round], way: str) -> dict[str, float]:
    """Return a way's median time, `wall` and `cpu`."""
    return {
        "wall": median(rounds, lambda timings: timings[way].wall),
        "cpu": median(rounds, lambda timings: timings[way].cpu),
    }


def ratio(rounds: Sequence[Round], slow: str, fast: str) -> dict[str, float]:
    """Return how many times as fast one way is as another, by wall and by CPU: medians of the ratios within a round."""
    return {
        "wall": median(rounds, lambda timings: timings[slow].wall / timings[fast].wall),
        "cpu": median(rounds, lambda timings: timings[slow].cpu / timings[fast].cpu),
    }
