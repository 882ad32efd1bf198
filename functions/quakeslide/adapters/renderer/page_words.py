"""What the map page says in words: properties of a detection, a row of the table of tracks, the status."""

from collections.abc import Mapping
from typing import Any

from quakeslide.adapters.renderer.legend import whole_percent
from quakeslide.domain import object_names
from quakeslide.domain.sentinel1 import Stage, Track

CAUTIONS = {
    "foreshortened_or_partly_blind": "part of this box lies where steep slopes hide from the radar",
    "missing_pixels": "part of this box has no radar data",
    "flat": "the ground is nearly flat: floods, harvests or building work change it too",
    "near_water": "there is or may be water: waves and water levels change the radar image too",
    "snow_possible": "most of this box changed at once, as under wet snow or when it melts",
    "arid_possible": "hardly any plants before the earthquake: the model saw few deserts in training",
}
STATES = {
    "waiting": "waiting", "exporting": "in the works", "detecting": "in the works", "done": "done",
    "none_found": "nothing found", "could_not_look": "could not look", "stuck": "stuck", "failed": "failed",
    "skipped": "skipped", "cancelled": "cancelled",
}  # fmt: skip
Words = list[tuple[str, str]]


def describe(properties: Mapping[str, Any], middle: tuple[float, float]) -> Words:
    """Return label and value for a detection of a track or of the fused summary; `middle` is (lon, lat)."""
    words: Words = [("Model score", f"{properties['score']:.2f} of 1")]
    if "probability" in properties:
        words.append(("Calibrated probability", f"{properties['probability']:.0%}"))
    words.append(("Middle (lat, lon)", f"{middle[1]:.5f}, {middle[0]:.5f}"))
    if "scores" in properties:
        words += [
            ("Agreement", "{agree} of {looked} tracks that looked".format(**properties["agreement"])),
            ("Tracks that agree", ", ".join(properties["tracks_agree"]) or "none alone; together they do"),
            ("Looked and disagree", ", ".join(properties["tracks_disagree"]) or "none"),
            ("Could not look", ", ".join(properties["tracks_could_not_look"]) or "none"),
        ]
    else:
        words += [
            ("Track", f"{properties['track']} ({properties['pass'].lower()}), {properties['finality']}"),
            ("Radar brightness changed", _change(properties)),
            ("Slope, median", _degrees(properties["slope_median_deg"])),
            ("Radar incidence, median", _degrees(properties["incidence_median_deg"])),
            ("Hidden from the radar", f"{properties['blind_fraction']:.0%} of the box"),
        ]
        words += [("Caution", CAUTIONS.get(word, word)) for word in properties["cautions"]]
    words.append(("Size", "640 m box; a slide lies somewhere in it and may be much smaller"))
    return words


def _change(properties: Mapping[str, Any]) -> str:
    parts = [(name, properties[key]) for name, key in (("VV", "diff_vv_db"), ("VH", "diff_vh_db"))]
    return ", ".join(f"{name} {value:+.1f} dB" for name, value in parts if value is not None) or "unknown"


def _degrees(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0f} degrees"


def track_row(detections: Mapping[str, Any], href: str | None) -> dict[str, str]:
    """Return the table row of a track's detections, with the relative link to their file.

    Args:
        detections: the collection.
        href: where the file lies from the page; None: where it lies in the results bucket.
    """
    stage = Stage.parse(detections["stage"])
    if href is None:
        track = Track.parse(detections["track"])
        href = "../../" + object_names.detections(
            detections["event_id"], track, stage, detections["run_id"], detections["finality"]
        )
    seen = detections["seen_fraction_of_aoi"]
    return {
        "track": detections["track"],
        "orbit_pass": detections["pass"].lower(),
        "stage": f"{stage.pre_days} days before, {stage.post_days} after",
        "finality": detections["finality"],
        "result": result_words(detections),
        "seen": "unknown" if seen is None else whole_percent(seen),
        "file": href.removeprefix("../../"),
        "href": href,
    }


def result_words(detections: Mapping[str, Any]) -> str:
    """Return the outcome as a short sentence."""
    found = len(detections["features"])
    if found:
        return f"{found} place{'s' if found > 1 else ''}"
    return {"could not look": "could not look"}.get(detections["outcome"], "looked, nothing found")


def status_rows(status: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a row per track and stage of the `status/` document, problems last."""
    rows = [
        {"what": f"{row['track']} {row['stage']}", "state": STATES.get(row["state"], row["state"]), "text": row["text"]}
        for row in status.get("tracks", [])
    ]
    for problem in status.get("problems", []):
        what = f"{problem['track']} {problem['stage']}".replace("- -", "event")
        rows.append({"what": what, "state": "problem", "text": f"{problem['text']} {problem['remedy']}"})
    return rows
