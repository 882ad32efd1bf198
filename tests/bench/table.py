"""The figures as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

NAMES = {"notebook": "notebook", "keras": "batched Keras", "graph": "tile graph", "grpc": "through gRPC"}


def machine(facts: Mapping[str, Any]) -> str:
    """Return the machine in one line."""
    vectors = ", ".join(facts["vector_instructions"])
    return (
        f"{facts['processor']} ({facts['architecture']}; {vectors}), {facts['cores_allowed']} cores, {facts['memory_gb']} GB, load "
        f"{facts['load_average_at_start']}; TensorFlow {facts['tensorflow']}, Keras {facts['keras']}, {facts['model_server']}"
    )


def graph(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return times per window and how many times the notebook's speed they are; CPU in brackets."""
    out = Table(title="One tile: microseconds a window, wall (CPU); below, times as fast as the notebook's way")
    out.add_column("network")
    for name in (*NAMES.values(), "share of GEMM"):
        out.add_column(name, justify="right")
    for row in rows:
        cells = [f"F = {row['filters']}, {row['variant']}\n{row['cores']} core{'s'[: row['cores'] - 1]}"]
        for way in NAMES:
            each = {kind: 1e6 * value / row["windows"] for kind, value in row["seconds"][way].items()}
            times = row["speedup_over_notebook"].get(way)
            cells.append(
                f"{each['wall']:.0f} ({each['cpu']:.0f})"
                + (f"\n{times['wall']:.1f} ({times['cpu']:.1f})" if times else "")
            )
        out.add_row(*cells, f"{row['gemm_share']:.0%}\nof {row['gemm_gflop_s']:.0f} GFLOP/s")
    return out


def detector(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return time and memory against the size of the raster; CPU in brackets."""
    out = Table(title="quakeslide detect on a file, two cores: seconds, wall (CPU)")
    for name in ("raster", "windows", "notebook", "detector", "times", "detector MB", "server MB", "notebook MB"):
        out.add_column(name, justify="right")
    for row in rows:
        taken = {way: f"{value['wall']:.1f} ({value['cpu']:.1f})" for way, value in row["seconds"].items()}
        times = row.get("speedup_over_notebook")
        out.add_row(
            f"{row['size_px']} px{' sparse' if row['is_sparse'] else ''}",
            f"{row['windows']}",
            taken.get("notebook", ""),
            taken["detector"],
            f"{times['wall']:.1f} ({times['cpu']:.1f})" if times else "",
            f"{row['detector_peak_mb']}",
            f"{row['model_server_peak_mb']}",
            f"{row.get('notebook_peak_mb', '')}",
        )
    return out


def suppression(row: Mapping[str, Any]) -> str:
    """Return one line."""
    taken = f"{row['seconds']['wall']:.2f} s ({row['seconds']['cpu']:.2f} s of CPU)"
    return f"non-maximum suppression: {row['candidates']} candidates in {taken}, {row['kept']} kept"
