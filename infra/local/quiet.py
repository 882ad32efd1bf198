"""The quiet mountains: a real Sentinel-1 series over two sites in California where no landslide event is known.

The recorded files are OPERA RTC-S1: linear gamma0 at 30 m, less speckled than the 10 m GRD the models are made for. They are put on a
10 m grid (bilinear, in power) and turned into dB. There is no height model and no incidence angle. A smoke test of the chain on
real backscatter, not a false-alarm rate of the method.
"""

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.warp import reproject
from shapely.geometry import mapping

RELATIVE_ORBIT = 137  # of the recorded bursts T137-292319-IW2 and T137-292320-IW2
ORBIT_PASS = "ASCENDING"  # taken at 18:00 local solar time
INGESTION = timedelta(hours=24)
PIXEL_M = 10.0
NAME = re.compile(
    r"OPERA_L2_RTC-S1_(?P<burst>T137-\d+-IW2)_(?P<time>\d{8}T\d{6})Z_\w+_S1(?P<platform>[AB])_30_v1\.0_VV\.tif"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquisition:
    """One recorded burst: its VV file, the VH file beside it, and when it was taken."""

    vv: Path
    vh: Path
    burst: str
    platform: str
    time: datetime

    @property
    def index(self) -> str:
        """Name of the image in the archive."""
        return f"OPERA_{self.burst}_{self.time:%Y%m%dT%H%M%SZ}"


def acquisitions(recording: Path) -> list[Acquisition]:
    """Return what was recorded, in time order.

    Raises:
        ValueError: nothing was recorded there.
    """
    found = []
    for vv in recording.glob("*/*/*_VV.tif"):
        match = NAME.fullmatch(vv.name)
        if match:
            taken = datetime.strptime(match["time"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
            vh = vv.with_name(vv.name.replace("_VV.tif", "_VH.tif"))
            found.append(Acquisition(vv=vv, vh=vh, burst=match["burst"], platform=match["platform"], time=taken))
    if not found:
        raise ValueError(f"{recording}: no OPERA_L2_RTC-S1_T137... files")
    return sorted(found, key=lambda a: (a.time, a.burst))


def pseudo_dates(taken: list[Acquisition]) -> Iterator[datetime]:
    """Yield an instant in the middle between every two passes that are at most 12 days apart: all possible pseudo-earthquakes."""
    passes = sorted({a.time.replace(hour=0, minute=0, second=0) for a in taken})
    for before, after in itertools.pairwise(passes):
        if after - before <= timedelta(days=12):
            yield before + (after - before) / 2 + timedelta(hours=2)


def area(recording: Path) -> dict[str, Any]:
    """Return the two sites as a GeoJSON MultiPolygon in lon/lat."""
    sites = []
    for site in sorted({a.vv.parents[1] for a in acquisitions(recording)}):
        with rasterio.open(next(site.glob("*/*_VV.tif"))) as source:
            to_lonlat = Transformer.from_crs(source.crs, "EPSG:4326", always_xy=True).transform
            sites.append(shapely.transform(shapely.box(*source.bounds), to_lonlat, interleaved=False))
    document: dict[str, Any] = json.loads(json.dumps(mapping(shapely.MultiPolygon(sites))))
    return document


def write_archive(recording: Path, archive: Path) -> int:
    """Add the series to an archive of the local Earth Engine; return the number of images."""
    folder = archive / "COPERNICUS" / "S1_GRD"
    folder.mkdir(parents=True, exist_ok=True)
    taken = acquisitions(recording)
    for number, acquisition in enumerate(taken):
        footprint = None
        for band, path in (("VV", acquisition.vv), ("VH", acquisition.vh)):
            footprint = _write_band(path, folder / f"{acquisition.index}_{band}.tif")
        start = round(acquisition.time.timestamp() * 1000)
        document = {
            "id": f"COPERNICUS/S1_GRD/{acquisition.index}",
            "version": round((acquisition.time + INGESTION).timestamp() * 1e6),
            "bands": [{"id": band, "file": f"{acquisition.index}_{band}.tif"} for band in ("VV", "VH")],
            "properties": {
                "system:index": acquisition.index,
                "system:time_start": start,
                "system:time_end": start + 3000,
                "system:footprint": footprint,
                "orbitProperties_pass": ORBIT_PASS,
                "relativeOrbitNumber_start": RELATIVE_ORBIT,
                "relativeOrbitNumber_stop": RELATIVE_ORBIT,
                "orbitNumber_start": 40000 + number,
                "instrumentMode": "IW",
                "transmitterReceiverPolarisation": ["VV", "VH"],
                "platform_number": acquisition.platform,
                "sliceNumber": int(acquisition.burst[5:11]) % 100,
                "resolution": "H",
                "resolution_meters": 10,
                "productType": "GRD",
            },
        }
        (folder / f"{acquisition.index}.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
    return len(taken)


def _write_band(source_path: Path, to: Path) -> dict[str, Any]:
    """Write one band in dB on the 10 m grid; return its footprint as a GeoJSON polygon."""
    with rasterio.open(source_path) as source:
        scale = round(source.res[0] / PIXEL_M)
        shape = (source.height * scale, source.width * scale)
        grid = source.transform @ Affine.scale(1 / scale)
        power = np.full(shape, np.nan, np.float32)
        reproject(
            rasterio.band(source, 1),
            power,
            dst_transform=grid,
            dst_crs=source.crs,
            src_nodata=np.nan,
            dst_nodata=np.nan,
            resampling=Resampling.bilinear,
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            decibel = np.where(power > 0, 10 * np.log10(power), np.nan).astype(np.float32)
        profile = {
            "driver": "GTiff",
            "dtype": "float32",
            "count": 1,
            "nodata": np.nan,
            "compress": "deflate",
            "predictor": 3,
        }
        with rasterio.open(
            to, "w", height=shape[0], width=shape[1], crs=source.crs, transform=grid, **profile
        ) as target:
            target.write(decibel, 1)
        to_lonlat = Transformer.from_crs(source.crs, "EPSG:4326", always_xy=True).transform
        document: dict[str, Any] = json.loads(
            json.dumps(mapping(shapely.transform(shapely.box(*source.bounds), to_lonlat, interleaved=False)))
        )
        return document
