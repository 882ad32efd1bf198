"""One composite of a watched event, planned and started by a person.

It goes through the same names, outbox and books as a watch's own: what a watch has exported or is exporting is not exported again, and
a watch that comes to order the same composite later finds the export that was started by hand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from quakeslide.documents.manifest import write_manifest
from quakeslide.domain import object_names, readiness
from quakeslide.domain.budget import HOUR_S, Budget, Rate, estimated_eecu_s
from quakeslide.domain.composite import Composite
from quakeslide.domain.lattice import lattice_for
from quakeslide.domain.readiness import Outlook, Windows
from quakeslide.domain.sentinel1 import Stage, Track, joined_tracks
from quakeslide.domain.terrain import PLAIN, Terrain
from quakeslide.domain.watch import Standing
from quakeslide.errors import ImpossibleRequest
from quakeslide.ports import CompositeExporter, ExportState, ObjectStore, SceneArchive
from quakeslide.usecases.book_export import measured_rate, settle
from quakeslide.usecases.keep_watch import JSON, find_watch
from quakeslide.usecases.plan_composites import composite_of
from quakeslide.usecases.start_export import export_intent, last_attempt, start_export


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be exported.

    Attributes:
        outlook: the track's stage as it stands.
        composite: of all scenes that are there now; None where a stack is empty.
        used_eecu_s: what the event's exports used so far, in EECU seconds.
        rate: what exports cost.
    """

    outlook: Outlook
    composite: Composite | None
    used_eecu_s: float
    rate: Rate

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
        known = (
            f"by {self.rate.exports} exports that ended"
            if self.rate.exports
            else "by an assumption, no export has ended"
        )
        yield (
            f"EECU hours   {estimated_eecu_s(self.composite, self.rate) / HOUR_S:.3g} (estimated {known});"
            f" the event's exports used {self.used_eecu_s / HOUR_S:.3g} so far"
        )
        treatment = self.composite.terrain
        yield f"backscatter  {treatment.backscatter}, layover and shadow widened by {treatment.mask_buffer_m} m"


def export_by_hand(
    composite: Composite | None,
    now: datetime,
    *,
    state: ObjectStore,
    composites: ObjectStore,
    exporter: CompositeExporter,
    budget: Budget,
) -> str:
    """Write the manifest and start the export, unless it was made or is being made; return in words how it stands.

    An export that failed or is lost is tried again as the next attempt, as often as it is asked for.

    Raises:
        ImpossibleRequest: there is nothing to export, or the budget is used up.
        QuakeslideError: see `start_export`.
    """
    if composite is None:
        raise ImpossibleRequest("nothing to export: a stack is empty")
    name = object_names.manifest(composite.event_id, composite.track, composite.stage, composite.composite_id)
    composites.create(name, write_manifest(composite), JSON)
    written = {listed.name for listed in composites.list(composite.prefix)}
    if all(shard.name in written for shard in composite.shards()):
        return f"exported already: {composite.prefix}"
    attempt = 1
    if (last := last_attempt(state, composite)) is not None:
        number, operation = last
        export = exporter.follow(operation)
        if export.state in (ExportState.PENDING, ExportState.RUNNING):
            return f"exporting already: {operation}"
        settle(
            state, composite.event_id, export_intent(composite.event_id, composite.composite_id, number), export.eecu_s
        )
        attempt = number + 1
    started = start_export(composite, attempt, now, state=state, exporter=exporter, budget=budget)
    if started.waits:
        raise ImpossibleRequest(f"{composite.path} {started.waits}; --beyond-budget exports it all the same")
    if started.operation is None:
        return "another process is starting this export; ask again in two minutes"
    return f"exporting: {started.operation}"


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
    terrain: Terrain = PLAIN,
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
    if watch.standing is Standing.LINKED:
        raise ImpossibleRequest(
            f"{event_id} is linked to {watch.linked_to}; `quakeslide trigger {event_id}` opens a watch"
        )
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
    rate = measured_rate(state)
    if not outlook.pre or not outlook.post:
        return Plan(outlook=outlook, composite=None, used_eecu_s=watch.eecu_s, rate=rate)
    lattice = watch.lattice or lattice_for(watch.aoi)
    return Plan(
        outlook=outlook,
        used_eecu_s=watch.eecu_s,
        rate=rate,
        composite=composite_of(
            watch, lattice, chosen, track, stage, outlook, shard_px=shard_px, data_notice=data_notice, terrain=terrain
        ),
    )
