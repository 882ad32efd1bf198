"""Which part of a data set a cell belongs to: a hash of its event and place, the same for every pass, window and polarisation.

33 % of each event's cells are the test part; of the others 40 % validate (Nava et al. 2026, section 3.3: 40.2/26.8/33 %). Sumatra and
Haiti belong to `unseen` whatever happens: no training, validation or test part can hold them.

Neighbouring cells of one event resemble each other, and the paper's split puts them on both sides: `block` keeps squares of 8 x 8
cells (5 km) together instead.
"""

import hashlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Part = Literal["train", "validation", "test", "unseen"]
Split = Literal["cell", "block"]

UNSEEN = {"sumatra": ("sumatra", "pasaman", "us6000gzyg"), "haiti": ("haiti", "us6000f65h")}
"""Parts of the names that these two earthquakes go by; with their ComCat ids, as in `sources/events.json`."""
TEST_SHARE = 0.33
VALIDATION_SHARE = (1 - TEST_SHARE) * 0.40
BLOCK_CELLS = 8


class LeakedEvent(ValueError):
    """An event that no model may learn from was about to enter a training."""


def is_unseen(event: str) -> bool:
    """Say whether an event may only be scored; `Haiti-2021`, `pasaman` and the ComCat ids are meant too."""
    return unseen_earthquake(event) is not None


def unseen_earthquake(event: str) -> str | None:
    """Return which of the two earthquakes an event is, `sumatra` or `haiti`, by any of its names; None for all others."""
    lower = event.lower()
    return next((which for which, names in UNSEEN.items() if any(name in lower for name in names)), None)


def part_of(event: str, scene: int, row: int, column: int, *, split: Split = "cell") -> Part:
    """Return the part of a cell; nothing but the event and the place decides it."""
    if is_unseen(event):
        return "unseen"
    if split == "block":
        place = _hash("part", event, scene, "block", row // BLOCK_CELLS, column // BLOCK_CELLS)
    else:
        place = _hash("part", event, scene, row, column)
    if place < TEST_SHARE:
        return "test"
    return "validation" if place < TEST_SHARE + VALIDATION_SHARE else "train"


def rank_of(event: str, scene: int, row: int, column: int) -> float:
    """Return a number in 0..1 by which background cells queue for the places that a ratio leaves; the same for every pass."""
    return _hash("order", event, scene, row, column)


def refuse_leak(part: Part, events: NDArray[np.str_]) -> None:
    """Hold the events of a selection against its part, a second time and by another way than `part_of`.

    Raises:
        LeakedEvent: an unseen event lies in a part that a model learns from or is chosen by.
    """
    leaked = sorted({event for event in np.unique(events) if is_unseen(event)})
    if part != "unseen" and leaked:
        raise LeakedEvent(f"part {part} holds {', '.join(leaked)}: these events may only be scored")


def _hash(*key: object) -> float:
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
