"""Tracks fused by lattice index: what one cannot see does not count against the other."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakeslide.domain.fusion import TrackScores, fuse, summary_geojson
from quakeslide.domain.lattice import Lattice
from quakeslide.domain.report import detections_geojson, dumps
from quakeslide.domain.sentinel1 import Stage, Track
from tests import fakes_products as made

NAN = np.nan
LATTICE = Lattice(crs="EPSG:32653", origin_x=0.0 + 320 * 1000, origin_y=320 * 13_000)


def scored(track, scores, *, row=0, col=0, threshold=0.6):
    scores = np.asarray(scores, np.float32)
    return TrackScores(
        track=Track.parse(track),
        stage=Stage.parse("60-12"),
        finality="final",
        run_id="0" * 12,
        window_row=row,
        window_col=col,
        scores=scores,
        in_aoi=np.ones(scores.shape, bool),
        threshold=threshold,
        seen_fraction=1.0,
        notices=(f"notice of {track}",),
    )


def summary(*judged):
    return summary_geojson(judged, event_id="us6000m0xl", place="Noto", t0=made.T0, lattice=LATTICE)


def mean_logit(*scores):
    logits = [math.log(s / (1 - s)) for s in scores]
    return 1 / (1 + math.exp(-sum(logits) / len(logits)))


def test_two_tracks_are_averaged_as_logits():
    fused = fuse([scored("A069", [[0.9]]), scored("D119", [[0.4]])])
    assert fused.fused[0, 0] == pytest.approx(mean_logit(0.9, 0.4), abs=1e-6)


def test_what_one_track_cannot_see_does_not_count_against_the_other():
    document = summary(scored("A069", [[0.9, 0.1, 0.1]]), scored("D119", [[NAN, 0.1, 0.1]]))
    (feature,) = document["features"]
    p = feature["properties"]
    assert p["score"] == pytest.approx(0.9)
    assert p["tracks_agree"] == ["A069"]
    assert p["agreement"] == {"agree": 1, "looked": 1}
    assert p["tracks_disagree"] == []
    assert p["tracks_could_not_look"] == ["D119"]
    assert p["scores"] == {"A069": 0.9, "D119": None}


def test_a_track_that_looked_and_saw_nothing_does_count():
    assert summary(scored("A069", [[0.7]]), scored("D119", [[0.1]]))["features"] == []
    (feature,) = summary(scored("A069", [[0.95]]), scored("D119", [[0.5]]))["features"]
    assert feature["properties"]["tracks_disagree"] == ["D119"]


def test_rectangles_are_aligned_by_lattice_index():
    first = scored("A069", np.full((4, 5), 0.1), row=10, col=20)
    first.scores[3, 4] = 0.95
    second = scored("D119", np.full((3, 3), 0.1), row=13, col=24)
    second.scores[0, 0] = 0.9
    fused = fuse([first, second])
    assert (fused.rectangle.row, fused.rectangle.col) == (320, 640)
    assert fused.fused.shape == (6, 7)
    (feature,) = summary(first, second)["features"]
    p = feature["properties"]
    assert (p["window_row"], p["window_col"]) == (13, 24)
    assert p["tracks_agree"] == ["A069", "D119"]


def test_growth_of_one_track_completes_it():
    old = scored("A069", [[0.9, NAN]])
    grown = scored("A069", [[0.1, 0.8]])
    assert fuse([old, grown]).scores[0, 0].tolist() == [np.float32(0.9), np.float32(0.8)]


def test_a_slide_on_the_seam_of_a_growth_stands_once_in_the_summary():
    """A growth rectangle overlaps the earlier one by 64 px: both products may box the same slide, the summary names it once."""
    first, growth = np.full((3, 4), 0.1), np.full((3, 4), 0.1)
    first[1, 3], growth[1, 0], growth[1, 1] = 0.9, 0.9, 0.95  # the shared window, and its neighbour in the growth
    judged = scored("A069", first, col=0), scored("A069", growth, col=3)
    alone = [summary(one)["features"] for one in judged]
    assert [len(features) for features in alone] == [1, 1]
    (feature,) = summary(*judged)["features"]
    assert feature["properties"]["window_col"] == 4
    assert feature["properties"]["agreement"] == {"agree": 1, "looked": 1}


@pytest.mark.parametrize(("series", "is_said"), [("", False), ("g1", True), ("w1", False), ("w2g3", True)])
def test_a_product_beside_a_seam_says_so(series, is_said):
    composite = replace(made.composite_of(), series=series)
    document = detections_geojson(made.judge(composite, made.cells_of(composite)))
    assert any("seam" in note for note in document["notes"]) is is_said


def test_neighbours_are_suppressed():
    document = summary(scored("A069", [[0.7, 0.9, 0.8, 0.7]]))
    assert [f["properties"]["window_col"] for f in document["features"]] == [1, 3]


def test_windows_outside_the_area_are_no_detections():
    judged = scored("A069", [[0.9]])
    assert summary(replace(judged, in_aoi=np.zeros((1, 1), bool)))["features"] == []


def test_certain_scores_stay_finite():
    document = summary(scored("A069", [[1.0]]), scored("D119", [[0.99]]))
    json.loads(dumps(document), parse_constant=pytest.fail)
    assert document["features"][0]["properties"]["score"] > 0.99


@pytest.mark.parametrize("judged", [(), (scored("A069", [[NAN]]),)])
def test_without_any_judged_window_the_summary_could_not_look(judged):
    document = summary(*judged)
    assert document["outcome"] == "could not look"
    assert document["features"] == []
    json.loads(dumps(document), parse_constant=pytest.fail)


def test_notices_of_all_tracks_stand_once():
    document = summary(scored("D119", [[0.1]]), scored("A069", [[0.1]]), scored("A069", [[0.2]], col=7))
    assert document["notices"] == ["notice of A069", "notice of D119"]
    assert document["outcome"] == "processed, none found"


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), slides=st.integers(0, 30))
def test_one_track_alone_is_fused_to_its_own_detections(seed, slides):
    judgement = made.example(seed=seed, slides=slides)
    own = detections_geojson(judgement)["features"]
    composite = judgement.composite
    fused = summary_geojson(
        [TrackScores.of(judgement)],
        event_id=composite.event_id,
        place=composite.place,
        t0=composite.t0,
        lattice=composite.lattice,
    )["features"]
    assert [f["geometry"] for f in fused] == [f["geometry"] for f in own]
    assert [f["properties"]["score"] for f in fused] == [f["properties"]["score"] for f in own]


def test_the_order_of_the_tracks_does_not_matter():
    rng = np.random.default_rng(1)
    first, second = (scored(track, rng.random((9, 9))) for track in ("A069", "D119"))
    assert dumps(summary(first, second)) == dumps(summary(second, first))
