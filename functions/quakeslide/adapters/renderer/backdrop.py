"""The grey radar backdrop of a quicklook, taken out of the PNG's private chunk and laid north-up in degrees for the map page."""

import base64
import io
import json
from dataclasses import dataclass

import numpy as np
from PIL import Image, PngImagePlugin
from pyproj import Transformer

from quakeslide.adapters.renderer.picture import BACKDROP_CHUNK

PAPER = 224  # grey of the page's map outside the radar image


@dataclass(frozen=True, slots=True, kw_only=True)
class Backdrop:
    """An image whose rows are parallels and whose columns are meridians.

    Attributes:
        href: `data:` URI of a JPEG.
        west, south, east, north: its edges in degrees, longitudes as near to `near_lon` as asked, so that west < east.
    """

    href: str
    west: float
    south: float
    east: float
    north: float


def backdrop_of(png: bytes, near_lon: float | None) -> Backdrop | None:
    """Return the backdrop of a quicklook, None where the PNG carries none.

    Args:
        png: of `picture.quicklook`.
        near_lon: longitude, degrees, that all others are brought within 180 degrees of; None: the image's own corner.
    """
    with Image.open(io.BytesIO(png)) as picture:
        picture.load()
        chunks = {chunk[0]: chunk[1] for chunk in getattr(picture, "private_chunks", [])}
        is_png = isinstance(picture, PngImagePlugin.PngImageFile)
    if not is_png or BACKDROP_CHUNK not in chunks:
        return None
    head, _, jpeg = chunks[BACKDROP_CHUNK].partition(b"\n")
    place = json.loads(head)
    with Image.open(io.BytesIO(jpeg)) as image:
        grey = np.asarray(image.convert("L"))
    pixel, _, west, _, _, north = place["affine"]
    x = west + pixel * place["width"] * np.linspace(0, 1, 21)
    y = north - pixel * place["height"] * np.linspace(0, 1, 21)
    rim = np.concatenate([np.stack(np.broadcast_arrays(x, side), 1) for side in (y[0], y[-1])])
    rim = np.concatenate([rim, *(np.stack(np.broadcast_arrays(side, y), 1) for side in (x[0], x[-1]))])
    lon, lat = Transformer.from_crs(place["crs"], "EPSG:4326", always_xy=True).transform(rim[:, 0], rim[:, 1])
    lon = unwrap(lon, float(lon[0]) if near_lon is None else near_lon)
    bounds = float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())
    grid_lon = np.linspace(bounds[0], bounds[2], 2 * grey.shape[1] + 1)[1::2]  # middles of the columns
    grid_lat = np.linspace(bounds[3], bounds[1], 2 * grey.shape[0] + 1)[1::2]
    to_map = Transformer.from_crs("EPSG:4326", place["crs"], always_xy=True)
    at_x, at_y = to_map.transform(*np.meshgrid(grid_lon, grid_lat))
    col = np.floor((at_x - west) / (pixel * place["width"]) * grey.shape[1])
    row = np.floor((north - at_y) / (pixel * place["height"]) * grey.shape[0])
    inside = (col >= 0) & (col < grey.shape[1]) & (row >= 0) & (row < grey.shape[0])
    laid = np.full(grey.shape, PAPER, np.uint8)
    laid[inside] = grey[row[inside].astype(int), col[inside].astype(int)]
    out = io.BytesIO()
    Image.fromarray(laid).save(out, "JPEG", quality=75)
    href = "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
    return Backdrop(href=href, west=bounds[0], south=bounds[1], east=bounds[2], north=bounds[3])


def unwrap(
    lon: np.ndarray[tuple[int, ...], np.dtype[np.float64]], near: float
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Bring longitudes within 180 degrees of one."""
    return near + (lon - near + 180.0) % 360.0 - 180.0
