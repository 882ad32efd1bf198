"""What an export may cost: Earth Engine counts computing in EECU seconds, and quotas and bills go by them.

An export is deferred where its event or its day has used up its share; it is never dropped. The estimate before the export is
rough, what an export did use is known when it has ended.
"""

from dataclasses import dataclass

from quakeslide.domain.composite import Composite

# EECU seconds per pixel and scene: a guess on the safe side for reading, mosaicking and a median; Earth Engine publishes no price list
EECU_S_PER_PIXEL_AND_SCENE = 2e-6
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


def estimated_eecu_s(composite: Composite) -> float:
    """Return roughly how many EECU seconds an export will use."""
    pixels = composite.rectangle.height * composite.rectangle.width
    scenes = len(composite.pre_scenes) + len(composite.post_scenes)
    return pixels * scenes * EECU_S_PER_PIXEL_AND_SCENE


def has_room(booked: dict[str, float], export_id: str, eecu_s: float, cap_s: float) -> bool:
    """Say whether an export fits under a cap; one that is larger than the cap goes alone, else it would wait for ever."""
    others = sum(cost for known, cost in booked.items() if known != export_id)
    return export_id in booked or others == 0 or others + eecu_s <= cap_s
