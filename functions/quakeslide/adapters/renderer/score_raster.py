"""`score.tif`: every window's score as a cloud-optimised GeoTIFF (GDAL's COG driver).

Pixel (r, c) is the score of window (32 r, 32 c), drawn on the window's central 320 m, so neighbouring pixels touch though windows
overlap by half.
"""

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.io import MemoryFile

from quakeslide import __version__
from quakeslide.domain.judgement import Judgement
from quakeslide.domain.lattice import STRIDE_PX, WINDOW_PX, affine_of
from quakeslide.domain.report import UNVERIFIED


def score_raster(judgement: Judgement) -> bytes:
    """Return the file: one band float32 [R, C], NaN where not judged or outside the AOI, in the lattice's CRS."""
    composite, card = judgement.composite, judgement.card
    scores = np.where(judgement.in_aoi, judgement.cells.scores, np.float32(np.nan)).astype(np.float32)
    rim = (WINDOW_PX - STRIDE_PX) / 2  # px from a window's corner to its centre part
    a, _, west, _, e, north = affine_of(composite.lattice, composite.rectangle)
    transform = Affine(a * STRIDE_PX, 0.0, west + a * rim, 0.0, e * STRIDE_PX, north + e * rim)
    tags = {
        "EVENT_ID": composite.event_id,
        "TRACK": str(composite.track),
        "STAGE": str(composite.stage),
        "FINALITY": judgement.finality,
        "RUN_ID": judgement.run_id,
        "COMPOSITE_ID": composite.composite_id,
        "MODEL": f"{card.name} version {card.version}",
        "MODEL_SHA256": card.sha256,
        "MODEL_PRECISION": card.precision,
        "THRESHOLD": repr(card.threshold),
        "NOTICE": " ".join(filter(None, [UNVERIFIED, composite.data_notice, card.data_notice])),
        "SOFTWARE": f"quakeslide {__version__}",
    }
    profile = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": 1,
        "height": scores.shape[0],
        "width": scores.shape[1],
        "crs": composite.lattice.crs,
        "transform": transform,
        "nodata": np.nan,
    }
    with rasterio.Env(), MemoryFile() as plain, MemoryFile() as cog:
        with plain.open(**profile) as file:
            file.write(scores, 1)
            file.set_band_description(1, "score of the 64 px window around this pixel")
            file.update_tags(**tags)
        with plain.open() as file:
            rasterio.shutil.copy(file, cog.name, driver="COG", COMPRESS="DEFLATE", PREDICTOR="FLOATING_POINT")
        return bytes(cog.getbuffer())
