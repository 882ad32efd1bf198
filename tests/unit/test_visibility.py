import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakeslide.domain.judgement import Blind
from quakeslide.domain.visibility import looks_linear, see


def bands_of(height=128, width=160, seed=0):
    rng = np.random.default_rng(seed)
    bands = {name: rng.normal(-10, 3, (height, width)).astype(np.float32) for name in ("postVV", "postVH")}
    bands |= {name: rng.normal(0, 2, (height, width)).astype(np.float32) for name in ("diffVV", "diffVH")}
    bands |= {name: rng.uniform(0, 50, (height, width)).astype(np.float32) for name in ("slope", "localIncidence")}
    bands |= {"geometry": np.zeros((height, width), np.float32), "nPre": np.full((height, width), 5, np.float32)}
    return bands | {"nPost": np.ones((height, width), np.float32)}


def seen(bands):
    """Describe a cell of which every window is a candidate."""
    rows, cols = (side // 32 - 1 for side in bands["postVV"].shape)
    ones = np.ones((rows, cols), np.float32)
    return see(bands, ones, np.zeros((rows, cols), np.uint8), ones, 0.6)


def test_windows_are_described_by_their_own_pixels():
    bands = bands_of()
    bands["geometry"][40:90, 20:120] = np.random.default_rng(1).integers(0, 4, (50, 100))
    bands["diffVV"][10:50, 70:100] = np.nan
    bands["slope"][0:64, 0:64] = np.nan
    bands["localIncidence"][64:, 90:] = np.nan
    cells = seen(bands)
    for row in range(3):
        for col in range(4):
            window = {name: band[32 * row : 32 * row + 64, 32 * col : 32 * col + 64] for name, band in bands.items()}
            hidden = np.isin(window["geometry"], (1, 2))
            assert cells.blind_fraction[row, col] == pytest.approx(hidden.mean())
            usable = ~hidden & ~np.isnan(window["diffVV"])
            assert cells.diff_vv_db[row, col] == pytest.approx(window["diffVV"][usable].mean(dtype=float), abs=1e-6)
            for name, median in (("slope", cells.slope_deg), ("localIncidence", cells.incidence_deg)):
                values = window[name][~np.isnan(window[name])]
                expected = np.median(values) if values.size else np.nan
                assert median[row, col] == pytest.approx(expected, nan_ok=True)


@given(st.integers(0, 511), st.sampled_from([Blind.LAYOVER, Blind.SHADOW]))
@settings(max_examples=20)
def test_a_block_is_blind_only_when_more_than_half_is(extra, reason):
    bands = bands_of(64, 64)
    bands["geometry"][:32, :32].flat[: 512 + extra] = reason
    is_blind = extra > 0
    assert seen(bands).blocks.tolist() == [[reason if is_blind else 0, 0], [0, 0]]


def test_missing_pixels_in_layover_are_layover_where_a_pass_saw_them():
    """Terrain-flattened backscatter is missing there."""
    bands = bands_of(64, 64)
    bands["geometry"][:, :32] = 1
    bands["postVV"][:, :32] = np.nan
    bands["nPost"][32:, :32] = 0
    assert seen(bands).blocks.tolist() == [[Blind.LAYOVER, 0], [Blind.NO_PASS, 0]]


def test_unknown_geometry_counts_as_seen():
    bands = bands_of(64, 64)
    bands["geometry"][:] = 3
    cells = seen(bands)
    assert not cells.blocks.any()
    assert not cells.blind_fraction.any()


def test_missing_pixels_are_no_pass_or_no_data():
    bands = bands_of(64, 64)
    bands["postVV"][:, :] = np.nan
    bands["nPost"][:32, :32] = 0
    bands["nPre"][:32, 32:] = np.nan
    assert seen(bands).blocks.tolist() == [[Blind.NO_PASS, Blind.NO_PASS], [Blind.NO_DATA, Blind.NO_DATA]]


def test_commonest_reason_wins():
    bands = bands_of(64, 64)
    bands["geometry"][:32, :32].flat[:300] = 1
    bands["diffVV"][:32, :32].flat[300:620] = np.nan
    assert seen(bands).blocks[0, 0] == Blind.NO_DATA


def test_cells_do_not_depend_on_how_the_raster_is_cut():
    bands = bands_of(256, 256, seed=5)
    bands["postVV"][100:120, 30:200] = np.nan
    whole, part = seen(bands), seen({name: band[64:, 96:] for name, band in bands.items()})
    fields = (
        "blind_fraction diff_vv_db diff_vh_db slope_deg incidence_deg water_fraction snow_fraction pre_vh_db blocks"
    )
    for field in fields.split():
        np.testing.assert_array_equal(getattr(whole, field)[2:, 3:], getattr(part, field), err_msg=field)
    np.testing.assert_array_equal(whole.thumb_post_vv_db[8:, 12:], part.thumb_post_vv_db)


def test_composite_without_vh_and_without_terrain():
    bands = {name: band for name, band in bands_of().items() if name in ("postVV", "diffVV")}
    cells = seen(bands)
    assert np.isnan(cells.diff_vh_db).all()
    assert np.isnan(cells.slope_deg).all()
    assert np.isfinite(cells.diff_vv_db).all()
    assert not cells.blocks.any()
    assert cells.thumb_post_vv_db.shape == (16, 20)


def test_linear_power_is_recognised():
    assert looks_linear(np.full((64, 64), 0.05, np.float32))
    assert not looks_linear(np.full((64, 64), -12.0, np.float32))
    assert not looks_linear(np.full((64, 64), np.nan, np.float32))
    assert not looks_linear(np.full((8, 8), 0.05, np.float32))
