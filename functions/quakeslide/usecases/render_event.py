"""What an event shows as a whole: pointers to the newest products, the summary of all tracks, status and page.

Each is a pure function of what is stored, rendered whole and swapped on the generation that was read, so whoever renders last has
seen everything. A track is represented by one stage, which supersedes its others.
"""

import json
from collections.abc import Mapping
from typing import Any

from quakeslide.documents.manifest import read_manifest
from quakeslide.documents.notes import POINTER, write_note
from quakeslide.domain import object_names
from quakeslide.domain.fusion import TrackScores, summary_geojson
from quakeslide.domain.judgement import Judgement
from quakeslide.domain.model_card import FIRST_STAGE
from quakeslide.domain.report import detections_geojson, dumps, outcome, passed_fraction_of_aoi
from quakeslide.domain.sentinel1 import Stage, Track
from quakeslide.errors import LostRace
from quakeslide.ports import ObjectStore
from quakeslide.telemetry import say
from quakeslide.usecases.judge_run import detections_name, judge, support_name
from quakeslide.usecases.render_status import render_status
from quakeslide.usecases.run import Detector, Run
from quakeslide.usecases.swap import swap

OUTCOMES = {
    "detections": "done",
    "processed, none found": "none_found",
    "could not look": "could_not_look",
}  # as in `status/`
JSON, GEOJSON, HTML = "application/json", "application/geo+json", "text/html; charset=utf-8"


def update_pointer(judgement: Judgement, results: ObjectStore) -> None:
    """Point `latest/` of the stage at a judgement, unless it points at a better one.

    Raises:
        LostRace: others kept changing it.
    """
    composite = judgement.composite
    run = Run(composite=composite, card=judgement.card, run_id=judgement.run_id)
    pointer = {
        "event_id": composite.event_id,
        "track": str(composite.track),
        "stage": str(composite.stage),
        "series": composite.series,
        "run_id": judgement.run_id,
        "finality": judgement.finality,
        "composite_id": composite.composite_id,
        "scenes": sorted(composite.pre_scenes + composite.post_scenes),
        "model": judgement.card.name,
        "version": judgement.card.version,
        "outcome": OUTCOMES[outcome(judgement)],
        "detections": len(judgement.detections),
        "passed_fraction_of_aoi": round(passed_fraction_of_aoi(judgement), 4),
        "geojson": detections_name(run, judgement.is_final),
        "support": support_name(judgement, ""),
    }

    def render(standing: bytes | None) -> bytes | None:
        if standing is not None and is_better(POINTER.read(standing, name), pointer):
            return None
        return write_note(POINTER, pointer, indent=1)

    name = object_names.latest(composite.event_id, composite.track, composite.stage, composite.series)
    swap(results, name, render, JSON)


def is_better(standing: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Say whether the standing pointer stays: final before provisional, more of the same scenes, a newer version of the model."""
    if standing["finality"] != new["finality"]:
        return bool(standing["finality"] == "final")
    if standing["composite_id"] != new["composite_id"]:
        return set(standing["scenes"]) > set(new["scenes"])
    return bool(standing["model"] == new["model"] and standing["version"] > new["version"])


def render_event(event_id: str, detector: Detector) -> None:
    """Render summary, status and page of an event from all that is stored.

    Raises:
        LostRace: others kept changing them.
    """
    judged: dict[str, Judgement] = {}

    def summary(_: bytes | None) -> bytes | None:
        judgements = representatives(event_id, detector, judged)
        return dumps(_summary(event_id, judgements)) if judgements else None

    swap(detector.results, object_names.summary(event_id), summary, GEOJSON)

    def page(_: bytes | None) -> bytes | None:
        status = render_status(event_id, state=detector.state, composites=detector.composites, results=detector.results)
        judgements = representatives(event_id, detector, judged)
        return _page(event_id, judgements, status, detector) if judgements else None

    swap(detector.results, object_names.page(event_id), page, HTML)


def representatives(event_id: str, detector: Detector, judged: dict[str, Judgement] | None = None) -> list[Judgement]:
    """Return one judgement of each track and each piece of the area, by track, the first area before its growths.

    A track's longest final stage with a model of its own, else final 60-12, else provisional; of equal ones that with the latest
    start of the post-event stack.

    Args:
        event_id: of the earthquake.
        detector: where things are stored.
        judged: judgements read before, by the name of their GeoJSON, which never change; those read now are added.
    """
    judged = {} if judged is None else judged
    best: dict[tuple[str, int], tuple[tuple[int, ...], dict[str, Any]]] = {}
    for listed in detector.results.list(f"latest/{object_names.checked_event_id(event_id)}/"):
        stored = detector.results.read(listed.name)
        if stored is None:
            continue
        pointer = POINTER.read(stored.data, listed.name)
        later, growth = object_names.series_numbers(pointer.get("series", ""))
        rank, place = (*_rank(pointer), later), (pointer["track"], growth)
        if place not in best or rank > best[place][0]:
            best[place] = (rank, pointer)
    present = []
    for _, (_, pointer) in sorted(best.items()):
        judgement = judged.get(pointer["geojson"]) or _judged(pointer, detector)
        if judgement is not None:
            judged[pointer["geojson"]] = judgement
            present.append(judgement)
    lattices = {judgement.composite.lattice for judgement in present[:1]}
    return [judgement for judgement in present if judgement.composite.lattice in lattices]


def _rank(pointer: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return the place of a stage among its track's; the greatest represents it."""
    stage = Stage.parse(pointer["stage"])
    has_own_model = pointer["model"].endswith(f"_{stage.pre_days}_{stage.post_days}")
    if pointer["finality"] != "final":
        return 0, int(has_own_model), stage.post_days
    if has_own_model:
        return 3, stage.post_days, stage.pre_days
    return (2, 0, 0) if stage == FIRST_STAGE else (1, stage.post_days, stage.pre_days)


def _judged(pointer: Mapping[str, Any], detector: Detector) -> Judgement | None:
    """Return the judgement behind a pointer, from its stored cells; None where they were cleared away."""
    track, stage = Track.parse(pointer["track"]), Stage.parse(pointer["stage"])
    name = object_names.manifest(pointer["event_id"], track, stage, pointer["composite_id"])
    stored = detector.composites.read(name)
    if stored is None:
        say("superseded products have no manifest", name=name)
        return None
    run = Run(
        composite=read_manifest(stored.data, name),
        card=detector.cards.card(pointer["model"], pointer["version"]),
        run_id=pointer["run_id"],
    )
    if run.missing_cells(detector.state):
        say("products have no cells any more", run_id=run.run_id)
        return None
    return judge(run, pointer["finality"] == "final", detector.state)


def _summary(event_id: str, judgements: list[Judgement]) -> dict[str, Any]:
    first = judgements[0].composite
    return summary_geojson(
        [TrackScores.of(judgement) for judgement in judgements],
        event_id=event_id,
        place=first.place,
        t0=first.t0,
        lattice=first.lattice,
    )


def _page(event_id: str, judgements: list[Judgement], status: Mapping[str, Any], detector: Detector) -> bytes:
    layers: list[dict[str, Any]] = []
    notices: dict[str, None] = {}
    for judgement in judgements:
        composite = judgement.composite
        files = {file: _support(judgement, file, detector) for file in ("blind.geojson", "affected.geojson")}
        layers.append(
            {
                "name": " ".join(
                    filter(None, (*map(str, (composite.track, composite.stage, judgement.finality)), composite.series))
                ),
                "detections": detections_geojson(judgement),
                "blind": json.loads(files["blind.geojson"]),
                "affected": json.loads(files["affected.geojson"]),
                "quicklook": _support(judgement, "quicklook.png", detector),
            }
        )
        notices |= dict.fromkeys(notice for notice in (composite.data_notice, judgement.card.data_notice) if notice)
    layers.append({"name": "all tracks", "detections": _summary(event_id, judgements)})
    title = judgements[0].composite.place or event_id
    return detector.renderer.page(title, layers, status, "; ".join(notices))


def _support(judgement: Judgement, file: str, detector: Detector) -> bytes:
    """Read a support file; all of them were written before the pointer that led here."""
    name = support_name(judgement, file)
    stored = detector.results.read(name)
    if stored is None:
        raise LostRace(f"{name} is missing though latest/ points at it; a rescan writes it again")
    return stored.data
