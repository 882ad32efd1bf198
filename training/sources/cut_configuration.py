"""The configuration for `cut` that `sample` leaves behind."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quakeslide.domain.composite import Composite
from training.sources.configuration import read_configuration
from training.sources.earth_engine import Sampler, write
from training.sources.rasters_on_disk import SCHEMA


def write_cut_configurations(
    folder: Path, sampler: Sampler, composites: Sequence[Composite], inventories: dict[str, Path]
) -> list[Path]:
    """Write a configuration for `cut` for each window, `60-12.json`, with what is here of events whose inventory is; return the files.

    Other events of a configuration that is there stay in it, and so do `layer` and `mapped_area` of these; their inventory and composites
    are written anew.

    Raises:
        UnusableDataset: the configuration that is there is none.
    """
    written = []
    for stage in sorted({composite.stage for composite in composites}):
        events: dict[str, Any] = {}
        for composite in composites:
            if composite.stage != stage or composite.event_id not in inventories or not sampler.is_fetched(composite):
                continue
            inventory = os.path.relpath(inventories[composite.event_id], folder)
            entry = events.setdefault(composite.event_id, {"inventory": inventory, "composites": []})
            files = [os.path.relpath(path, folder) for path in sampler.files(composite)]
            entry["composites"].append({"track": str(composite.track), "files": files})
        if events:
            path = folder / f"{stage}.json"
            before = read_configuration(path, SCHEMA)["events"] if path.exists() else {}
            events = {**before, **{name: {**before.get(name, {}), **entry} for name, entry in events.items()}}
            write(path, {"pre_days": stage.pre_days, "post_days": stage.post_days, "events": events})
            written.append(path)
    return written
