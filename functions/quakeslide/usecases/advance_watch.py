"""Look at one watch: what can be judged now, what was ordered, how far it got.

First the plan is written (manifests, then the watch, swapped on the generation read), then it is acted on. A delivery that loses
the swap acts on nothing; one that crashes later leaves a plan that the next one goes on with, over the same scenes.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from quakeslide.domain.watch import Standing, Watch
from quakeslide.telemetry import say
from quakeslide.usecases.exporting import Exporting
from quakeslide.usecases.keep_watch import file_away, find_watch, save_watch
from quakeslide.usecases.plan_composites import plan, wanted_stages
from quakeslide.usecases.pursue_order import pass_on_forces, pursue

OVERDUE = timedelta(days=2)  # a watch still open so long after its last stage froze needs a person


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
                using=using,
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


def is_over(watch: Watch, now: datetime, using: Exporting) -> bool:
    """Say whether nothing can happen any more: the last window is frozen and every order is settled."""
    orders = [order for item in watch.track_stages for order in item.orders]
    return now >= freezes(watch, using) and not watch.forces and all(order.is_settled for order in orders)


def freezes(watch: Watch, using: Exporting) -> datetime:
    """Return when the last stage can no longer change."""
    last = max(timedelta(days=stage.post_days) for stage in wanted_stages(watch, using))
    return max(series.post_start for series in watch.series) + last + using.rules.freeze
