"""What no other test would have noticed; see tests/sabotage."""

import numpy as np

from quakeslide.usecases.score_cell import score_cell
from tests.fakes_detector import ArrayPixels, MeanChangeModel, card_of, composite_of


def test_window_with_too_few_pixels_is_not_judged():
    composite, name = composite_of(128, 128, shard_px=256), "vv_vh_ascending_60_12"
    image = np.full((128, 128, len(composite.bands)), -10, np.float32)
    image[..., composite.bands.index("slope")] = 20
    image[:32, :64, :4] = np.nan  # of the 3 x 3 windows' pixels are there: 50, 75 and 100 % in the first row
    (cell,) = composite.cells()
    (shard,) = composite.shards()
    found = score_cell(
        composite,
        cell,
        card_of(name),
        {shard.name: 1},
        pixels=ArrayPixels(images={("A069", "60-12"): image}),
        model=MeanChangeModel(versions={name: 1}),
    )
    np.testing.assert_allclose(found.valid_fraction, [[0.5, 0.75, 1], [1, 1, 1], [1, 1, 1]])
    assert np.argwhere(np.isnan(found.scores)).tolist() == [[0, 0]]
