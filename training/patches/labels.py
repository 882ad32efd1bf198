"""What a patch is: landslide, background, too little of a landslide, or hidden from this pass (Nava et al. 2026, section 3.2)."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

PATCH_PX = 64
MIN_FRACTION = 0.05
"""More than this share of the pixels has failed in a landslide patch: 205 of 4096. (T8: the paper's "2000 m2" should be 20 480.)"""


class Label(IntEnum):
    """Kinds of patches; all are kept on disk, a selection decides what it does with the last two."""

    BACKGROUND = 0
    LANDSLIDE = 1
    SUBTHRESHOLD = 2
    DISTORTED = 3


def label_patches(original: NDArray[np.floating], landslide: NDArray[np.floating]) -> NDArray[np.int8]:
    """Return the `Label` of each patch.

    Args:
        original: share of the patch that the original inventory covers.
        landslide: share that the inventory covers where this pass can see it, without layover and shadow.

    Returns:
        int8 [n]: LANDSLIDE if more than 5 % in sight; BACKGROUND if the original inventory has nothing there; DISTORTED if more than
        5 % failed but not in sight; SUBTHRESHOLD for the rest.
    """
    kind = np.full(original.shape, Label.SUBTHRESHOLD, np.int8)
    kind[original > MIN_FRACTION] = Label.DISTORTED
    kind[original == 0] = Label.BACKGROUND
    kind[landslide > MIN_FRACTION] = Label.LANDSLIDE
    return kind


def cut(image: NDArray[np.generic]) -> NDArray[np.generic]:
    """Cut an image [H, W, C] into its whole patches [n, 64, 64, C], row by row."""
    rows, columns = (n // PATCH_PX for n in image.shape[:2])
    whole = image[: rows * PATCH_PX, : columns * PATCH_PX]
    blocks = whole.reshape(rows, PATCH_PX, columns, PATCH_PX, -1).swapaxes(1, 2)
    return blocks.reshape(rows * columns, PATCH_PX, PATCH_PX, -1)


def fractions(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the share of true pixels in every whole patch of a mask [H, W], exact: 4096 is a power of two."""
    patches: NDArray[np.bool_] = cut(mask[..., None])  # type: ignore[assignment]
    return patches.mean(axis=(1, 2, 3), dtype=np.float32)
