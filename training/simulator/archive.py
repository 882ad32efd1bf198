"""Writes a simulated event as an archive: one GeoTIFF per acquisition and band, JSON metadata, a height model, the truth.

The metadata follow Earth Engine's COPERNICUS/S1_GRD (`getInfo()` of an image) in names and units. Every data-take is cut into two
slices, north and south, which overlap by a few pixels and start 25 s apart: whoever wants a track must put them together.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import numpy as np
import rasterio
from rasterio.transform import Affine
from rasterio.warp import Resampling, reproject
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from training.simulator.acquisition import Polarisation
from training.simulator.data_takes import SLICE_S, Slice, slices
from training.simulator.events import ArchivedEvent, Track
from training.simulator.grid import Grid, feature, geojson_ring, grid_around, outlines
from training.simulator.height_model import read_height
from training.simulator.scene import REPEAT_DAYS, Scene, pass_days
from training.simulator.terrain import Field

NOTICE = "SIMULATED Sentinel-1 scenes and landslides over {} terrain; no observation of any real place."
TRUTH_MIN_M2 = 20480.0  # 5 % of a window of 64 x 64 px of 10 m, what the paper calls a landslide patch
PRE_DAYS = 90.0
ARC_SECOND = 1 / 3600
_STEP_DB = 128.0  # backscatter is rounded to 1/128 dB: far below speckle, and the files halve


def write_archive(
    plan: ArchivedEvent,
    aoi: BaseGeometry,
    folder: Path,
    *,
    seed: int,
    post_days: float,
    size_px: int | None,
    height_model: Path | None = None,
) -> dict[str, object]:
    """Write everything; return the content of `scene.json`.

    Raises:
        ValueError: the folder holds something already, `size_px` is too small, or the height model leaves gaps.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty: an archive is written into a new folder")
    grid = grid_around(aoi, size_px=size_px)
    height_m = read_height(height_model, grid) if height_model else None
    scene = Scene(plan.event, seed=seed, shape=grid.shape, height_m=height_m)
    notice = NOTICE.format("real" if height_model else "simulated")
    images = folder / "COPERNICUS" / "S1_GRD"
    images.mkdir(parents=True)
    written: list[str] = []
    for track in plan.tracks:
        for first_seen, day in _passes(plan, track, post_days):
            takes = slices(track, first_seen, grid.shape[0], seed=seed)
            bands = {p: scene.acquire(track.orbit_pass, day, p) for p in get_args(Polarisation)}
            bands["angle"] = scene.view(track.orbit_pass).incidence_deg
            for piece in takes:
                _write_slice(images, piece, track, bands, grid)
                written.append(piece.index)
    _write_height(folder / "COPERNICUS" / "DEM" / "GLO30", scene.terrain.height_m, grid, plan.origin)
    truth = _write_truth(folder, scene, grid, aoi, notice)
    about: dict[str, object] = {
        "notice": notice,
        "event": plan.event.name,
        "seed": seed,
        "origin": plan.origin.isoformat().replace("+00:00", "Z"),
        "post_days": post_days,
        "grid": {"epsg": grid.epsg, "west_m": grid.west_m, "north_m": grid.north_m, "rows_columns": list(grid.shape)},
        "tracks": [
            {"orbit_pass": t.orbit_pass, "relative_orbit": t.relative_orbit, "first_post": t.first_post.isoformat()}
            for t in plan.tracks
        ],
        "images": len(written),
        **truth,
        "aoi": mapping(aoi),
        "parameters": asdict(plan.event),
    }
    _write_json(folder / "scene.json", about)
    return about


def _passes(plan: ArchivedEvent, track: Track, post_days: float) -> Iterator[tuple[datetime, float]]:
    first = (track.first_post - plan.origin) / timedelta(days=1)
    if not 0 < first < REPEAT_DAYS:
        raise ValueError(f"{track}: the first pass after the earthquake must follow within {REPEAT_DAYS} days")
    for days in pass_days(first, pre_days=PRE_DAYS, post_days=post_days):
        for day in days:
            repeats = round((day - first) / REPEAT_DAYS)
            yield track.first_post + repeats * timedelta(days=REPEAT_DAYS), day


def _write_slice(folder: Path, piece: Slice, track: Track, bands: dict[str, Field], grid: Grid) -> None:
    part = grid.rows(*piece.rows)
    for name, field in bands.items():
        values = field[slice(*piece.rows)]
        if name != "angle":
            values = np.asarray(np.round(values * np.float32(_STEP_DB)) / np.float32(_STEP_DB), np.float32)
        write_raster(folder / f"{piece.index}_{name}.tif", values, transform=part.transform, crs=f"EPSG:{part.epsg}")
    document = {
        "type": "Image",
        "id": f"COPERNICUS/S1_GRD/{piece.index}",
        "version": _microseconds(piece.ingested),
        "bands": [{"id": name, "file": f"{piece.index}_{name}.tif"} for name in bands],
        "properties": {
            "system:index": piece.index,
            "system:time_start": _microseconds(piece.start) // 1000,
            "system:time_end": _microseconds(piece.start + timedelta(seconds=SLICE_S)) // 1000,
            "system:footprint": geojson_ring(part.footprint()),
            "orbitProperties_pass": track.orbit_pass,
            "relativeOrbitNumber_start": track.relative_orbit,
            "relativeOrbitNumber_stop": track.relative_orbit,
            "orbitNumber_start": piece.absolute_orbit,
            "orbitNumber_stop": piece.absolute_orbit,
            "instrumentMode": "IW",
            "instrument": "Synthetic Aperture Radar",
            "transmitterReceiverPolarisation": list(get_args(Polarisation)),
            "platform_number": "A",
            "familyName": "SENTINEL-1",
            "sliceNumber": piece.number,
            "resolution": "H",
            "resolution_meters": 10,
            "productType": "GRD",
        },
    }
    _write_json(folder / f"{piece.index}.json", document)


def _write_height(folder: Path, height_m: Field, grid: Grid, origin: datetime) -> None:
    """Resample the terrain to one arc second in longitude and latitude, as the Copernicus DEM has it."""
    folder.mkdir(parents=True)
    west, south, east, north = grid.footprint().bounds
    left, top = np.floor(west / ARC_SECOND) * ARC_SECOND, np.ceil(north / ARC_SECOND) * ARC_SECOND
    shape = int(np.ceil((top - south) / ARC_SECOND)), int(np.ceil((east - left) / ARC_SECOND))
    transform = Affine(ARC_SECOND, 0, left, 0, -ARC_SECOND, top)
    tile = np.full(shape, np.nan, np.float32)
    reproject(
        height_m,
        tile,
        src_transform=grid.transform,
        src_crs=f"EPSG:{grid.epsg}",
        dst_transform=transform,
        dst_crs="EPSG:4326",
        src_nodata=np.nan,
        dst_nodata=np.nan,
        resampling=Resampling.average,
    )
    name = f"Copernicus_DSM_COG_10_{_corner(south, 'NS')}_{_corner(west, 'EW')}"
    write_raster(folder / f"{name}_DEM.tif", tile, transform=transform, crs="EPSG:4326")
    document = {
        "type": "Image",
        "id": f"COPERNICUS/DEM/GLO30/{name}",
        "version": _microseconds(origin - timedelta(days=365)),
        "bands": [{"id": "DEM", "file": f"{name}_DEM.tif"}],
        "properties": {
            "system:index": name,
            "system:time_start": _microseconds(datetime(2010, 12, 1, tzinfo=UTC)) // 1000,
            "system:footprint": geojson_ring(grid.footprint()),
        },
    }
    _write_json(folder / f"{name}.json", document)


def _corner(degrees: float, signs: str) -> str:
    whole = int(np.floor(degrees))
    return f"{signs[whole < 0]}{abs(whole):0{2 if signs == 'NS' else 3}d}_00"


def _write_truth(folder: Path, scene: Scene, grid: Grid, aoi: BaseGeometry, notice: str) -> dict[str, object]:
    areas = scene.slides.areas_m2()
    everything, judged = [], []
    for number, polygon in outlines(scene.slides.label, grid).items():
        item = feature(polygon, {"slide": number, "area_m2": float(areas[number])})
        everything.append(item)
        if areas[number] >= TRUTH_MIN_M2 and polygon.intersects(aoi):
            judged.append(item)
    for name, items in (("truth_all.geojson", everything), ("truth.geojson", judged)):
        _write_json(folder / name, {"type": "FeatureCollection", "notice": notice, "features": items})
    return {"slides": len(everything), "truth_slides": len(judged), "truth_min_m2": TRUTH_MIN_M2}


def write_raster(path: Path, values: Field, *, transform: Affine, crs: str) -> None:
    """Write one float32 band, tiled and compressed, NaN = missing."""
    height, width = values.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=1,
        dtype="float32",
        crs=crs,
        transform=transform,
        nodata=np.nan,
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress="zstd",
        zstd_level=1,
        predictor=3,
    ) as raster:
        raster.write(values.astype(np.float32), 1)


def _microseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _write_json(path: Path, document: dict[str, object]) -> None:
    path.write_text(json.dumps(document, allow_nan=False) + "\n", encoding="utf-8")
