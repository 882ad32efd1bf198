"""A shard as Earth Engine writes it."""

import numpy as np
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from quakeslide.domain.composite import MISSING
from tests.fakes_detector import LATTICE


def tif(pixels, row, col, *, names, crs=LATTICE.crs, dtype="float32", nodata=MISSING):
    """A shard's bytes: float32 [h, w, bands], missing as NaN, at a lattice offset."""
    grid = Affine(LATTICE.pixel, 0, LATTICE.origin_x + col * 10, 0, -LATTICE.pixel, LATTICE.origin_y - row * 10)
    height, width, count = pixels.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": dtype, "nodata": nodata}
    profile |= {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "lzw", "crs": crs, "transform": grid}
    with MemoryFile() as memory:
        with memory.open(**profile) as file:
            file.write(np.moveaxis(np.where(np.isnan(pixels), np.float32(MISSING), pixels), -1, 0).astype(dtype))
            if names:
                file.descriptions = names
        return bytes(memory.getbuffer())
