"""Colours and patterns of picture and page: told apart by brightness and pattern too, not by hue alone (Okabe and Ito 2008)."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from quakeslide.domain.judgement import Blind

AFFECTED = "#ff9a1f"
RAMP = ((255, 225, 77), (255, 122, 26), (208, 0, 40))  # just above the threshold, half way, certain


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a reason for blindness is drawn."""

    words: str
    colour: str
    pattern: str


REASON_STYLES = {
    Blind.LAYOVER: Style(words="layover (slope facing the radar)", colour="#d58fd0", pattern="/"),
    Blind.SHADOW: Style(words="radar shadow", colour="#4f9fe0", pattern="\\"),
    Blind.NO_PASS: Style(words="no satellite pass yet", colour="#e8e8e8", pattern="x"),
    Blind.NO_DATA: Style(words="too few usable pixels", colour="#7fd6b8", pattern="."),
    Blind.FLAT: Style(words="nearly level ground, not judged", colour="#c9bf8f", pattern="-"),
}


def score_colour(score: float, threshold: float) -> str:
    """Return the colour of a score between the threshold and 1, as `#rrggbb`."""
    share = min(1.0, max(0.0, (score - threshold) / max(1 - threshold, 1e-6))) * 2
    low, high = RAMP[int(share >= 1)], RAMP[int(share >= 1) + 1]
    part = share - int(share >= 1)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in zip(low, high, strict=True))


def stipple(pattern: str, size: tuple[int, int]) -> Image.Image:
    """Return an `L` image of a hatch: 255 on the lines of a `Style.pattern`."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    step = 10
    up, down = (x + y) % step < 2, (x - y) % step < 2
    lines = {"/": up, "\\": down, "x": up | down, ".": (x % 8 < 3) & (y % 8 < 3), "-": y % step < 2}[pattern]
    return Image.fromarray(np.where(lines, 255, 0).astype(np.uint8))
