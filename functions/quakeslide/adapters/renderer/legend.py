"""The panel beside the map: title, result in words, legend, the best detections with coordinates, north arrow and scale bar."""

import math
import textwrap
import unicodedata
from functools import cache

from PIL import ImageDraw, ImageFont

from quakeslide.adapters.renderer.palette import AFFECTED, REASON_STYLES, score_colour, stipple
from quakeslide.domain.judgement import Judgement
from quakeslide.domain.report import block_reasons, outcome, seen_fraction_of_aoi, window_boxes
from quakeslide.domain.rfc7946 import lonlat_polygons

PANEL = 430
MARGIN = 18
BACKGROUND, INK, SOFT, ALERT = "#f7f7f4", "#1b1f24", "#555c66", "#b3261e"
LISTED = 9
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@cache
def font(size: int) -> Font:
    """Return Pillow's own font, so that no machine's fonts change the picture."""
    return ImageFont.load_default(size)


def plain(text: str) -> str:
    """Write a text with the letters that Pillow's font has: accents dropped, others as `?`."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def whole_percent(share: float) -> str:
    """Return a share as percent, rounded down: only what was seen wholly is 100 %."""
    return f"{math.floor(share * 100)}%"


def result_words(judgement: Judgement, further: int = 0) -> str:
    """Return the result as a headline; `further` detections lie on strips beside the composite."""
    found = len(judgement.detections) + further
    if outcome(judgement) == "could not look" and not further:
        return "COULD NOT LOOK: no statement"
    if not found:
        return "LOOKED, NOTHING FOUND"
    return f"{found} place{'s' if found > 1 else ''} where slopes may have failed"


def draw_panel(
    draw: ImageDraw.ImageDraw, judgement: Judgement, *, left: int, top: int, metres_per_px: float, further: int = 0
) -> None:
    """Draw the panel from its top left corner down."""
    composite = judgement.composite
    y = top
    for line in textwrap.wrap(plain(composite.place or composite.event_id), 34)[:2]:
        draw.text((left, y), line, INK, font(24))
        y += 30
    y += 4
    for line in textwrap.wrap(result_words(judgement, further), 38):
        draw.text((left, y), line, ALERT, font(21))
        y += 26
    for line in _facts(judgement):
        draw.text((left, y), line, SOFT, font(16))
        y += 21
    y = _scores(draw, judgement, left, y + 12)
    y = _patterns(draw, judgement, left, y + 4)
    y = _best(draw, judgement, left, y + 10)
    _bar_and_north(draw, left, y + 14, metres_per_px)


def _facts(judgement: Judgement) -> list[str]:
    composite = judgement.composite
    looks = "early, first pass only" if not judgement.is_final else "final"
    stage = composite.stage
    facts = [
        f"Earthquake {composite.t0:%Y-%m-%d %H:%M} UTC   {composite.event_id}",
        f"Radar track {composite.track} ({composite.track.orbit_pass.lower()})",
        f"Images of {stage.pre_days} days before, up to {stage.post_days} after",
        f"{judgement.finality.upper()} ({looks})",
        f"{whole_percent(seen_fraction_of_aoi(judgement))} of the area could be judged",
    ]
    return [*facts, "Few images before the earthquake: less sure"] if composite.weak_pre else facts


def _scores(draw: ImageDraw.ImageDraw, judgement: Judgement, left: int, y: int) -> int:
    threshold = judgement.card.threshold
    draw.text((left, y), "Model score of a 640 m box", INK, font(17))
    for step in range(200):
        colour = score_colour(threshold + (1 - threshold) * step / 199, threshold)
        draw.rectangle((left + step, y + 26, left + step + 1, y + 42), fill=colour)
    draw.text((left, y + 45), f"{threshold:.2f}", SOFT, font(14))
    draw.text((left + 200, y + 45), "1.00", SOFT, font(14), anchor="ra")
    draw.text((left + 212, y + 25), "surer, not larger", SOFT, font(15))
    return y + 68


def _patterns(draw: ImageDraw.ImageDraw, judgement: Judgement, left: int, y: int) -> int:
    present = set(block_reasons(judgement).ravel().tolist())
    _swatch(draw, left, y, AFFECTED, None)
    draw.text((left + 38, y), "slopes may have failed (extent)", INK, font(16))
    draw.rectangle((left, y + 29, left + 26, y + 35), fill="black")
    draw.rectangle((left, y + 31, left + 26, y + 33), fill="white")
    draw.text((left + 38, y + 24), "area asked for; darker outside", INK, font(16))
    y += 54
    draw.text((left, y), "Radar could not look here:", INK, font(17))
    y += 24
    shown = [style for reason, style in REASON_STYLES.items() if int(reason) in present]
    for style in shown:
        _swatch(draw, left, y, style.colour, style.pattern)
        draw.text((left + 38, y), style.words, INK, font(16))
        y += 24
    if not shown:
        draw.text((left + 38, y), "(nowhere: all was seen)", SOFT, font(16))
        y += 24
    return y


def _swatch(draw: ImageDraw.ImageDraw, left: int, y: int, colour: str, pattern: str | None) -> None:
    draw.rectangle((left, y, left + 26, y + 17), fill=colour if pattern is None else "#555555", outline="black")
    if pattern is not None:
        draw.bitmap((left + 1, y + 1), stipple(pattern, (25, 16)), fill=colour)


def _best(draw: ImageDraw.ImageDraw, judgement: Judgement, left: int, y: int) -> int:
    """List the best detections with the coordinates of their middle."""
    composite = judgement.composite
    best = judgement.detections[:LISTED]
    if not len(best):
        return y
    draw.text((left, y), "No.  score   latitude, longitude of the middle", SOFT, font(15))
    y += 21
    boxes = window_boxes(composite.lattice, composite.rectangle, best)
    centres = lonlat_polygons([box.centroid.buffer(composite.lattice.pixel) for box in boxes], composite.lattice.crs)
    for rank, ((row, col), at) in enumerate(zip(best.tolist(), centres, strict=True), start=1):
        middle = at.geoms[0].centroid if hasattr(at, "geoms") else at.centroid
        draw.text((left, y), f"{rank}", INK, font(16))
        draw.text((left + 34, y), f"{float(judgement.cells.scores[row, col]):.2f}", INK, font(16))
        draw.text((left + 92, y), f"{middle.y:.4f}, {middle.x:.4f}", INK, font(16))
        y += 20
    return y


def _bar_and_north(draw: ImageDraw.ImageDraw, left: int, y: int, metres_per_px: float) -> None:
    """Draw a scale bar of a round length and the north arrow; the map is north-up in its projection."""
    lengths = [size * 10**power for power in range(1, 6) for size in (1, 2, 5)]
    length = max((size for size in lengths if size / metres_per_px <= 220), default=10)
    wide = round(length / metres_per_px)
    half = wide // 2
    draw.rectangle((left, y + 14, left + half, y + 22), fill=INK, outline=INK)
    draw.rectangle((left + half, y + 14, left + wide, y + 22), fill="white", outline=INK)
    draw.text((left, y + 26), "0", SOFT, font(14))
    words = f"{length // 1000} km" if length >= 1000 else f"{length} m"
    draw.text((left + wide, y + 26), words, SOFT, font(14), anchor="ma")
    north = left + 330
    draw.polygon([(north, y - 4), (north - 10, y + 26), (north, y + 19), (north + 10, y + 26)], fill=INK)
    draw.text((north, y + 28), "N", INK, font(18), anchor="ma")
