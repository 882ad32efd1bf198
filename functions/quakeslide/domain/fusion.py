"""Tracks fused: what all viewing geometries together say of each window of the lattice.

A track looks from one side and at its own time, and steep ground hides from each in other places. Windows share the event's
lattice, so they are matched by index. The fused score is the mean logit over the tracks that judged the window: what one could
not see does not count against the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from quakeslide import __version__
from quakeslide.domain.judgement import Judgement
from quakeslide.domain.lattice import STRIDE_PX, Lattice, Rectangle
from quakeslide.domain.report import (
    FLAT_GROUND,
    NOT_AN_AREA,
    OTHER_TRIGGERS,
    UNVERIFIED,
    seen_fraction_of_aoi,
    window_area_m2,
    window_boxes,
)
from quakeslide.domain.rfc7946 import collection, feature, lonlat_polygons, number
from quakeslide.domain.sentinel1 import Stage, Track
from quakeslide.domain.suppression import OVERLAP_MAX, suppress_on_lattice

CLOSEST = 1e-7  # a score of 0 or 1 is taken as this far from it: float32 holds no more, and a logit must be finite
Layer = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackScores:
    """One judgement as far as fusion needs it.

    Attributes:
        track, stage: whose.
        finality: `provisional` or `final`.
        run_id: of the judgement.
        window_row, window_col: lattice index of the first window.
        scores: float32 [R, C], NaN where not judged.
        in_aoi: bool [R, C].
        threshold: of its model card.
        seen_fraction: share of the AOI's area that was judged.
        notices: data notice and model notice, empty ones left out.
    """

    track: Track
    stage: Stage
    finality: str
    run_id: str
    window_row: int
    window_col: int
    scores: NDArray[np.float32]
    in_aoi: NDArray[np.bool_]
    threshold: float
    seen_fraction: float
    notices: tuple[str, ...]

    @classmethod
    def of(cls, judgement: Judgement) -> Self:
        """Take from a judgement what fusion needs."""
        composite, card = judgement.composite, judgement.card
        return cls(
            track=composite.track,
            stage=composite.stage,
            finality=judgement.finality,
            run_id=judgement.run_id,
            window_row=composite.rectangle.row // STRIDE_PX,
            window_col=composite.rectangle.col // STRIDE_PX,
            scores=judgement.cells.scores,
            in_aoi=judgement.in_aoi,
            threshold=card.threshold,
            seen_fraction=seen_fraction_of_aoi(judgement),
            notices=tuple(notice for notice in (composite.data_notice, card.data_notice) if notice),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """All tracks on the smallest rectangle that holds them.

    Attributes:
        rectangle: of the lattice.
        tracks: in order of name.
        scores: float32 [T, R, C] per track, NaN where it did not judge.
        thresholds: float64 [T, R, C] of the models that judged, NaN likewise.
        in_aoi: bool [R, C], in the AOI of any.
        fused: float32 [R, C], NaN where no track judged.
        detections: int [m, 2], (row, col), best first.
    """

    rectangle: Rectangle
    tracks: tuple[Track, ...]
    scores: NDArray[np.float32]
    thresholds: Layer
    in_aoi: NDArray[np.bool_]
    fused: NDArray[np.float32]
    detections: NDArray[np.int_]


def fuse(judged: Sequence[TrackScores]) -> Fused:
    """Fuse judgements of one event.

    Args:
        judged: at least one; several of one track (growth of the area) complete each other, the earlier listed winning.

    Raises:
        ValueError: nothing to fuse.
    """
    if not judged:
        raise ValueError("nothing to fuse: no track was judged")
    tracks = tuple(sorted({one.track for one in judged}))
    top, left = min(one.window_row for one in judged), min(one.window_col for one in judged)
    rows = max(one.window_row + one.scores.shape[0] for one in judged) - top
    cols = max(one.window_col + one.scores.shape[1] for one in judged) - left
    scores = np.full((len(tracks), rows, cols), np.nan, np.float32)
    thresholds = np.full(scores.shape, np.nan)
    in_aoi = np.zeros((rows, cols), np.bool_)
    for one in judged:
        here = np.s_[one.window_row - top :, one.window_col - left :]
        shape = np.s_[: one.scores.shape[0], : one.scores.shape[1]]
        mine, limit = scores[tracks.index(one.track)][here][shape], thresholds[tracks.index(one.track)][here][shape]
        new = np.isnan(mine) & np.isfinite(one.scores)
        mine[new], limit[new] = one.scores[new], np.float32(one.threshold)  # compared in float32, as scores are stored
        in_aoi[here][shape] |= one.in_aoi
    logits, limits = _mean_over_tracks(_logit(scores)), _mean_over_tracks(_logit(thresholds))
    fused = (1 / (1 + np.exp(-logits))).astype(np.float32)
    alone = np.isfinite(scores).sum(axis=0) == 1  # one track's word stands as it is, to the last bit
    fused[alone] = np.where(np.isfinite(scores), scores, 0).sum(axis=0)[alone]
    windows = np.argwhere((logits > limits) & in_aoi)  # NaN, where no track judged, is not greater
    kept = suppress_on_lattice(windows, fused[windows[:, 0], windows[:, 1]])
    return Fused(
        rectangle=Rectangle(
            row=top * STRIDE_PX, col=left * STRIDE_PX, height=(rows + 1) * STRIDE_PX, width=(cols + 1) * STRIDE_PX
        ),
        tracks=tracks,
        scores=scores,
        thresholds=thresholds,
        in_aoi=in_aoi,
        fused=fused,
        detections=windows[kept],
    )


def _logit(share: NDArray[Any]) -> Layer:
    inside = np.clip(share.astype(np.float64), CLOSEST, 1 - CLOSEST)
    logits: Layer = np.log(inside / (1 - inside))
    return logits


def _mean_over_tracks(layers: Layer) -> Layer:
    """Return the mean over the first axis of what is not NaN, NaN where all is."""
    known = np.isfinite(layers)
    total = np.where(known, layers, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def summary_geojson(
    judged: Sequence[TrackScores], *, event_id: str, place: str, t0: datetime, lattice: Lattice
) -> dict[str, Any]:
    """Return the tracks fused as a FeatureCollection, best first.

    Each feature says which tracks agree, which saw the place and did not, and which could not look. Without any judgement the
    collection is empty and its outcome `could not look`.
    """
    fused = fuse(judged) if judged else None
    return collection(
        _features(fused, event_id, lattice) if fused else [], _members(judged, fused, event_id, place, t0, lattice)
    )


def _features(fused: Fused, event_id: str, lattice: Lattice) -> list[dict[str, Any]]:
    features = []
    boxes = lonlat_polygons(window_boxes(lattice, fused.rectangle, fused.detections), lattice.crs)
    area = window_area_m2(lattice, fused.rectangle)
    for rank, ((row, col), box) in enumerate(zip(fused.detections.tolist(), boxes, strict=True), start=1):
        scores, limits = fused.scores[:, row, col], fused.thresholds[:, row, col]
        looked, agreed = np.isfinite(scores), scores > limits
        by_track = dict(zip(map(str, fused.tracks), zip(scores.tolist(), limits.tolist(), strict=True), strict=True))
        properties = {
            "event_id": event_id,
            "rank": rank,
            "score": number(fused.fused[row, col]),
            "window_area_m2": area,
            "agreement": {"agree": int(agreed.sum()), "looked": int(looked.sum())},
            "tracks_agree": [name for name, (score, limit) in by_track.items() if score > limit],
            "tracks_disagree": [name for name, (score, limit) in by_track.items() if score <= limit],
            "tracks_could_not_look": [name for name, (score, _) in by_track.items() if np.isnan(score)],
            "scores": {name: number(score) for name, (score, _) in by_track.items()},
            "window_row": fused.rectangle.row // STRIDE_PX + row,
            "window_col": fused.rectangle.col // STRIDE_PX + col,
        }
        features.append(feature(box, properties))
    return features


def _members(
    judged: Sequence[TrackScores], fused: Fused | None, event_id: str, place: str, t0: datetime, lattice: Lattice
) -> dict[str, Any]:
    in_aoi = int(fused.in_aoi.sum()) if fused else 0
    scored = int((fused.in_aoi & np.isfinite(fused.fused)).sum()) if fused else 0
    found = len(fused.detections) if fused else 0
    return {
        "event_id": event_id,
        "title": f"Possible landslides after {place or event_id}, all tracks together",
        "outcome": "could not look" if not scored else "detections" if found else "processed, none found",
        "counts": {"windows_in_aoi": in_aoi, "windows_scored": scored, "detections": found},
        "automatic_unverified": UNVERIFIED,
        "notices": sorted({notice for one in judged for notice in one.notices}),
        "notes": [OTHER_TRIGGERS, NOT_AN_AREA, FLAT_GROUND],
        "place": place,
        "t0": t0.isoformat(),
        "tracks": [
            {
                "track": str(one.track),
                "pass": one.track.orbit_pass.value,
                "stage": str(one.stage),
                "finality": one.finality,
                "run_id": one.run_id,
                "threshold": one.threshold,
                "seen_fraction_of_aoi": number(one.seen_fraction),
            }
            for one in sorted(judged, key=lambda one: (one.track, one.window_row, one.window_col))
        ],
        "fusion": "mean logit over the tracks that judged a window",
        "nms_overlap": OVERLAP_MAX,
        "crs": lattice.crs,
        "quakeslide_version": __version__,
    }
