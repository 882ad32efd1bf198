"""What an export may cost: Earth Engine counts computing in EECU seconds, and quotas and bills go by them.

An export is deferred where its event or its day has used up its share; it is never dropped. The estimate before the export is its work,
pixels times scenes, times a rate: that of the exports that have ended, and an assumption before the first one has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from quakeslide.domain.composite import Composite

# An assumption, not a measurement: Earth Engine publishes no price list, and nothing here was run on it. It puts 200 x 200 km of ten
# scenes at 2.2 EECU hours. The first export that ends replaces it.
ASSUMED_EECU_S_PER_PIXEL_AND_SCENE = 2e-6
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Caps in EECU seconds.

    Attributes:
        per_event_s: of all exports of one earthquake.
        per_day_s: of all exports started on one day, UTC.
    """

    per_event_s: float = 200 * HOUR_S
    per_day_s: float = 500 * HOUR_S


UNLIMITED = Budget(per_event_s=float("inf"), per_day_s=float("inf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one finished export used.

    Attributes:
        export_id: of the export's intent.
        work: its pixels times scenes.
        eecu_s: as Earth Engine reports it.
    """

    export_id: str
    work: float
    eecu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a unit of work costs.

    Attributes:
        eecu_s: EECU seconds per pixel and scene.
        exports: how many finished exports it was measured on; 0 where it is the assumption.
    """

    eecu_s: float = ASSUMED_EECU_S_PER_PIXEL_AND_SCENE
    exports: int = 0


def rate_of(finished: Sequence[Measured]) -> Rate:
    """Return the ratio of what finished exports used to their work; large ones count for more, for they are what a budget is about."""
    work = sum(export.work for export in finished)
    used = sum(export.eecu_s for export in finished)
    return Rate(eecu_s=used / work, exports=len(finished)) if work and used else Rate()


def work_of(composite: Composite) -> float:
    """Return pixels times scenes, what reading, mosaicking and a median grow with."""
    scenes = len(composite.pre_scenes) + len(composite.post_scenes)
    return float(composite.rectangle.height * composite.rectangle.width * scenes)


def estimated_eecu_s(composite: Composite, rate: Rate) -> float:
    """Return roughly how many EECU seconds an export will use."""
    return work_of(composite) * rate.eecu_s


def has_room(booked: dict[str, float], export_id: str, eecu_s: float, cap_s: float) -> bool:
    """Say whether an export fits under a cap; one that is larger than the cap goes alone, else it would wait for ever."""
    others = sum(cost for known, cost in booked.items() if known != export_id)
    return export_id in booked or others == 0 or others + eecu_s <= cap_s
