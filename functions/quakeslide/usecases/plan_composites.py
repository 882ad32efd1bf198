"""Plan a watch's composites: look at each stage of each track, and order what can be judged now; the manifest is written at once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from quakeslide.documents.manifest import write_manifest
from quakeslide.domain import object_names, readiness
from quakeslide.domain.composite import Composite
from quakeslide.domain.lattice import Lattice, lattice_for, rectangle_for
from quakeslide.domain.orders import TrackStage
from quakeslide.domain.readiness import Outlook, Readiness, Windows
from quakeslide.domain.sentinel1 import Scene, Stage, Track, joined_tracks
from quakeslide.domain.terrain import Terrain
from quakeslide.domain.watch import Series, Watch
from quakeslide.usecases.exporting import Exporting
from quakeslide.usecases.keep_watch import JSON

JUDGEABLE = (Readiness.PROVISIONAL, Readiness.FINAL, Readiness.PARTIAL)


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
            watch,
            lattice,
            series,
            track,
            stage,
            outlook,
            shard_px=using.shard_px,
            data_notice=using.data_notice,
            terrain=using.terrain,
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
    terrain: Terrain,
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
        terrain=terrain,
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
