"""Composites of the paper's earthquakes from Earth Engine, through the adapter that the service itself uses.

For every event, track and window the scenes are listed, the composite is planned on the event's lattice (one for all its tracks and
windows, so cells coincide), exported to a bucket and fetched from there. Its band `geometry` holds the masks of layover and shadow.
Inventories come from their authors, not from Earth Engine: files called `hokkaido.gpkg` and so on in one folder. Where one is there, it
also says which ground is exported; else a circle about the epicentre does. What was exported is written into a configuration for `cut`.

The command may be ended and given again: what was started is followed, what was fetched is kept.
"""

import json
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import shapely
from google.api_core.exceptions import NotFound
from google.cloud import storage
from shapely.geometry.base import BaseGeometry

from quakeslide.adapters.earth_engine import EarthEngineExporter, EarthEngineScenes
from quakeslide.domain.aoi import GEOD
from quakeslide.domain.composite import MAX_SHARD_PX, Composite
from quakeslide.domain.lattice import lattice_for, rectangle_for
from quakeslide.domain.readiness import HISTORY, Outlook, Readiness, Windows, look, tracks_of
from quakeslide.domain.sentinel1 import Polarisation, Stage, joined_tracks
from quakeslide.ports import CompositeExporter, ExportState, SceneArchive
from training.patches.store import UnusableDataset
from training.run_files import write_json
from training.sources.event_list import EventOfPaper
from training.sources.inventory import Inventory

EXPORTS = "exports.json"
RIM_DEG = 0.02  # about an inventory's extent: background is wanted around it
NAMESPACE = uuid.UUID("6f1a3f0e-5f4e-4c52-9d2f-8f4f0f6d9b61")
ENDED = {ExportState.SUCCEEDED, ExportState.FAILED, ExportState.CANCELLED, ExportState.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What can be had of one event, track and window.

    Attributes:
        label: in words.
        composite: to be exported; None where there is none to be had.
        reason: why not, or how many passes there are.
    """

    label: str
    composite: Composite | None
    reason: str


def area_of(event: EventOfPaper, inventory: Path | None) -> BaseGeometry:
    """Return the ground to export, lon/lat: the box about the inventory with a rim, or a circle about the epicentre.

    Raises:
        UnusableDataset: see `Inventory`.
    """
    if inventory is not None:
        return shapely.box(*Inventory(inventory, "EPSG:4326").bounds).buffer(RIM_DEG, join_style="mitre")
    azimuths = range(360, 0, -5)
    count = len(azimuths)
    lons, lats, _ = GEOD.fwd([event.lon] * count, [event.lat] * count, list(azimuths), [event.radius_km * 1000] * count)
    return shapely.Polygon(zip(lons, lats, strict=True))


def inventory_of(folder: Path | None, event: EventOfPaper) -> Path | None:
    """Return the file of that folder that is called like the event, None where there is none.

    Raises:
        UnusableDataset: there are several.
    """
    suffixes = (".gpkg", ".geojson", ".json", ".shp", ".fgb", ".kml")
    found = [path for path in sorted(folder.glob(f"{event.name}.*")) if path.suffix in suffixes] if folder else []
    if len(found) > 1:
        raise UnusableDataset(f"{folder} holds several inventories of {event.name}: {', '.join(p.name for p in found)}")
    return found[0] if found else None


def plans(
    event: EventOfPaper, area: BaseGeometry, stages: Sequence[Stage], archive: SceneArchive, now: datetime
) -> Iterator[Plan]:
    """Yield what can be had of an event, for every track and window.

    Raises:
        EarthEngineUnavailable: no answer.
    """
    first = event.pre_end - max(HISTORY, timedelta(days=max(stage.pre_days for stage in stages)))
    last = event.post_start + timedelta(days=max(stage.post_days for stage in stages))
    scenes = joined_tracks(archive.scenes(area, first, last + timedelta(seconds=1)))
    lattice = lattice_for(area)
    rectangle = rectangle_for(area, lattice)
    for track in tracks_of(scenes):
        for stage in stages:
            windows = Windows(pre_end=event.pre_end, post_start=event.post_start, stage=stage)
            outlook = look(area, scenes, track=track, windows=windows, watermark=now, now=now)
            label = f"{event.name} {track} {stage}"
            if outlook.readiness not in (Readiness.FINAL, Readiness.PARTIAL):
                yield Plan(label=label, composite=None, reason=outlook.readiness.value)
                continue
            polarisation = Polarisation(event.polarisation)
            if polarisation is Polarisation.VV_VH and outlook.polarisation is Polarisation.VV:
                yield Plan(label=label, composite=None, reason=without_vh(outlook))
                continue
            composite = Composite(
                event_id=event.name,
                track=track,
                stage=stage,
                polarisation=polarisation,
                pre_scenes=tuple(scene.scene_id for scene in outlook.pre),
                post_scenes=tuple(scene.scene_id for scene in outlook.post),
                lattice=lattice,
                rectangle=rectangle,
                shard_px=MAX_SHARD_PX,
                t0=event.pre_end,
                post_start=event.post_start,
                aoi=area,
                aoi_source="manual",
                weak_pre=outlook.weak_pre,
                place=event.name,
                data_notice="",
            )
            aside = " (VH is there and left aside, as the list says)" if polarisation != outlook.polarisation else ""
            facts = f"{polarisation.value}{aside}, {outlook.n_pre} + {outlook.n_post} passes, {100 * outlook.coverage:.0f} %"
            yield Plan(label=label, composite=composite, reason=facts)


def without_vh(outlook: Outlook) -> str:
    """Say why stacks are left out of which the list of events wants VH: their patches would enter the trainings with VV alone (R10)."""
    scenes = (*outlook.pre, *outlook.post)
    lacking = sum("VH" not in scene.polarisations for scene in scenes)
    return f'{lacking} of {len(scenes)} scenes have no VH, which the list of events asks for; "polarisation": "vv" there takes VV alone'


class Sampler:
    """Exports composites and fetches them.

    Args:
        folder: where everything is kept; `exports.json` in it remembers what was started.
        exporter: of the service.
        bucket: that Earth Engine writes to; one of its own, or the service would judge what arrives.
    """

    def __init__(self, folder: Path, exporter: CompositeExporter, bucket: storage.Bucket) -> None:
        self._folder, self._exporter, self._bucket = folder, exporter, bucket
        self._exports: dict[str, dict[str, Any]] = {}
        if (folder / EXPORTS).exists():
            self._exports = json.loads((folder / EXPORTS).read_text(encoding="utf-8"))

    def start(self, composite: Composite) -> None:
        """Start an export unless it was started or fetched before; a failed one is started again under a new request id.

        Raises:
            ExportQueueFull, EarthEngineUnavailable, ExportFailed: see the adapter.
        """
        known = self._exports.get(composite.path, {"attempt": 0, "state": None})
        if self.is_fetched(composite) or known["state"] in ("started", ExportState.SUCCEEDED):
            return
        attempt = known["attempt"] + 1
        request_id = str(uuid.uuid5(NAMESPACE, f"{composite.composite_id}/{attempt}"))
        operation = self._exporter.start(composite, request_id)
        self._remember(composite, attempt=attempt, state="started", operation=operation)

    def advance(self, composite: Composite) -> str:
        """Look at an export, fetch it where it has succeeded; return `fetched`, `running`, or why it failed.

        Raises:
            EarthEngineUnavailable: no answer.
        """
        if self.is_fetched(composite):
            return "fetched"
        known = self._exports[composite.path]
        export = self._exporter.follow(known["operation"])
        if export.state not in ENDED:
            return "running"
        self._remember(composite, **{**known, "state": export.state})
        if export.state is not ExportState.SUCCEEDED:
            return f"{export.state.value}: {export.message or 'Earth Engine says no more'}"
        for shard, path in zip(composite.shards(), self.files(composite), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".draft")
            try:
                self._bucket.blob(shard.name).download_to_filename(str(draft))
            except NotFound:
                self._remember(composite, **{**known, "state": ExportState.UNKNOWN})
                return f"{shard.name} is no longer in the bucket; the next call exports it again"
            os.replace(draft, path)
        return "fetched"

    def files(self, composite: Composite) -> list[Path]:
        """Return where the files of a composite lie, here."""
        place = self._folder / "composites" / composite.path
        return [place / shard.name.rpartition("/")[2] for shard in composite.shards()]

    def is_fetched(self, composite: Composite) -> bool:
        """Say whether all of a composite is here."""
        return all(path.exists() for path in self.files(composite))

    def _remember(self, composite: Composite, **facts: Any) -> None:
        self._exports[composite.path] = facts
        write(self._folder / EXPORTS, self._exports)


def fetch_all(sampler: Sampler, composites: Sequence[Composite], *, poll_s: float) -> Iterator[tuple[Composite, str]]:
    """Start all exports, follow them to their ends; yield each with `fetched` or why it failed.

    Raises:
        ExportQueueFull, EarthEngineUnavailable, ExportFailed: see the adapter; give the command again.
    """
    for composite in composites:
        sampler.start(composite)
    running = list(composites)
    while running:
        for composite in list(running):
            state = sampler.advance(composite)
            if state != "running":
                running.remove(composite)
                yield composite, state
        if running:
            time.sleep(poll_s)


def write(path: Path, document: dict[str, Any]) -> None:
    """Replace a JSON file at once, in a folder that may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, document)


def scenes_and_exporter(bucket: str) -> tuple[SceneArchive, CompositeExporter]:
    """Return the adapters of the service; `connect` must have been called."""
    return EarthEngineScenes(), EarthEngineExporter(bucket)
