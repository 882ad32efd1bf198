"""One composite of a watched event, planned and started by a person."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from quakeslide.documents.manifest import write_manifest
from quakeslide.domain import object_names, readiness
from quakeslide.domain.budget import HOUR_S, estimated_eecu_s
from quakeslide.domain.composite import Composite
from quakeslide.domain.lattice import lattice_for
from quakeslide.domain.readiness import Outlook, Windows
from quakeslide.domain.sentinel1 import Stage, Track, joined_tracks
from quakeslide.errors import ImpossibleRequest
from quakeslide.ports import CompositeExporter, ObjectStore, SceneArchive
from quakeslide.usecases.advance_watch import composite_of
from quakeslide.usecases.keep_watch import JSON, find_watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be exported.

    Attributes:
        outlook: the track's stage as it stands.
        composite: of all scenes that are there now; None where a stack is empty.
        used_eecu_s: what the event's exports used so far, in EECU seconds.
    """

    outlook: Outlook
    composite: Composite | None
    used_eecu_s: float

    def lines(self) -> Iterator[str]:
        """Yield the plan in words."""
        look = self.outlook
        yield f"readiness    {look.readiness.value}, {look.coverage:.0%} of the ground the track can see"
        yield f"passes       {look.n_pre} before, {look.n_post} after" + (" (weak_pre)" if look.weak_pre else "")
        for word, scenes in (("before", look.pre), ("after", look.post)):
            for scene in scenes:
                yield f"{word:12} {scene.scene_id} ({'+'.join(scene.polarisations)})"
        if self.composite is None:
            yield "nothing to export: a stack is empty"
            return
        size, lattice = self.composite.rectangle, self.composite.lattice
        yield f"composite    {self.composite.path}, {self.composite.polarisation.value}"
        yield f"pixels       {size.height} x {size.width} of {lattice.pixel:g} in {lattice.crs}"
        yield f"shards       {sum(1 for _ in self.composite.shards())} of at most {self.composite.shard_px} px"
        yield (
            f"EECU hours   {estimated_eecu_s(self.composite) / HOUR_S:.3g} (a rough estimate);"
            f" the event's exports used {self.used_eecu_s / HOUR_S:.3g} so far"
        )

    def start(self, composites: ObjectStore, exporter: CompositeExporter, request_id: str) -> str:
        """Write the manifest and start the export; return the operation.

        Raises:
            ImpossibleRequest: there is nothing to export.
            QuakeslideError: see `CompositeExporter.start`.
        """
        if self.composite is None:
            raise ImpossibleRequest("nothing to export: a stack is empty")
        one = self.composite
        name = object_names.manifest(one.event_id, one.track, one.stage, one.composite_id)
        composites.create(name, write_manifest(one), JSON)
        return exporter.start(one, request_id)


def by_hand(
    event_id: str,
    track: Track,
    stage: Stage,
    *,
    series: str,
    now: datetime,
    state: ObjectStore,
    archive: SceneArchive,
    shard_px: int,
    data_notice: str,
) -> Plan:
    """Plan the composite of all scenes that are ingested now, whatever the readiness.

    Raises:
        ImpossibleRequest: the event has no watch or no such series.
        EarthEngineUnavailable: nothing could be listed.
    """
    kept = find_watch(state, event_id)
    if kept is None:
        raise ImpossibleRequest(f"{event_id} has no watch; `quakeslide trigger` opens one")
    watch = kept.watch
    chosen = next((one for one in watch.series if one.name == series), None)
    if chosen is None:
        raise ImpossibleRequest(f"{event_id} has no series {series!r}; it has {[one.name for one in watch.series]}")
    windows = Windows(pre_end=chosen.pre_end, post_start=chosen.post_start, stage=stage)
    start = min(windows.pre_start, windows.pre_end - readiness.HISTORY)
    scenes = joined_tracks(archive.scenes(chosen.area, start, windows.post_until + timedelta(seconds=1)))
    if track not in readiness.tracks_of(scenes):
        raise ImpossibleRequest(f"{track} does not see {event_id}; {[str(t) for t in readiness.tracks_of(scenes)]} do")
    outlook = readiness.look(
        chosen.area,
        scenes,
        track=track,
        windows=windows,
        watermark=archive.watermark(now),
        now=now,
        takes_all=True,
    )
    if not outlook.pre or not outlook.post:
        return Plan(outlook=outlook, composite=None, used_eecu_s=watch.eecu_s)
    lattice = watch.lattice or lattice_for(watch.aoi)
    return Plan(
        outlook=outlook,
        used_eecu_s=watch.eecu_s,
        composite=composite_of(
            watch, lattice, chosen, track, stage, outlook, shard_px=shard_px, data_notice=data_notice
        ),
    )
