"""The rest of the world's Sentinel-1: small SIMULATED scenes far from any event, one every six hours.

The real collection always holds something taken a few hours ago, and its newest scene tells how far ingestion has come. An archive of
one earthquake alone would stand still between its passes.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from shapely.geometry import box, mapping

EVERY = timedelta(hours=6)
INGESTION = timedelta(hours=12)
PLACE = (3.0, 52.0)  # the North Sea
SIDE_PX = 4


def write_archive(archive: Path, start: datetime, end: datetime) -> None:
    """Add the scenes of a span of time to an archive of the local Earth Engine."""
    folder = archive / "COPERNICUS" / "S1_GRD"
    folder.mkdir(parents=True, exist_ok=True)
    lon, lat = PLACE
    number, taken = 0, start
    while taken < end:
        number += 1
        index = f"ELSEWHERE_{taken:%Y%m%dT%H%M%S}"
        for band, value in (("VV", -12.0), ("VH", -19.0)):
            profile = {"driver": "GTiff", "dtype": "float32", "count": 1, "nodata": np.nan, "crs": "EPSG:32631"}
            grid = Affine(10, 0, 500_000, 0, -10, 5_761_000)
            with rasterio.open(
                folder / f"{index}_{band}.tif", "w", height=SIDE_PX, width=SIDE_PX, transform=grid, **profile
            ) as file:
                file.write(np.full((SIDE_PX, SIDE_PX), value, np.float32), 1)
        stamp = round(taken.timestamp() * 1000)
        orbit = number * 13 % 175 + 1
        document = {
            "id": f"COPERNICUS/S1_GRD/{index}",
            "version": round((taken + INGESTION).timestamp() * 1e6),
            "bands": [{"id": band, "file": f"{index}_{band}.tif"} for band in ("VV", "VH")],
            "properties": {
                "system:index": index,
                "system:time_start": stamp,
                "system:time_end": stamp + 1000,
                "system:footprint": mapping(box(lon, lat - 0.001, lon + 0.001, lat)),
                "orbitProperties_pass": "ASCENDING" if number % 2 else "DESCENDING",
                "relativeOrbitNumber_start": orbit,
                "relativeOrbitNumber_stop": orbit,
                "orbitNumber_start": 50_000 + number,
                "instrumentMode": "IW",
                "transmitterReceiverPolarisation": ["VV", "VH"],
                "platform_number": "A",
                "sliceNumber": 1,
                "resolution": "H",
                "resolution_meters": 10,
                "productType": "GRD",
            },
        }
        (folder / f"{index}.json").write_text(json.dumps(document), encoding="utf-8")
        taken += EVERY
