"""The machine, in words: without it no figure means anything."""

import os
import platform
import re
from pathlib import Path
from typing import Any

VECTORS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "asimd", "sve")


def describe() -> dict[str, Any]:
    """Return processor, its vector instructions, cores allowed, memory and load."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    flags = set((re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE) or [0, ""])[1].split())
    model = re.search(r"^model name\s*:\s*(.*)$", text, re.MULTILINE)
    return {
        "processor": model[1] if model else platform.processor(),
        "architecture": platform.machine(),
        "vector_instructions": [name for name in VECTORS if name in flags],
        "cores_allowed": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "load_average_at_start": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
