"""What `make bench` reckons with; what it measures is not tested."""

import io

import pytest
from rich.console import Console

from tests.bench.__main__ import headline
from tests.bench.processes import Timing
from tests.bench.progress import parts
from tests.bench.rounds import alternate, ratio, seconds
from tests.bench.work import necessary_flop, windows_of


def timing(wall, cpu):
    return Timing(wall=wall, cpu=cpu, peak_mb=1.0)


def test_necessary_operations_are_those_counted_by_hand():
    assert necessary_flop(64, 4, "published") / 1e6 == pytest.approx(50.3, abs=0.05)
    assert necessary_flop(64, 4, "paper") / 1e6 == pytest.approx(58.7, abs=0.05)
    assert necessary_flop(32, 4, "published") / 1e6 == pytest.approx(14.1, abs=0.05)


@pytest.mark.parametrize(("size", "lattice", "flush"), [(64, 1, 1), (65, 1, 4), (96, 4, 4), (1000, 900, 961)])
def test_windows_are_counted(size, lattice, flush):
    assert (windows_of(size), windows_of(size, is_flush=True)) == (lattice, flush)


def test_ways_take_turns():
    calls = []

    def way(name):
        return lambda: calls.append(name) or timing(1, 1)

    found = alternate({"a": way("a"), "b": way("b")}, 2, lambda: None)
    assert calls == ["a", "b", "a", "b"]
    assert len(found) == 2


def test_a_ratio_is_the_median_of_ratios_within_a_round():
    """A slow minute hits both ways of one round; the ratio of medians would pair different minutes."""
    rounds = [
        {"slow": timing(10, 8), "fast": timing(2, 2)},
        {"slow": timing(100, 9), "fast": timing(20, 3)},
        {"slow": timing(11, 8), "fast": timing(22, 4)},
    ]
    assert ratio(rounds, "slow", "fast") == {"wall": 5, "cpu": 3}
    assert seconds(rounds, "slow") == {"wall": 11, "cpu": 8}


def test_headline_is_of_the_published_variant_on_one_core():
    def row(filters, variant, cores, wall):
        speedup = {"graph": {"wall": wall, "cpu": 2.0}}
        return {
            "filters": filters,
            "variant": variant,
            "cores": cores,
            "speedup_over_notebook": speedup,
            "gemm_share": 0.5,
        }

    rows = [
        row(32, "published", 1, 7.5),
        row(64, "published", 1, 4.5),
        row(32, "paper", 1, 1),
        row(32, "published", 2, 1),
    ]
    assert headline(rows)["speedup_over_notebook"] == {"F32": 7.5, "F64": 4.5}
    assert headline(rows)["gemm_share"] == {"F32": 0.5, "F64": 0.5}


def test_progress_is_a_line_for_each_finished_part_where_there_is_no_terminal():
    told = io.StringIO()
    with parts(Console(file=told)) as part:
        for name in ("graph", "detector"):
            advance = part(name, 2)
            advance()
            assert name not in told.getvalue()
            advance()
            assert told.getvalue().splitlines()[-1] == f"{name}: done in 0 s"
    assert len(told.getvalue().splitlines()) == 2


def test_progress_is_a_bar_on_a_terminal():
    told = io.StringIO()
    with parts(Console(file=told, force_terminal=True, width=80, _environ={"TERM": "xterm"})) as part:
        part("graph", 2)()
    assert "1/2" in told.getvalue()
    assert "done in" not in told.getvalue()
