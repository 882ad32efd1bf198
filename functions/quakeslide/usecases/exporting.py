"""The outside world of `export_composites`, and the rules it exports by."""

from dataclasses import dataclass, field

from quakeslide.domain import readiness
from quakeslide.domain.budget import HOUR_S, Budget
from quakeslide.domain.readiness import Rules
from quakeslide.domain.sentinel1 import Stage
from quakeslide.domain.terrain import PLAIN, Backscatter, Terrain
from quakeslide.ports import Bus, CompositeExporter, ObjectStore, SceneArchive
from quakeslide.settings import ExportSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporting:
    """What the export use cases work with.

    Attributes:
        state, composites, results: buckets.
        stages: the ladder, where a watch names no stages of its own.
        shard_px: side of an export shard.
        data_notice: copied into every manifest.
        terrain: how it is treated in new composites.
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
    terrain: Terrain = PLAIN
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
            ValueError: a stage in the settings is none of the paper's, or the treatment of terrain is none we know.
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
            terrain=Terrain(backscatter=Backscatter(settings.backscatter), mask_buffer_m=settings.mask_buffer_m),
            budget=Budget(
                per_event_s=settings.eecu_hours_per_event * HOUR_S, per_day_s=settings.eecu_hours_per_day * HOUR_S
            ),
        )
