"""Look at one watch: what can be judged now, what was ordered, how far it got.

First the plan is written (manifests, then the watch, swapped on the generation read), then it is acted on. A delivery that loses
the swap acts on nothing; one that crashes later leaves a plan that the next one goes on with, over the same scenes.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from quakeslide.documents.manifest import write_manifest
from quakeslide.domain import object_names, readiness
from quakeslide.domain.budget import HOUR_S, Budget
from quakeslide.domain.composite import Composite
from quakeslide.domain.lattice import Lattice, lattice_for, rectangle_for
from quakeslide.domain.orders import TrackStage
from quakeslide.domain.readiness import Outlook, Readiness, Rules, Windows
from quakeslide.domain.sentinel1 import Scene, Stage, Track, joined_tracks
from quakeslide.domain.watch import Series, Standing, Watch
from quakeslide.ports import Bus, CompositeExporter, ObjectStore, SceneArchive
from quakeslide.settings import ExportSettings
from quakeslide.telemetry import say
from quakeslide.usecases.keep_watch import JSON, file_away, find_watch, save_watch
from quakeslide.usecases.pursue_order import pass_on_forces, pursue

OVERDUE = timedelta(days=2)  # a watch still open so long after its last stage froze needs a person
JUDGEABLE = (Readiness.PROVISIONAL, Readiness.FINAL, Readiness.PARTIAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporting:
    """What the export use cases work with.

    Attributes:
        state, composites, results: buckets.
        stages: the ladder, where a watch names no stages of its own.
        shard_px: side of an export shard.
        data_notice: copied into every manifest.
        rules: when a track counts as seen.
        budget: what exports may cost.
    """

    state: ObjectStore
    composites: ObjectStore
    results: ObjectStore
    bus: Bus
    archive: SceneArchive
    exporter: CompositeExporter
    stages: tuple[Stage, ...]
    shard_px: int
    data_notice: str
    rules: Rules = readiness.RULES
    budget: Budget = field(default_factory=Budget)

    @classmethod
    def of(
        cls,
        settings: ExportSettings,
        state: ObjectStore,
        composites: ObjectStore,
        results: ObjectStore,
        *,
        bus: Bus,
        archive: SceneArchive,
        exporter: CompositeExporter,
    ) -> "Exporting":
        """Put settings and ports together.

        Raises:
            ValueError: a stage in the settings is none of the paper's.
        """
        return cls(
            state=state,
            composites=composites,
            results=results,
            bus=bus,
            archive=archive,
            exporter=exporter,
            stages=tuple(Stage.parse(text.strip()) for text in settings.stages.split(",")),
            shard_px=settings.shard_px,
            data_notice=settings.data_notice,
            budget=Budget(
                per_event_s=settings.eecu_hours_per_event * HOUR_S, per_day_s=settings.eecu_hours_per_day * HOUR_S
            ),
        )


def advance_watch(event_id: str, now: datetime, message_id: str, using: Exporting) -> None:
    """Look at a watch and bring it on as far as it goes.

    Args:
        event_id: of the watch; one that is not there or has ended is left alone.
        now: the trigger's own time.
        message_id: remembered by the watch.
        using: ports and settings.

    Raises:
        LostRace: another delivery changed the watch meanwhile.
        EarthEngineUnavailable: nothing could be listed or followed; what was planned stays planned.
    """
    kept = find_watch(using.state, event_id)
    if kept is None:
        return
    if kept.watch.standing is not Standing.OPEN:
        file_away(using.state, kept)
        return
    now = max(now, kept.watch.looked_at or now)
    watch = plan(kept.watch, now, using)
    watch = replace(watch, looked_at=now).having_handled(message_id)
    kept = save_watch(using.state, watch, kept)
    watch = pass_on_forces(kept.watch, now, using.state, using.bus)
    for item in watch.track_stages:
        current = [order.composite_id for order in item.orders]
        orders = tuple(
            pursue(
                order,
                watch=watch,
                track_stage=item,
                is_superseded=order.composite_id != current[-1],
                now=now,
                state=using.state,
                composites=using.composites,
                results=using.results,
                bus=using.bus,
                exporter=using.exporter,
                budget=using.budget,
            )
            for order in item.orders
        )
        watch = watch.having(replace(item, orders=orders))
    if is_over(watch, now, using):
        watch = replace(watch, standing=Standing.CLOSED, reason="every stage is frozen")
    elif (late := now - freezes(watch, using)) >= OVERDUE:
        say("watch overdue", level=logging.WARNING, event_id=event_id, days_late=late.days)
    if watch != kept.watch:
        save_watch(using.state, watch, kept)


def plan(watch: Watch, now: datetime, using: Exporting) -> Watch:
    """Return the watch with what is to be made ordered; its manifests are written."""
    stages = wanted_stages(watch, using)
    longest_pre = max([readiness.HISTORY, *(timedelta(days=stage.pre_days) for stage in stages)])
    longest_post = max(timedelta(days=stage.post_days) for stage in stages)
    if all_frozen(watch, stages):
        return watch
    start = min(series.pre_end for series in watch.series) - longest_pre
    end = max(series.post_start for series in watch.series) + longest_post + timedelta(seconds=1)
    scenes = joined_tracks(using.archive.scenes(watch.whole_area, start, end))
    watermark = using.archive.watermark(now)
    for scene in scenes:
        if why := readiness.reason_against(scene):
            watch = watch.noting(f"Track {scene.track}: {why}.")
    for series in watch.series:
        for track in readiness.tracks_of(scenes):
            if watch.tracks is not None and track not in watch.tracks:
                continue
            for stage in stages:
                if not _is_frozen(watch.find(track, stage, series.name), series):
                    provisional = stage == stages[0]
                    watch = _look(
                        watch, series, track, stage, scenes, watermark, now, using, may_be_provisional=provisional
                    )
    return watch


def _is_frozen(standing: TrackStage | None, series: Series) -> bool:
    """Say whether a stage is frozen over the times that hold now; a person may have moved them since."""
    if standing is None or not standing.is_frozen:
        return False
    return standing.post_until == series.post_start + timedelta(days=standing.stage.post_days)


def _look(
    watch: Watch,
    series: Series,
    track: Track,
    stage: Stage,
    scenes: Sequence[Scene],
    watermark: datetime,
    now: datetime,
    using: Exporting,
    *,
    may_be_provisional: bool,
) -> Watch:
    windows = Windows(pre_end=series.pre_end, post_start=series.post_start, stage=stage)
    outlook = readiness.look(
        series.area, scenes, track=track, windows=windows, watermark=watermark, now=now, rules=using.rules
    )
    standing = watch.find(track, stage, series.name)
    item = TrackStage(
        series=series.name,
        track=track,
        stage=stage,
        readiness=outlook.readiness,
        coverage=outlook.coverage,
        share=outlook.share,
        n_pre=outlook.n_pre,
        n_post=outlook.n_post,
        post_until=outlook.post_until,
        orders=standing.orders if standing else (),
        is_frozen=now >= outlook.post_until + using.rules.freeze,
    )
    is_final = outlook.readiness is not Readiness.PROVISIONAL
    if outlook.readiness in JUDGEABLE and (is_final or may_be_provisional):
        lattice = watch.lattice or lattice_for(watch.aoi)
        watch = replace(watch, lattice=lattice)
        composite = composite_of(
            watch, lattice, series, track, stage, outlook, shard_px=using.shard_px, data_notice=using.data_notice
        )
        before = item
        item = item.with_composite(
            composite.composite_id, len(composite.pre_scenes + composite.post_scenes), is_final=is_final
        )
        if outlook.lacks_vh:
            watch = watch.noting(f"Track {track}, stage {stage}: not every scene has VH, so VV alone is used.")
        if item != before:
            name = object_names.manifest(watch.event_id, track, stage, composite.composite_id)
            using.composites.create(name, write_manifest(composite), JSON)
    return watch.having(item)


def composite_of(
    watch: Watch,
    lattice: Lattice,
    series: Series,
    track: Track,
    stage: Stage,
    outlook: Outlook,
    *,
    shard_px: int,
    data_notice: str,
) -> Composite:
    """Return the composite of the scenes of an outlook."""
    return Composite(
        event_id=watch.event_id,
        track=track,
        stage=stage,
        polarisation=outlook.polarisation,
        pre_scenes=tuple(scene.scene_id for scene in outlook.pre),
        post_scenes=tuple(scene.scene_id for scene in outlook.post),
        lattice=lattice,
        rectangle=rectangle_for(series.area, lattice),
        shard_px=shard_px,
        t0=watch.t0,
        post_start=series.post_start,
        aoi=series.area,
        aoi_source=watch.aoi_source,
        weak_pre=outlook.weak_pre,
        place=watch.place,
        data_notice=data_notice,
        series=series.name,
    )


def wanted_stages(watch: Watch, using: Exporting) -> tuple[Stage, ...]:
    """Return the stages to make, the shortest post-event window first; only the first may be provisional."""
    stages = watch.stages if watch.stages else using.stages
    return tuple(sorted(set(stages), key=lambda stage: (stage.post_days, stage.pre_days)))


def all_frozen(watch: Watch, stages: Sequence[Stage]) -> bool:
    """Say whether every stage of every known track is frozen, in every series."""
    times = {series.name: series for series in watch.series}
    seen = {(item.stage, item.series) for item in watch.track_stages}
    wanted = {(stage, name) for stage in stages for name in times}
    return (
        bool(watch.track_stages) and seen >= wanted and all(_is_frozen(i, times[i.series]) for i in watch.track_stages)
    )


def is_over(watch: Watch, now: datetime, using: Exporting) -> bool:
    """Say whether nothing can happen any more: the last window is frozen and every order is settled."""
    orders = [order for item in watch.track_stages for order in item.orders]
    return now >= freezes(watch, using) and not watch.forces and all(order.is_settled for order in orders)


def freezes(watch: Watch, using: Exporting) -> datetime:
    """Return when the last stage can no longer change."""
    last = max(timedelta(days=stage.post_days) for stage in wanted_stages(watch, using))
    return max(series.post_start for series in watch.series) + last + using.rules.freeze
