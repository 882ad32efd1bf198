import hashlib
import random
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakeslide.domain.composite import EXPRESSION_VERSION, Composite, bands_of, composite_id, digest
from quakeslide.domain.lattice import Lattice, Rectangle
from quakeslide.domain.object_names import SHARD
from quakeslide.domain.sentinel1 import Polarisation, Stage, Track
from quakeslide.domain.terrain import Backscatter, Terrain
from tests.fakes_detector import composite_of

STEPS = st.integers(2, 70)
CALMLY = settings(deadline=None, max_examples=50)
SHARD_SIDES = st.sampled_from([256, 512, 768, 2048])
COMPOSITES = st.builds(
    lambda tall, wide, side: composite_of(tall * 32, wide * 32, shard_px=side), STEPS, STEPS, SHARD_SIDES
)


@CALMLY
@given(COMPOSITES)
def test_shards_tile_the_rectangle(composite: Composite):
    times = np.zeros((composite.rectangle.height, composite.rectangle.width), np.uint8)
    for shard in composite.shards():
        assert 0 < shard.height <= composite.shard_px
        assert 0 < shard.width <= composite.shard_px
        assert (shard.row, shard.col) == (shard.i * composite.shard_px, shard.j * composite.shard_px)
        times[shard.row : shard.row + shard.height, shard.col : shard.col + shard.width] += 1
    assert (times == 1).all()


@CALMLY
@given(COMPOSITES)
def test_every_window_belongs_to_exactly_one_cell(composite: Composite):
    rows, cols = composite.rectangle.window_shape
    times = np.zeros((rows, cols), np.uint8)
    for cell in composite.cells():
        times[
            cell.window_row : cell.window_row + cell.window_rows, cell.window_col : cell.window_col + cell.window_cols
        ] += 1
    assert times.shape == (rows, cols)
    assert (times == 1).all()


@CALMLY
@given(COMPOSITES)
def test_cell_owns_the_windows_whose_top_left_pixel_lies_in_its_shard(composite: Composite):
    shards = {(shard.i, shard.j): shard for shard in composite.shards()}
    cells = {(cell.i, cell.j): cell for cell in composite.cells()}
    assert set(cells) <= set(shards)
    for place, cell in cells.items():
        own = shards[place]
        for window_row in range(cell.window_row, cell.window_row + cell.window_rows):
            assert own.row <= window_row * 32 < own.row + own.height
        for window_col in range(cell.window_col, cell.window_col + cell.window_cols):
            assert own.col <= window_col * 32 < own.col + own.width


@CALMLY
@given(COMPOSITES)
def test_shards_of_a_cell_hold_its_pixels_and_no_shard_is_needless(composite: Composite):
    for cell in composite.cells():
        row, col, height, width = cell.pixels
        assert row + height <= composite.rectangle.height
        assert col + width <= composite.rectangle.width
        covered = np.zeros((height, width), bool)
        for shard in composite.shards_of(cell):
            top, left = max(shard.row, row), max(shard.col, col)
            bottom, right = min(shard.row + shard.height, row + height), min(shard.col + shard.width, col + width)
            assert top < bottom
            assert left < right
            covered[top - row : bottom - row, left - col : right - col] = True
        assert covered.all()
        assert (cell.i, cell.j) in {(shard.i, shard.j) for shard in composite.shards_of(cell)}


def test_cell_pixels_are_those_of_its_windows():
    first, *_, last = composite_of(544, 608, shard_px=256).cells()
    assert first.pixels == (0, 0, 288, 288)  # 8 windows a side reach 32 px into the neighbours
    assert (last.i, last.j, last.pixels) == (1, 2, (256, 512, 288, 96))


def test_ragged_last_shard_without_a_window_has_no_cell():
    composite = composite_of(288, 256, shard_px=256)
    assert [(shard.i, shard.height) for shard in composite.shards()] == [(0, 256), (1, 32)]
    (cell,) = composite.cells()
    assert [shard.i for shard in composite.shards_of(cell)] == [0, 1]


@CALMLY
@given(COMPOSITES)
def test_names_are_those_of_earth_engine(composite: Composite):
    shards = list(composite.shards())
    if len(shards) == 1:
        assert shards[0].name == f"{composite.prefix}.tif"
    else:
        assert [shard.name for shard in shards] == [f"{composite.prefix}-{s.row:010}-{s.col:010}.tif" for s in shards]
    for shard in shards:
        match = SHARD.fullmatch(shard.name)
        assert match
        assert match["composite_id"] == composite.composite_id
        assert (match["event_id"], match["track"], match["stage"]) == ("us6000m0xl", "A069", "60-12")


def test_one_file_has_no_suffix_and_two_have():
    assert [s.name.rsplit("/", 1)[1] for s in composite_of(256, 256).shards()] == ["composite.tif"]
    assert [s.name.rsplit("/", 1)[1] for s in composite_of(256, 288).shards()] == [
        "composite-0000000000-0000000000.tif",
        "composite-0000000000-0000000256.tif",
    ]


@CALMLY
@given(st.permutations([f"S{n}" for n in range(6)]), SHARD_SIDES)
def test_id_does_not_depend_on_scene_order_or_shard_size(scenes, side):
    plain = replace(composite_of(), pre_scenes=("S0", "S1", "S2"), post_scenes=("S3", "S4", "S5"))
    pre = tuple(s for s in scenes if s in plain.pre_scenes)
    post = tuple(s for s in scenes if s in plain.post_scenes)
    other = replace(plain, pre_scenes=pre, post_scenes=post, shard_px=side)
    assert other.composite_id == plain.composite_id


def test_id_depends_on_everything_that_changes_pixels():
    plain = composite_of()
    others = [
        replace(plain, track=Track.parse("A070")),
        replace(plain, track=Track.parse("D069")),
        replace(plain, stage=Stage.parse("60-24")),
        replace(plain, pre_scenes=plain.pre_scenes[:1]),
        replace(plain, post_scenes=(*plain.post_scenes, "later")),
        replace(plain, rectangle=Rectangle(row=32, col=0, height=544, width=608)),
        replace(plain, rectangle=Rectangle(row=0, col=0, height=608, width=544)),
        replace(plain, lattice=replace(plain.lattice, origin_x=320320.0)),
        replace(plain, lattice=replace(plain.lattice, crs="EPSG:32654")),
        replace(plain, post_start=plain.post_start + timedelta(seconds=1)),
        replace(plain, series="g1"),
        replace(plain, terrain=Terrain(backscatter=Backscatter.GAMMA0_VOLUME)),
        replace(plain, terrain=Terrain(backscatter=Backscatter.GAMMA0_SURFACE)),
        replace(plain, terrain=Terrain(mask_buffer_m=30)),
        replace(plain, terrain=Terrain(mask_buffer_m=40)),
        replace(plain, terrain=Terrain(backscatter=Backscatter.GAMMA0_VOLUME, mask_buffer_m=30)),
    ]
    ids = {composite.composite_id for composite in (plain, *others)}
    assert len(ids) == 1 + len(others)


def test_id_says_nothing_of_words():
    plain = composite_of()
    other = replace(plain, place="elsewhere", data_notice="", event_id="other", aoi_source="", weak_pre=True)
    assert other.composite_id == plain.composite_id


def test_id_is_the_digest_of_what_it_is_about_as_canonical_json():
    """Written down here once more: another id would orphan every composite that is stored."""
    plain = composite_of()
    about = (
        f'["A069","60-12",["a","b"],["EPSG:32653",320000.0,4160000.0,10.0],[0,0,544,608],"2024-01-01T07:10:09+00:00",'
        f"{EXPRESSION_VERSION}]"
    )
    made = composite_id(
        track=plain.track,
        stage=plain.stage,
        scene_ids=("b", "a"),
        lattice=plain.lattice,
        rectangle=plain.rectangle,
        post_start=plain.post_start,
    )
    assert made == hashlib.sha256(about.encode()).hexdigest()[:12]


def test_digest_does_not_depend_on_the_order_of_keys():
    pairs = [(f"k{n}", n) for n in range(8)]
    shuffled = pairs.copy()
    random.Random(1).shuffle(shuffled)
    assert digest(dict(pairs), [1]) == digest(dict(shuffled), [1]) != digest(dict(pairs), [2])


@pytest.mark.parametrize("side", [0, 255, 257, 2304, -256])
def test_shard_side_that_earth_engine_cannot_write_is_refused(side):
    with pytest.raises(ValueError, match=f"shard size {side} px"):
        replace(composite_of(), shard_px=side)


@pytest.mark.parametrize("stack", ["pre_scenes", "post_scenes"])
def test_empty_stack_is_refused(stack):
    with pytest.raises(ValueError, match="at least one pre-event and one post-event scene"):
        replace(composite_of(), **{stack: ()})


@pytest.mark.parametrize("buffer", [-1, 501])
def test_buffer_beyond_reason_is_refused(buffer):
    with pytest.raises(ValueError, match="between 0 and 500"):
        Terrain(mask_buffer_m=buffer)


def test_buffer_in_metres_needs_pixels_in_metres():
    degrees = Lattice(crs="EPSG:4326", origin_x=137.0, origin_y=37.0, pixel=8.983152841195215e-05)
    with pytest.raises(ValueError, match="pixels in metres"):
        replace(composite_of(), lattice=degrees, terrain=Terrain(mask_buffer_m=10))


def test_bands_in_file_order():
    rest = ("geometry", "slope", "localIncidence", "nPre", "nPost")
    assert bands_of(Polarisation.VV_VH) == ("postVV", "postVH", "diffVV", "diffVH", *rest)
    assert bands_of(Polarisation.VV) == ("postVV", "diffVV", *rest)
