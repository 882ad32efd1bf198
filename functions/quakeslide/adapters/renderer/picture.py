"""`quicklook.png`: what a person sees first, drawn with Pillow.

Grey post-event radar below; on it the areas that could not be judged, hatched by reason, the extent of candidates, and the
detections coloured by score. The plain backdrop travels inside the PNG in a private chunk (PNG specification, 14.2), so that the map
page can lay it under its own layers.
"""

import io
import json
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, PngImagePlugin
from shapely.geometry.base import BaseGeometry

from quakeslide.adapters.renderer.legend import ALERT, BACKGROUND, INK, MARGIN, PANEL, draw_panel, font, plain
from quakeslide.adapters.renderer.palette import AFFECTED, REASON_STYLES, score_colour, stipple
from quakeslide.domain.judgement import THUMB_PX, Judgement
from quakeslide.domain.lattice import affine_of
from quakeslide.domain.report import block_reasons, blocks_under, projected_aoi, window_boxes

MAP_PX = 900  # longest side of the map in the picture
BAND_PX = 44
BACKDROP_CHUNK = b"qsBd"  # ancillary, private, safe to copy: one line of JSON, then a JPEG
OUTSIDE = 0.42  # brightness left outside the AOI
SMALLEST_BOX = 7  # px, so that a detection on a large map can still be seen


class Frame:
    """The map's place in the picture: turns the lattice's CRS into picture pixels."""

    def __init__(self, judgement: Judgement) -> None:
        """Fit the composite's rectangle into the map."""
        rectangle = judgement.composite.rectangle
        self.scale = MAP_PX / max(rectangle.height, rectangle.width)  # picture px per composite px
        self.width = max(1, round(rectangle.width * self.scale))
        self.height = max(1, round(rectangle.height * self.scale))
        self.pixel, _, self.west, _, _, self.north = affine_of(judgement.composite.lattice, rectangle)

    def xy(self, points: NDArray[np.float64]) -> list[tuple[float, float]]:
        """Return picture pixels of map points [n, 2]."""
        x = (points[:, 0] - self.west) / self.pixel * self.scale
        y = (self.north - points[:, 1]) / self.pixel * self.scale
        return list(zip(x.tolist(), y.tolist(), strict=True))

    def mask(self, area: BaseGeometry) -> Image.Image:
        """Return an `L` image, 255 inside the area."""
        image = Image.new("L", (self.width, self.height), 0)
        draw = ImageDraw.Draw(image)
        for part in getattr(area, "geoms", [area]):
            draw.polygon(self.xy(np.asarray(part.exterior.coords)), fill=255)
            for hole in part.interiors:
                draw.polygon(self.xy(np.asarray(hole.coords)), fill=0)
        return image

    def outline(self, draw: ImageDraw.ImageDraw, area: BaseGeometry, colour: str, width: int) -> None:
        """Draw all rings of an area."""
        for part in getattr(area, "geoms", [area]):
            for ring in (part.exterior, *part.interiors):
                draw.line(self.xy(np.asarray(ring.coords)), fill=colour, width=width, joint="curve")


def quicklook(judgement: Judgement, edges: Sequence[Judgement] = ()) -> bytes:
    """Return the PNG; detections of strips flush with a foreign raster's edge are drawn and counted too."""
    frame = Frame(judgement)
    backdrop = grey_backdrop(judgement, frame)
    chart = draw_map(judgement, frame, backdrop)
    for edge in edges:
        _draw_detections(ImageDraw.Draw(chart), edge, frame)
    notice = plain(" - ".join(filter(None, [judgement.composite.data_notice, judgement.card.data_notice])))
    top = BAND_PX * (2 if notice else 1)
    height = top + max(frame.height + 2 * MARGIN, 930)
    canvas = Image.new("RGB", (frame.width + PANEL + 3 * MARGIN, height), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, canvas.width, BAND_PX), fill=INK)
    draw.text((MARGIN, BAND_PX / 2), "AUTOMATIC, UNVERIFIED - made by a machine from radar; checked by nobody", "white",
              font(19), anchor="lm")  # fmt: skip
    if notice:
        draw.rectangle((0, BAND_PX, canvas.width, top), fill=ALERT)
        draw.text(
            (MARGIN, BAND_PX * 1.5), _shortened(notice, canvas.width - 2 * MARGIN, 19), "white", font(19), anchor="lm"
        )
    canvas.paste(chart, (MARGIN, top + MARGIN))
    draw.rectangle((MARGIN - 1, top + MARGIN - 1, MARGIN + frame.width, top + MARGIN + frame.height), outline=INK)
    draw_panel(
        draw,
        judgement,
        left=frame.width + 2 * MARGIN,
        top=top + MARGIN,
        metres_per_px=_metres_per_px(judgement, frame),
        further=sum(len(edge.detections) for edge in edges),
    )
    return _png(canvas, backdrop, judgement)


def grey_backdrop(judgement: Judgement, frame: Frame) -> Image.Image:
    """Return the post-event VV thumbnail as an `L` image of the frame's size, stretched between its 2nd and 98th percentile."""
    thumb = judgement.cells.thumb_post_vv_db
    known = np.isfinite(thumb)
    grey = np.full(thumb.shape, 70, np.uint8)
    if known.any():
        low, high = np.percentile(thumb[known], (2, 98))
        share = np.clip((thumb[known] - low) / max(high - low, 1e-3), 0, 1)
        grey[known] = (35 + share * 185).astype(np.uint8)
    size = (frame.width, frame.height)
    return Image.fromarray(grey).resize(
        size, Image.Resampling.BICUBIC if frame.scale * THUMB_PX > 1 else Image.Resampling.BOX
    )


def draw_map(judgement: Judgement, frame: Frame, backdrop: Image.Image) -> Image.Image:
    """Return the map: backdrop, blind areas, extent, detections, scale bar, north arrow."""
    aoi = projected_aoi(judgement)
    inside = frame.mask(aoi)
    image = Image.composite(backdrop, backdrop.point([round(v * OUTSIDE) for v in range(256)]), inside).convert("RGB")
    reasons = block_reasons(judgement)
    for reason, style in REASON_STYLES.items():
        where = Image.fromarray(np.where(reasons == reason, 255, 0).astype(np.uint8))
        where = where.resize((frame.width, frame.height), Image.Resampling.NEAREST)
        where = Image.composite(where, Image.new("L", where.size, 0), inside)
        tint = Image.composite(Image.new("RGB", image.size, style.colour), image, Image.new("L", image.size, 90))
        image = Image.composite(tint, image, where)
        lines = Image.composite(stipple(style.pattern, image.size), Image.new("L", image.size, 0), where)
        image = Image.composite(Image.new("RGB", image.size, style.colour), image, lines)
    draw = ImageDraw.Draw(image)
    frame.outline(draw, aoi, "black", 5)
    frame.outline(draw, aoi, "white", 2)
    image = _with_extent(image, judgement)
    _draw_detections(ImageDraw.Draw(image), judgement, frame)
    return image


def _with_extent(image: Image.Image, judgement: Judgement) -> Image.Image:
    """Tint the candidate windows."""
    hit = np.zeros(judgement.in_aoi.shape, np.bool_)
    hit[judgement.candidates[:, 0], judgement.candidates[:, 1]] = True
    where = Image.fromarray(np.where(blocks_under(hit), 255, 0).astype(np.uint8))
    where = where.resize(image.size, Image.Resampling.NEAREST)
    tinted = Image.composite(Image.new("RGB", image.size, AFFECTED), image, Image.new("L", image.size, 80))
    return Image.composite(tinted, image, where)


def _draw_detections(draw: ImageDraw.ImageDraw, judgement: Judgement, frame: Frame) -> None:
    """Draw the boxes, the best last and so on top; the first ones get their rank."""
    composite, cells = judgement.composite, judgement.cells
    boxes = window_boxes(composite.lattice, composite.rectangle, judgement.detections)
    for rank, ((row, col), box) in reversed(
        list(enumerate(zip(judgement.detections.tolist(), boxes, strict=True), start=1))
    ):
        (x0, y1), (x1, y0) = frame.xy(np.array([box.bounds[:2], box.bounds[2:]]))
        grow = max(0.0, (SMALLEST_BOX - (x1 - x0)) / 2)
        corners = [x0 - grow, y0 - grow, x1 + grow, y1 + grow]
        colour = score_colour(float(cells.scores[row, col]), judgement.card.threshold)
        draw.rectangle(corners, outline="black", width=6)
        draw.rectangle([corners[0] + 1, corners[1] + 1, corners[2] - 1, corners[3] - 1], outline=colour, width=4)
        if rank <= 9 and x1 - x0 > 20:
            draw.text(
                ((x0 + x1) / 2, (y0 + y1) / 2), str(rank), "white", font(18), "mm", stroke_width=3, stroke_fill="black"
            )


def _metres_per_px(judgement: Judgement, frame: Frame) -> float:
    """Return the ground size of a picture pixel; on a lattice in degrees along the parallel in the middle."""
    pixel = judgement.composite.lattice.pixel
    if judgement.composite.lattice.crs == "EPSG:4326":
        middle = frame.north - judgement.composite.rectangle.height * pixel / 2
        pixel *= 111_320 * math.cos(math.radians(middle))  # m per degree of longitude
    return pixel / frame.scale


def _shortened(text: str, width: int, size: int) -> str:
    while text and font(size).getlength(text) > width:
        text = text[:-4].rstrip(" .") + "..."
    return text


def _png(canvas: Image.Image, backdrop: Image.Image, judgement: Judgement) -> bytes:
    """Encode the picture with its plain backdrop."""
    composite = judgement.composite
    place = {
        "crs": composite.lattice.crs,
        "affine": affine_of(composite.lattice, composite.rectangle),
        "height": composite.rectangle.height,
        "width": composite.rectangle.width,
    }
    jpeg = io.BytesIO()
    backdrop.save(jpeg, "JPEG", quality=70)
    info = PngImagePlugin.PngInfo()
    info.add(BACKDROP_CHUNK, json.dumps(place).encode() + b"\n" + jpeg.getvalue())
    info.add_text("Description", "Automatic, unverified. " + plain(composite.data_notice))
    out = io.BytesIO()
    canvas.save(out, "PNG", pnginfo=info, compress_level=6)
    return out.getvalue()
