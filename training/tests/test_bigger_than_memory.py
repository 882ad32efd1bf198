"""Patches are read as they are needed: a process that goes through a whole set keeps none of it.

Counted is anonymous memory. Pages of the mapped files are the kernel's cache, which it takes back when memory is short; how many of
them it shows as resident depends on its own page sizes (here it maps up to 2 MB about each patch).
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

from training.patches.store import BANDS, PatchWriter, rows_of

ROOT = Path(__file__).parents[2]
PATCHES = 10_000  # 328 MB
CODE = """
import sys
from pathlib import Path
import numpy as np
from training.dataset import Dataset

def own_mb():
    return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]) / 1024

sample = Dataset(Path(sys.argv[1])).select("unseen", "ASCENDING", ratio=100)
order = np.random.default_rng(0).permutation(len(sample))
sample.take(order[:64])
before = most = own_mb()
total = 0.0
for first in range(0, len(order), 64):
    batch = sample.take(order[first : first + 64])
    total += float(batch[:, 0, 0, 0].sum())
    most = max(most, own_mb())
print(len(sample), total, most - before)
"""


def test_own_memory_does_not_grow_with_the_set(tmp_path):
    writer = PatchWriter(tmp_path / "set", pre_days=60, post_days=12, source={"kind": "easy"})
    for first in range(0, PATCHES, 1000):
        cells = np.stack([np.arange(first, first + 1000), np.zeros(1000, int)], axis=1)
        patches = np.broadcast_to(np.float16(first // 1000), (1000, 64, 64, 4))
        writer.add("ASCENDING", BANDS, patches, rows_of("haiti", 0, cells, label=np.arange(1000) % 10 == 0))
    writer.finish()
    size_mb = sum(path.stat().st_size for path in (tmp_path / "set").glob("*.npy")) / 2**20
    read = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "set")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    count, total, grown_mb = (float(word) for word in read.stdout.split())
    assert (count, total) == (PATCHES, 1000 * sum(range(10)))
    assert size_mb > 310
    assert grown_mb < 32, f"grew by {grown_mb:.0f} MB over a set of {size_mb:.0f} MB"
