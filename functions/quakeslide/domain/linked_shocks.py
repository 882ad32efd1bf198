"""Which earthquakes are aftershocks of another one under watch, and what the main shock's watch does about them.

Radar cannot tell slides of two shocks apart that struck between the same passes. So a quake in an area that is looked at anyway gets no
second set of the same maps: it is linked to the main shock. Its document stays, with all that is told of it, and only its standing
changes:

    told, no other watch looks at its area  ------------------------------------> OPEN   its own watch
    told, within a main shock's area, within 60 days of it ---------------------> LINKED to the main shock
    LINKED and its area grows beyond, or it moves out of the 60 days, or the
    main shock is cancelled, merged or shrinks, or a person asks for it --------> OPEN
    OPEN without composites, and a main shock's announcement comes later -------> LINKED
    OPEN with composites -------------------------------------------------------> stays; what was begun goes on
    cancelled, or merged into another -------------------------------------------> CANCELLED, remembered by the main shock

Who is linked to whom follows from what was told of the quakes and from which composites were begun, never from the order of messages.
The main shock's watch remembers every such quake (`Watch.shocks`); one of at least M - 0.5 gets a further series of composites of the
main shock's watch, whose post-event stack begins with it. A series in which nothing was ordered follows its shock: it moves with it
and goes with it. One with orders stays and says so.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import shapely

from quakeslide.domain.aoi import area_km2
from quakeslide.domain.readiness import SETTLING
from quakeslide.domain.watch import LEAST_GROWTH_KM2, Fate, LaterTime, Shock, Standing, Watch

SHOCK_STEP = 0.5  # a later shock this much weaker at most sets off landslides of its own
LONGEST_POST = timedelta(days=60)  # the longest post-event stack of the paper's Table 3
# Share of a shock's area beyond the main shock's from which it is watched on its own. Where an area ends is no better known than its
# epicentre, of which 10 km are no news (`earthquake.DISTANCE_KM`); moved by that, the 90 km circle of an M 6.2 has 7 % outside.
LEAST_WIDENING = 0.1


def arrange(cases: Sequence[Watch], since: datetime) -> list[Watch]:
    """Return watches as they must stand beside one another.

    Args:
        cases: all watches about the same time, in any order; with those of the 60 days before `since`.
        since: those with an earlier t0 keep their standing.
    """
    arranged: list[Watch] = []
    for case in sorted(cases, key=_age):
        if case.t0 >= since and case.standing in (Standing.OPEN, Standing.LINKED):
            case = _linked(case, main_shock_of(case, arranged) if may_be_linked(case) else None)
        arranged.append(case)
    known = {case.event_id for case in cases}
    return [_with_shocks(case, arranged, known) for case in arranged]


def may_be_linked(case: Watch) -> bool:
    """Say whether nothing holds a quake to a watch of its own: no composite, no person's wish."""
    return case.magnitude is not None and case.asked_at is None and not case.has_orders


def main_shock_of(shock: Watch, others: Sequence[Watch]) -> Watch | None:
    """Return the watch that looks at a shock's area anyway; of several the one that began to, the strongest, the earliest."""

    def rank(main: Watch) -> tuple[bool, float, datetime, str]:
        return (shock.event_id not in _begun(main), -(main.magnitude or 0.0), main.t0, main.event_id)

    mains = [main for main in others if _precedes(main, shock) and not widens(shock, main)]
    return min(mains, key=rank, default=None)


def widens(shock: Watch, main: Watch) -> bool:
    """Say whether a shock's area reaches materially beyond the main shock's."""
    outside_km2 = _outside_km2(shock, main)
    return outside_km2 >= LEAST_GROWTH_KM2 and outside_km2 >= LEAST_WIDENING * area_km2(shock.whole_area)


def shock_notices(watch: Watch) -> list[str]:
    """Return what people should know of the shocks near a watch, in plain words."""
    begun = _begun(watch)
    notices = []
    for shock in watch.shocks:
        said = f"M {shock.magnitude:.1f} ({shock.event_id}) struck in this area at {shock.time:%Y-%m-%d %H:%M} UTC"
        series = ", ".join(f"w{time.number}" for time in watch.later_times if time.shock == shock.event_id)
        outside = f" {shock.outside_km2:.0f} km2 of its area lie outside and are not looked at."
        if shock.fate is Fate.LINKED:
            follows = f"further composites ({series}) begin with it" if series else "its slides are not told apart"
            rim = outside if shock.outside_km2 >= LEAST_GROWTH_KM2 else ""
            notices.append(f"{said} and is linked to this watch: {follows}.{rim}")
        else:
            stays = f" The composites begun with it ({series}) stay." if shock.event_id in begun else ""
            what = "has a watch of its own" if shock.fate is Fate.OWN else "was taken back"
            notices.append(f"{said} and {what}: {shock.detail}.{stays}")
    return notices


def _age(case: Watch) -> tuple[datetime, str]:
    return (case.t0, case.event_id)


def _is_main(case: Watch) -> bool:
    """Say whether others may be linked to it: a quake's own watch, not an area that a person drew without one."""
    return case.standing in (Standing.OPEN, Standing.CLOSED) and case.magnitude is not None


def _precedes(main: Watch, shock: Watch) -> bool:
    return _is_main(main) and _age(main) < _age(shock) and shock.t0 <= main.t0 + LONGEST_POST


def _meets(one: Watch, other: Watch) -> bool:
    if not one.whole_area.intersects(other.whole_area):
        return False
    return area_km2(one.whole_area.intersection(other.whole_area)) >= LEAST_GROWTH_KM2


def _outside_km2(shock: Watch, main: Watch) -> float:
    if not shock.whole_area.intersects(main.whole_area):
        return area_km2(shock.whole_area)
    return area_km2(shapely.difference(shock.whole_area, main.whole_area))


def _linked(case: Watch, main: Watch | None) -> Watch:
    if main is not None:
        reason = f"it struck in the area of {main.event_id} ({main.place}), which is under watch"
        return replace(case, standing=Standing.LINKED, linked_to=main.event_id, reason=reason, track_stages=())
    if case.standing is Standing.LINKED:
        return replace(case, standing=Standing.OPEN, linked_to="", reason="")
    return case


def _with_shocks(main: Watch, others: Sequence[Watch], known: set[str]) -> Watch:
    """Return a watch with the quakes near it, and the series that they call for."""
    shocks: tuple[Shock, ...] = ()
    if _is_main(main):
        untold = [shock for shock in main.shocks if shock.event_id not in known]
        near = [shock for other in others if (shock := _near(main, other))]
        shocks = tuple(sorted([*untold, *near], key=lambda shock: (shock.time, shock.event_id)))
    times = _later_times(main, shocks)
    changed = replace(main, shocks=shocks, later_times=times)
    names = {series.name for series in changed.series}
    changed = replace(changed, track_stages=tuple(item for item in main.track_stages if item.series in names))
    is_more = any(time not in main.later_times for time in times)
    return replace(changed, standing=Standing.OPEN, reason="") if is_more else changed


def _near(main: Watch, other: Watch) -> Shock | None:
    """Return a quake as another one's watch remembers it, None where they have nothing to do with each other."""
    if other.event_id == main.event_id or other.magnitude is None or not _meets(main, other):
        return None
    outside_km2 = round(_outside_km2(other, main), 1)
    fate = _fate(main, other, outside_km2)
    return fate and Shock(
        event_id=other.event_id,
        time=other.t0,
        magnitude=other.magnitude,
        told_at=other.told_at,
        fate=fate[0],
        detail=fate[1],
        outside_km2=outside_km2,
    )


def _fate(main: Watch, other: Watch, outside_km2: float) -> tuple[Fate, str] | None:
    follows = _age(main) < _age(other) and other.t0 <= main.t0 + LONGEST_POST
    if other.standing is Standing.LINKED:
        return (Fate.LINKED, "") if other.linked_to == main.event_id else None
    if other.standing is Standing.CANCELLED:
        was_of_it = other.event_id in _begun(main) or (follows and not widens(other, main))
        return (Fate.WITHDRAWN, other.reason) if was_of_it else None
    if _precedes(other, main):
        return Fate.OWN, "it struck before"
    if not follows:
        return None
    if other.asked_at is not None:
        return Fate.OWN, "a person asked for it"
    if widens(other, main):
        return Fate.OWN, f"its area adds {outside_km2:.0f} km2"
    return Fate.OWN, "it was begun before it was known to belong here"


def _begun(main: Watch) -> set[str]:
    """Return the shocks whose series have orders."""
    ordered = {item.series for item in main.track_stages if item.orders}
    return {time.shock for time in main.later_times if time.shock and _names(time, ordered)}


def _names(time: LaterTime, series: set[str]) -> bool:
    return any(name == f"w{time.number}" or name.startswith(f"w{time.number}g") for name in series)


def _later_times(main: Watch, shocks: Sequence[Shock]) -> tuple[LaterTime, ...]:
    """Return the later times that stay, and one for each strong linked shock that has none."""
    ordered = {item.series for item in main.track_stages if item.orders}
    times = [time for time in main.later_times if not time.shock or _names(time, ordered)]
    least = (main.magnitude or 0.0) - SHOCK_STEP
    for shock in shocks:
        starts = [main.post_begin, *(time.post_start for time in times)]
        is_strong = shock.fate is Fate.LINKED and round(shock.magnitude - least, 6) >= 0
        if not is_strong or shock.time <= main.post_begin or any(abs(shock.time - at) < SETTLING for at in starts):
            continue
        number = min(set(range(1, len(times) + 2)) - {time.number for time in times})
        times.append(
            LaterTime(number=number, pre_end=main.pre_finish, post_start=shock.time, shock=shock.event_id)
        )  # before both shocks and after both: what slid at either is in the difference
    return tuple(sorted(times, key=lambda time: time.number))
