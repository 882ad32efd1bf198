"""quicklook.png: notices across the top, hatches by reason, the same bytes twice."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from shapely.geometry import box

from quakeslide.adapters.renderer.backdrop import backdrop_of
from quakeslide.adapters.renderer.legend import ALERT, plain, result_words, whole_percent
from quakeslide.adapters.renderer.palette import REASON_STYLES, score_colour, stipple
from quakeslide.adapters.renderer.picture import BACKDROP_CHUNK, BAND_PX, Frame, quicklook
from quakeslide.domain.judgement import Blind
from quakeslide.domain.lattice import Lattice, rectangle_for
from tests import fakes_products as made


def pixels(png):
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


def rgb(colour):
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


@pytest.mark.parametrize("judgement", [made.example(), made.quiet(), made.blind(), made.across_the_antimeridian()])
def test_every_judgement_has_a_picture_and_always_the_same(judgement):
    png = quicklook(judgement)
    assert png == quicklook(judgement)
    height, width, _ = pixels(png).shape
    assert 600 < width < 1500
    assert 600 < height < 1200


def test_the_notice_is_a_red_band_across_the_top():
    with_notice = pixels(quicklook(made.example()))
    assert with_notice[BAND_PX + 2, :, :].tolist() == [rgb(ALERT)] * with_notice.shape[1]
    composite = made.composite_of(notice="")
    plain_card = replace(made.CARD, data_notice="")
    without = pixels(quicklook(made.judge(composite, made.cells_of(composite), plain_card)))
    assert rgb(ALERT) not in without[BAND_PX + 2].tolist()


def test_detections_and_blind_areas_are_drawn_where_they_are():
    judgement = made.example()
    image = pixels(quicklook(judgement))
    frame = Frame(judgement)
    row, col = judgement.detections[0]
    left, top = 18, 2 * BAND_PX + 18
    colour = score_colour(float(judgement.cells.scores[row, col]), judgement.card.threshold)
    x, y = round(left + col * 32 * frame.scale), round(top + row * 32 * frame.scale)
    assert rgb(colour) in image[y : y + 12, x : x + 12].reshape(-1, 3).tolist()
    shadow = rgb(REASON_STYLES[Blind.SHADOW].colour)
    y, x = (round(edge + block * 32 * frame.scale) for edge, block in ((top, 20), (left, 22)))
    assert shadow in image[y : y + 30, x : x + 30].reshape(-1, 3).tolist()


def test_the_result_is_told_apart_in_words():
    assert result_words(made.blind()) == "COULD NOT LOOK: no statement"
    assert result_words(made.quiet()) == "LOOKED, NOTHING FOUND"
    assert result_words(made.example()).endswith("places where slopes may have failed")


def test_only_what_was_seen_wholly_is_a_hundred_percent():
    assert [whole_percent(share) for share in (0.0, 0.9996, 1.0)] == ["0%", "99%", "100%"]


def test_scores_are_coloured_from_the_threshold_up():
    assert score_colour(0.6, 0.6) == "#ffe14d"
    assert score_colour(1.0, 0.6) == "#d00028"
    assert score_colour(0.2, 0.6) == "#ffe14d"


def test_hatches_differ_and_leave_ground_to_be_seen():
    drawn = [np.asarray(stipple(style.pattern, (100, 100))) > 0 for style in REASON_STYLES.values()]
    assert all(0.05 < mask.mean() < 0.6 for mask in drawn)
    assert len({mask.tobytes() for mask in drawn}) == len(drawn)


def test_letters_that_the_font_lacks_are_made_plain():
    assert plain("Kahramanmaraş, Türkiye") == "Kahramanmaras, Turkiye"


def test_the_plain_backdrop_travels_in_a_private_chunk():
    judgement = made.example()
    with Image.open(io.BytesIO(quicklook(judgement))) as image:
        image.load()
        ((name, data, *_),) = image.private_chunks
    assert name == BACKDROP_CHUNK
    place = json.loads(data.partition(b"\n")[0])
    assert place["crs"] == judgement.composite.lattice.crs


def test_the_backdrop_is_laid_north_up_around_the_area():
    backdrop = backdrop_of(quicklook(made.example()), None)
    west, south, east, north = made.NOTO_AOI.bounds
    assert backdrop.west < west < east < backdrop.east
    assert backdrop.south < south < north < backdrop.north
    assert backdrop.href.startswith("data:image/jpeg;base64,")


def test_a_backdrop_across_the_antimeridian_stays_in_one_piece():
    backdrop = backdrop_of(quicklook(made.across_the_antimeridian()), -179.99)
    assert backdrop.west < -180 < backdrop.east
    assert backdrop.east - backdrop.west < 1


def test_a_foreign_png_has_no_backdrop():
    out = io.BytesIO()
    Image.new("L", (4, 4)).save(out, "PNG")
    assert backdrop_of(out.getvalue(), None) is None


def test_a_lattice_in_degrees_is_drawn_too():
    aoi = box(137.1, 37.4, 137.2, 37.5)
    lattice = Lattice(crs="EPSG:4326", origin_x=137.0, origin_y=37.6, pixel=10 / 111_320)
    composite = replace(made.composite_of(aoi), lattice=lattice, rectangle=rectangle_for(aoi, lattice))
    judgement = made.judge(composite, made.cells_of(composite))
    assert backdrop_of(quicklook(judgement), None).north > 37.5
