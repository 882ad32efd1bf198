"""How a tile is cut into messages, and how many of them are under way.

Windows a side in one message: 8, which is 288 px and 1.3 MB with four bands. Shards are multiples of 256 px, so however a composite
is cut, the same calls are made and the scores are the same to the last bit.
"""

import numpy as np
from numpy.typing import NDArray

from quakeslide.domain.lattice import STRIDE_PX, WINDOW_PX

BLOCK_WINDOWS = 8
IN_FLIGHT = 4  # messages sent before the first is answered, so that the server is never idle
Block = tuple[slice, slice]


def blocks(wanted: NDArray[np.bool_]) -> list[Block]:
    """Cut windows (bool [rows, cols]) into blocks with a wanted one in them, as slices of window rows and columns."""
    rows, cols = wanted.shape
    cut = [
        (slice(row, min(row + BLOCK_WINDOWS, rows)), slice(col, min(col + BLOCK_WINDOWS, cols)))
        for row in range(0, rows, BLOCK_WINDOWS)
        for col in range(0, cols, BLOCK_WINDOWS)
    ]
    return [block for block in cut if wanted[block].any()]


def pixels_of(block: Block) -> Block:
    """Return the pixels that a block's windows cover."""
    reach = WINDOW_PX - STRIDE_PX
    down, across = block
    return (
        slice(down.start * STRIDE_PX, down.stop * STRIDE_PX + reach),
        slice(across.start * STRIDE_PX, across.stop * STRIDE_PX + reach),
    )


class Allowance:
    """How many calls may be under way: four; one alone after a refusal, then one more with each answer."""

    def __init__(self) -> None:
        self.calls = IN_FLIGHT

    def refused(self) -> None:
        """The server is overloaded or away: go on with a single call."""
        self.calls = 1

    def answered(self) -> None:
        """Take one more, up to the limit."""
        self.calls = min(IN_FLIGHT, self.calls + 1)
