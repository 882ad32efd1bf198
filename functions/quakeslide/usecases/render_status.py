"""`status/{event}.json`: every track and stage in plain words.

A pure function of what is stored: the watch, the problems, the `latest` pointers. Written anew whenever one of them changed, by
whoever changed it; the same content is not written twice.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from quakeslide.documents.notes import POINTER, PROBLEM
from quakeslide.domain import object_names
from quakeslide.domain.linked_shocks import shock_notices
from quakeslide.domain.orders import Order, Step, TrackStage
from quakeslide.domain.readiness import RULES, Readiness
from quakeslide.domain.watch import Standing, Watch
from quakeslide.ports import ObjectStore
from quakeslide.usecases.keep_watch import find_watch
from quakeslide.usecases.swap import swap

JSON = "application/json"
VERSION = 1
STATES = {
    Standing.OPEN: "watching",
    Standing.CLOSED: "complete",
    Standing.CANCELLED: "cancelled",
    Standing.LINKED: "linked",
}
BROKEN_PROMISE = 0.05  # share of the area by which the pixels may fall short of the scenes' outlines before it is said
OUTCOMES = ("done", "none_found", "could_not_look")


def render_status(
    event_id: str, *, state: ObjectStore, composites: ObjectStore, results: ObjectStore
) -> dict[str, Any]:
    """Render the status and swap it in where it changed.

    Args:
        event_id: of the earthquake; one without a watch has a status too if it has problems.
        state: bucket of watches and problems.
        composites: bucket of manifests and markers.
        results: bucket of products and of the status.

    Returns:
        The document.

    Raises:
        LostRace: others kept changing it.
    """
    document: dict[str, Any] = {}

    def render(_: bytes | None) -> bytes:
        document.clear()
        document.update(status_document(event_id, state=state, composites=composites, results=results))
        return json.dumps(document, sort_keys=True, indent=1, allow_nan=False).encode()

    swap(results, object_names.status(event_id), render, JSON)
    return document


def status_document(
    event_id: str, *, state: ObjectStore, composites: ObjectStore, results: ObjectStore
) -> dict[str, Any]:
    """Return the status as it follows from what is stored now."""
    kept = find_watch(state, event_id)
    problems = problems_of(event_id, state)
    shown = [{k: p[k] for k in ("track", "stage", "code", "text", "remedy", "since")} for p in problems]
    if kept is None:
        title, standing, tracks, notices = event_id, "unknown", [], ["There is no watch for this event."]
    else:
        watch = kept.watch
        title = watch.place if watch.magnitude is None else f"M {watch.magnitude:.1f}, {watch.place}"
        standing, notices = STATES[watch.standing], [*watch.notices, *shock_notices(watch)]
        if watch.standing is Standing.CANCELLED:
            notices.append(f"Cancelled: {watch.reason}. Products made before stay as they are.")
        elif watch.standing is Standing.LINKED:
            notices.append(
                f"Linked to {watch.linked_to}: {watch.reason}. Its slides are mapped there; a manual message for"
                f" {event_id} opens a watch of its own."
            )
        elif not watch.track_stages:
            notices.append("Sentinel-1 has not been seen over this area yet.")
        tracks = [_row(watch, item, _pointer(results, watch, item), composites) for item in watch.track_stages]
    return {
        "version": VERSION,
        "event_id": event_id,
        "title": title,
        "state": standing,
        "linked_to": kept.watch.linked_to or None if kept else None,
        "tracks": tracks,
        "problems": shown,
        "notices": notices,
    }


def _row(watch: Watch, item: TrackStage, pointer: Mapping[str, Any] | None, composites: ObjectStore) -> dict[str, Any]:
    state, text = _words(watch, item, pointer)
    latest = item.orders[-1] if item.orders else None
    final = item.final_order
    is_marked = final is not None and _is_marked(composites, watch, item, final)
    series = next((one for one in watch.series if one.name == item.series), None)
    return {
        "track": str(item.track),
        "stage": str(item.stage),
        "series": item.series,
        "post_start": series.post_start.isoformat() if series else None,
        "state": state,
        "text": text,
        "finality": pointer["finality"] if pointer else None,
        "detections": pointer["detections"] if pointer else None,
        "run_id": pointer["run_id"] if pointer else None,
        "composite_id": pointer["composite_id"] if pointer else latest.composite_id if latest else None,
        "final_composite_id": final.composite_id if final and is_marked else None,
        "coverage": item.coverage,
        "pre_passes": item.n_pre,
        "post_passes": item.n_post,
        "final_at": item.post_until.isoformat(),
    }


def _words(watch: Watch, item: TrackStage, pointer: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return the state of a track's stage, one of the eleven, and the sentence that explains it."""
    final_at = f"final at {_minute(item.post_until)}"
    if watch.looked_at is not None and watch.looked_at >= item.post_until:  # the archive may still be behind
        final_at = (
            f"final when the archive is past {_minute(item.post_until)}, or at {_minute(item.post_until + RULES.grace)}"
        )
    latest = item.orders[-1] if item.orders else None
    if watch.standing is Standing.CANCELLED:
        return "cancelled", f"cancelled: {watch.reason}"
    if latest is not None and latest.step is Step.FAILED:
        return "failed", f"the export failed: {latest.text}"
    if latest is not None and latest.step is Step.STUCK:
        return "stuck", f"exported, but no products came after {latest.redrives} reminders"
    if pointer is not None:
        return _judged(item, pointer, latest, final_at)
    if latest is not None:
        finality = f"{latest.finality} composite {latest.composite_id}"
        if latest.step in (Step.PLANNED, Step.EXPORTING):
            return "exporting", f"Earth Engine is exporting the {finality}" + (
                f" ({latest.text})" if latest.text else ""
            )
        return "detecting", f"looking for landslides in the {finality}"
    return _unordered(item, final_at)


def _judged(item: TrackStage, pointer: Mapping[str, Any], latest: Order | None, final_at: str) -> tuple[str, str]:
    count = pointer["detections"]
    state = pointer["outcome"] if pointer.get("outcome") in OUTCOMES else "done" if count else "none_found"
    words = {
        "done": f"{count} detection{'' if count == 1 else 's'}",
        "none_found": "processed, none found",
        "could_not_look": "could not look: nothing in the area could be judged",
    }[state]
    if latest is not None and latest.composite_id != pointer["composite_id"]:
        return state, f"{words} ({pointer['finality']}); a newer composite is being made"
    promised, passed = item.share * item.coverage, pointer.get("passed_fraction_of_aoi")
    if passed is not None and promised - passed > BROKEN_PROMISE:
        words += f", but its images cover {passed:.0%} of the area where their outlines promised {promised:.0%}"
    if pointer["finality"] != "final":
        return state, f"{words} (provisional, from the first complete pass); {final_at}"
    partly = f", with {item.coverage:.0%} of the visible ground" if item.readiness is Readiness.PARTIAL else ""
    return state, f"{words} (final{partly})"


def _unordered(item: TrackStage, final_at: str) -> tuple[str, str]:
    if item.readiness is Readiness.SKIPPED:
        return "skipped", f"this track sees only {item.share:.1%} of the area"
    if item.readiness is Readiness.NO_POST:
        return "could_not_look", f"no pass came by {_minute(item.post_until + RULES.grace)}"
    if item.readiness is Readiness.NO_PRE:
        return "could_not_look", "there is no pass before the earthquake to compare with"
    if item.n_post == 0:
        return "waiting", f"waiting for the first pass after the earthquake; {final_at}"
    if item.n_pre == 0:
        return "waiting", f"waiting for a pass from before the earthquake; {final_at}"
    if item.readiness is Readiness.WAITING:
        return "waiting", f"waiting for a complete pass, {item.coverage:.0%} of the visible ground so far; {final_at}"
    return "waiting", f"waiting for the end of the {item.stage.post_days} days; {final_at}"


def _pointer(results: ObjectStore, watch: Watch, item: TrackStage) -> Mapping[str, Any] | None:
    name = object_names.latest(watch.event_id, item.track, item.stage, item.series)
    stored = results.read(name)
    return POINTER.read(stored.data, name) if stored else None


def _is_marked(composites: ObjectStore, watch: Watch, item: TrackStage, order: Order) -> bool:
    name = object_names.final_marker(watch.event_id, item.track, item.stage, order.composite_id)
    return composites.read(name) is not None


def problems_of(event_id: str, state: ObjectStore) -> list[dict[str, Any]]:
    """Return the permanent errors recorded for an event."""
    found = ((item.name, state.read(item.name)) for item in state.list(f"problems/{event_id}/"))
    return [PROBLEM.read(stored.data, name) for name, stored in found if stored is not None]


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
