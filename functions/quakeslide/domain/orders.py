"""What a watch ordered for one stage of one track: composites, how far each got, and when to order another.

Everything here is a value, changed by replacing it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from quakeslide.domain.readiness import Readiness
from quakeslide.domain.sentinel1 import Stage, Track

MAX_ATTEMPTS = 3
MAX_REDRIVES = 5
PATIENCE = timedelta(minutes=15)  # products should be there so long after the export succeeded


class Step(StrEnum):
    """How far a composite got: planned, exporting, exported (products expected), done, or given up."""

    PLANNED = "planned"
    EXPORTING = "exporting"
    EXPORTED = "exported"
    DONE = "done"
    FAILED = "failed"
    STUCK = "stuck"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One composite that was ordered.

    Attributes:
        composite_id: names it; its manifest holds the rest.
        scenes: how many it is made of.
        is_final: it is the stage's final one; `is_marked`: the marker beside the manifest says so.
        attempt: counts exports of it, from 1; `attempts_allowed`: when to give up.
        operation: Earth Engine's name of the running or last export.
        driven_at: when the export was seen to have succeeded, or a rescan was sent last.
        eecu_s, export_s: what the exports of it used, in EECU seconds, and how long they ran, in seconds, over all attempts.
        redrives: rescans sent because products were missing.
        text: what went wrong last.
    """

    composite_id: str
    scenes: int
    is_final: bool = False
    is_marked: bool = False
    step: Step = Step.PLANNED
    attempt: int = 1
    attempts_allowed: int = MAX_ATTEMPTS
    operation: str | None = None
    driven_at: datetime | None = None
    redrives: int = 0
    eecu_s: float = 0.0
    export_s: float = 0.0
    text: str = ""

    @property
    def finality(self) -> str:
        """Which products are awaited, as it stands in object names."""
        return "final" if self.is_final else "provisional"

    @property
    def is_settled(self) -> bool:
        """Nothing more will happen to it by itself."""
        return self.step in (Step.DONE, Step.FAILED, Step.STUCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackStage:
    """One stage of one track, in one series.

    Attributes:
        series: which composites supersede one another, see `Series`.
        readiness, coverage, share, n_pre, n_post, post_until: as last looked at.
        orders: composites in the order they were planned.
        is_frozen: no scene can change it any more.
    """

    track: Track
    stage: Stage
    readiness: Readiness
    coverage: float
    share: float
    n_pre: int
    n_post: int
    post_until: datetime
    series: str = ""
    orders: tuple[Order, ...] = ()
    is_frozen: bool = False

    @property
    def final_order(self) -> Order | None:
        """The newest order that is final."""
        return next((order for order in reversed(self.orders) if order.is_final), None)

    def with_composite(self, composite_id: str, scenes: int, *, is_final: bool) -> "TrackStage":
        """Order a composite, or promote the one already ordered.

        A provisional composite is made once. A final one is replaced only by another set of scenes that is not smaller: a listing
        that for a moment lacks a scene is no news.
        """
        standing = next((order for order in self.orders if order.composite_id == composite_id), None)
        if standing is not None:
            if not is_final or standing.is_final:
                return self
            promoted = replace(standing, is_final=True)
            return replace(self, orders=tuple(promoted if o is standing else o for o in self.orders))
        if not is_final and self.orders:
            return self
        if self.final_order is not None and scenes < self.final_order.scenes:
            return self
        return replace(self, orders=(*self.orders, Order(composite_id=composite_id, scenes=scenes, is_final=is_final)))
