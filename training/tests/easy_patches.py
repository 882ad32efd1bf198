"""Patch sets made in milliseconds: noise, and where it is a landslide a square that changed. Nothing here looks like radar."""

import numpy as np

from training.patches.labels import label_patches
from training.patches.store import BANDS, PatchWriter, rows_of

EVENTS = ("hokkaido", "papua", "haiti")


def write_easy_set(
    folder,
    *,
    events=EVENTS,
    cells=(12, 12),
    pre_days=60,
    post_days=12,
    seed=0,
    orbit_passes=("ASCENDING",),
    without=frozenset(),
):
    """Write a set with every fourth cell a landslide, without some cells (event, row, column); return its identity."""
    writer = PatchWriter(folder, pre_days=pre_days, post_days=post_days, source={"kind": "easy", "seed": seed})
    for number, event in enumerate(events):
        for orbit_pass in orbit_passes:
            rng = np.random.default_rng([seed, number, len(orbit_pass)])
            place = np.stack(np.divmod(np.arange(np.prod(cells)), cells[1]), axis=1)
            is_slide = np.arange(len(place)) % 4 == 0
            patches = rng.normal(0, 0.5, (len(place), 64, 64, len(BANDS))).astype(np.float32) - 12
            patches[..., 2:] += 12
            patches[is_slide, 16:40, 16:40, 3] -= 4
            share = np.where(is_slide, 0.14, 0).astype(np.float32)
            label = label_patches(share, share)
            rows = rows_of(event, 0, place, original=share, landslide=share, label=label)
            keep = [(event, *cell) not in without for cell in place.tolist()]
            writer.add(orbit_pass, BANDS, patches[keep], rows[keep])
    return writer.finish()
