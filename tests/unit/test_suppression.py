import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quakeslide.domain.suppression import suppress_as_published, suppress_boxes, suppress_on_lattice


def greedy(corners, scores):
    """Plain greedy suppression by areas, written without the product's code."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    kept = []
    for i in order:
        for j in kept:
            down = min(corners[i][0], corners[j][0]) + 64 - max(corners[i][0], corners[j][0])
            across = min(corners[i][1], corners[j][1]) + 64 - max(corners[i][1], corners[j][1])
            if down > 0 and across > 0 and down * across / 4096 > 0.1:
                break
        else:
            kept.append(i)
    return kept


GRIDS = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 0.5, 0.7, 0.9])
)
BOXES = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 300), st.sampled_from([0.6, 0.7, 0.8])), min_size=0, max_size=40
)


@given(GRIDS)
def test_grid_method_equals_greedy_with_ties(grid):
    windows = np.argwhere(grid > 0)
    scores = grid[windows[:, 0], windows[:, 1]]
    assert suppress_on_lattice(windows, scores).tolist() == greedy((windows * 32).tolist(), scores.tolist())


@given(BOXES)
def test_box_method_equals_greedy_with_ties_and_equal_boxes(boxes):
    corners = np.array([box[:2] for box in boxes], int).reshape(-1, 2)
    scores = np.array([box[2] for box in boxes], np.float32)
    assert suppress_boxes(corners, scores).tolist() == greedy(corners.tolist(), scores.tolist())


@given(BOXES)
def test_no_two_kept_boxes_overlap_too_much_and_each_removed_one_does(boxes):
    corners = np.array([box[:2] for box in boxes], int).reshape(-1, 2)
    kept = suppress_boxes(corners, np.array([box[2] for box in boxes], np.float32)).tolist()

    def share(i, j):
        return np.clip(64 - np.abs(corners[i] - corners[j]), 0, None).prod() / 4096

    assert all(share(i, j) <= 0.1 for i in kept for j in kept if i != j)
    assert all(any(share(i, j) > 0.1 for j in kept) for i in range(len(boxes)) if i not in kept)


def test_nothing_is_kept_of_nothing():
    none = np.empty((0, 2), int)
    assert len(suppress_on_lattice(none, np.empty(0, np.float32))) == 0
    assert len(suppress_as_published(none)) == 0


def test_lower_score_two_steps_away_stays():
    windows = np.array([[0, 0], [0, 1], [0, 2]])
    assert suppress_on_lattice(windows, np.array([0.9, 0.95, 0.8], np.float32)).tolist() == [1]
    assert suppress_on_lattice(windows, np.array([0.9, 0.8, 0.7], np.float32)).tolist() == [0, 2]


def test_published_method_keeps_the_lowest_box_whatever_the_score():
    corners = np.array([[0, 0], [32, 0], [96, 0]])
    assert suppress_as_published(corners).tolist() == [2, 1]  # (96) and (32) touch, (0) overlaps (32) by half
