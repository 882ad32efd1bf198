"""A tile of any size goes to the model server in messages of one fixed size, well under the 1024 px that an instance is sized for."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quakeslide.adapters.tf_serving.blocks import blocks, pixels_of

MOST_PX = 1024


@given(rows=st.integers(1, 70), cols=st.integers(1, 70), seed=st.integers(0, 9))
def test_messages_hold_every_wanted_window_once_and_are_small(rows, cols, seed):
    wanted = np.random.default_rng(seed).random((rows, cols)) < 0.05
    held = np.zeros((rows, cols), int)
    for block in blocks(wanted):
        held[block] += 1
        down, across = pixels_of(block)
        assert max(down.stop - down.start, across.stop - across.start) <= MOST_PX
        assert down.stop <= 32 * (rows - 1) + 64
        assert across.stop <= 32 * (cols - 1) + 64
    assert held.max() <= 1
    assert (held[wanted] == 1).all()
