"""Nine maps of the features of overlapping windows, and where their pixels lie.

Every window starts and ends on a line of the lattice; a map of features cut into cells of one stride therefore has three
versions along each axis:

    whole   as if the image had no windows: n pixels a cell, right wherever the border is out of sight
    start   the first pixel of a window, which is also the first of a cell
    end     the last pixel of a window, which is also the last of a cell

One pixel at either end suffices at each level: convolution spoils one more pixel, pooling halves what is spoilt. So nine
maps (one whole, four strips, four sets of corners) hold all features of all windows.
"""

from typing import Literal

import tensorflow as tf

Part = Literal["start", "whole", "end"]
PARTS: tuple[Part, ...] = ("start", "whole", "end")
Maps = dict[tuple[Part, Part], tf.Tensor]
"""By version along rows and along columns: [cells or cells * n, cells or cells * n, channels]; there is one cell less at
the start and at the end than in whole, as no window starts in the last cell or ends in the first."""

ROWS, COLUMNS = 0, 1


def cut(whole: tf.Tensor, n: int) -> Maps:
    """Return nine maps of one that looks the same to every window; [cells * n, cells * n, channels]."""
    maps: Maps = {}
    for row in PARTS:
        band = _pixel(whole, row, n, 0, ROWS)
        for column in PARTS:
            maps[row, column] = _pixel(band, column, n, 0, COLUMNS)
    return maps


def _pixel(whole: tf.Tensor, part: Part, n: int, steps: int, axis: int) -> tf.Tensor:
    """Return one pixel of each cell in which a window starts or ends, so many steps from its border; a whole map as it is."""
    if part == "whole":
        return whole
    cells = slice(None, -1) if part == "start" else slice(1, None)
    pixel = steps if part == "start" else n - 1 - steps
    split = _split(whole, n, axis)
    return split[cells, pixel] if axis == ROWS else split[:, cells, pixel]


def _split(whole: tf.Tensor, n: int, axis: int) -> tf.Tensor:
    shape = tf.shape(whole)
    channels = whole.shape[-1]
    if axis == ROWS:
        return tf.reshape(whole, [-1, n, shape[1], channels])
    return tf.reshape(whole, [shape[0], -1, n, channels])


def beside(part: Part, border: tf.Tensor, whole: tf.Tensor, n: int, axis: int) -> tf.Tensor:
    """Return the three pixels at a window's border side by side in the channels, in the order of the axis."""
    if part == "whole":
        return border
    three = [border, *(_pixel(whole, part, n, steps, axis) for steps in (1, 2))]
    return tf.concat(three if part == "start" else three[::-1], axis=-1)


def halved(maps: Maps, n: int) -> Maps:
    """Return the means of two by two pixels."""

    def halve(part: Part, border: tf.Tensor, whole: tf.Tensor, axis: int) -> tf.Tensor:
        if part == "whole":
            split = _split(whole, 2, axis)
            return tf.reduce_mean(split, axis=axis + 1)
        return (border + _pixel(whole, part, n, 1, axis)) / 2

    out: Maps = {}
    for row in PARTS:
        halves = {column: halve(row, maps[row, column], maps["whole", column], ROWS) for column in PARTS}
        for column in PARTS:
            out[row, column] = halve(column, halves[column], halves["whole"], COLUMNS)
    return out


def windows_of(maps: Maps, n: int) -> tf.Tensor:
    """Return the features of each window, [r, c, 2n * 2n * channels]."""
    rows = []
    for column in PARTS:
        split = _split(maps["whole", column], n, ROWS)
        start, end = (maps[part, column][:, tf.newaxis] for part in ("start", "end"))
        rows.append(
            tf.concat([start, split[:-1, 1:], split[1:, :-1], end], axis=1)
        )  # [r, 2n, cells or cells * n, channels]
    start, whole, end = rows
    shape = tf.shape(whole)
    channels = whole.shape[-1]
    split = tf.reshape(whole, [shape[0], 2 * n, -1, n, channels])
    start, end = start[:, :, :, tf.newaxis], end[:, :, :, tf.newaxis]
    windows = tf.concat([start, split[:, :, :-1, 1:], split[:, :, 1:, :-1], end], axis=3)
    return tf.reshape(tf.transpose(windows, [0, 2, 1, 3, 4]), [shape[0], -1, 4 * n * n * channels])
