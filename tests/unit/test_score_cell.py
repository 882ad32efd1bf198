"""Which windows are sent, and what comes of an answer that cannot be right."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakeslide.domain.judgement import Unscored
from quakeslide.domain.lattice import box_on_ground, to_lonlat
from quakeslide.errors import ModelUnavailable
from quakeslide.ports import WindowScores
from quakeslide.usecases.score_cell import score_cell
from tests.fakes_detector import LATTICE, ArrayPixels, MeanChangeModel, card_of, composite_of, image_of

NAME = "vv_vh_ascending_60_12"


@dataclass
class Asked(MeanChangeModel):
    """Remembers which windows were wanted, and answers for no other."""

    wanted: list[np.ndarray] = field(default_factory=list)

    def score(self, tile, wanted, *, name, version):
        self.wanted.append(wanted)
        answer = super().score(tile, wanted, name=name, version=version)
        return replace(answer, scores=np.where(wanted, answer.scores, np.float32(np.nan)))


def scored(image, composite=None, model=None, **options):
    composite = composite or composite_of(image.shape[0], image.shape[1], shard_px=2048)
    model = model or Asked(versions={NAME: 1})
    pixels = ArrayPixels(images={("A069", "60-12"): image})
    shards = {shard.name: 1 for shard in composite.shards()}
    results = [
        (cell, score_cell(composite, cell, card_of(NAME), shards, pixels=pixels, model=model, **options))
        for cell in composite.cells()
    ]
    return results, model


def band(name):
    return composite_of().bands.index(name)


def whole(composite):
    """The composite with all of its rectangle as the area."""
    area = box_on_ground(LATTICE, 0, 0, composite.rectangle.height, composite.rectangle.width)
    return replace(composite, aoi=to_lonlat(area.buffer(500), LATTICE.crs))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), limit=st.sampled_from([0.5, 2.0, 20.0]))
def test_leaving_out_flat_windows_changes_no_other(seed, limit):
    rng = np.random.default_rng(seed)
    image = image_of(composite_of(256, 288), seed)
    image[..., band("slope")] = np.kron(rng.choice([0.0, 1.0, 15.0, np.nan], (8, 9)), np.ones((32, 32)))
    ((_, all_of_them),), _ = scored(image, least_slope_deg=0)
    ((_, without),), model = scored(image, least_slope_deg=limit)
    judged = without.unscored == Unscored.SCORED
    np.testing.assert_array_equal(without.scores[judged], all_of_them.scores[judged])
    assert np.isnan(without.scores[~judged]).all()
    for row, col in np.argwhere(all_of_them.unscored == Unscored.SCORED):
        slope = image[32 * row : 32 * row + 64, 32 * col : 32 * col + 64, band("slope")]
        is_flat = (~(slope < limit)).mean() < 0.01
        assert without.unscored[row, col] == (Unscored.FLAT if is_flat else Unscored.SCORED)
    for wanted in model.wanted:
        np.testing.assert_array_equal(wanted, judged)


def test_unknown_slopes_are_judged():
    image = image_of(composite_of(128, 128))
    image[..., band("slope")] = np.nan
    ((_, cells),), _ = scored(image)
    assert not (cells.unscored == Unscored.FLAT).any()


def test_a_window_with_a_steep_corner_is_judged():
    composite = whole(composite_of(128, 128, shard_px=2048))
    image = np.full((128, 128, len(composite.bands)), -10, np.float32)
    image[..., band("slope")] = 0
    image[:10, :10, band("slope")] = 30  # 2.4 % of the first window
    ((_, cells),), _ = scored(image, composite)
    assert np.argwhere(cells.unscored == Unscored.SCORED).tolist() == [[0, 0]]


def test_nothing_is_sent_where_all_is_flat_missing_or_outside():
    composite = whole(composite_of(128, 192, shard_px=2048))
    image = np.full((128, 192, len(composite.bands)), -10, np.float32)
    image[..., band("slope")] = 0.5
    image[:, :64, :4] = np.nan
    ((_, cells),), model = scored(image, composite)
    assert model.calls == []
    assert set(cells.unscored.ravel().tolist()) == {Unscored.FLAT, Unscored.MISSING}
    elsewhere = replace(composite, aoi=to_lonlat(box_on_ground(LATTICE, 900, 900, 64, 64), LATTICE.crs))
    ((_, cells),), model = scored(image_of(composite), elsewhere)
    assert model.calls == []
    assert (cells.unscored == Unscored.OUTSIDE).all()


@pytest.mark.parametrize("shard_px", [256, 512])
def test_reasons_and_scores_do_not_depend_on_the_cut(shard_px):
    image = image_of(composite_of())
    image[300:420, 100:400, band("slope")] = 0
    ((_, reference),), _ = scored(image)
    parts, _ = scored(image, composite_of(shard_px=shard_px))
    for cell, cells in parts:
        here = np.s_[
            cell.window_row : cell.window_row + cell.window_rows, cell.window_col : cell.window_col + cell.window_cols
        ]
        for name in ("scores", "unscored", "valid_fraction", "slope_deg", "water_fraction", "snow_fraction"):
            np.testing.assert_array_equal(getattr(cells, name), getattr(reference, name)[here], err_msg=name)
    assert {Unscored.FLAT, Unscored.MISSING, Unscored.SCORED} <= set(reference.unscored.ravel().tolist())


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda a: replace(a, scores=np.full_like(a.scores, np.nan)), "no numbers"),
        (lambda a: replace(a, scores=a.scores + 1), "no numbers from 0 to 1"),
        (lambda a: replace(a, scores=a.scores[:1]), r"\(1, 7\) windows came for \(7, 7\)"),
        (lambda a: replace(a, valid_fraction=1 - a.valid_fraction / 2), "of other pixels"),
    ],
)
def test_an_answer_that_cannot_be_right_is_refused(spoil, text):
    class Spoilt(MeanChangeModel):
        def score(self, tile, wanted, *, name, version) -> WindowScores:
            return spoil(super().score(tile, wanted, name=name, version=version))

    with pytest.raises(ModelUnavailable, match=text):
        scored(image_of(composite_of(256, 256)), model=Spoilt(versions={NAME: 1}))
