"""`make bench`: measure, print tables, write `build/bench.json`."""

import json
import os
import resource
import subprocess
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tests.bench import detector, graph, table
from tests.bench.machine import describe
from tests.bench.processes import ENVIRONMENTS, ROOT, Worker
from tests.bench.progress import parts

FOLDER = ROOT / "build" / "bench"
TILE_PX = 1024
FILTERS = (32, 64)
VARIANTS = ("published", "paper")
CANDIDATES = 1_000_000
SPARSE_PX = 30_000
# Side of the raster, whether the notebook's way is run on it, share of the rounds.
SIZES = ((1000, True, 1.0), (2000, True, 0.6), (4000, True, 0.0), (10_000, False, 0.0))
PARTS = ("graph", "detector", "suppression")


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Alternated rounds.")
@click.option("--only", type=click.Choice(PARTS), multiple=True, default=PARTS, help="Parts to measure.")
@click.option(
    "--filters", type=click.Choice(list(map(str, FILTERS))), multiple=True, help="Network sizes of the graph part."
)
@click.option("--variant", "variants", type=click.Choice(VARIANTS), multiple=True, default=VARIANTS)
@click.option("--largest-px", type=int, default=SPARSE_PX, show_default=True, help="Leave larger rasters out.")
@click.option("--out", type=click.Path(path_type=Path), default=ROOT / "build" / "bench.json", show_default=True)
def main(
    rounds: int, only: tuple[str, ...], filters: tuple[str, ...], variants: tuple[str, ...], largest_px: int, out: Path
) -> None:
    r"""Time the scan against the published notebook's way.

    \b
    Example:
      python -m tests.bench --only graph --filters 32 --variant published --rounds 3
    """
    console = Console()
    if not console.is_terminal:
        console.width = 120
    allowed = sorted(os.sched_getaffinity(0))
    one, two = allowed[-1:], allowed[-2:]  # the first core has most of the interrupts
    report: dict[str, Any] = {"machine": describe() | versions()}
    console.print(table.machine(report["machine"]))
    sizes = tuple(map(int, filters)) or FILTERS
    if "graph" in only:
        console.print("setting up: models with random weights")
        make_models(sizes, variants)
    start = time.monotonic()
    with parts(console) as part:
        if "graph" in only:
            rows = report["graph"] = []
            # The published variant with all rounds, then what stands beside it with fewer.
            runs = [
                (number, variant, one, rounds if variant == VARIANTS[0] else max(1, rounds - 2))
                for variant, number in product(variants, sizes)
            ]
            runs += [
                (number, VARIANTS[0], two, max(1, rounds - 2))
                for number in sizes
                if len(two) == 2 and VARIANTS[0] in variants
            ]
            for number, variant, cores, count in runs:
                text = f"F = {number}, {variant}, {len(cores)} core{'s'[: len(cores) - 1]}"
                on_done = part(text, len(graph.WAYS) * (count + 1))
                rows.append(
                    graph.measure(
                        FOLDER,
                        filters=number,
                        variant=variant,
                        size_px=TILE_PX,
                        cores=cores,
                        rounds=count,
                        on_done=on_done,
                    )
                )
            report |= headline(rows)
            console.print(table.graph(rows))
        if "detector" in only:
            rows = report["detector"] = []
            sparse = [(SPARSE_PX, False, 0.0)]
            for size_px, with_notebook, share in [*SIZES, *sparse]:
                if size_px > largest_px:
                    continue
                count = max(1, round(rounds * share))
                on_done = part(f"detector, {size_px} px", count * (2 if with_notebook else 1))
                rows.append(
                    detector.measure(
                        FOLDER,
                        size_px=size_px,
                        is_sparse=size_px == SPARSE_PX,
                        with_notebook=with_notebook,
                        cores=two,
                        rounds=count,
                        on_done=on_done,
                    )
                )
            report["peak_memory_mb"] = {str(row["size_px"]): row["detector_peak_mb"] for row in rows}
            console.print(table.detector(rows))
        if "suppression" in only:
            on_done = part("non-maximum suppression", 1)
            report["suppression"] = suppress(rounds, one)
            on_done()
            console.print(table.suppression(report["suppression"]))
    report["took_seconds"] = round(time.monotonic() - start)
    report["bench_peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    console.print(f"{report['took_seconds']} s; all figures in {out}")


def headline(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of the published variant on one core, by network size."""
    chosen = {f"F{row['filters']}": row for row in rows if row["variant"] == VARIANTS[0] and row["cores"] == 1}
    return {
        "speedup_over_notebook": {size: row["speedup_over_notebook"]["graph"]["wall"] for size, row in chosen.items()},
        "cpu_speedup_over_notebook": {
            size: row["speedup_over_notebook"]["graph"]["cpu"] for size, row in chosen.items()
        },
        "gemm_share": {size: row["gemm_share"] for size, row in chosen.items()},
    }


def make_models(filters: Sequence[int], variants: Sequence[str]) -> None:
    """Write the models that the graph part needs."""
    command = [str(ENVIRONMENTS / "training" / "bin" / "python"), "-m", "tests.bench.make_models", "--to", str(FOLDER)]
    command += [word for number in filters for word in ("--filters", str(number))]
    command += [word for variant in variants for word in ("--variant", variant)]
    subprocess.run(command, cwd=ROOT, check=True)


def suppress(rounds: int, cores: Sequence[int]) -> dict[str, Any]:
    """Time non-maximum suppression in a process of its own."""
    command = [ENVIRONMENTS / "tests" / "bin" / "python", "-m", "tests.bench.suppression"]
    command += ["--candidates", CANDIDATES, "--rounds", rounds]
    with Worker("suppression", command, FOLDER / "logs" / "suppression.log", cores) as process:
        return process.read()


def versions() -> dict[str, str]:
    """Return what scores: TensorFlow and the model server."""
    command = [str(ENVIRONMENTS / "serving" / "bin" / "python"), "-c"]
    command += ["from importlib.metadata import version as v; print(v('tensorflow-cpu'), v('keras'))"]
    words = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    server = "tensorflow_model_server" if detector.ModelServer.is_genuine else "serving.local_server"
    return {"tensorflow": words[0], "keras": words[1], "model_server": server}


if __name__ == "__main__":
    main()
