import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quakeslide.domain.suppression import best_first, suppress_as_published, suppress_boxes, suppress_on_lattice


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


@given(st.sets(st.tuples(st.integers(0, 400), st.integers(0, 10**7)), max_size=15), st.integers(0, 99))
def test_groups_of_windows_far_apart_equal_greedy(groups, seed):
    around = ((0, 0), (0, 1), (1, 1), (2, 0))
    near = sorted({(row + down, col + right) for row, col in groups for down, right in around})
    rng = np.random.default_rng(seed)
    windows = rng.permutation(np.array(near, int).reshape(-1, 2))
    scores = rng.choice([0.7, 0.8], len(windows)).astype(np.float32)
    assert suppress_on_lattice(windows, scores).tolist() == greedy((windows * 32).tolist(), scores.tolist())


ROWS, COLS = np.indices((31, 37))
CHAINS = {  # each window waits for the one before: whole rounds settle next to none of them
    "along rows": ROWS * 37 + COLS,
    "along rows, back and forth": ROWS * 37 + np.where(ROWS % 2, 36 - COLS, COLS),
    "along diagonals": (ROWS + COLS) * 37 + COLS,
    "diagonals, all equal": ROWS + COLS,
    "against diagonals": (ROWS - COLS) * 37 + COLS,
    "towards the middle": np.maximum(abs(ROWS - 15), abs(COLS - 18)),
    "away from the middle": -np.maximum(abs(ROWS - 15), abs(COLS - 18)),
    "a comb": np.where(COLS % 2, ROWS, 1000 + ROWS),
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("is_rising", [True, False])
def test_chains_of_windows_equal_greedy(chain, is_rising):
    scores = (CHAINS[chain] * (1 if is_rising else -1)).astype(np.float32).ravel()
    windows = np.argwhere(ROWS >= 0)
    assert suppress_on_lattice(windows, scores).tolist() == greedy((windows * 32).tolist(), scores.tolist())


@pytest.mark.parametrize(
    ("steps", "limit_mb"), [(100, 2), (10**6, 0.1)], ids=["over 30 000 px square", "over half the earth"]
)
def test_a_few_windows_far_apart_need_little_memory(steps, limit_mb):
    windows = np.arange(10).reshape(-1, 1) * [steps, steps]
    tracemalloc.start()
    kept = suppress_on_lattice(windows, np.linspace(0.6, 1, 10, dtype=np.float32))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert kept.tolist() == list(range(9, -1, -1))
    assert peak < limit_mb * 1e6


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


def notebook(corners):
    """The notebook's method as training and field notes describe it, over x1 y1 x2 y2, in plain loops."""
    boxes = [(col, row, col + 64, row + 64) for row, col in corners]
    left = [index for _, index in sorted((box[3], index) for index, box in enumerate(boxes))]
    picked = []
    while left:
        best = left.pop()
        picked.append(best)
        x1, y1, x2, y2 = boxes[best]
        remaining = []
        for other in left:
            u1, v1, u2, v2 = boxes[other]
            wide, tall = min(x2, u2) - max(x1, u1) + 1, min(y2, v2) - max(y1, v1) + 1
            share = max(0, wide) * max(0, tall) / ((u2 - u1 + 1) * (v2 - v1 + 1))
            if share <= 0.1:
                remaining.append(other)
        left = remaining
    return picked


@given(BOXES)
def test_published_method_equals_the_notebook_box_for_box(boxes):
    corners = np.array([box[:2] for box in boxes], int).reshape(-1, 2)
    assert suppress_as_published(corners).tolist() == notebook(corners.tolist())


@given(GRIDS)
def test_published_method_equals_the_notebook_on_the_lattice(grid):
    corners = np.argwhere(grid > 0) * 32
    assert suppress_as_published(corners).tolist() == notebook(corners.tolist())


@given(hnp.arrays(np.float32, st.integers(0, 30), elements=st.sampled_from([-1.5, -0.0, 0.0, 1e-40, 0.25, 1.0])))
def test_best_first_is_a_stable_sort_by_falling_score(scores):
    expected = sorted(range(len(scores)), key=lambda i: (-float(scores[i]), i))
    assert best_first(scores).tolist() == expected


@pytest.mark.parametrize("shape", ["noise", "ramp", "diagonal", "ties"])
def test_a_million_candidates_take_a_third_of_a_second(shape):
    """As the benchmark measures it; here the loop over boxes is the clock, which a slow processor slows down alike."""
    windows = np.argwhere(np.ones((1000, 1000), bool))
    scores = {
        "noise": np.random.default_rng(1).random(len(windows), np.float32),
        "ramp": np.linspace(0.6, 1, len(windows), dtype=np.float32),
        "diagonal": windows.sum(axis=1).astype(np.float32),
        "ties": np.full(len(windows), 0.7, np.float32),
    }[shape]

    def took(suppress, *given):
        start = time.process_time()  # of the processor, not of a busy machine
        assert len(suppress(*given)) >= len(given[0]) / 9
        return time.process_time() - start

    quarter = len(windows) // 4
    by_boxes = 4 * took(suppress_boxes, windows[:quarter] * 32, scores[:quarter])
    assert min(took(suppress_on_lattice, windows, scores) for _ in range(3)) < by_boxes / 3  # a twelfth is usual
